/* Unit rows of the two views: of the batch's rows in the first, of all rows in the second. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/models/sgl_private.h"
#include "row.h"
#include "shard.h"

enum { BLOCK = 360 }; /* rows that are added up in floats: five tiles of the kernel */

#define SHORTEST 1e-12f /* a shorter row has no direction: zero, and without a gradient */

/* ---- room ---- */

static int width_for(int64_t dim) {
    return (int)((dim + HN_CONTRAST_COLUMNS - 1) / HN_CONTRAST_COLUMNS * HN_CONTRAST_COLUMNS);
}

static uint64_t n_runs(uint64_t n) {
    return (n + BLOCK - 1) / BLOCK;
}

/* Runs of whole virtual shards, whichever ranks have them. */
static HnStatus user_blocks(const HnUserShards *shards, SglBlocks *blocks, HnError *err) {
    for (int s = shards->first; s < shards->last; s++) {
        blocks->n += n_runs(shards->begin[s + 1] - shards->begin[s]);
    }
    blocks->last = blocks->n;
    blocks->begin = hn_alloc(blocks->n + 1, sizeof *blocks->begin, "runs of users", err);
    if (blocks->begin == NULL) {
        return HN_MEMORY;
    }
    uint64_t at = 0;
    for (int s = shards->first; s < shards->last; s++) {
        for (uint64_t user = shards->begin[s]; user < shards->begin[s + 1]; user += BLOCK) {
            blocks->begin[at++] = user - shards->user_begin;
        }
    }
    blocks->begin[at] = hn_user_shards_count(shards);
    return HN_OK;
}

static HnStatus side_create(SglSide *side, const HnTable *table, uint64_t most, int width, HnError *err) {
    const size_t row = (size_t)width * sizeof(float);
    side->table = table;
    float **blocks[] = {&side->a, &side->b, &side->sum, &side->unit};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        *blocks[i] = hn_alloc(table->n_rows, row, "SGL views", err);
        if (*blocks[i] == NULL) {
            return HN_MEMORY;
        }
    }
    side->length = hn_alloc(table->n_rows, sizeof(float), "SGL views", err);
    side->rows = hn_alloc(most, sizeof(int32_t), "SGL batch", err);
    side->batch_unit = hn_alloc(most, row, "SGL batch", err);
    side->batch_d_unit = hn_alloc(most, row, "SGL batch", err);
    side->batch_gradient = hn_alloc(most, row, "SGL batch", err);
    side->batch_length = hn_alloc(most, sizeof(float), "SGL batch", err);
    side->weight = hn_alloc(most, sizeof(float), "SGL batch", err);
    const bool whole = side->length && side->rows && side->batch_unit && side->batch_d_unit && side->batch_gradient &&
                       side->batch_length && side->weight;
    return whole ? HN_OK : HN_MEMORY;
}

static HnStatus queries_create(Sgl *sgl, uint64_t most, HnError *err) {
    SglQueries *queries = &sgl->queries;
    const size_t width = (size_t)sgl->width, row = width * sizeof(float);
    const size_t n_ranks = (size_t)hn_comm_size(sgl->context.comm);
    const bool together = sgl->context.config->ssl.denominator == HN_DENOMINATOR_BATCH;
    queries->unit = hn_alloc(most, row, "SGL batch", err);
    queries->weight = hn_alloc(most, sizeof(float), "SGL batch", err);
    queries->packed = hn_alloc(hn_contrast_packed(most, sgl->width), sizeof(float), "SGL batch", err);
    queries->totals = hn_alloc(most, (width + 1) * sizeof(int64_t), "SGL batch", err);
    sgl->scratch = hn_alloc(hn_contrast_scratch(sgl->width), sizeof(float), "SGL batch", err);
    sgl->counts = hn_alloc(n_ranks, sizeof *sgl->counts, "SGL batch", err);
    sgl->n_bytes = hn_alloc(n_ranks, sizeof *sgl->n_bytes, "SGL batch", err);
    if (together) {
        sgl->together.begin = hn_alloc(n_runs(most) + 1, sizeof(uint64_t), "SGL batch", err);
        sgl->together_unit = hn_alloc(most, row, "SGL batch", err);
        sgl->together_gradient = hn_alloc(most, row, "SGL batch", err);
    }
    const bool whole = queries->unit && queries->weight && queries->packed && queries->totals && sgl->scratch &&
                       sgl->counts && sgl->n_bytes;
    return whole && (!together || (sgl->together.begin && sgl->together_unit && sgl->together_gradient)) ? HN_OK
                                                                                                         : HN_MEMORY;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

HnStatus hn_sgl_rows_create(Sgl *sgl, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &sgl->context;
    const uint64_t n_items = context->items->n_rows, most_items = least(batch->max_positions, n_items);
    sgl->width = width_for(context->dim);
    HN_TRY(side_create(&sgl->users, context->users, batch->capacity, sgl->width, err));
    HN_TRY(side_create(&sgl->items, context->items, most_items, sgl->width, err));
    sgl->users.n_all = context->shards->n_users, sgl->items.n_all = n_items;
    HN_TRY(user_blocks(context->shards, &sgl->users.blocks, err));
    sgl->items.blocks.begin = hn_alloc(n_runs(n_items) + 1, sizeof(uint64_t), "runs of items", err);
    if (sgl->items.blocks.begin == NULL) {
        return HN_MEMORY;
    }
    hn_sgl_cut(sgl, &sgl->items.blocks, n_items);
    return queries_create(sgl, batch->max_positions + most_items, err);
}

static void side_free(SglSide *side) {
    void *blocks[] = {side->weight, side->batch_length, side->batch_gradient, side->batch_d_unit, side->batch_unit,
                      side->rows,   side->length,       side->unit,           side->sum,          side->b,
                      side->a,      side->blocks.begin};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
}

void hn_sgl_rows_free(Sgl *sgl) {
    hn_free(sgl->together_gradient);
    hn_free(sgl->together_unit);
    hn_free(sgl->together.begin);
    hn_free(sgl->n_bytes);
    hn_free(sgl->counts);
    hn_free(sgl->scratch);
    hn_free(sgl->queries.totals);
    hn_free(sgl->queries.packed);
    hn_free(sgl->queries.weight);
    hn_free(sgl->queries.unit);
    side_free(&sgl->items);
    side_free(&sgl->users);
}

uint64_t hn_sgl_rows_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                           uint64_t n_positions) {
    const uint64_t width = (uint64_t)width_for(config->model.dim), row = width * 4;
    const uint64_t items = least(n_positions, n_items), queries = n_positions + items;
    const uint64_t together = config->ssl.denominator == HN_DENOMINATOR_BATCH ? queries * 2 * row : 0;
    return (n_local_users + n_items) * (4 * row + 4 + 8 * 2 / BLOCK) + queries * (3 * row + 12) +
           queries * (2 * row + 4 + 8 * (width + 1)) + hn_contrast_scratch((int)width) * 4 + together;
}

/* ---- unit rows ---- */

/* Elements dim .. width-1 are 0. False where the row is not finite: it counts as zero. */
static bool make_unit(const float *x, int dim, int width, float *unit, float *length, const HnRowOps *ops) {
    const float squares = ops->dot(x, x, dim);
    const bool good = isfinite(squares);
    *length = good && squares > SHORTEST * SHORTEST ? sqrtf(squares) : 0.0f;
    memset(unit, 0, (size_t)width * sizeof *unit);
    if (*length > 0.0f) {
        ops->scale(unit, 1.0f / *length, x, dim);
    }
    return good;
}

/* How many rows are bad. rows NULL: all of them. */
static int make_units(const float *table, const int32_t *rows, uint64_t n, const Sgl *sgl, float *unit, float *length) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const uint64_t dim = (uint64_t)sgl->context.dim, width = (uint64_t)sgl->width;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad)
    for (uint64_t r = 0; r < n; r++) {
        const uint64_t row = rows == NULL ? r : (uint64_t)rows[r];
        bad += !make_unit(table + row * dim, sgl->context.dim, sgl->width, unit + r * width, &length[r], ops);
    }
    return bad;
}

/* The batch's positive items: batch->items has the negatives too. */
static void list_items(Sgl *sgl, const HnBatch *batch) {
    SglSide *items = &sgl->items;
    items->n_batch = 0;
    for (uint32_t i = 0; i < batch->n_items; i++) {
        if (batch->positive_uses[i] > 0) {
            items->weight[items->n_batch] = (float)batch->positive_uses[i];
            items->rows[items->n_batch++] = batch->items[i];
        }
    }
    items->place = 0, items->n_queries = items->n_batch;
}

static HnStatus list_users(Sgl *sgl, const HnBatch *batch, HnError *err) {
    SglSide *users = &sgl->users;
    const int n_ranks = hn_comm_size(sgl->context.comm), rank = hn_comm_rank(sgl->context.comm);
    users->n_batch = batch->n_users;
    for (uint32_t u = 0; u < batch->n_users; u++) {
        users->rows[u] = batch->users[u];
        users->weight[u] = (float)(batch->user_begin[u + 1] - batch->user_begin[u]);
    }
    memset(sgl->counts, 0, (size_t)n_ranks * sizeof *sgl->counts);
    sgl->counts[rank] = batch->n_users;
    HN_TRY(hn_comm_sum_i64(sgl->context.comm, sgl->counts, (size_t)n_ranks, err));
    users->place = users->n_queries = 0;
    for (int r = 0; r < n_ranks; r++) {
        users->place += r < rank ? (uint64_t)sgl->counts[r] : 0;
        users->n_queries += (uint64_t)sgl->counts[r];
    }
    return HN_OK;
}

HnStatus hn_sgl_take_batch(Sgl *sgl, const HnBatch *batch, HnError *err) {
    SglSide *sides[] = {&sgl->users, &sgl->items};
    HN_TRY(list_users(sgl, batch, err));
    list_items(sgl, batch);
    sgl->n_bad = 0;
    for (int s = 0; s < 2; s++) {
        SglSide *side = sides[s];
        for (uint64_t r = 0; r < side->n_batch && sgl->together_unit != NULL; r++) {
            side->weight[r] = 1.0f;
        }
        sgl->n_bad += make_units(side->sum, side->rows, side->n_batch, sgl, side->batch_unit, side->batch_length);
    }
    return HN_OK;
}

void hn_sgl_take_all(Sgl *sgl) {
    SglSide *sides[] = {&sgl->users, &sgl->items};
    for (int s = 0; s < 2; s++) {
        sgl->n_bad += make_units(sides[s]->sum, NULL, sides[s]->table->n_rows, sgl, sides[s]->unit, sides[s]->length);
    }
}

void hn_sgl_unit_gradient(const Sgl *sgl, const float *d_unit, const float *unit, float length, float *d_row) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const int dim = sgl->context.dim;
    const float inverse = length > 0.0f ? 1.0f / length : 0.0f;
    ops->mix(d_row, inverse, d_unit, -inverse * ops->dot(unit, d_unit, dim), unit, dim);
}

/* ---- whose rows ---- */

HnStatus hn_sgl_gather(Sgl *sgl, const SglSide *side, const float *mine, size_t columns, float *all, HnError *err) {
    if (side == &sgl->items) {
        memcpy(all, mine, side->n_batch * columns * sizeof *all);
        return HN_OK;
    }
    for (int r = 0; r < hn_comm_size(sgl->context.comm); r++) {
        sgl->n_bytes[r] = (size_t)sgl->counts[r] * columns * sizeof *all;
    }
    return hn_comm_gather_all(sgl->context.comm, mine, all, sgl->n_bytes, err);
}

void hn_sgl_cut(const Sgl *sgl, SglBlocks *blocks, uint64_t n_rows) {
    const HnComm *comm = sgl->context.comm;
    blocks->n = n_runs(n_rows);
    for (uint64_t b = 0; b <= blocks->n; b++) {
        blocks->begin[b] = b < blocks->n ? b * BLOCK : n_rows;
    }
    hn_shard_block(blocks->n, hn_comm_size(comm), hn_comm_rank(comm), &blocks->first, &blocks->last);
}

HnStatus hn_sgl_gather_blocks(Sgl *sgl, const SglBlocks *blocks, const float *mine, float *all, HnError *err) {
    const int n_ranks = hn_comm_size(sgl->context.comm);
    for (int r = 0; r < n_ranks; r++) {
        uint64_t first, last;
        hn_shard_block(blocks->n, n_ranks, r, &first, &last);
        sgl->n_bytes[r] = (blocks->begin[last] - blocks->begin[first]) * (size_t)sgl->width * sizeof *all;
    }
    return hn_comm_gather_all(sgl->context.comm, mine, all, sgl->n_bytes, err);
}
