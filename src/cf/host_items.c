/* Two meetings a half: before the first, ranks write users' rows; between the two, they read those and write items'
 * rows; after the second they read items' rows, and may write users' rows again. */
#include "cf/host_items.h"

#include <string.h>

#include "base/alloc.h"
#include "cf/rows.h"
#include "fixed.h"
#include "row.h"

/* What a row of a slice costs beside its edges, in edges. */
enum { ROW_COST = 2, LINE = 64 };

struct HnHostItems {
    HnComm *comm;
    HnCommHost host;
    bool exact;
    int dim;
    uint64_t n_items, n_users; /* n_users: of the host */
    uint64_t *starts;          /* [host.size + 1] first user of each rank; the host's users lie in rank order */
    uint64_t first, last;      /* the slice */
    uint64_t *offsets;         /* [n_items + 1] rows of the slice, the others empty: */
    int32_t *users;            /* the host's users of each */
    uint64_t *user_offsets;    /* [n_users + 1] the same edges by user: */
    int32_t *user_items;       /* items of the slice */
    HnSubgraph sub;            /* edges of a batch */
    int32_t *senders, *places; /* [n_users] users of a batch, of the whole host; where their rows are in x */
    int64_t *totals;           /* [last - first][dim] exact, several hosts */
    HnHostBlock block;         /* what is below */
    int n_blocks;
    float *users_blocks, *items_blocks; /* [n_blocks][n_users][dim], [n_blocks][n_items][dim] */
    float *table;                       /* [3][n_items][dim], or NULL */
    const float *rows;                  /* of the half under way */
    float *x, *y;                       /* [n_users][dim], [n_items][dim] */
    int32_t *sent;                      /* [n_users] users of a batch, those of a rank from its start on; */
    uint64_t *n_sent;                   /* [host.size] so many */
};

/* ---- who has what ---- */

static void meet(HnComm *comm) {
    hn_comm_host_arrive(comm, 0);
    hn_comm_host_await(comm);
}

/* What the ranks of the host say of themselves, on all of them. */
typedef struct Count {
    uint64_t users, pairs;
} Count;

static HnStatus count_users(HnHostItems *h, const HnGraph *graph, HnHostBlock *counts, HnError *err) {
    HN_TRY(hn_comm_host_block(h->comm, (size_t)h->host.size * sizeof(Count), counts, err));
    if (counts->data == NULL) {
        return HN_OK;
    }
    Count *all = counts->data;
    all[h->host.rank] = (Count){graph->users.n_rows, graph->user_offsets[graph->users.n_rows]};
    meet(h->comm);
    for (int r = 0; r < h->host.size; r++) {
        h->starts[r + 1] = h->starts[r] + all[r].users;
    }
    h->n_users = h->starts[h->host.size];
    return HN_OK;
}

/* The items' rows over each rank's users, side by side for the time of setting up. */
typedef struct Rows {
    HnHostBlock block;
    uint64_t *offsets; /* [host.size][n_items + 1] */
    int32_t *users;    /* [pairs of the host] */
    uint64_t *starts;  /* [host.size] in users; at the block's end */
} Rows;

static HnStatus show_rows(const HnHostItems *h, const HnGraph *graph, const Count *counts, Rows *rows, HnError *err) {
    const size_t size = (size_t)h->host.size, n_offsets = size * (h->n_items + 1);
    uint64_t n_pairs = 0, before = 0;
    for (int r = 0; r < h->host.size; r++) {
        before += r < h->host.rank ? counts[r].pairs : 0;
        n_pairs += counts[r].pairs;
    }
    HN_TRY(hn_comm_host_block(h->comm, (n_offsets + size) * sizeof(uint64_t) + n_pairs * sizeof(int32_t), &rows->block,
                              err));
    if (rows->block.data == NULL) {
        return HN_OK;
    }
    rows->offsets = rows->block.data;
    rows->starts = rows->offsets + n_offsets;
    rows->users = (int32_t *)(void *)(rows->starts + size);
    rows->starts[h->host.rank] = before;
    memcpy(rows->offsets + (size_t)h->host.rank * (h->n_items + 1), graph->item_offsets,
           (h->n_items + 1) * sizeof(uint64_t));
    for (uint64_t e = 0; e < graph->item_offsets[h->n_items]; e++) {
        rows->users[before + e] = graph->item_users[e] + (int32_t)h->starts[h->host.rank];
    }
    meet(h->comm);
    return HN_OK;
}

/* ---- the slice ---- */

/* Slices are the same on every host: cut by the degrees of the whole data set. */
static HnStatus cut(HnHostItems *h, const HnGraph *graph, HnError *err) {
    int64_t *degrees = hn_alloc(h->n_items, sizeof *degrees, "item degrees", err);
    HnStatus status = hn_comm_agree(h->comm, degrees == NULL ? HN_MEMORY : HN_OK, err);
    if (status == HN_OK) {
        for (uint64_t i = 0; i < h->n_items; i++) {
            degrees[i] = (int64_t)(graph->item_offsets[i + 1] - graph->item_offsets[i]);
        }
        status = hn_comm_sum_i64(h->comm, degrees, h->n_items, err);
    }
    if (status == HN_OK) {
        uint64_t total = 0, before = 0;
        for (uint64_t i = 0; i < h->n_items; i++) {
            total += (uint64_t)degrees[i] + ROW_COST;
        }
        const double share = (double)total / h->host.size;
        for (uint64_t i = 0; i < h->n_items; i++) {
            h->first += (double)before < share * h->host.rank;
            h->last += h->host.rank + 1 == h->host.size || (double)before < share * (h->host.rank + 1);
            before += (uint64_t)degrees[i] + ROW_COST;
        }
    }
    hn_free(degrees);
    return status;
}

static HnStatus allocate(HnHostItems *h, uint64_t n_edges, HnError *err) {
    const char *what = "items of a host's rank";
    h->offsets = hn_alloc(h->n_items + 1, sizeof(uint64_t), what, err);
    h->users = hn_alloc(n_edges, sizeof(int32_t), what, err);
    h->user_offsets = hn_alloc(h->n_users + 1, sizeof(uint64_t), what, err);
    h->user_items = hn_alloc(n_edges, sizeof(int32_t), what, err);
    h->senders = hn_alloc(h->n_users, sizeof(int32_t), what, err);
    h->places = hn_alloc(h->n_users, sizeof(int32_t), what, err);
    if (h->exact && h->host.n_hosts > 1) {
        h->totals = hn_alloc(h->last - h->first, (size_t)h->dim * sizeof(int64_t), what, err);
    }
    const bool whole = h->offsets && h->users && h->user_offsets && h->user_items && h->senders && h->places;
    HN_TRY(whole && (h->totals || !h->exact || h->host.n_hosts == 1) ? HN_OK : HN_MEMORY);
    return hn_subgraph_create(h->n_items, n_edges, 0, &h->sub, err);
}

static HnCsr csr_by_item(const HnHostItems *h) {
    return (HnCsr){h->n_items, h->n_users, h->offsets, h->users, NULL};
}

static HnCsr csr_by_user(const HnHostItems *h) {
    return (HnCsr){h->n_users, h->n_items, h->user_offsets, h->user_items, NULL};
}

/* Ranks in turn: users of an item come out ascending. */
static void take_slice(HnHostItems *h, const Rows *rows) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < h->n_items; i++) {
        for (int r = 0; r < h->host.size && i >= h->first && i < h->last; r++) {
            const uint64_t *offsets = rows->offsets + (size_t)r * (h->n_items + 1);
            const size_t n_users = offsets[i + 1] - offsets[i];
            memcpy(h->users + n, rows->users + rows->starts[r] + offsets[i], n_users * sizeof(int32_t));
            n += n_users;
        }
        h->offsets[i + 1] = n;
    }
}

static HnStatus turn_slice(HnHostItems *h, HnError *err) {
    uint64_t *cursor = hn_alloc(h->n_users + 1, sizeof *cursor, "items of a host's rank", err);
    if (cursor == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t e = 0; e < h->offsets[h->n_items]; e++) {
        h->user_offsets[h->users[e] + 1]++;
    }
    for (uint64_t u = 0; u < h->n_users; u++) {
        h->user_offsets[u + 1] += h->user_offsets[u];
        cursor[u + 1] = h->user_offsets[u + 1];
    }
    for (uint64_t i = h->first; i < h->last; i++) {
        for (uint64_t e = h->offsets[i]; e < h->offsets[i + 1]; e++) {
            h->user_items[cursor[h->users[e]]++] = (int32_t)i;
        }
    }
    hn_free(cursor);
    return HN_OK;
}

static HnStatus make_slice(HnHostItems *h, const Rows *rows, HnError *err) {
    uint64_t n_edges = 0;
    for (int r = 0; r < h->host.size; r++) {
        const uint64_t *offsets = rows->offsets + (size_t)r * (h->n_items + 1);
        n_edges += offsets[h->last] - offsets[h->first];
    }
    HN_TRY(allocate(h, n_edges, err));
    take_slice(h, rows);
    return turn_slice(h, err);
}

/* ---- set up ---- */

static size_t whole_lines(size_t n_bytes) {
    return (n_bytes + LINE - 1) / LINE * LINE;
}

static HnStatus share_rows(HnHostItems *h, HnError *err) {
    const size_t row = (size_t)h->dim * sizeof(float), n = 1 + (size_t)h->n_blocks, of_table = n > 1 ? 3 : 0;
    const size_t users = whole_lines(n * h->n_users * row), items = whole_lines((n + of_table) * h->n_items * row);
    const size_t counts = whole_lines((size_t)h->host.size * sizeof(uint64_t));
    HN_TRY(hn_comm_host_block(h->comm, users + items + counts + h->n_users * sizeof(int32_t), &h->block, err));
    unsigned char *at = h->block.data;
    if (at != NULL) {
        h->x = (float *)(void *)at;
        h->y = (float *)(void *)(at + users);
        h->users_blocks = h->x + h->n_users * (uint64_t)h->dim;
        h->items_blocks = h->y + h->n_items * (uint64_t)h->dim;
        h->table = of_table > 0 ? h->y + n * h->n_items * (uint64_t)h->dim : NULL;
        h->n_sent = (uint64_t *)(void *)(at + users + items);
        h->sent = (int32_t *)(void *)(at + users + items + counts);
    }
    return HN_OK;
}

/* Blocks come one after the other, each from all hosts or from none; without one of them block stays empty. */
static HnStatus set_up(HnHostItems *h, const HnGraph *graph, HnHostBlock *counts, Rows *rows, HnError *err) {
    h->starts = hn_alloc((size_t)h->host.size + 1, sizeof(uint64_t), "ranks of a host", err);
    HN_TRY(hn_comm_agree(h->comm, h->starts == NULL ? HN_MEMORY : HN_OK, err));
    HN_TRY(count_users(h, graph, counts, err));
    if (counts->data != NULL) {
        HN_TRY(show_rows(h, graph, counts->data, rows, err));
    }
    if (rows->block.data == NULL) {
        return HN_OK;
    }
    HN_TRY(cut(h, graph, err));
    HN_TRY(hn_comm_agree(h->comm, make_slice(h, rows, err), err));
    return share_rows(h, err);
}

HnStatus hn_host_items_create(HnComm *comm, const HnGraph *graph, int dim, bool exact, int n_blocks, HnHostItems **out,
                              HnError *err) {
    HnCommHost host;
    HnHostBlock counts = {0};
    Rows rows = {0};
    *out = NULL;
    HN_TRY(hn_comm_host(comm, &host, err));
    if (host.size == 1) {
        return HN_OK;
    }
    HnHostItems *h = hn_alloc(1, sizeof *h, "items of a host's rank", err);
    HnStatus status = hn_comm_agree(comm, h == NULL ? HN_MEMORY : HN_OK, err);
    if (status == HN_OK) {
        *h = (HnHostItems){.comm = comm,
                           .host = host,
                           .exact = exact,
                           .dim = dim,
                           .n_blocks = n_blocks,
                           .n_items = graph->items.n_rows};
        status = set_up(h, graph, &counts, &rows, err);
    }
    hn_comm_host_block_free(comm, &rows.block);
    hn_comm_host_block_free(comm, &counts);
    if (h != NULL && h->block.data == NULL) {
        hn_host_items_free(&h);
    }
    *out = h;
    return status;
}

void hn_host_items_free(HnHostItems **address) {
    HnHostItems *h = *address;
    if (h == NULL) {
        return;
    }
    hn_comm_host_block_free(h->comm, &h->block);
    hn_subgraph_free(&h->sub);
    void *const blocks[] = {h->totals,       h->places, h->senders, h->user_items,
                            h->user_offsets, h->users,  h->offsets, h->starts};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hn_free(blocks[i]);
    }
    hn_free(h);
    *address = NULL;
}

uint64_t hn_host_items_bytes(uint64_t n_users, uint64_t n_local_users, uint64_t n_items, uint64_t n_local_pairs,
                             int dim, int n_blocks) {
    return (uint64_t)(1 + n_blocks) * (n_local_users + n_items) * (uint64_t)dim * sizeof(float) + n_items * 24 +
           n_users * 16 + n_local_pairs * 12;
}

/* ---- blocks ---- */

static float *users_block(const HnHostItems *h, int k) {
    return h->users_blocks + (uint64_t)k * h->n_users * (uint64_t)h->dim;
}

float *hn_host_items_of_users(const HnHostItems *h, int k) {
    return k < h->n_blocks ? users_block(h, k) + h->starts[h->host.rank] * (uint64_t)h->dim : NULL;
}

float *hn_host_items_of_items(const HnHostItems *h, int k) {
    return k < h->n_blocks ? h->items_blocks + (uint64_t)k * h->n_items * (uint64_t)h->dim : NULL;
}

float *hn_host_items_table(const HnHostItems *h) {
    return h->table;
}

HnTable hn_host_items_slice(const HnHostItems *h, const HnTable *table) {
    const uint64_t at = h->first * (uint64_t)table->dim;
    HnTable slice = *table;
    slice.n_rows = h->last - h->first;
    slice.first_row += h->first;
    slice.value += at, slice.gradient += at, slice.m += at, slice.v += at;
    return slice;
}

void hn_host_items_meet(HnHostItems *h) {
    meet(h->comm);
}

/* Rows of a slice, told of by their place among all. */
typedef struct Slice {
    const HnRowsDone *done;
    uint64_t first;
} Slice;

static void slice_rows(void *context, uint64_t first, uint64_t last, float *values) {
    const Slice *slice = context;
    slice->done->rows(slice->done->context, slice->first + first, slice->first + last, values);
}

/* Where all users' rows lie of which x are this rank's; NULL: nowhere yet. */
static const float *rows_there(const HnHostItems *h, const HnHostHalf *half) {
    for (int k = 0; k < h->n_blocks && half->column_scale == NULL && half->edges.users == NULL; k++) {
        if (half->x == hn_host_items_of_users(h, k)) {
            return users_block(h, k);
        }
    }
    return NULL;
}

static bool made_in_place(const HnHostItems *h, const HnHostHalf *half) {
    bool found = false;
    for (int k = 0; k < h->n_blocks; k++) {
        found = found || half->y == hn_host_items_of_items(h, k);
    }
    return found;
}

/* ---- a half ---- */

/* This rank's users' rows, and who they are, for the others. */
static void lay_out(const HnHostItems *h, const HnHostHalf *half) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const size_t dim = (size_t)h->dim;
    const uint64_t start = h->starts[h->host.rank], n_users = h->starts[h->host.rank + 1] - start;
    const uint64_t n = half->edges.users != NULL ? half->edges.n_users : n_users;
#pragma omp parallel for schedule(static) if (n > 64)
    for (uint64_t r = 0; r < n; r++) {
        float *row = h->x + (start + r) * dim;
        if (half->column_scale != NULL) {
            ops->scale(row, half->column_scale[r], half->x + r * dim, h->dim);
        } else {
            memcpy(row, half->x + r * dim, dim * sizeof *row);
        }
    }
    if (half->edges.users != NULL) {
        h->n_sent[h->host.rank] = n;
        for (uint64_t r = 0; r < n; r++) {
            h->sent[start + r] = half->edges.users[r] + (int32_t)start;
        }
    }
}

/* Edges from the batch's users alone, of all ranks of the host. */
static HnCsr edges_of_senders(HnHostItems *h) {
    uint64_t n = 0;
    for (int r = 0; r < h->host.size; r++) {
        for (uint64_t k = 0; k < h->n_sent[r]; k++, n++) {
            h->senders[n] = h->sent[h->starts[r] + k];
            h->places[n] = (int32_t)(h->starts[r] + k);
        }
    }
    const HnCsr by_user = csr_by_user(h);
    hn_subgraph_transpose(&h->sub, &by_user, h->senders, n);
    for (uint64_t e = 0; e < h->sub.offsets[h->n_items]; e++) {
        h->sub.columns[e] = h->places[h->sub.columns[e]];
    }
    return (HnCsr){h->last - h->first, h->n_users, h->sub.offsets + h->first, h->sub.columns, NULL};
}

/* The slice's rows of the half, of which `first` is the first one. */
static HnCsr rows_of_slice(HnHostItems *h, const HnItemEdges *edges, uint64_t *first) {
    *first = h->first;
    if (edges->users != NULL) {
        return edges_of_senders(h);
    }
    if (edges->items == NULL) {
        return (HnCsr){h->last - h->first, h->n_users, h->offsets + h->first, h->users, NULL};
    }
    const HnPlaces in = hn_rows_within(edges->items, edges->n_items, h->first, h->last);
    const HnCsr by_item = csr_by_item(h);
    *first = in.begin;
    hn_subgraph_rows(&h->sub, &by_item, edges->items + in.begin, in.end - in.begin);
    return h->sub.csr;
}

static void scale_rows(float *y, const float *scale, uint64_t n_rows, int dim) {
    for (uint64_t r = 0; r < n_rows; r++) {
        hn_row_ops_cpu()->scale(y + r * (uint64_t)dim, scale[r], y + r * (uint64_t)dim, dim);
    }
}

/* scale and y: of the slice's first row. */
static HnStatus slice_over_hosts(HnHostItems *h, const HnCsr *graph, const float *x, int shift, const float *scale,
                                 float *y, HnError *err) {
    const size_t n = (size_t)graph->n_rows * (size_t)h->dim;
    if (h->exact) {
        hn_propagate_fixed_cpu(graph, x, shift, h->totals, h->dim);
        HN_TRY(hn_comm_sum_hosts_i64(h->comm, h->totals, n, err));
        hn_fixed_to_float_cpu(h->totals, shift, scale, y, NULL, graph->n_rows, h->dim);
        return HN_OK;
    }
    hn_propagate_cpu(graph, x, NULL, y, NULL, h->dim);
    HN_TRY(hn_comm_sum_hosts_f32(h->comm, y, n, err));
    scale_rows(y, scale, graph->n_rows, h->dim);
    return HN_OK;
}

HnStatus hn_host_items_start(HnHostItems *h, const HnHostHalf *half, HnError *err) {
    const bool in_place = made_in_place(h, half);
    const float *x = rows_there(h, half);
    if (x == NULL) {
        lay_out(h, half);
        x = h->x;
    }
    hn_comm_host_arrive(h->comm, half->payload);
    hn_comm_host_await(h->comm);
    Slice slice = {half->done, 0};
    const HnCsr graph = rows_of_slice(h, &half->edges, &slice.first);
    const HnRowsDone of_slice = {slice_rows, &slice}, *done = in_place && half->done != NULL ? &of_slice : NULL;
    const float *scale = half->scale + slice.first;
    float *rows = in_place ? half->y : h->y, *y = rows + slice.first * (uint64_t)h->dim;
    h->rows = rows;
    if (h->host.n_hosts > 1) {
        HN_TRY(slice_over_hosts(h, &graph, x, half->shift, scale, y, err));
        if (done != NULL) {
            hn_rows_done_cpu(done, y, graph.n_rows, h->dim);
        }
    } else if (h->exact) {
        hn_propagate_exact_rows_cpu(&graph, x, half->shift, scale, y, NULL, h->dim, done, NULL);
    } else {
        hn_propagate_rows_cpu(&graph, x, scale, y, NULL, h->dim, done, NULL);
    }
    hn_comm_host_arrive(h->comm, 0);
    return HN_OK;
}

const float *hn_host_items_finish(HnHostItems *h) {
    hn_comm_host_await(h->comm);
    return h->rows;
}
