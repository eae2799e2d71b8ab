#include "cf/graph.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum { ROWS_A_RUN = 1024, PIECE = 4096 }; /* rows that a thread looks through at a time, and edges */

static HnStatus degrees_create(HnDegrees *degrees, uint64_t n, HnError *err) {
    degrees->n = n;
    degrees->root = hn_alloc(n, sizeof(float), "degree roots", err);
    degrees->inv_root = hn_alloc(n, sizeof(float), "degree roots", err);
    degrees->scale = hn_alloc(n, sizeof(float), "degree scales", err);
    return degrees->root && degrees->inv_root && degrees->scale ? HN_OK : HN_MEMORY;
}

static void degrees_free(HnDegrees *degrees) {
    hn_free(degrees->scale);
    hn_free(degrees->inv_root);
    hn_free(degrees->root);
}

static void degrees_set(HnDegrees *degrees, uint64_t row, uint64_t degree) {
    double d = (double)degree;
    degrees->root[row] = degree > 0 ? (float)sqrt(d) : 1.0f;
    degrees->inv_root[row] = degree > 0 ? (float)(1.0 / sqrt(d)) : 1.0f;
    degrees->scale[row] = degree > 0 ? (float)(1.0 / d) : 0.0f;
}

static HnStatus allocate(HnGraph *graph, uint64_t n_users, uint64_t n_items, uint64_t n_pairs, HnError *err) {
    graph->user_offsets = hn_alloc(n_users + 1, sizeof(uint64_t), "user offsets", err);
    graph->item_offsets = hn_alloc(n_items + 1, sizeof(uint64_t), "item offsets", err);
    graph->item_users = hn_alloc(n_pairs, sizeof(int32_t), "transposed graph", err);
    if (!graph->user_offsets || !graph->item_offsets || !graph->item_users) {
        return HN_MEMORY;
    }
    HN_TRY(degrees_create(&graph->user_degrees, n_users, err));
    return degrees_create(&graph->item_degrees, n_items, err);
}

/* Item rows from user rows: filling them in user order leaves their columns ascending. An item's offset runs from its
 * begin to its end meanwhile, which is the next one's begin. */
static void turn(HnGraph *graph) {
    const HnCsr *users = &graph->users;
    uint64_t *offsets = graph->item_offsets;
    memset(offsets, 0, (users->n_cols + 1) * sizeof *offsets);
    for (uint64_t p = 0; p < users->offsets[users->n_rows]; p++) {
        offsets[users->columns[p] + 1]++;
    }
    for (uint64_t i = 0; i < users->n_cols; i++) {
        offsets[i + 1] += offsets[i];
    }
    for (uint64_t u = 0; u < users->n_rows; u++) {
        for (uint64_t p = users->offsets[u]; p < users->offsets[u + 1]; p++) {
            graph->item_users[offsets[users->columns[p]]++] = (int32_t)u;
        }
    }
    memmove(offsets + 1, offsets, users->n_cols * sizeof *offsets);
    offsets[0] = 0;
    graph->items = (HnCsr){users->n_cols, users->n_rows, offsets, graph->item_users, NULL};
}

static HnStatus build_local(const HnUserShards *shards, HnGraph *graph, HnError *err) {
    const uint64_t n_users = hn_user_shards_count(shards), base = shards->train.offsets[0];
    HN_TRY(allocate(graph, n_users, shards->n_items, shards->n_local_pairs, err));
    for (uint64_t u = 0; u <= n_users; u++) {
        graph->user_offsets[u] = shards->train.offsets[u] - base;
    }
    graph->users = (HnCsr){n_users, shards->n_items, graph->user_offsets, shards->train.items, NULL};
    turn(graph);
    return HN_OK;
}

static HnStatus build_degrees(HnComm *comm, HnGraph *graph, HnError *err) {
    const uint64_t n_items = graph->items.n_rows;
    for (uint64_t u = 0; u < graph->users.n_rows; u++) {
        degrees_set(&graph->user_degrees, u, graph->user_offsets[u + 1] - graph->user_offsets[u]);
    }
    int64_t *counts = hn_alloc(n_items, sizeof *counts, "item degrees", err);
    HnStatus status = hn_comm_agree(comm, counts == NULL ? HN_MEMORY : HN_OK, err);
    if (status == HN_OK) {
        for (uint64_t i = 0; i < n_items; i++) {
            counts[i] = (int64_t)(graph->item_offsets[i + 1] - graph->item_offsets[i]);
        }
        status = hn_comm_sum_i64(comm, counts, n_items, err);
    }
    for (uint64_t i = 0; i < n_items && status == HN_OK; i++) {
        degrees_set(&graph->item_degrees, i, (uint64_t)counts[i]);
    }
    hn_free(counts);
    return status;
}

HnStatus hn_graph_create(const HnUserShards *shards, HnComm *comm, HnGraph *graph, HnError *err) {
    *graph = (HnGraph){0};
    HnStatus status = hn_comm_agree(comm, build_local(shards, graph, err), err);
    if (status == HN_OK) {
        status = build_degrees(comm, graph, err);
    }
    if (status != HN_OK) {
        hn_graph_free(graph);
    }
    return status;
}

void hn_graph_free(HnGraph *graph) {
    degrees_free(&graph->item_degrees);
    degrees_free(&graph->user_degrees);
    hn_free(graph->user_items);
    hn_free(graph->item_users);
    hn_free(graph->item_offsets);
    hn_free(graph->user_offsets);
    *graph = (HnGraph){0};
}

HnStatus hn_graph_create_part(const HnGraph *whole, HnGraph *part, HnError *err) {
    const uint64_t n_pairs = whole->user_offsets[whole->users.n_rows];
    *part = (HnGraph){0};
    HnStatus status = allocate(part, whole->users.n_rows, whole->items.n_rows, n_pairs, err);
    part->user_items = hn_alloc(n_pairs, sizeof(int32_t), "graph of some pairs", err);
    if (status != HN_OK || part->user_items == NULL) {
        hn_graph_free(part);
        return HN_MEMORY;
    }
    return HN_OK;
}

void hn_graph_keep_pairs(const HnGraph *whole, const uint8_t *keep, HnGraph *part) {
    uint64_t n = 0;
    for (uint64_t u = 0; u < whole->users.n_rows; u++) {
        for (uint64_t p = whole->user_offsets[u]; p < whole->user_offsets[u + 1]; p++) {
            part->user_items[n] = whole->users.columns[p];
            n += keep[p] != 0;
        }
        part->user_offsets[u + 1] = n;
    }
    part->users = (HnCsr){whole->users.n_rows, whole->users.n_cols, part->user_offsets, part->user_items, NULL};
    turn(part);
}

HnStatus hn_graph_keep(const HnGraph *whole, const uint8_t *keep, HnComm *comm, HnGraph *part, HnError *err) {
    hn_graph_keep_pairs(whole, keep, part);
    return build_degrees(comm, part, err);
}

uint64_t hn_graph_part_bytes(uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs) {
    return (n_local_users + n_items) * 20 + n_local_pairs * 8;
}

HnStatus hn_subgraph_create(uint64_t max_rows, uint64_t max_edges, uint64_t n_columns, HnSubgraph *sub, HnError *err) {
    *sub = (HnSubgraph){0};
    sub->offsets = hn_alloc(max_rows + 1, sizeof(uint64_t), "batch graph", err);
    sub->cursor = hn_alloc(max_rows + 1, sizeof(uint64_t), "batch graph", err);
    sub->columns = hn_alloc(max_edges, sizeof(int32_t), "batch graph", err);
    sub->place = hn_alloc(n_columns, sizeof(int32_t), "batch graph", err);
    if (!sub->offsets || !sub->cursor || !sub->columns || !sub->place) {
        hn_subgraph_free(sub);
        return HN_MEMORY;
    }
    memset(sub->place, 0xff, n_columns * sizeof *sub->place);
    return HN_OK;
}

void hn_subgraph_free(HnSubgraph *sub) {
    hn_free(sub->place);
    hn_free(sub->columns);
    hn_free(sub->cursor);
    hn_free(sub->offsets);
    *sub = (HnSubgraph){0};
}

void hn_subgraph_rows(HnSubgraph *sub, const HnCsr *graph, const int32_t *rows, uint64_t n_rows) {
    for (uint64_t r = 0; r < n_rows; r++) {
        sub->offsets[r + 1] = sub->offsets[r] + graph->offsets[rows[r] + 1] - graph->offsets[rows[r]];
    }
#pragma omp parallel for schedule(static)
    for (uint64_t r = 0; r < n_rows; r++) {
        memcpy(sub->columns + sub->offsets[r], graph->columns + graph->offsets[rows[r]],
               (sub->offsets[r + 1] - sub->offsets[r]) * sizeof *sub->columns);
    }
    sub->csr = (HnCsr){n_rows, graph->n_cols, sub->offsets, sub->columns, graph->column_scale};
}

void hn_subgraph_transpose(HnSubgraph *sub, const HnCsr *graph, const int32_t *rows, uint64_t n_rows) {
    uint64_t n_out = graph->n_cols;
    memset(sub->offsets, 0, (n_out + 1) * sizeof *sub->offsets);
    for (uint64_t r = 0; r < n_rows; r++) {
        for (uint64_t e = graph->offsets[rows[r]]; e < graph->offsets[rows[r] + 1]; e++) {
            sub->offsets[graph->columns[e] + 1]++;
        }
    }
    for (uint64_t c = 0; c < n_out; c++) {
        sub->cursor[c] = sub->offsets[c];
        sub->offsets[c + 1] += sub->offsets[c];
    }
    for (uint64_t r = 0; r < n_rows; r++) {
        for (uint64_t e = graph->offsets[rows[r]]; e < graph->offsets[rows[r] + 1]; e++) {
            sub->columns[sub->cursor[graph->columns[e]]++] = (int32_t)r;
        }
    }
    sub->csr = (HnCsr){n_out, n_rows, sub->offsets, sub->columns, NULL};
}

static uint64_t run_end(const HnCsr *graph, uint64_t run) {
    const uint64_t end = (run + 1) * ROWS_A_RUN;
    return end < graph->n_rows ? end : graph->n_rows;
}

/* Rows first .. last-1, at the place in columns that their edges have in the graph: nobody else writes there. Edges go
 * by in pieces, not rows: most rows are shorter than what a wrong guess at their end costs. */
static void keep_columns(HnSubgraph *sub, const HnCsr *graph, uint64_t first, uint64_t last) {
    const int32_t *place = sub->place;
    const uint64_t *offsets = graph->offsets, end = offsets[last];
    uint16_t kept[PIECE + 1]; /* of the piece's edges, those before each */
    uint64_t n = offsets[first], r = first;
    for (uint64_t begin = offsets[first], stop; begin < end; begin = stop) {
        stop = end - begin < PIECE ? end : begin + PIECE;
        int32_t *columns = sub->columns + n;
        uint16_t so_far = 0;
        for (uint64_t e = begin; e < stop; e++) {
            const int32_t at = place[graph->columns[e]];
            kept[e - begin] = so_far;
            columns[so_far] = at;
            so_far = (uint16_t)(so_far + (at >= 0));
        }
        kept[stop - begin] = so_far;
        for (; r < last && offsets[r + 1] <= stop; r++) {
            sub->offsets[r + 1] = n + kept[offsets[r + 1] - begin];
        }
        n += so_far;
    }
    for (; r < last; r++) { /* no edges at all */
        sub->offsets[r + 1] = n;
    }
}

void hn_subgraph_columns(HnSubgraph *sub, const HnCsr *graph, const int32_t *columns, uint64_t n) {
    const uint64_t n_runs = (graph->n_rows + ROWS_A_RUN - 1) / ROWS_A_RUN;
    for (uint64_t c = 0; c < n; c++) {
        sub->place[columns[c]] = (int32_t)c;
    }
#pragma omp parallel for schedule(dynamic, 1)
    for (uint64_t run = 0; run < n_runs; run++) {
        keep_columns(sub, graph, run * ROWS_A_RUN, run_end(graph, run));
    }
    uint64_t end = 0;
    for (uint64_t run = 0; run < n_runs; run++) { /* closes up */
        const uint64_t first = run * ROWS_A_RUN, last = run_end(graph, run), begin = graph->offsets[first];
        const uint64_t n_kept = sub->offsets[last] - begin;
        memmove(sub->columns + end, sub->columns + begin, n_kept * sizeof *sub->columns);
        for (uint64_t r = first; r < last; r++) {
            sub->offsets[r + 1] -= begin - end;
        }
        end += n_kept;
    }
    for (uint64_t c = 0; c < n; c++) {
        sub->place[columns[c]] = -1;
    }
    sub->csr = (HnCsr){graph->n_rows, n, sub->offsets, sub->columns, NULL};
}
