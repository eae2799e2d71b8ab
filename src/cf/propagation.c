#include "cf/propagation.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "fixed.h"
#include "row.h"

HnStatus hn_propagation_create(HnComm *comm, bool exact, int dim, uint64_t n_items, HnHostItems *host,
                               HnPropagation *propagation, HnError *err) {
    *propagation = (HnPropagation){.comm = comm, .exact = exact, .dim = dim, .host = host};
    if (exact && hn_comm_size(comm) > 1) {
        propagation->totals = hn_alloc(n_items, (size_t)dim * sizeof(int64_t), "fixed-point item sums", err);
        if (propagation->totals == NULL) {
            return HN_MEMORY;
        }
    }
    return HN_OK;
}

void hn_propagation_free(HnPropagation *propagation) {
    hn_free(propagation->totals);
    *propagation = (HnPropagation){0};
}

uint64_t hn_propagation_bytes(uint64_t n_items, int dim, bool exact) {
    return exact ? n_items * 8 * (uint64_t)dim : 0;
}

void hn_half_of_items(const HnPropagation *propagation, HnHalf *half, HnSubgraph *sub, const int32_t *items,
                      uint32_t n_items) {
    half->edges = (HnItemEdges){.known = true, .items = items, .n_items = n_items};
    half->graph.n_rows = n_items;
    if (propagation->host == NULL) {
        hn_subgraph_rows(sub, &half->graph, items, n_items);
        half->graph = sub->csr;
    }
}

void hn_half_from_users(const HnPropagation *propagation, HnHalf *half, HnSubgraph *sub, const HnCsr *users_graph,
                        const int32_t *users, uint32_t n_users) {
    half->edges = (HnItemEdges){.known = true, .users = users, .n_users = n_users};
    half->graph.n_cols = n_users;
    if (propagation->host == NULL) {
        hn_subgraph_transpose(sub, users_graph, users, n_users);
        half->graph = sub->csr;
    }
}

void hn_half_from_items(HnHalf *half, HnSubgraph *sub, const int32_t *items, uint32_t n_items) {
    hn_subgraph_columns(sub, &half->graph, items, n_items);
    half->graph = sub->csr;
}

static bool on_host(const HnPropagation *p, const HnHalf *half) {
    return p->host != NULL && half->edges.known;
}

static void items_alone(const HnPropagation *p, const HnHalf *half, int shift) {
    const HnCsr *graph = &half->graph;
    if (p->exact) {
        hn_propagate_exact_rows_cpu(graph, half->x, shift, half->scale, half->y, half->sum, p->dim, half->done,
                                    half->window);
    } else {
        hn_propagate_rows_cpu(graph, half->x, half->scale, half->y, half->sum, p->dim, half->done, half->window);
    }
}

static HnStatus host_start(HnPropagation *p, const HnHalf *half, int shift, HnError *err) {
    const HnHostHalf of_host = {.edges = half->edges,
                                .x = half->x,
                                .column_scale = half->graph.column_scale,
                                .scale = half->scale,
                                .y = half->sum == NULL ? half->y : NULL,
                                .done = half->changes ? half->done : NULL,
                                .shift = shift,
                                .payload = half->graph.n_rows * (uint64_t)p->dim * (p->exact ? 8 : 4)};
    return hn_host_items_start(p->host, &of_host, err);
}

/* Sums of this rank's users, on their way to the other ranks; or the host's rows. */
static HnStatus items_start(HnPropagation *p, const HnHalf *half, int shift, HnError *err) {
    if (hn_comm_size(p->comm) == 1) {
        items_alone(p, half, shift);
        return HN_OK;
    }
    if (on_host(p, half)) {
        return host_start(p, half, shift, err);
    }
    const HnCsr *graph = &half->graph;
    uint64_t n_elements = graph->n_rows * (uint64_t)p->dim;
    if (p->exact) {
        hn_propagate_fixed_cpu(graph, half->x, shift, p->totals, p->dim);
        return hn_comm_sum_i64_start(p->comm, p->totals, n_elements, err);
    }
    hn_propagate_cpu(graph, half->x, NULL, half->y, NULL, p->dim);
    return hn_comm_sum_f32_start(p->comm, half->y, n_elements, err);
}

/* What is left to do for item rows whose sums over all ranks are there. */
typedef struct Finish {
    const HnPropagation *propagation;
    const HnHalf *half;
    int shift;
    const float *rows; /* the host's, finished but for `sum` and `done`; or NULL */
} Finish;

static void scale_rows(float *y, const float *scale, float *sum, uint64_t n_rows, int dim) {
    const HnRowOps *ops = hn_row_ops_cpu();
    for (uint64_t r = 0; r < n_rows; r++) {
        float *row = y + r * (uint64_t)dim;
        ops->scale(row, scale[r], row, dim);
        if (sum != NULL) {
            ops->axpy(sum + r * (uint64_t)dim, 1.0f, row, dim);
        }
    }
}

static void finish_rows(void *context, uint64_t first, uint64_t last, float *y) {
    const Finish *finish = context;
    const HnHalf *half = finish->half;
    const int dim = finish->propagation->dim;
    const size_t at = first * (size_t)dim;
    float *sum = half->sum != NULL ? half->sum + at : NULL;
    if (finish->rows != NULL && finish->rows != half->y) {
        y = half->window == NULL ? y : half->window + (size_t)omp_get_thread_num() * HN_ROWS_AT_ONCE * (size_t)dim;
        memcpy(y, finish->rows + at, (last - first) * (size_t)dim * sizeof *y);
        if (sum != NULL) {
            hn_row_ops_cpu()->axpy(sum, 1.0f, y, (int)((last - first) * (uint64_t)dim));
        }
    } else if (finish->rows == NULL && finish->propagation->exact) {
        hn_fixed_to_float_cpu(finish->propagation->totals + at, finish->shift, half->scale + first, y, sum,
                              last - first, dim);
    } else if (finish->rows == NULL) {
        scale_rows(y, half->scale + first, sum, last - first, dim);
    }
    if (half->done != NULL) {
        half->done->rows(half->done->context, first, last, y);
    }
}

static HnStatus items_finish(HnPropagation *p, const HnHalf *half, int shift, HnError *err) {
    if (hn_comm_size(p->comm) > 1) {
        Finish finish = {p, half, shift, NULL};
        if (on_host(p, half)) {
            finish.rows = hn_host_items_finish(p->host);
        } else {
            HN_TRY(hn_comm_wait(p->comm, err));
        }
        if (finish.rows != half->y || (half->done != NULL && !half->changes)) {
            hn_rows_done_cpu(&(HnRowsDone){finish_rows, &finish}, half->y, half->graph.n_rows, p->dim);
        }
    }
    return HN_OK;
}

void hn_propagation_users(HnPropagation *propagation, const HnHalf *half) {
    hn_propagate_rows_cpu(&half->graph, half->x, half->scale, half->y, half->sum, propagation->dim, half->done,
                          half->window);
}

static HnStatus shift_for(const HnPropagation *propagation, float bound, int *shift, HnError *err) {
    *shift = 0;
    if (propagation->exact) {
        if (!isfinite(bound)) {
            return hn_fail(err, HN_NUMERIC,
                           "user vectors are not finite: lower train.learning_rate (with another --out)");
        }
        *shift = hn_fixed_shift(bound);
    }
    return HN_OK;
}

HnStatus hn_propagation_items(HnPropagation *propagation, const HnHalf *half, float bound, HnError *err) {
    int shift;
    HN_TRY(shift_for(propagation, bound, &shift, err));
    HN_TRY(items_start(propagation, half, shift, err));
    return items_finish(propagation, half, shift, err);
}

HnStatus hn_propagation_layer(HnPropagation *propagation, const HnHalf *users, const HnHalf *items, float bound,
                              HnError *err) {
    int shift;
    HN_TRY(shift_for(propagation, bound, &shift, err));
    HN_TRY(items_start(propagation, items, shift, err));
    hn_propagation_users(propagation, users);
    return items_finish(propagation, items, shift, err);
}
