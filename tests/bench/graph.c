#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

/* The item side from the user side. */
static HnStatus graph_finish(BenchGraph *graph, uint64_t n_users, uint64_t n_items, HnError *err) {
    const uint64_t n_pairs = graph->user_offsets[n_users];
    graph->item_offsets = hn_alloc(n_items + 1, sizeof(uint64_t), "item offsets", err);
    graph->item_users = hn_alloc(n_pairs, sizeof(int32_t), "item rows", err);
    if (graph->item_offsets == NULL || graph->item_users == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t e = 0; e < n_pairs; e++) {
        graph->item_offsets[graph->user_items[e] + 1]++;
    }
    for (uint64_t i = 0; i < n_items; i++) {
        graph->item_offsets[i + 1] += graph->item_offsets[i];
    }
    for (uint64_t u = 0; u < n_users; u++) {
        for (uint64_t e = graph->user_offsets[u]; e < graph->user_offsets[u + 1]; e++) {
            graph->item_users[graph->item_offsets[graph->user_items[e]]++] = (int32_t)u;
        }
    }
    for (uint64_t i = n_items; i > 0; i--) {
        graph->item_offsets[i] = graph->item_offsets[i - 1];
    }
    graph->item_offsets[0] = 0;
    graph->n_pairs = n_pairs;
    graph->users = (HnCsr){n_users, n_items, graph->user_offsets, graph->user_items, NULL};
    graph->items = (HnCsr){n_items, n_users, graph->item_offsets, graph->item_users, NULL};
    return HN_OK;
}

/* Visits every number of the text: first of a line = user, then items. With items NULL it only counts. */
static void lists_scan(const char *text, uint64_t *offsets, int32_t *items, uint64_t *n_users, uint64_t *n_items,
                       uint64_t *n_pairs) {
    *n_users = *n_items = *n_pairs = 0;
    for (const char *line = text; *line != '\0';) {
        char *at;
        const uint64_t user = strtoull(line, &at, 10);
        while (*at == ' ') {
            char *end;
            const uint64_t item = strtoull(at, &end, 10);
            if (end == at + 1) {
                break;
            }
            if (items != NULL) {
                items[*n_pairs] = (int32_t)item;
                offsets[user + 1]++;
            }
            *n_items = item + 1 > *n_items ? item + 1 : *n_items;
            *n_pairs += 1;
            at = end;
        }
        *n_users = user + 1 > *n_users ? user + 1 : *n_users;
        line = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : at + strlen(at);
    }
}

HnStatus bench_graph_read(const char *path, const char *label, BenchGraph *graph, HnError *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    uint64_t n_users, n_items, n_pairs;
    *graph = (BenchGraph){0};
    snprintf(graph->label, sizeof graph->label, "%s", label);
    HN_TRY(hn_file_read(path, (size_t)1 << 30, &text, &n_bytes, err));
    lists_scan(text, NULL, NULL, &n_users, &n_items, &n_pairs);
    graph->user_offsets = hn_alloc(n_users + 1, sizeof(uint64_t), "user offsets", err);
    graph->user_items = hn_alloc(n_pairs, sizeof(int32_t), "user rows", err);
    HnStatus status = HN_MEMORY;
    if (graph->user_offsets != NULL && graph->user_items != NULL) {
        lists_scan(text, graph->user_offsets, graph->user_items, &n_users, &n_items, &n_pairs);
        for (uint64_t u = 0; u < n_users; u++) {
            graph->user_offsets[u + 1] += graph->user_offsets[u];
        }
        status = graph_finish(graph, n_users, n_items, err);
    }
    hn_free(text);
    return status;
}

static int compare_items(const void *left, const void *right) {
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static double next_unit(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) * 0x1p-53;
}

/* `degree` distinct items, low numbers (popular ones, after a fixed shuffle of numbers) more often. */
static void row_draw(int32_t *row, uint64_t degree, uint64_t n_items, uint64_t *state) {
    for (uint64_t n = 0; n < degree;) {
        const uint64_t rank = (uint64_t)(pow(next_unit(state), 5.0) * (double)n_items); /* density ~ rank^-0.8 */
        const int32_t item = (int32_t)(rank * UINT64_C(7919) % n_items);
        bool fresh = true;
        for (uint64_t i = 0; i < n; i++) {
            fresh = fresh && row[i] != item;
        }
        if (fresh) {
            row[n++] = item;
        }
    }
    qsort(row, degree, sizeof *row, compare_items);
}

HnStatus bench_graph_make(uint64_t n_users, uint64_t n_items, uint64_t n_pairs, const char *like, BenchGraph *graph,
                          HnError *err) {
    uint64_t state = 1, left = n_pairs;
    *graph = (BenchGraph){0};
    snprintf(graph->label, sizeof graph->label, "synthetic, as large as %s", like);
    graph->user_offsets = hn_alloc(n_users + 1, sizeof(uint64_t), "user offsets", err);
    graph->user_items = hn_alloc(n_pairs, sizeof(int32_t), "user rows", err);
    if (graph->user_offsets == NULL || graph->user_items == NULL) {
        return HN_MEMORY;
    }
    for (uint64_t u = 0; u < n_users; u++) {
        const uint64_t mean = left / (n_users - u), at = graph->user_offsets[u];
        uint64_t degree = u + 1 == n_users ? left : 1 + (uint64_t)(next_unit(&state) * 2.0 * (double)mean);
        degree = degree > left ? left : degree;
        row_draw(graph->user_items + at, degree, n_items, &state);
        graph->user_offsets[u + 1] = at + degree;
        left -= degree;
    }
    return graph_finish(graph, n_users, n_items, err);
}

HnStatus bench_graph_write(const BenchGraph *graph, const char *path, HnError *err) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return hn_fail(err, HN_IO, "cannot write %s", path);
    }
    for (uint64_t u = 0; u < graph->users.n_rows; u++) {
        fprintf(file, "%llu", (unsigned long long)u);
        for (uint64_t e = graph->user_offsets[u]; e < graph->user_offsets[u + 1]; e++) {
            fprintf(file, " %d", (int)graph->user_items[e]);
        }
        fputc('\n', file);
    }
    return fclose(file) == 0 ? HN_OK : hn_fail(err, HN_IO, "cannot write %s", path);
}

void bench_graph_free(BenchGraph *graph) {
    hn_free(graph->user_offsets);
    hn_free(graph->item_offsets);
    hn_free(graph->user_items);
    hn_free(graph->item_users);
    *graph = (BenchGraph){0};
}
