/* Ranking by products in floats. Items are packed once into panels; a thread takes a block of users, packed into tiles,
 * through all panels in item order. A panel and the block's users stay in the first-level cache while the block's tiles
 * are scored. Only scores above a user's threshold are looked at, and only those are compared with the mask. */
#include <math.h>
#include <omp.h>
#include <stddef.h>

#include "base/alloc.h"
#include "rank_private.h"

enum { USER_BYTES_A_BLOCK = 20000, MAX_TILES = 8, SPARE_KEYS = 32 };

/* One ranking: what was asked for, and how it is cut. */
typedef struct Job {
    const HnRankTask *task;
    const float *panels; /* [n_panels][dim][tile.items] */
    uint64_t n_panels, n_blocks;
    int kept, capacity; /* kept = min(k, n_items) */
    int block_users;    /* a multiple of tile.users */
    HnRankTile tile;
} Job;

/* One thread's share of the scratch memory, for one block of users at a time. */
typedef struct Scratch {
    float *users; /* [tiles][dim][tile.users] */
    float *threshold;
    HnRankBest *best;
    uint64_t *mask; /* where each user's mask goes on: the first masked item not below those already seen */
    uint64_t *keys; /* [block_users][capacity] */
} Scratch;

static void panel_pack(const HnRankTask *task, uint64_t panel, int width, float *out) {
    for (int i = 0; i < width; i++) {
        const uint64_t item = panel * (uint64_t)width + (uint64_t)i;
        for (int d = 0; d < task->dim; d++) {
            out[d * width + i] = item < task->n_items ? task->items[item * (uint64_t)task->dim + (uint64_t)d] : 0.0f;
        }
    }
}

/* Offers the candidates of one user that passed: in item order, so the mask is walked once. */
static void candidates_add(const Job *job, Scratch *own, int user, uint64_t mask_end, uint32_t passing,
                           const float *scores, uint64_t first_item) {
    HnRankBest *best = &own->best[user];
    float threshold = own->threshold[user];
    for (; passing != 0; passing &= passing - 1) {
        const int i = __builtin_ctz(passing);
        const uint64_t item = first_item + (uint64_t)i;
        if (scores[i] <= threshold || isnan(scores[i]) || item >= job->task->n_items) {
            continue;
        }
        uint64_t mask = own->mask[user];
        while (mask < mask_end && (uint64_t)job->task->mask_items[mask] < item) {
            mask++;
        }
        own->mask[user] = mask;
        if (mask == mask_end || (uint64_t)job->task->mask_items[mask] != item) {
            threshold = hn_rank_best_add(best, scores[i], (int32_t)item, threshold);
        }
    }
    own->threshold[user] = threshold;
}

static void block_start(const Job *job, Scratch *own, uint64_t first_user, int n) {
    for (int u = 0; u < job->block_users; u++) {
        const int tile = u / job->tile.users, lane = u % job->tile.users;
        float *packed = own->users + (size_t)tile * (size_t)job->task->dim * (size_t)job->tile.users;
        for (int d = 0; d < job->task->dim; d++) {
            packed[d * job->tile.users + lane] =
                u < n ? job->task->users[(first_user + (uint64_t)u) * (uint64_t)job->task->dim + (uint64_t)d] : 0.0f;
        }
        own->threshold[u] = u < n ? NAN : INFINITY;
        own->best[u] = (HnRankBest){own->keys + (size_t)u * (size_t)job->capacity, 0, job->capacity, job->kept};
        own->mask[u] = u < n ? job->task->mask_offsets[first_user + (uint64_t)u] : 0;
    }
}

static void block_rank(const Job *job, Scratch *own, uint64_t block) {
    const uint64_t first_user = block * (uint64_t)job->block_users;
    const uint64_t left = job->task->n_users - first_user;
    const int n = left < (uint64_t)job->block_users ? (int)left : job->block_users;
    const size_t tile_floats = (size_t)job->task->dim * (size_t)job->tile.users;
    float tile_scores[HN_RANK_TILE_USERS * HN_RANK_TILE_ITEMS];
    uint32_t passing[HN_RANK_TILE_USERS];

    block_start(job, own, first_user, n);
    for (uint64_t panel = 0; panel < job->n_panels; panel++) {
        const float *items = job->panels + panel * (size_t)job->task->dim * (size_t)job->tile.items;
        for (int from = 0; from < n; from += job->tile.users) {
            job->tile.score(own->users + (size_t)(from / job->tile.users) * tile_floats, items, job->task->dim,
                            own->threshold + from, tile_scores, passing);
            for (int u = 0; u < job->tile.users && from + u < n; u++) {
                if (passing[u] != 0) {
                    candidates_add(job, own, from + u, job->task->mask_offsets[first_user + (uint64_t)(from + u) + 1],
                                   passing[u], tile_scores + u * job->tile.items, panel * (uint64_t)job->tile.items);
                }
            }
        }
    }
    for (int u = 0; u < n; u++) {
        const uint64_t at = (first_user + (uint64_t)u) * (uint64_t)job->task->k;
        hn_rank_best_finish(&own->best[u], job->task->k, job->task->top + at,
                            job->task->scores != NULL ? job->task->scores + at : NULL);
    }
}

static Job job_plan(const HnRankTask *task) {
    const uint64_t n_items = task->n_items;
    Job job = {.task = task, .kept = (uint64_t)task->k < n_items ? task->k : (int)n_items, .tile = hn_rank_tile()};
    int tiles = USER_BYTES_A_BLOCK / (int)sizeof(float) / job.tile.users / task->dim;
    tiles = tiles < 1 ? 1 : tiles > MAX_TILES ? MAX_TILES : tiles;
    job.block_users = tiles * job.tile.users;
    job.n_blocks = (task->n_users + (uint64_t)job.block_users - 1) / (uint64_t)job.block_users;
    job.n_panels = (n_items + (uint64_t)job.tile.items - 1) / (uint64_t)job.tile.items;
    job.capacity = job.kept + (job.kept > SPARE_KEYS ? job.kept : SPARE_KEYS);
    return job;
}

HnStatus hn_rank_floats(const HnRankTask *task, HnError *err) {
    Job job = job_plan(task);
    const size_t threads = (size_t)omp_get_max_threads(), block_users = (size_t)job.block_users;
    const size_t dim = (size_t)task->dim, panel_floats = dim * (size_t)job.tile.items;
    HnStatus status = HN_MEMORY;
    float *panels = hn_alloc(job.n_panels, panel_floats * sizeof(float), "packed items of the ranking", err);
    float *packed = hn_alloc(threads * block_users, dim * sizeof(float), "packed users of the ranking", err);
    float *threshold = hn_alloc(threads * block_users, sizeof(float), "thresholds of the ranking", err);
    HnRankBest *best = hn_alloc(threads * block_users, sizeof(HnRankBest), "lists of the ranking", err);
    uint64_t *mask = hn_alloc(threads * block_users, sizeof(uint64_t), "mask positions of the ranking", err);
    uint64_t *keys = hn_alloc(threads * block_users, (size_t)job.capacity * sizeof(uint64_t), "candidates", err);
    if (panels == NULL || packed == NULL || threshold == NULL || best == NULL || mask == NULL || keys == NULL) {
        goto cleanup;
    }
    job.panels = panels;
#pragma omp parallel
    {
        const size_t own_first = (size_t)omp_get_thread_num() * block_users;
        Scratch own = {packed + own_first * dim, threshold + own_first, best + own_first, mask + own_first,
                       keys + own_first * (size_t)job.capacity};
#pragma omp for schedule(static)
        for (int64_t p = 0; p < (int64_t)job.n_panels; p++) {
            panel_pack(task, (uint64_t)p, job.tile.items, panels + (size_t)p * panel_floats);
        }
#pragma omp for schedule(dynamic, 1)
        for (int64_t b = 0; b < (int64_t)job.n_blocks; b++) {
            block_rank(&job, &own, (uint64_t)b);
        }
    }
    status = HN_OK;
cleanup:
    hn_free(keys);
    hn_free(mask);
    hn_free(best);
    hn_free(threshold);
    hn_free(packed);
    hn_free(panels);
    return status;
}
