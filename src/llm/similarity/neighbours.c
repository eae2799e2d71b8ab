#include "neighbours.h"

#include <string.h>

#include "base/alloc.h"
#include "rank.h"

struct HnNeighbours {
    const float *vectors; /* [n_items][dim] */
    uint64_t n_items;
    int dim, k;
    int32_t *lists; /* [n_items][k] */
    uint8_t *known; /* [n_items] */
};

HnStatus hn_neighbours_create(const float *vectors, uint64_t n_items, int dim, int k, HnNeighbours **neighbours,
                              HnError *err) {
    if ((uint64_t)k >= n_items) {
        k = n_items > 1 ? (int)(n_items - 1) : 1;
    }
    HnNeighbours *made = hn_alloc(1, sizeof *made, "neighbour lists", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->vectors = vectors;
    made->n_items = n_items;
    made->dim = dim;
    made->k = k;
    made->lists = hn_alloc(n_items * (uint64_t)k, sizeof *made->lists, "neighbour lists", err);
    made->known = hn_alloc(n_items, 1, "neighbour lists found", err);
    if (!made->lists || !made->known) {
        hn_neighbours_free(&made);
        return HN_MEMORY;
    }
    *neighbours = made;
    return HN_OK;
}

void hn_neighbours_free(HnNeighbours **neighbours) {
    if (*neighbours) {
        hn_free((*neighbours)->lists);
        hn_free((*neighbours)->known);
        hn_free(*neighbours);
        *neighbours = NULL;
    }
}

int hn_neighbours_k(const HnNeighbours *neighbours) {
    return neighbours->k;
}

const int32_t *hn_neighbours_of(const HnNeighbours *neighbours, uint32_t item) {
    return neighbours->lists + (uint64_t)item * (uint64_t)neighbours->k;
}

HnStatus hn_neighbours_find(HnNeighbours *neighbours, const uint32_t *items, size_t n, HnError *err) {
    HnNeighbours *self = neighbours;
    size_t dim = (size_t)self->dim, k = (size_t)self->k, n_new = 0;
    HnStatus status = HN_MEMORY;
    int32_t *wanted = hn_alloc(n, sizeof *wanted, "items to search", err);
    float *rows = hn_alloc(n * dim, sizeof *rows, "vectors to search", err);
    uint64_t *offsets = hn_alloc(n + 1, sizeof *offsets, "mask of the search", err);
    int32_t *top = hn_alloc(n * k, sizeof *top, "neighbours found", err);
    if (!wanted || !rows || !offsets || !top) {
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++) {
        if (!self->known[items[i]]) {
            self->known[items[i]] = 1;
            memcpy(rows + n_new * dim, self->vectors + (uint64_t)items[i] * dim, dim * sizeof *rows);
            wanted[n_new++] = (int32_t)items[i]; /* masked from its own list */
            offsets[n_new] = n_new;
        }
    }
    status = HN_OK;
    if (n_new > 0) {
        status =
            hn_rank_cpu(rows, n_new, self->vectors, self->n_items, self->dim, offsets, wanted, self->k, top, NULL, err);
    }
    for (size_t i = 0; i < n_new; i++) {
        if (status == HN_OK) {
            memcpy(self->lists + (uint64_t)wanted[i] * k, top + i * k, k * sizeof *top);
        } else {
            self->known[wanted[i]] = 0;
        }
    }
cleanup:
    hn_free(wanted);
    hn_free(rows);
    hn_free(offsets);
    hn_free(top);
    return status;
}
