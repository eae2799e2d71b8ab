/* SGL (Wu et al., SIGIR 2021): LightGCN, and a contrastive loss between two views of its graph. Every epoch makes two
 * graphs that leave a share of the pairs out; the final vectors of a batch's users and positive items over the first
 * are told from those of all others over the second (sgl_contrast.c). Ranking, and what is learnt in the end, go by the
 * whole graph. */
#include <string.h>

#include "base/alloc.h"
#include "cf/models/sgl_private.h"
#include "cf/rows.h"
#include "row.h"

static bool has_views(const HnTrainConfig *config) {
    return config->ssl.lambda > 0.0;
}

/* Graphs of a view. */
static int graphs_of(const HnTrainConfig *config) {
    return config->ssl.augment == HN_AUGMENT_WALK && config->model.layers > 0 ? (int)config->model.layers : 1;
}

static void sgl_free(void *state) {
    Sgl *sgl = state;
    if (sgl == NULL) {
        return;
    }
    hn_sgl_rows_free(sgl);
    hn_free(sgl->keep);
    for (int g = 0; g < HN_SGL_VIEWS * HN_SGL_MOST_LAYERS; g++) {
        hn_graph_free(&sgl->graphs[g / HN_SGL_MOST_LAYERS][g % HN_SGL_MOST_LAYERS]);
    }
    hn_propagation_free(&sgl->propagation);
    HN_MODEL_LIGHTGCN.free(sgl->main);
    hn_free(sgl);
}

static uint64_t sgl_bytes(const HnTrainConfig *config, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                          uint64_t n_positions, bool exact) {
    uint64_t total =
        sizeof(Sgl) + HN_MODEL_LIGHTGCN.bytes(config, n_local_users, n_items, n_local_pairs, n_positions, exact);
    if (has_views(config)) {
        total += hn_propagation_bytes(n_items, (int)config->model.dim, exact) + n_local_pairs;
        total +=
            (uint64_t)(HN_SGL_VIEWS * graphs_of(config)) * hn_graph_part_bytes(n_local_users, n_items, n_local_pairs);
        total += hn_sgl_rows_bytes(config, n_local_users, n_items, n_positions);
    }
    return total;
}

/* LightGCN's, and 2 L layers of each view; the queries' sums; a rank's part of the queries and of the items' gradient,
 * which is half of them or less. */
static uint64_t sgl_moved(const HnTrainConfig *config, uint64_t n_items, uint64_t n_batch_items, bool exact) {
    const uint64_t layers = (uint64_t)config->model.layers, dim = (uint64_t)config->model.dim;
    const uint64_t columns = (dim + HN_CONTRAST_COLUMNS - 1) / HN_CONTRAST_COLUMNS * HN_CONTRAST_COLUMNS + 1;
    uint64_t total = HN_MODEL_LIGHTGCN.moved(config, n_items, n_batch_items, exact);
    if (has_views(config)) {
        const bool together = config->ssl.denominator == HN_DENOMINATOR_BATCH;
        const uint64_t positives = n_batch_items / 2, users = positives; /* about */
        total += HN_SGL_VIEWS * 2 * layers * n_items * dim * (exact ? 8 : 4);
        total += (users + positives) * columns * 8 + (users + (together ? users + positives : n_items)) * columns * 2;
    }
    return total;
}

static HnStatus create_views(Sgl *sgl, const HnBatch *batch, HnError *err) {
    const HnModelContext *context = &sgl->context;
    sgl->n_graphs = graphs_of(context->config);
    sgl->keep = hn_alloc(context->shards->n_local_pairs, 1, "pairs of a view", err);
    if (sgl->keep == NULL) {
        return HN_MEMORY;
    }
    for (int g = 0; g < HN_SGL_VIEWS * sgl->n_graphs; g++) {
        HN_TRY(hn_graph_create_part(context->graph, &sgl->graphs[g / sgl->n_graphs][g % sgl->n_graphs], err));
    }
    HN_TRY(hn_propagation_create(context->comm, context->exact, context->dim, context->items->n_rows, NULL,
                                 &sgl->propagation, err));
    return hn_sgl_rows_create(sgl, batch, err);
}

static HnStatus sgl_create(const HnModelContext *context, const HnBatch *batch, void **state, HnError *err) {
    Sgl *sgl = hn_alloc(1, sizeof *sgl, "SGL", err);
    if (sgl == NULL) {
        return HN_MEMORY;
    }
    sgl->context = *context;
    HnStatus status = HN_MODEL_LIGHTGCN.create(context, batch, &sgl->main, err);
    if (status == HN_OK && has_views(context->config)) {
        status = create_views(sgl, batch, err);
    }
    if (status != HN_OK) {
        sgl_free(sgl);
        return status;
    }
    *state = sgl;
    return HN_OK;
}

static HnStatus sgl_start_epoch(void *state, uint64_t epoch, HnError *err) {
    Sgl *sgl = state;
    for (int g = 0; has_views(sgl->context.config) && g < HN_SGL_VIEWS * sgl->n_graphs; g++) {
        const int view = g / sgl->n_graphs, graph = g % sgl->n_graphs;
        hn_sgl_choose(sgl, epoch, view, graph);
        HN_TRY(hn_sgl_keep(sgl, view, graph, sgl->keep, err));
    }
    return HN_OK;
}

static HnStatus sgl_forward(void *state, HnBatch *batch, HnError *err) {
    return HN_MODEL_LIGHTGCN.forward(((Sgl *)state)->main, batch, err);
}

/* side->unit = the table's gradient of the second view, so far, and side->a = that of the first view's rows. */
static void start_backward(const Sgl *sgl, SglSide *side, bool second) {
    const int dim = sgl->context.dim;
    const uint64_t n_rows = side->table->n_rows;
    if (second) {
        memset(side->unit, 0, n_rows * (size_t)dim * sizeof(float));
    } else {
        const HnSpread rows = {side->rows, side->batch_gradient, (uint32_t)side->n_batch, dim, n_rows, side->a, NULL};
        hn_rows_spread(&rows, NULL);
    }
}

static HnStatus sgl_own_loss(void *state, HnBatch *batch, HnLossSums *sums, HnError *err) {
    Sgl *sgl = state;
    if (!has_views(sgl->context.config)) {
        return HN_OK;
    }
    HN_TRY(hn_sgl_view_forward(sgl, 0, err));
    HN_TRY(hn_sgl_take_batch(sgl, batch, err));
    HN_TRY(hn_sgl_view_forward(sgl, 1, err));
    hn_sgl_take_all(sgl);
    sums->bad = sums->bad || sgl->n_bad > 0;
    HN_TRY(hn_sgl_contrast(sgl, batch, sums, err));
    for (int view = HN_SGL_VIEWS - 1; view >= 0; view--) {
        start_backward(sgl, &sgl->users, view == 1);
        start_backward(sgl, &sgl->items, view == 1);
        HN_TRY(hn_sgl_view_backward(sgl, view, err));
    }
    return HN_OK;
}

/* Adds the views' gradient to rows that LightGCN has finished, and hands them on. */
typedef struct Joined {
    const SglSide *side;
    const HnRowsDone *then;
} Joined;

static void join_rows(void *context, uint64_t first, uint64_t last, float *gradients) {
    const Joined *joined = context;
    const uint64_t dim = (uint64_t)joined->side->table->dim;
    hn_row_ops_cpu()->axpy(gradients, 1.0f, joined->side->unit + first * dim, (int)((last - first) * dim));
    joined->then->rows(joined->then->context, first, last, gradients);
}

static HnStatus sgl_backward(void *state, HnBatch *batch, bool keep, const HnRowsDone *users_done,
                             const HnRowsDone *items_done, HnError *err) {
    Sgl *sgl = state;
    Joined users = {&sgl->users, users_done}, items = {&sgl->items, items_done};
    const HnRowsDone join_users = {join_rows, &users}, join_items = {join_rows, &items};
    const bool joins = has_views(sgl->context.config);
    return HN_MODEL_LIGHTGCN.backward(sgl->main, batch, keep, joins ? &join_users : users_done,
                                      joins ? &join_items : items_done, err);
}

static HnStatus sgl_embed(void *state, float *users, float *items, float *item_hops, HnError *err) {
    return HN_MODEL_LIGHTGCN.embed(((Sgl *)state)->main, users, items, item_hops, err);
}

const HnModelOps HN_MODEL_SGL = {.name = "sgl",
                                 .width = hn_model_width_is_dim,
                                 .on_host = true,
                                 .n_blocks = 1, /* LightGCN's */
                                 .create = sgl_create,
                                 .free = sgl_free,
                                 .bytes = sgl_bytes,
                                 .moved = sgl_moved,
                                 .start_epoch = sgl_start_epoch,
                                 .forward = sgl_forward,
                                 .own_loss = sgl_own_loss,
                                 .backward = sgl_backward,
                                 .embed = sgl_embed};
