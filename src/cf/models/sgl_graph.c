/* What a view leaves out: a place in a permutation of all pairs (or users, or items) decides, so every rank knows its
 * own pairs, and their number over all ranks is exact. */
#include "base/rng.h"
#include "cf/models/sgl_private.h"

enum { RUN = 1024 };

static uint32_t number_of(uint64_t epoch, int view, int graph) {
    return (uint32_t)(epoch * HN_SGL_VIEWS * HN_SGL_MOST_LAYERS + (uint64_t)(view * HN_SGL_MOST_LAYERS + graph));
}

static void choose_pairs(const Sgl *sgl, uint32_t number) {
    const HnUserShards *shards = sgl->context.shards;
    const uint64_t kept = (uint64_t)((double)shards->n_pairs * (1.0 - sgl->context.config->ssl.rho));
    const uint64_t first = shards->train.offsets[0], n = shards->n_local_pairs;
    HnPermutation order;
    hn_permutation_start(&order, shards->n_pairs, sgl->context.seed, HN_STREAM_AUGMENT, number);
#pragma omp parallel for schedule(static)
    for (int64_t run = 0; run < (int64_t)((n + RUN - 1) / RUN); run++) {
        const uint64_t at = (uint64_t)run * RUN, count = n - at < RUN ? n - at : RUN;
        uint64_t places[RUN];
        hn_permute_inverse_run(&order, first + at, count, places);
        for (uint64_t p = 0; p < count; p++) {
            sgl->keep[at + p] = places[p] < kept;
        }
    }
}

/* Pairs of which neither the user nor the item is left out. */
static void choose_nodes(const Sgl *sgl, uint32_t number_users, uint32_t number_items) {
    const HnUserShards *shards = sgl->context.shards;
    const HnCsr *users = &sgl->context.graph->users;
    const double rho = sgl->context.config->ssl.rho;
    const uint64_t lost_users = (uint64_t)((double)shards->n_users * rho);
    const uint64_t lost_items = (uint64_t)((double)shards->n_items * rho);
    HnPermutation of_users, of_items;
    hn_permutation_start(&of_users, shards->n_users, sgl->context.seed, HN_STREAM_AUGMENT, number_users);
    hn_permutation_start(&of_items, shards->n_items, sgl->context.seed, HN_STREAM_AUGMENT, number_items);
#pragma omp parallel for schedule(dynamic, 64)
    for (uint64_t u = 0; u < users->n_rows; u++) {
        const bool user = hn_permute_inverse(&of_users, shards->user_begin + u) >= lost_users;
        for (uint64_t p = users->offsets[u]; p < users->offsets[u + 1]; p++) {
            sgl->keep[p] = user && hn_permute_inverse(&of_items, (uint64_t)users->columns[p]) >= lost_items;
        }
    }
}

void hn_sgl_choose(Sgl *sgl, uint64_t epoch, int view, int graph) {
    if (sgl->context.config->ssl.augment == HN_AUGMENT_NODE) {
        choose_nodes(sgl, number_of(epoch, view, 0), number_of(epoch, view, 1));
    } else {
        choose_pairs(sgl, number_of(epoch, view, graph));
    }
}

HnStatus hn_sgl_keep(Sgl *sgl, int view, int graph, const uint8_t *keep, HnError *err) {
    return hn_graph_keep(sgl->context.graph, keep, sgl->context.comm, &sgl->graphs[view][graph], err);
}
