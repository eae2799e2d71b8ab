#include <omp.h>

#include "base/alloc.h"
#include "bench.h"
#include "exp.h"

enum { ROW = 64, TILE = 4096, TILES = 4096 };

typedef struct Views {
    const HnCsr *users, *items;
    float *x_users, *x_items, *y_users, *y_items; /* [rows][ROW] */
    float *tiles;                                 /* one a thread, which stays in its first cache */
} Views;

static void propagate_once(void *context) {
    const Views *v = context;
    hn_propagate_cpu(v->users, v->x_items, NULL, v->y_users, NULL, ROW);
    hn_propagate_cpu(v->items, v->x_users, NULL, v->y_items, NULL, ROW);
}

static void exponentials_once(void *context) {
    const Views *v = context;
#pragma omp parallel
    {
        float *mine = v->tiles + (size_t)omp_get_thread_num() * TILE;
#pragma omp for schedule(static)
        for (int t = 0; t < TILES; t++) {
            hn_exp_cpu(mine, TILE, 0.2f, -0.2f);
        }
    }
}

double bench_views_floor(const HnCsr *users, const HnCsr *items, int layers, uint64_t n_users, uint64_t n_items) {
    const double cells = (double)n_users * (double)users->n_rows + (double)n_items * (double)items->n_rows;
    Views views = {.users = users,
                   .items = items,
                   .x_users = bench_floats(users->n_rows * ROW, NULL),
                   .x_items = bench_floats(items->n_rows * ROW, NULL),
                   .y_users = bench_floats(users->n_rows * ROW, NULL),
                   .y_items = bench_floats(items->n_rows * ROW, NULL),
                   .tiles = bench_floats((uint64_t)omp_get_max_threads() * TILE, NULL)};
    double seconds = 0.0;
    if (views.x_users && views.x_items && views.y_users && views.y_items && views.tiles) {
        const double gflops = bench_product_gflops(false, true, (int64_t)n_items, (int64_t)items->n_rows, ROW);
        seconds = 3.0 * 2.0 * ROW * cells / gflops * 1e-9;
        seconds += bench_time(exponentials_once, &views, 5, 0.3).best / ((double)TILE * TILES) * cells;
        seconds += 3.0 * 2.0 * layers * bench_time(propagate_once, &views, 5, 0.5).best;
    }
    float *blocks[] = {views.tiles, views.y_items, views.y_users, views.x_items, views.x_users};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    return seconds;
}
