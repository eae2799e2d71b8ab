/* Edge dropout: which edges a pass goes over.
 *
 * Every step leaves out a share of the edges, the same of every layer; those to users and those to items one by one. So
 * forward has E' = M E with M not symmetric, and backward goes over its transpose: what the step keeps of the edges to
 * users leads to items then. What counts is f / sqrt(d_u d_i), d being the degrees of the whole graph: row scales carry
 * f, 1 / (1 - share) or 1. Pairs are drawn by their number in the whole data set, so every rank draws its own. */
#include <math.h>

#include "base/alloc.h"
#include "cf/models/lightgcn_private.h"
#include "keep.h"

enum { COLUMNS = 128, ROWS_A_RUN = 64 }; /* pair p is drawn as element p % 128 of row p / 128 */

static uint32_t threshold_of(const HnTrainConfig *config) {
    return (uint32_t)lrint(config->model.edge_dropout * 65536.0);
}

static uint64_t n_marks(uint64_t n_local_pairs) {
    return n_local_pairs + 2 * COLUMNS;
}

uint64_t hn_lightgcn_edges_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                                 uint64_t n_local_pairs) {
    const uint64_t parts = 2 * (hn_graph_part_bytes(n_local_users, n_items, n_local_pairs) + n_marks(n_local_pairs));
    return threshold_of(config) == 0 ? 0 : parts + (n_local_users + n_items) * sizeof(float);
}

static HnStatus scale_create(Side *side, float gain, HnError *err) {
    const HnDegrees *degrees = side->degrees;
    side->kept_scale = hn_alloc(degrees->n, sizeof(float), "edge dropout", err);
    if (side->kept_scale == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t r = 0; r < degrees->n; r++) {
        side->kept_scale[r] = gain * degrees->scale[r];
        side->last_scale[r] *= gain;
    }
    return HN_OK;
}

HnStatus hn_lightgcn_edges_create(LightGcn *model, HnError *err) {
    const HnTrainConfig *config = model->context.config;
    EdgeDrop *drop = &model->drop;
    drop->threshold = threshold_of(config);
    drop->gain = config->model.edge_rescale ? 65536.0f / (float)(65536 - drop->threshold) : 1.0f;
    if (drop->threshold == 0) {
        return HN_OK;
    }
    for (int k = 0; k < 2; k++) {
        HN_TRY(hn_graph_create_part(model->context.graph, &drop->graphs[k], err));
        drop->marks[k] = hn_alloc(n_marks(model->context.shards->n_local_pairs), 1, "edge dropout", err);
        if (drop->marks[k] == NULL) {
            return HN_MEMORY;
        }
    }
    HN_TRY(scale_create(&model->users, drop->gain, err));
    return scale_create(&model->items, drop->gain, err);
}

void hn_lightgcn_edges_free(LightGcn *model) {
    for (int k = 0; k < 2; k++) {
        hn_free(model->drop.marks[k]);
        hn_graph_free(&model->drop.graphs[k]);
    }
    hn_free(model->users.kept_scale);
    hn_free(model->items.kept_scale);
}

void hn_lightgcn_edges_draw(LightGcn *model, uint64_t step) {
    EdgeDrop *drop = &model->drop;
    if (drop->threshold == 0 || (drop->drawn && drop->step == step)) {
        return;
    }
    const HnUserShards *shards = model->context.shards;
    const uint64_t begin = shards->train.offsets[0], before = begin % COLUMNS;
    const uint64_t n_rows = (before + shards->n_local_pairs + COLUMNS - 1) / COLUMNS;
    const uint64_t n_runs = (n_rows + ROWS_A_RUN - 1) / ROWS_A_RUN;
#pragma omp parallel for schedule(static)
    for (uint64_t run = 0; run < 2 * n_runs; run++) {
        const uint64_t row = run / 2 * ROWS_A_RUN, n = n_rows - row < ROWS_A_RUN ? n_rows - row : ROWS_A_RUN;
        const HnKeep keep = {model->context.seed, (uint32_t)step, (uint32_t)(run % 2), drop->threshold};
        hn_keep_cpu(&keep, begin / COLUMNS + row, NULL, n, COLUMNS, 1, drop->marks[run % 2] + row * COLUMNS);
    }
#pragma omp parallel for schedule(static, 1)
    for (int k = 0; k < 2; k++) {
        hn_graph_keep_pairs(model->context.graph, drop->marks[k] + before, &drop->graphs[k]);
    }
    drop->step = step;
    drop->drawn = true;
}

void hn_lightgcn_edges_take(LightGcn *model, Edges which) {
    Side *users = &model->users, *items = &model->items;
    const bool kept = model->drop.threshold > 0 && which != EDGES_ALL, back = which == EDGES_BACK;
    const HnGraph *to_users = kept ? &model->drop.graphs[back] : model->context.graph;
    const HnGraph *to_items = kept ? &model->drop.graphs[!back] : model->context.graph;
    users->graph = &to_users->users;
    items->graph = &to_items->items;
    model->senders = &to_items->users;
    users->scale = kept ? users->kept_scale : users->degrees->scale;
    items->scale = kept ? items->kept_scale : items->degrees->scale;
    model->gain = kept ? model->drop.gain : 1.0f;
}
