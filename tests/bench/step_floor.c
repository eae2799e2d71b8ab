#include "step_floor.h"

#include "base/alloc.h"
#include "bench.h"

#define TURN_SECONDS 0.15
enum { ROUNDS = 5 };

/* One half of the layers: its graph whole, of the batch's rows, and from those of the other side. */
typedef struct Side {
    HnTable *table; /* its gradients serve as a layer */
    const HnCsr *graph;
    const float *scale; /* means: elements do not grow from layer to layer */
    HnSubgraph last, first;
    float *batch_rows; /* [batch's rows][dim] */
    const struct Side *other;
    HnAdamStep adam;
} Side;

typedef struct Floor {
    Side users, items;
    int layers, dim;
    const HnAdamStep *steps; /* of rows that wait for them */
    const float *candidates; /* [n_items][of_candidate] what a sampler compares by score; NULL: nothing */
    uint64_t n_candidates;   /* of all pairs */
    size_t of_candidate;
    float fetched; /* so that it must be done */
} Floor;

static void half(const Floor *floor, const Side *side, bool of_values) {
    const float *x = of_values ? side->other->table->value : side->other->table->gradient;
    hn_propagate_cpu(side->graph, x, side->scale, side->table->gradient, NULL, floor->dim);
}

static void adam_rows(void *context, uint64_t first, uint64_t last, float *gradients) {
    const Side *side = context;
    hn_table_adam_rows(side->table, &side->adam, first, last, gradients);
}

/* Every line of as many rows as there are candidates, that lie anywhere. */
static void fetch_candidates(Floor *floor) {
    enum { LINE = 16 };
    const uint64_t n_items = floor->items.table->n_rows;
    float sum = 0.0f;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (uint64_t i = 0; i < floor->n_candidates; i++) {
        const uint64_t item = (i * UINT64_C(0x9E3779B97F4A7C15) >> 32) * n_items >> 32;
        const float *row = floor->candidates + item * floor->of_candidate;
        for (size_t c = 0; c < floor->of_candidate; c += LINE) {
            sum += row[c];
        }
    }
    floor->fetched = sum;
}

static void run_once(void *context) {
    Floor *floor = context;
    Side *sides[] = {&floor->items, &floor->users};
    fetch_candidates(floor);
    for (int layer = 1; layer < floor->layers; layer++) {
        half(floor, sides[0], layer == 1);
        half(floor, sides[1], layer == 1);
    }
    for (int s = 0; s < 2 && floor->layers > 0; s++) {
        const Side *side = sides[s];
        hn_propagate_cpu(&side->last.csr, side->other->table->gradient, NULL, side->batch_rows, NULL, floor->dim);
    }
    for (int s = 0; s < 2 && floor->layers > 0; s++) {
        const Side *side = sides[s];
        hn_propagate_cpu(&side->first.csr, side->other->batch_rows, side->scale, side->table->gradient, NULL,
                         floor->dim);
    }
    for (int layer = 1; layer < floor->layers; layer++) {
        half(floor, sides[0], false);
        half(floor, sides[1], false);
    }
    for (int s = 0; s < 2; s++) {
        if (!sides[s]->table->waits) {
            hn_rows_done_cpu(&(HnRowsDone){adam_rows, sides[s]}, sides[s]->table->gradient, sides[s]->table->n_rows,
                             floor->dim);
        }
    }
}

/* A step's divisions and roots of all rows that wait, with moments as they are in training, in the nearest cache. */
static void rest(void *context) {
    enum { ROWS = 8, STEPS = 8, MOST = 1024 };
    const Floor *floor = context;
    const uint64_t n = (uint64_t)ROWS * (uint64_t)floor->dim;
    const HnTable *users = floor->users.table, *items = floor->items.table;
    const uint64_t n_rows = (users->waits ? users->n_rows : 0) + (items->waits ? items->n_rows : 0);
#pragma omp parallel for schedule(static)
    for (uint64_t turn = 0; turn < n_rows / (ROWS * STEPS); turn++) {
        float p[MOST], m[MOST], v[MOST];
        for (uint64_t i = 0; i < n; i++) {
            p[i] = 0.01f, m[i] = 1e-4f, v[i] = 1e-8f;
        }
        hn_adam_rest_cpu(p, m, v, n, floor->steps, STEPS);
    }
}

/* all: the last layer is of all rows. False: no memory. */
static bool make_side(Side *side, const int32_t *rows, uint32_t n_rows, const int32_t *from, uint32_t n_from,
                      bool all) {
    const HnCsr *graph = side->graph;
    const uint64_t n_edges = graph->offsets[graph->n_rows], n_last = all ? graph->n_rows : n_rows;
    side->batch_rows = bench_floats(n_last * (uint64_t)side->table->dim, NULL);
    if (side->batch_rows == NULL || hn_subgraph_create(n_rows, n_edges, 0, &side->last, NULL) != HN_OK ||
        hn_subgraph_create(graph->n_rows, n_edges, graph->n_cols, &side->first, NULL) != HN_OK) {
        return false;
    }
    hn_subgraph_rows(&side->last, graph, rows, n_rows);
    if (all) {
        side->last.csr = *graph;
    }
    hn_subgraph_columns(&side->first, graph, from, n_from);
    return true;
}

static void free_side(Side *side) {
    hn_free(side->batch_rows);
    hn_subgraph_free(&side->first);
    hn_subgraph_free(&side->last);
}

/* The better of moments that stay in the caches and that do not. */
static double time_once(Floor *floor) {
    double seconds[2];
    for (int past = 0; past < 2; past++) {
        floor->users.adam.past_cache = floor->items.adam.past_cache = past == 1;
        seconds[past] = bench_time(run_once, floor, 5, TURN_SECONDS).best;
    }
    return seconds[0] < seconds[1] ? seconds[0] : seconds[1];
}

/* Two matrices a layer: forward, and the gradients of both factors. */
static double products_seconds(const HnTrainer *trainer, const Floor *floor) {
    const int64_t n_rows = (int64_t)(trainer->users.n_rows + trainer->items.n_rows), dim = floor->dim;
    const double rows = (double)n_rows * (floor->layers - 1) + trainer->batch.n_users + trainer->batch.n_items;
    const double flops = 2.0 * 3.0 * rows * 2.0 * (double)(dim * dim);
    return flops / bench_product_gflops(false, false, n_rows, dim, dim) * 1e-9;
}

static double rest_seconds(const HnTrainer *trainer, Floor *floor) {
    return !trainer->users.waits ? 0.0 : bench_time(rest, floor, 3, TURN_SECONDS).best;
}

static void run_rounds(Floor *floor, HnTrainer *trainer, void (*steps)(void *), void *context, int n_steps,
                       BenchStepFloor *result) {
    double shares[ROUNDS], floors[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        const double ours = bench_time(steps, context, 5, TURN_SECONDS).best / n_steps;
        floors[r] = time_once(floor) + rest_seconds(trainer, floor);
        if (trainer->config->model.backbone == HN_BACKBONE_NGCF) {
            floors[r] += products_seconds(trainer, floor);
        }
        shares[r] = floors[r] / ours;
    }
    result->share = bench_median(shares, ROUNDS);
    result->seconds = bench_median(floors, ROUNDS);
}

static const char *what_of(const Floor *floor, bool ngcf) {
    const bool chooses = floor->n_candidates > 0;
    return ngcf                ? "products, propagation, Adam alone"
           : floor->layers > 0 ? (chooses ? "propagation, candidates, Adam alone" : "propagation and Adam alone")
                               : (chooses ? "candidates and Adam alone" : "Adam alone");
}

static void add_candidates(const HnTrainer *trainer, Floor *floor) {
    const HnBatch *batch = &trainer->batch;
    const bool by_hop = trainer->sampler->by_hop;
    floor->candidates = by_hop ? trainer->finals.item_hops : trainer->finals.items;
    floor->of_candidate = (size_t)(by_hop ? batch->hops * batch->dim : batch->width);
    floor->n_candidates = (uint64_t)batch->n * (uint64_t)trainer->config->sampler.candidates;
}

BenchStepFloor bench_step_floor(HnTrainer *trainer, void (*steps)(void *), void *context, int n_steps) {
    const HnGraph *graph = &trainer->graph;
    const HnBatch *batch = &trainer->batch;
    const HnBackboneName backbone = trainer->config->model.backbone;
    const HnAdamStep adam = hn_adam_step(0.0, trainer->steps + 1); /* parameters stay as they are */
    const bool all_items = trainer->sampler->by_score;
    BenchStepFloor result = {0};
    Floor floor = {
        .layers = (int)hn_model_layers(trainer->config), .dim = trainer->dim, .steps = trainer->later_users.steps};
    floor.users =
        (Side){&trainer->users, &graph->users, graph->user_degrees.scale, .other = &floor.items, .adam = adam};
    floor.items =
        (Side){&trainer->items, &graph->items, graph->item_degrees.scale, .other = &floor.users, .adam = adam};
    if (backbone != HN_BACKBONE_MF && backbone != HN_BACKBONE_LIGHTGCN && backbone != HN_BACKBONE_NGCF) {
        return result;
    }
    if (trainer->sampler->by_score) {
        add_candidates(trainer, &floor);
    }
    result.what = what_of(&floor, backbone == HN_BACKBONE_NGCF);
    if (make_side(&floor.users, batch->users, batch->n_users, batch->items, batch->n_items, false) &&
        make_side(&floor.items, batch->items, batch->n_items, batch->users, batch->n_users, all_items)) {
        run_rounds(&floor, trainer, steps, context, n_steps, &result);
    }
    free_side(&floor.items);
    free_side(&floor.users);
    return result;
}
