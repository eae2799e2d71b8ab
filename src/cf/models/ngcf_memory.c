/* What NGCF holds, and what it will: memory and traffic from counts alone. */
#include <math.h>
#include <omp.h>

#include "base/alloc.h"
#include "cf/models/ngcf_private.h"
#include "cf/sampler.h"

enum { CHUNK_ROWS = 512 }; /* most rows of a run; part of the result */

static void side_free(NgcfSide *side) {
    void *blocks[] = {side->inverse,      side->ones,       side->layers, side->sums,        side->marks,
                      side->lengths,      side->z,          side->direct, side->chunk_begin, side->last_e,
                      side->last_s,       side->last_out,   side->last_d, side->last_direct, side->last_marks,
                      side->last_lengths, side->batch_scale};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    hn_subgraph_free(&side->sub);
}

void hn_ngcf_free(void *state) {
    Ngcf *model = state;
    if (model == NULL) {
        return;
    }
    for (int t = 0; model->threads != NULL && t < model->n_threads; t++) {
        hn_free(model->threads[t].total);
        hn_free(model->threads[t].partial);
        hn_free(model->threads[t].scratch);
    }
    void *blocks[] = {model->threads, model->turned,  model->totals, model->shifts,
                      model->window,  model->bound_e, model->bound_s};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    side_free(&model->users);
    side_free(&model->items);
    hn_table_free(&model->parameters);
    hn_propagation_free(&model->propagation);
    hn_free(model);
}

uint64_t hn_ngcf_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                       uint64_t n_positions, bool exact) {
    if (config->model.layers == 0) {
        return sizeof(Ngcf);
    }
    const HnBatchShape shape = hn_batch_shape(config);
    const uint64_t dim = (uint64_t)config->model.dim, layers = (uint64_t)config->model.layers, row = 4 * dim;
    const uint64_t batch_rows = n_positions + hn_batch_most_items(&shape, n_positions, n_items);
    const uint64_t threads = (uint64_t)omp_get_max_threads(), n_layer = hn_ngcf_layer_parameters(config);
    return (n_local_users + n_items) * (2 * layers * row + layers * (dim + 4) + 8) + batch_rows * (5 * row + dim + 8) +
           layers * (24 * n_layer + 8 * dim * dim) + threads * (12 * n_layer + 4 * hn_interact_scratch(shape.dim)) +
           8 * n_local_pairs + 16 * n_local_users + 20 * n_items + hn_propagation_bytes(n_items, shape.dim, exact) +
           4 * hn_propagate_window(shape.dim);
}

/* The items' sums of every layer, forward (the last one of the batch's items; of all before that, where those are
 * looked at) and backward; the weights' gradients. */
uint64_t hn_ngcf_moved(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact) {
    const uint64_t layers = (uint64_t)config->model.layers, row = (uint64_t)config->model.dim * (exact ? 8 : 4);
    const uint64_t looked_at = hn_sampler_ops(config->sampler.name)->by_score ? n_items : 0;
    return layers == 0
               ? 0
               : ((2 * layers - 1) * n_items + looked_at + n_batch_items) * row + 8 * hn_ngcf_parameters(config);
}

/* Runs of at most CHUNK_ROWS rows between `n` fences, of which chunk_begin may be NULL: only counted. */
static uint64_t cut(const uint64_t *fences, uint64_t n, uint64_t *chunk_begin) {
    uint64_t chunks = 0;
    for (uint64_t f = 0; f + 1 < n; f++) {
        for (uint64_t begin = fences[f]; begin < fences[f + 1]; begin += CHUNK_ROWS) {
            if (chunk_begin != NULL) {
                chunk_begin[chunks] = begin - fences[0];
                chunk_begin[chunks + 1] = fences[f + 1] - fences[0];
            }
            chunks++;
        }
    }
    return chunks;
}

static HnStatus side_create(NgcfSide *side, const Ngcf *model, const uint64_t *fences, uint64_t n_fences,
                            uint64_t n_batch, HnError *err) {
    const char *what = "NGCF layers";
    const uint64_t n = side->table->n_rows, layers = (uint64_t)model->context.layers;
    const size_t dim = (size_t)side->table->dim, row = dim * sizeof(float);
    side->n_chunks = cut(fences, n_fences, NULL);
    const struct {
        void **block;
        uint64_t count;
        size_t bytes;
    } blocks[] = {{(void **)&side->inverse, n, sizeof(float)},
                  {(void **)&side->ones, n, sizeof(float)},
                  {(void **)&side->layers, (layers - 1) * n, row},
                  {(void **)&side->sums, (layers - 1) * n, row},
                  {(void **)&side->marks, layers * n, dim},
                  {(void **)&side->lengths, layers * n, sizeof(float)},
                  {(void **)&side->z, n, row},
                  {(void **)&side->direct, n, row},
                  {(void **)&side->chunk_begin, side->n_chunks + 1, sizeof(uint64_t)},
                  {(void **)&side->last_e, n_batch, row},
                  {(void **)&side->last_s, n_batch, row},
                  {(void **)&side->last_out, n_batch, row},
                  {(void **)&side->last_d, n_batch, row},
                  {(void **)&side->last_direct, n_batch, row},
                  {(void **)&side->last_marks, n_batch, dim},
                  {(void **)&side->last_lengths, n_batch, sizeof(float)},
                  {(void **)&side->batch_scale, n_batch, sizeof(float)}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        *blocks[i].block = hn_alloc(blocks[i].count, blocks[i].bytes, what, err);
        if (*blocks[i].block == NULL) {
            return HN_MEMORY;
        }
    }
    (void)cut(fences, n_fences, side->chunk_begin);
    for (uint64_t r = 0; r < n; r++) {
        const float root = side->degrees->root[r];
        const float degree = side->degrees->scale[r] > 0.0f ? rintf(root * root) : 0.0f;
        side->inverse[r] = 1.0f / (degree + 1.0f);
        side->ones[r] = 1.0f;
    }
    return HN_OK;
}

static HnStatus threads_create(Ngcf *model, HnError *err) {
    model->n_threads = omp_get_max_threads();
    model->threads = hn_alloc((uint64_t)model->n_threads, sizeof *model->threads, "NGCF threads", err);
    if (model->threads == NULL) {
        return HN_MEMORY;
    }
    for (int t = 0; t < model->n_threads; t++) {
        NgcfThread *thread = &model->threads[t];
        thread->scratch = hn_alloc(hn_interact_scratch(model->context.dim), sizeof(float), "NGCF scratch", err);
        thread->partial = hn_alloc(model->n_layer, sizeof(float), "NGCF gradients", err);
        thread->total = hn_alloc(model->n_layer, sizeof(int64_t), "NGCF gradients", err);
        if (!thread->scratch || !thread->partial || !thread->total) {
            return HN_MEMORY;
        }
    }
    return HN_OK;
}

HnStatus hn_ngcf_allocate(Ngcf *model, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &model->context;
    const HnUserShards *shards = context->shards;
    const uint64_t layers = (uint64_t)context->layers, square = (uint64_t)context->dim * (uint64_t)context->dim;
    const uint64_t all_items[] = {0, shards->n_items};
    HN_TRY(side_create(&model->users, model, shards->begin + shards->first,
                       (uint64_t)(shards->last - shards->first) + 1, batch->capacity, err));
    HN_TRY(side_create(&model->items, model, all_items, 2, batch->most_items, err));
    HN_TRY(
        hn_subgraph_create(model->users.table->n_rows, shards->n_local_pairs, shards->n_items, &model->users.sub, err));
    HN_TRY(hn_subgraph_create(shards->n_items, shards->n_local_pairs, 0, &model->items.sub, err));
    HN_TRY(threads_create(model, err));
    model->turned = hn_alloc(2 * layers * square, sizeof(float), "NGCF weights", err);
    model->totals = hn_alloc(layers * model->n_layer, sizeof(int64_t), "NGCF gradients", err);
    model->shifts = hn_alloc(3 * layers, sizeof(int), "NGCF gradients", err);
    model->window = hn_alloc(hn_propagate_window(context->dim), sizeof(float), "NGCF layers", err);
    model->bound_e = hn_alloc(layers + 1, sizeof(float), "NGCF bounds", err);
    model->bound_s = hn_alloc(layers + 1, sizeof(float), "NGCF bounds", err);
    if (!model->turned || !model->totals || !model->shifts || !model->window || !model->bound_e || !model->bound_s) {
        return HN_MEMORY;
    }
    HN_TRY(hn_propagation_create(context->comm, context->exact, context->dim, shards->n_items, context->host_items,
                                 &model->propagation, err));
    return hn_table_create(&model->parameters, layers * model->n_layer, 0, 1, "NGCF weights", err);
}
