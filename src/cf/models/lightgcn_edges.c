/* Edge dropout: which edges a pass goes over.
 *
 * Every step leaves out a share of the edges, the same of every layer or others (model.edge_masks); those to users and
 * those to items one by one. So forward has E' = M E with M not symmetric, and backward goes over its transpose, the
 * last layer's first: what the step keeps of the edges to users leads to items then. What counts is f / sqrt(d_u d_i),
 * d being the degrees of the whole graph: row scales carry f, 1 / (1 - share) or 1. Pairs are drawn by their number in
 * the whole data set, so every rank draws its own. */
#include <math.h>

#include "base/alloc.h"
#include "cf/models/lightgcn_private.h"
#include "keep.h"

enum { COLUMNS = 128, ROWS_A_RUN = 64 }; /* pair p is drawn as element p % 128 of row p / 128 */

static uint32_t threshold_of(const HnTrainConfig *config) {
    return (uint32_t)lrint(config->model.edge_dropout * 65536.0);
}

static int masks_of(const HnTrainConfig *config) {
    return config->model.edge_masks == HN_MASKS_OF_LAYER ? (int)config->model.layers : 1;
}

static uint64_t n_marks(uint64_t n_local_pairs) {
    return n_local_pairs + 2 * COLUMNS;
}

uint64_t hn_lightgcn_edges_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items,
                                 uint64_t n_local_pairs) {
    const uint64_t graph = hn_graph_part_bytes(n_local_users, n_items, n_local_pairs);
    const uint64_t parts = 2 * ((uint64_t)masks_of(config) * (graph + sizeof(HnGraph)) + n_marks(n_local_pairs));
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
    drop->graphs = hn_alloc(2 * (uint64_t)masks_of(config), sizeof *drop->graphs, "edge dropout", err);
    if (drop->graphs == NULL) {
        return HN_MEMORY;
    }
    drop->n_masks = masks_of(config);
    for (int g = 0; g < 2 * drop->n_masks; g++) {
        HN_TRY(hn_graph_create_part(model->context.graph, &drop->graphs[g], err));
    }
    for (int k = 0; k < 2; k++) {
        drop->marks[k] = hn_alloc(n_marks(model->context.shards->n_local_pairs), 1, "edge dropout", err);
        if (drop->marks[k] == NULL) {
            return HN_MEMORY;
        }
    }
    HN_TRY(scale_create(&model->users, drop->gain, err));
    return scale_create(&model->items, drop->gain, err);
}

void hn_lightgcn_edges_free(LightGcn *model) {
    for (int g = 0; g < 2 * model->drop.n_masks; g++) {
        hn_graph_free(&model->drop.graphs[g]);
    }
    hn_free(model->drop.graphs);
    hn_free(model->drop.marks[0]);
    hn_free(model->drop.marks[1]);
    hn_free(model->users.kept_scale);
    hn_free(model->items.kept_scale);
}

/* One mask: of the edges to users and of those to items. */
static void draw_mask(LightGcn *model, uint64_t step, int mask) {
    EdgeDrop *drop = &model->drop;
    const HnUserShards *shards = model->context.shards;
    const uint64_t begin = shards->train.offsets[0], before = begin % COLUMNS;
    const uint64_t n_rows = (before + shards->n_local_pairs + COLUMNS - 1) / COLUMNS;
    const uint64_t n_runs = (n_rows + ROWS_A_RUN - 1) / ROWS_A_RUN;
#pragma omp parallel for schedule(static)
    for (uint64_t run = 0; run < 2 * n_runs; run++) {
        const uint64_t row = run / 2 * ROWS_A_RUN, n = n_rows - row < ROWS_A_RUN ? n_rows - row : ROWS_A_RUN;
        const uint32_t part = 2 * (uint32_t)mask + (uint32_t)(run % 2);
        const HnKeep keep = {model->context.seed, (uint32_t)step, part, drop->threshold};
        hn_keep_cpu(&keep, begin / COLUMNS + row, NULL, n, COLUMNS, 1, drop->marks[run % 2] + row * COLUMNS);
    }
#pragma omp parallel for schedule(static, 1)
    for (int k = 0; k < 2; k++) {
        hn_graph_keep_pairs(model->context.graph, drop->marks[k] + before, &drop->graphs[2 * mask + k]);
    }
}

void hn_lightgcn_edges_draw(LightGcn *model, uint64_t step) {
    EdgeDrop *drop = &model->drop;
    if (drop->threshold == 0 || (drop->drawn && drop->step == step)) {
        return;
    }
    for (int mask = 0; mask < drop->n_masks; mask++) {
        draw_mask(model, step, mask);
    }
    drop->step = step;
    drop->drawn = true;
}

void hn_lightgcn_edges_take(LightGcn *model, Edges which) {
    Side *users = &model->users, *items = &model->items;
    const bool kept = model->drop.threshold > 0 && which != EDGES_ALL;
    model->edges = kept ? which : EDGES_ALL;
    users->scale = kept ? users->kept_scale : users->degrees->scale;
    items->scale = kept ? items->kept_scale : items->degrees->scale;
    model->gain = kept ? model->drop.gain : 1.0f;
}

/* The graph whose edges to users, or to items, a layer of a pass takes. Layer l forward is l-th from the end backward.
 */
static const HnGraph *graph_of(const LightGcn *model, bool to_items, int layer) {
    const bool back = model->edges == EDGES_BACK;
    if (model->edges == EDGES_ALL) {
        return model->context.graph;
    }
    const int mask = model->drop.n_masks == 1 ? 0 : back ? model->drop.n_masks - layer : layer - 1;
    return &model->drop.graphs[2 * mask + (to_items != back ? 1 : 0)];
}

const HnCsr *hn_lightgcn_edges_of(const LightGcn *model, const Side *side, int layer) {
    const bool of_items = side == &model->items;
    const HnGraph *graph = graph_of(model, of_items, layer);
    return of_items ? &graph->items : &graph->users;
}

const HnCsr *hn_lightgcn_senders(const LightGcn *model, int layer) {
    return &graph_of(model, true, layer)->users;
}
