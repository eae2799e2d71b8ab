/* Semantic negatives (paper eq. 6, 7): the adapted vector of the pair's hard negative, mixed with a random one.
 *
 *     e_mixed = alpha * adapted + (1 - alpha) * e_rand;     d adapted = alpha * d e_mixed,  d e_rand = (1 - alpha) * d
 * e_mixed
 *
 * A pair without a vector uses e_rand as it is, and takes no part in the alignment. With alpha = 0 every operation on
 * user and item rows is that of random negatives.
 */
#include <string.h>

#include "base/alloc.h"
#include "cf/adapter.h"
#include "cf/l2.h"
#include "cf/model.h"
#include "cf/rows.h"
#include "cf/sampler.h"
#include "cf/vectors.h"
#include "row.h"

typedef struct Semantic {
    HnSamplerContext context;
    float alpha;
    bool align_adapted;
    HnVectors vectors;
    HnAdapter adapter;
    HnAlign align;
    int32_t *shard;        /* [capacity] own shard of each pair that has a vector */
    uint64_t *row;         /* [capacity] its row in the adapter */
    uint64_t *shard_begin; /* [own shards + 1] */
    bool *present;         /* [capacity] */
    float *adapted;        /* [capacity][dim] alignment on adapted vectors only: in pair order */
    float *d_adapted;      /* [capacity][dim] */
} Semantic;

static void semantic_free(void *state) {
    Semantic *semantic = state;
    if (semantic == NULL) {
        return;
    }
    hn_free(semantic->d_adapted);
    hn_free(semantic->adapted);
    hn_free(semantic->present);
    hn_free(semantic->shard_begin);
    hn_free(semantic->row);
    hn_free(semantic->shard);
    hn_align_free(&semantic->align);
    hn_adapter_free(&semantic->adapter);
    hn_vectors_free(&semantic->vectors);
    hn_free(semantic);
}

static HnStatus allocate(Semantic *semantic, const HnBatch *batch, HnError *err) {
    const HnSamplerContext *context = &semantic->context;
    const HnTrainConfig *config = context->config;
    int n_shards = context->shards->last - context->shards->first;
    size_t row = (size_t)batch->width * sizeof(float);
    HN_TRY(hn_vectors_load(context->vectors_path, context->shards, config, context->seed, &semantic->vectors, err));
    HN_TRY(hn_adapter_create(&semantic->adapter, config, semantic->vectors.dim, context->seed, batch->capacity,
                             batch->max_positions, context->exact, context->comm, err));
    HN_TRY(hn_align_create(&semantic->align, config, batch->max_positions, batch->width, err));
    semantic->shard = hn_alloc(batch->capacity, sizeof(int32_t), "semantic rows", err);
    semantic->row = hn_alloc(batch->capacity, sizeof(uint64_t), "semantic rows", err);
    semantic->shard_begin = hn_alloc((size_t)n_shards + 1, sizeof(uint64_t), "semantic rows", err);
    semantic->present = hn_alloc(batch->capacity, sizeof(bool), "semantic rows", err);
    if (semantic->align_adapted) {
        semantic->adapted = hn_alloc(batch->capacity, row, "semantic rows", err);
        semantic->d_adapted = hn_alloc(batch->capacity, row, "semantic rows", err);
    }
    bool whole = semantic->shard && semantic->row && semantic->shard_begin && semantic->present;
    return whole && (!semantic->align_adapted || (semantic->adapted && semantic->d_adapted)) ? HN_OK : HN_MEMORY;
}

static HnStatus semantic_create(const HnSamplerContext *context, const HnBatch *batch, void **state, HnError *err) {
    const HnTrainConfig *config = context->config;
    Semantic *semantic = hn_alloc(1, sizeof *semantic, "sampler", err);
    if (semantic == NULL) {
        return HN_MEMORY;
    }
    semantic->context = *context;
    semantic->alpha = (float)config->semantic.alpha;
    semantic->align_adapted = config->align.vector == HN_ALIGN_ADAPTED && config->align.lambda > 0.0;
    HnStatus status = allocate(semantic, batch, err);
    if (status != HN_OK) {
        semantic_free(semantic);
        return status;
    }
    *state = semantic;
    return HN_OK;
}

static uint64_t semantic_bytes(const HnTrainConfig *config, uint64_t n_local_pairs, uint64_t n_positions,
                               uint64_t text_dim, bool exact, int ranks) {
    uint64_t capacity = n_positions < n_local_pairs ? n_positions : n_local_pairs,
             dim = (uint64_t)hn_model_width(config);
    uint64_t align = config->align.negatives == HN_ALIGN_BATCH ? 8 * n_positions * dim : 0;
    return n_local_pairs * (2 * text_dim + 1) +
           hn_adapter_bytes(config, text_dim, capacity, n_positions, exact, ranks) + capacity * (13 + 8 * dim) + align;
}

static void semantic_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    (void)finals;
    const Semantic *semantic = state;
    hn_sample_negatives(batch, semantic->context.shards, semantic->context.seed);
}

/* The place among this rank's shards of a user's shard. */
static int32_t own_shard(const HnUserShards *shards, int32_t local_user) {
    uint64_t user = shards->user_begin + (uint64_t)local_user;
    int low = shards->first, high = shards->last; /* begin[low] <= user < begin[high] */
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (shards->begin[middle] <= user) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low - shards->first;
}

/* Gives each pair with a vector a row, by virtual shard and then by position: an order that goes on from rank to rank.
 * Fills the rows. */
static void fill_rows(Semantic *semantic, const HnBatch *batch) {
    HnAdapter *adapter = &semantic->adapter;
    const HnUserShards *shards = semantic->context.shards;
    const int n_shards = shards->last - shards->first;
    uint64_t *begin = semantic->shard_begin;
    memset(begin, 0, ((size_t)n_shards + 1) * sizeof *begin);
    for (uint32_t k = 0; k < batch->n; k++) {
        semantic->present[k] = semantic->vectors.present[batch->local[k]] != 0;
        if (semantic->present[k]) {
            semantic->shard[k] = own_shard(shards, batch->user[k]);
            semantic->row[k] = begin[semantic->shard[k] + 1]++;
        }
    }
    for (int v = 0; v < n_shards; v++) {
        begin[v + 1] += begin[v];
    }
    adapter->n_rows = begin[n_shards];
#pragma omp parallel for schedule(static)
    for (uint32_t k = 0; k < batch->n; k++) {
        if (semantic->present[k]) {
            semantic->row[k] += begin[semantic->shard[k]];
            hn_vectors_row(&semantic->vectors, batch->local[k],
                           adapter->rows[0] + semantic->row[k] * adapter->widths[0]);
        }
    }
}

static HnStatus semantic_forward(void *state, HnBatch *batch, HnError *err) {
    Semantic *semantic = state;
    HnAdapter *adapter = &semantic->adapter;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->width;
    const float *out = adapter->rows[adapter->n_layers];
    fill_rows(semantic, batch);
    HN_TRY(hn_comm_agree(semantic->context.comm, hn_adapter_forward(adapter, err), err));
    hn_rows_gather(batch->negative_vectors, batch->item_vectors, batch->negative_row, batch->n, batch->width);
#pragma omp parallel for schedule(static)
    for (uint32_t k = 0; k < batch->n; k++) {
        float *negative = batch->negative_vectors + k * d;
        if (semantic->present[k] && semantic->alpha > 0.0f) {
            ops->mix(negative, semantic->alpha, out + semantic->row[k] * d, 1.0f - semantic->alpha, negative,
                     batch->width);
        }
    }
    return HN_OK;
}

/* How many hard negatives are harder than the random ones they are mixed with. */
static void count_harder(const Semantic *semantic, const HnBatch *batch, HnLossSums *sums) {
    const HnAdapter *adapter = &semantic->adapter;
    const float *out = adapter->rows[adapter->n_layers];
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->width;
    int64_t hard = 0, harder = 0;
#pragma omp parallel for schedule(static) reduction(+ : hard, harder)
    for (uint32_t k = 0; k < batch->n; k++) {
        if (semantic->present[k]) {
            const float *user = batch->user_vectors + (size_t)batch->user_row[k] * d;
            const float *random = batch->item_vectors + (size_t)batch->negative_row[k] * d;
            hard++;
            harder += ops->dot(user, out + semantic->row[k] * d, batch->width) > ops->dot(user, random, batch->width);
        }
    }
    sums->n_hard = hard;
    sums->n_harder = harder;
}

static HnStatus semantic_align(void *state, HnBatch *batch, HnLossSums *sums, HnError *err) {
    Semantic *semantic = state;
    HnAdapter *adapter = &semantic->adapter;
    const size_t d = (size_t)batch->width;
    count_harder(semantic, batch, sums);
    if (!semantic->align_adapted) {
        return hn_loss_align(batch, &semantic->align, batch->negative_vectors, semantic->present, batch->d_negative,
                             semantic->context.comm, sums, err);
    }
    memset(semantic->d_adapted, 0, batch->n * d * sizeof(float));
    for (uint32_t k = 0; k < batch->n; k++) {
        if (semantic->present[k]) {
            memcpy(semantic->adapted + k * d, adapter->rows[adapter->n_layers] + semantic->row[k] * d,
                   d * sizeof(float));
        }
    }
    return hn_loss_align(batch, &semantic->align, semantic->adapted, semantic->present, semantic->d_adapted,
                         semantic->context.comm, sums, err);
}

static double semantic_l2(void *state) {
    const Semantic *semantic = state;
    return semantic->adapter.frozen ? 0.0 : hn_adapter_squares(&semantic->adapter);
}

static HnStatus semantic_backward(void *state, HnBatch *batch, HnError *err) {
    Semantic *semantic = state;
    HnAdapter *adapter = &semantic->adapter;
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t d = (size_t)batch->width;
    const float alpha = semantic->alpha;
#pragma omp parallel for schedule(static)
    for (uint32_t k = 0; k < batch->n; k++) {
        if (semantic->present[k]) {
            float *d_out = adapter->d_rows[adapter->n_layers] + semantic->row[k] * d,
                  *d_mixed = batch->d_negative + k * d;
            ops->scale(d_out, alpha, d_mixed, batch->width);
            if (semantic->align_adapted) {
                ops->axpy(d_out, 1.0f, semantic->d_adapted + k * d, batch->width);
            }
            ops->scale(d_mixed, 1.0f - alpha, d_mixed, batch->width);
        }
    }
    const double squares = semantic_l2(state);
    return hn_adapter_backward(adapter, hn_l2_own_weight(semantic->context.config, batch, squares), err);
}

static uint64_t semantic_text_dim(void *state) {
    const Semantic *semantic = state;
    return semantic->vectors.dim;
}

static HnTable *semantic_parameters(void *state) {
    Semantic *semantic = state;
    return &semantic->adapter.parameters;
}

static HnStatus semantic_facts(void *state, HnSamplerFacts *facts, HnError *err) {
    const Semantic *semantic = state;
    int64_t counts[2] = {(int64_t)semantic->vectors.n_stored,
                         (int64_t)(semantic->vectors.n - semantic->vectors.n_stored)};
    HN_TRY(hn_comm_sum_i64(semantic->context.comm, counts, 2, err));
    *facts = (HnSamplerFacts){.pairs_with_vector = (uint64_t)counts[0],
                              .pairs_without_vector = (uint64_t)counts[1],
                              .product_flops = semantic->adapter.flops,
                              .product_seconds = semantic->adapter.seconds};
    return HN_OK;
}

const HnSamplerOps HN_SAMPLER_OPS_SEMANTIC = {.name = "semantic",
                                              .create = semantic_create,
                                              .free = semantic_free,
                                              .bytes = semantic_bytes,
                                              .draw = semantic_draw,
                                              .forward = semantic_forward,
                                              .align = semantic_align,
                                              .backward = semantic_backward,
                                              .text_dim = semantic_text_dim,
                                              .parameters = semantic_parameters,
                                              .l2 = semantic_l2,
                                              .facts = semantic_facts};
