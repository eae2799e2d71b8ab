#include "cf/trainer.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cpu.h"
#include "fixed.h"
#include "rank.h"

/* The ranks take the lowest instruction path that one of them has, so that all compute the same bits. */
static HnStatus agree_on_path(HnComm *comm, HnError *err) {
    int64_t lowest = -(int64_t)hn_cpu_level();
    HN_TRY(hn_comm_max_i64(comm, &lowest, 1, err));
    hn_cpu_path_cap((HnCpuPath)-lowest);
    return HN_OK;
}

/* Elements of all hop vectors of an item, where a step needs those of all items and the tables do not hold them. */
static uint64_t hop_columns(const HnTrainConfig *config) {
    const HnBatchShape shape = hn_batch_shape(config);
    return shape.hops > 1 ? (uint64_t)shape.hops * (uint64_t)shape.dim : 0;
}

/* One table for all ranks of a host, where they share rows at all. */
static HnStatus create_items(HnTrainer *trainer, HnError *err) {
    const char *what = "item embeddings";
    float *rows = trainer->host_items != NULL ? hn_host_items_table(trainer->host_items) : NULL;
    return rows == NULL
               ? hn_table_create(&trainer->items, trainer->shards.n_items, 0, trainer->dim, what, err)
               : hn_table_create_in(&trainer->items, rows, trainer->shards.n_items, 0, trainer->dim, what, err);
}

static HnStatus create_tables(HnTrainer *trainer, HnError *err) {
    const HnTrainConfig *config = trainer->config;
    const HnUserShards *shards = &trainer->shards;
    uint64_t seed = (uint64_t)trainer->job->seed, n_local = hn_user_shards_count(shards);
    HN_TRY(hn_table_create(&trainer->users, n_local, shards->user_begin, trainer->dim, "user embeddings", err));
    HN_TRY(create_items(trainer, err));
    hn_table_init(&trainer->users, config->model.init, config->model.init_std, shards->n_users, seed,
                  HN_STREAM_INIT_USER);
    hn_table_init(&trainer->items, config->model.init, config->model.init_std, shards->n_items, seed,
                  HN_STREAM_INIT_ITEM);
    size_t row = (size_t)trainer->width * sizeof(float);
    trainer->final_users = hn_alloc(n_local, row, "final user vectors", err);
    trainer->final_items = hn_alloc(shards->n_items, row, "final item vectors", err);
    if (hop_columns(config) > 0) {
        trainer->item_hops = hn_alloc(shards->n_items, hop_columns(config) * sizeof(float), "hop vectors", err);
    }
    const bool whole = trainer->final_users && trainer->final_items;
    return whole && (hop_columns(config) == 0 || trainer->item_hops) ? HN_OK : HN_MEMORY;
}

/* Which rows wait for their steps, where a step of all would go past the caches: of a sampler that chooses by score,
 * not the items, which it reads at every step. */
static HnStatus create_deferred(HnTrainer *trainer, HnError *err) {
    const bool of_items = !trainer->sampler->by_score;
    const uint64_t n_rows = trainer->users.n_rows + (of_items ? trainer->items.n_rows : 0);
    if (!trainer->model->of_batch || trainer->config->train.reg == HN_REG_ALL_PARAMS ||
        n_rows * (uint64_t)trainer->dim * 3 * sizeof(float) <= HN_LAST_CACHE) {
        return HN_OK;
    }
    HN_TRY(hn_deferred_create(&trainer->later_users, &trainer->users, err));
    return of_items ? hn_deferred_create(&trainer->later_items, &trainer->items, err) : HN_OK;
}

/* Everything that needs no other rank. */
static HnStatus create_parts(HnTrainer *trainer, HnError *err) {
    const HnTrainConfig *config = trainer->config;
    const HnUserShards *shards = &trainer->shards;
    /* A batch larger than the training part is all of it. */
    uint64_t batch = (uint64_t)config->train.batch;
    const uint64_t of_epoch = hn_order_positions(config->train.epoch_unit, batch, shards->n_pairs, shards->n_users);
    uint64_t positions = batch < of_epoch ? batch : of_epoch;
    HN_TRY(create_tables(trainer, err));
    HN_TRY(create_deferred(trainer, err));
    HN_TRY(hn_order_create(shards, config->train.epoch_unit, batch, config->train.drop_last, &trainer->order, err));
    const HnBatchShape shape = hn_batch_shape(config);
    HN_TRY(hn_batch_create(shards, positions, &shape, &trainer->batch, err));
    HN_TRY(hn_in_batch_create(&trainer->in_batch, config, &trainer->batch, err));
    HN_TRY(hn_loss_adder_create(trainer->comm, trainer->exact, &trainer->batch, &trainer->adder, err));
    HnModelContext model = {.comm = trainer->comm,
                            .exact = trainer->exact,
                            .seed = (uint64_t)trainer->job->seed,
                            .config = config,
                            .dim = trainer->dim,
                            .layers = (int)config->model.layers,
                            .shards = shards,
                            .graph = &trainer->graph,
                            .host_items = trainer->host_items,
                            .users = &trainer->users,
                            .items = &trainer->items};
    HN_TRY(trainer->model->create(&model, &trainer->batch, &trainer->model_state, err));
    HnSamplerContext sampler = {.comm = trainer->comm,
                                .exact = trainer->exact,
                                .seed = (uint64_t)trainer->job->seed,
                                .config = config,
                                .shards = shards,
                                .graph = &trainer->graph,
                                .vectors_path = trainer->job->vectors_path};
    return trainer->sampler->create(&sampler, &trainer->batch, &trainer->sampler_state, err);
}

/* Pairs that can have a negative at all: those of users who did not take every item, unless they may draw it too. */
static HnStatus check_usable(HnTrainer *trainer, HnError *err) {
    const HnCsr *users = &trainer->graph.users;
    const bool all = trainer->config->sampler.draw_from == HN_DRAW_ALL;
    int64_t usable = 0;
    for (uint64_t u = 0; u < users->n_rows; u++) {
        uint64_t n = users->offsets[u + 1] - users->offsets[u];
        usable += all || n < users->n_cols ? (int64_t)n : 0;
    }
    HN_TRY(hn_comm_sum_i64(trainer->comm, &usable, 1, err));
    if (usable == 0) {
        return hn_fail(err, HN_INPUT,
                       "every user with training pairs took every item: there is no negative to learn from; give data "
                       "with more items, or loosen data.core_items");
    }
    return HN_OK;
}

static HnStatus create(HnTrainer *trainer, HnError *err) {
    const HnTrainConfig *config = trainer->config;
    trainer->model = hn_model_ops(config->model.backbone);
    trainer->sampler = hn_sampler_ops(config->sampler.name);
    HN_TRY(agree_on_path(trainer->comm, err));
    HnStatus status = hn_user_shards_create(trainer->job->dataset, config->train.virtual_shards, trainer->comm,
                                            &trainer->shards, err);
    HN_TRY(hn_comm_agree(trainer->comm, status, err));
    HN_TRY(hn_graph_create(&trainer->shards, trainer->comm, &trainer->graph, err));
    HN_TRY(check_usable(trainer, err));
    if (hn_model_on_host(config)) {
        HN_TRY(hn_host_items_create(trainer->comm, &trainer->graph, trainer->dim, trainer->exact,
                                    trainer->model->n_blocks, &trainer->host_items, err));
    }
    return hn_comm_agree(trainer->comm, create_parts(trainer, err), err);
}

HnStatus hn_trainer_create(const HnTrainJob *job, HnComm *comm, HnTrainer **out, HnError *err) {
    if (job->threads > 0) {
        omp_set_num_threads(job->threads);
    }
    HnTrainer *trainer = hn_alloc(1, sizeof *trainer, "trainer", err);
    HN_TRY(hn_comm_agree(comm, trainer == NULL ? HN_MEMORY : HN_OK, err));
    trainer->job = job;
    trainer->config = job->config;
    trainer->comm = comm;
    trainer->exact = job->reproducible;
    trainer->dim = (int)job->config->model.dim;
    trainer->width = hn_model_width(job->config);
    HnStatus status = create(trainer, err);
    if (status != HN_OK) {
        hn_trainer_free(&trainer);
        return status;
    }
    *out = trainer;
    return HN_OK;
}

void hn_trainer_free(HnTrainer **address) {
    HnTrainer *trainer = *address;
    if (trainer == NULL) {
        return;
    }
    if (trainer->sampler != NULL) {
        trainer->sampler->free(trainer->sampler_state);
    }
    if (trainer->model != NULL) {
        trainer->model->free(trainer->model_state);
    }
    hn_loss_adder_free(&trainer->adder);
    hn_in_batch_free(&trainer->in_batch);
    hn_batch_free(&trainer->batch);
    hn_order_free(&trainer->order);
    hn_deferred_free(&trainer->later_items);
    hn_deferred_free(&trainer->later_users);
    hn_free(trainer->item_hops);
    hn_free(trainer->final_items);
    hn_free(trainer->final_users);
    hn_table_free(&trainer->items);
    hn_table_free(&trainer->users);
    hn_host_items_free(&trainer->host_items);
    hn_graph_free(&trainer->graph);
    hn_user_shards_free(&trainer->shards);
    hn_free(trainer);
    *address = NULL;
}

HnStatus hn_trainer_embed(HnTrainer *trainer, HnError *err) {
    return trainer->model->embed(trainer->model_state, trainer->final_users, trainer->final_items, NULL, err);
}

static bool is_finite(const HnTable *table) {
    const uint64_t n = table == NULL ? 0 : table->n_rows * (uint64_t)table->dim;
    return n == 0 || (isfinite(hn_max_magnitude_cpu(table->value, n)) && isfinite(hn_max_magnitude_cpu(table->m, n)) &&
                      isfinite(hn_max_magnitude_cpu(table->v, n)));
}

HnStatus hn_trainer_check(const HnTrainer *trainer, HnError *err) {
    HnStatus status = HN_OK;
    if (!is_finite(&trainer->users) || !is_finite(&trainer->items) ||
        !is_finite(trainer->sampler->parameters(trainer->sampler_state)) ||
        !is_finite(hn_model_parameters(trainer->model, trainer->model_state))) {
        const uint64_t in_epoch = trainer->step_in_epoch; /* 0: the last of the epoch before */
        status = hn_fail(err, HN_NUMERIC,
                         "%s, seed %lld, epoch %llu, step %llu: a parameter is not finite after this step: lower "
                         "train.learning_rate, or raise train.l2 (with another --out, since the folder keeps its "
                         "configuration)",
                         trainer->job->variant, (long long)trainer->job->seed,
                         (unsigned long long)trainer->epoch + (in_epoch > 0 ? 1 : 0),
                         (unsigned long long)(in_epoch > 0 ? in_epoch : trainer->order.n_batches));
    }
    return hn_comm_agree(trainer->comm, status, err);
}

uint64_t hn_trainer_memory_bytes(const HnTrainer *trainer) {
    const HnUserShards *shards = &trainer->shards;
    uint64_t n_users = hn_user_shards_count(shards), n_items = shards->n_items, pairs = shards->n_local_pairs;
    uint64_t positions = trainer->batch.max_positions, capacity = trainer->batch.capacity;
    const HnBatchShape shape = hn_batch_shape(trainer->config);
    uint64_t text_dim = trainer->sampler->text_dim(trainer->sampler_state);
    /* Tables with moments, and the final vectors; the graph both ways with its degrees; the order of an epoch. */
    const HnOrder *order = &trainer->order;
    uint64_t columns = 4 * (uint64_t)trainer->dim + (uint64_t)trainer->width;
    uint64_t total = (n_users + n_items) * (columns * 4 + 20) + pairs * 12;
    total += hn_order_bytes(order->unit, order->room, order->batch, order->n_batches);
    total += hn_in_batch_bytes(trainer->config, positions, trainer->width);
    total += n_items * hop_columns(trainer->config) * 4;
    total += hn_rank_bytes(n_items, trainer->width);
    total += hn_batch_bytes(&shape, capacity, positions, n_users, n_items);
    total += hn_loss_adder_bytes(&shape, capacity, trainer->batch.most_items, trainer->exact);
    total += trainer->model->bytes(trainer->config, n_users, n_items, pairs, positions, trainer->exact);
    if (trainer->host_items != NULL) {
        total += hn_host_items_bytes(shards->n_users, n_users, n_items, pairs, trainer->dim, trainer->model->n_blocks);
    }
    return total + trainer->sampler->bytes(trainer->config, pairs, positions, text_dim, trainer->exact,
                                           hn_comm_size(trainer->comm));
}
