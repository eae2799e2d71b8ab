/* What a training will need, from counts alone: the same size formulas that allocation uses. */
#include "cf/adapter.h"
#include "cf/batch.h"
#include "cf/groups.h"
#include "cf/loss_sums.h"
#include "cf/model.h"
#include "cf/sampler.h"
#include "cf/train.h"
#include "rank.h"

static uint64_t at_most(uint64_t value, uint64_t limit) {
    return value < limit ? value : limit;
}

/* Bytes that a step hands to collectives on each rank: the model's, the batch's gradient and ids, the adapter's. */
static uint64_t moved_per_step(const HnTrainConfig *config, bool exact, uint64_t n_items, uint64_t n_train,
                               uint64_t adapter_bytes) {
    const HnBatchShape shape = hn_batch_shape(config);
    const HnModelOps *model = hn_model_ops(config->model.backbone);
    const uint64_t width = (uint64_t)shape.width, row = (width + (uint64_t)(shape.hops * shape.dim)) * (exact ? 8 : 4);
    const uint64_t positions = at_most((uint64_t)config->train.batch, n_train);
    const uint64_t batch_items = hn_batch_most_items(&shape, positions, n_items);
    uint64_t total = batch_items * row + 4 * (1 + (uint64_t)shape.draws) * positions + 16 + adapter_bytes;
    total += model->moved == NULL ? 0 : model->moved(config, n_items, batch_items, exact);
    if (adapter_bytes > 0 && config->align.negatives == HN_ALIGN_BATCH && config->align.lambda > 0.0) {
        total += positions * (2 * width + 4) * 4;
    }
    if (config->sampler.name == HN_SAMPLER_IN_BATCH) {
        total += positions * (2 * width + 2) * 4;
    }
    return total;
}

/* The adapter's gradient: a float sum, or this rank's rows and block of outputs (adapter.h). */
static uint64_t adapter_moves(const HnTrainConfig *config, bool exact, uint64_t n_weights, uint64_t positions,
                              uint64_t text_dim, int ranks) {
    if (n_weights == 0 || config->semantic.adapter_frozen) {
        return 0;
    }
    const uint64_t width = (uint64_t)hn_model_width(config);
    uint64_t columns = text_dim + width; /* inputs, and gradients, of every layer */
    if (config->semantic.adapter_hidden.n == 0) {
        columns += text_dim + width;
    }
    for (size_t i = 0; i < config->semantic.adapter_hidden.n; i++) {
        columns += 2 * (uint64_t)config->semantic.adapter_hidden.items[i];
    }
    return exact ? 4 * (columns * positions + n_weights) / (uint64_t)ranks : 4 * n_weights;
}

static uint64_t positions_of_epoch(const HnTrainConfig *config, uint64_t n_users, uint64_t n_train) {
    return hn_order_positions(config->train.epoch_unit, (uint64_t)config->train.batch, n_train, n_users);
}

static uint64_t order_bytes(const HnTrainConfig *config, uint64_t n_users, uint64_t n_train, uint64_t users,
                            uint64_t pairs) {
    const HnEpochUnit unit = config->train.epoch_unit;
    const uint64_t batch = (uint64_t)config->train.batch, n = positions_of_epoch(config, n_users, n_train);
    return hn_order_bytes(unit, hn_order_room(unit, batch, n_train, n_users, pairs, users), batch,
                          (n + batch - 1) / batch);
}

HnStatus hn_train_plan(const HnTrainConfig *config, bool reproducible, uint64_t n_users, uint64_t n_items,
                       uint64_t n_train, uint64_t text_dim, int ranks, HnTrainPlan *plan, HnError *err) {
    if (ranks < 1) {
        return hn_fail(err, HN_USAGE, "a training plan for %d ranks", ranks);
    }
    if (config->train.virtual_shards < ranks) {
        return hn_fail(err, HN_CONFIG,
                       "%d trainer ranks, but train.virtual_shards is %lld: set it to at least %d, or use fewer ranks",
                       ranks, (long long)config->train.virtual_shards, ranks);
    }
    const uint64_t n = (uint64_t)ranks, dim = (uint64_t)config->model.dim;
    const uint64_t users = (n_users + n - 1) / n, pairs = (n_train + n - 1) / n;
    const uint64_t positions = at_most((uint64_t)config->train.batch, positions_of_epoch(config, n_users, n_train));
    const bool semantic = config->sampler.name == HN_SAMPLER_SEMANTIC;
    const uint64_t n_weights = semantic ? hn_adapter_weights(config, text_dim) : 0;
    const HnBatchShape shape = hn_batch_shape(config);
    const uint64_t capacity = shape.repeats ? positions : at_most(positions, pairs);
    const HnModelOps *model = hn_model_ops(config->model.backbone);
    const uint64_t width = (uint64_t)shape.width; /* tables with moments, the final vectors and the best ones */
    uint64_t memory = (users + n_items) * ((5 * dim + 2 * width) * 4 + 20) + pairs * (12 + 8) + (n_users + 1) * 8;
    memory += order_bytes(config, n_users, n_train, users, pairs);
    memory += hn_in_batch_bytes(config, positions, shape.width);
    memory += hn_rank_bytes(n_items, shape.width);
    memory += hn_groups_bytes(users, n_items);
    memory += hn_batch_bytes(&shape, capacity, positions, users, n_items);
    memory += hn_loss_adder_bytes(&shape, capacity, hn_batch_most_items(&shape, positions, n_items), reproducible);
    memory += model->bytes(config, users, n_items, pairs, positions, reproducible);
    if (ranks > 1 && hn_model_on_host(config)) {
        memory += hn_host_items_bytes(n_users, users, n_items, pairs, shape.dim, model->n_blocks);
    }
    memory += shape.hops > 1 ? n_items * (uint64_t)(shape.hops * shape.dim) * 4 : 0;
    memory += hn_sampler_ops(config->sampler.name)->bytes(config, pairs, positions, text_dim, reproducible, ranks);
    const uint64_t adapter = adapter_moves(config, reproducible, n_weights, positions, text_dim, ranks);
    const uint64_t n_parameters = model->n_parameters == NULL ? 0 : model->n_parameters(config);
    const uint64_t checkpoint =
        (n_users + n_items) * (3 * dim + width) * 4 + (n_weights + n_parameters) * 12 + n * 16384;
    *plan = (HnTrainPlan){.memory_per_rank = memory,
                          .checkpoint_bytes = 3 * checkpoint, /* two are kept while the third is written */
                          .model_bytes = (n_users + n_items) * width * 4 + 65536,
                          .n_files = 3 * (n + 1) + 2,
                          .bytes_moved_per_step =
                              ranks > 1 ? moved_per_step(config, reproducible, n_items, n_train, adapter) : 0};
    return HN_OK;
}
