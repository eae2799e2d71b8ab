/* Items are visited by falling norm, so that thresholds rise early and, where norms differ, most panels are never
 * multiplied. A thread takes a block of users through all panels; who may be among a user's k best is listed, and only
 * who still may be at the end is scored in full. rank_screen.h proves that no item is lost. */
#include "rank_screen.h"

#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "cpu.h"
#include "cpu_target.h"

#if HN_X86

enum {
    TILES = 4, /* of a block */
    BLOCK_USERS = TILES * HN_SCREEN_USERS,
    SPARE_ENTRIES = 48, /* a list is cut when it holds 2 k and these */
    AT_ONCE = 8,        /* items scored side by side, so that one chain waits while others go on */
    LEAST_ITEMS = 512,  /* below these, packing costs more than it gains */
    LEAST_USERS = 24,
    /* Screening stops to pay when more than one in so many items is scored in full. */
    LEAST_GAIN = 32
};

/* One ranking: what was asked for, and the items as bytes. */
typedef struct Job {
    const HnRankTask *task;
    uint64_t n_blocks;
    int n_quads, kept, most; /* kept = min(k, n_items); most: entries of a list before it is cut */
    HnScreenItems items;
    uint8_t *done;       /* [n_blocks] */
    atomic_bool refused; /* the data are not such that screening holds, or pays */
    atomic_uint_fast64_t n_rescored;
} Job;

/* One thread's scratch memory, for one block of users at a time. */
typedef struct Scratch {
    HnScreenUsers *tiles; /* [TILES] */
    int8_t *bytes;        /* [TILES][quads][12][4] */
    uint32_t *masked;     /* [n_panels][TILES][16] a bit for every item; zero between blocks, but for slots unused */
    HnScreenList *lists;  /* [BLOCK_USERS] */
    int32_t *entries;     /* [BLOCK_USERS][3][capacity] */
    HnRankBest *best;     /* [BLOCK_USERS] */
    uint64_t *keys;       /* [BLOCK_USERS][kept + most] */
    uint64_t n_rescored;
} Scratch;

/* Scores of n <= AT_ONCE items; what lies behind n repeats the first. */
HN_VNNI static void scores_of(const Job *job, const float *user, const int32_t *slots, int n, float *scores) {
    const int dim = job->task->dim;
    const float *rows[AT_ONCE];
    float score[AT_ONCE] = {0};
    for (int i = 0; i < AT_ONCE; i++) {
        rows[i] = job->task->items + (size_t)job->items.order[slots[i < n ? i : 0]] * (size_t)dim;
    }
    for (int d = 0; d < dim; d++) {
#pragma GCC unroll 8
        for (int i = 0; i < AT_ONCE; i++) {
            score[i] = fmaf(user[d], rows[i][d], score[i]);
        }
    }
    memcpy(scores, score, sizeof score);
}

/* Scores what is listed in full. Returns the user's new threshold. */
static float list_settle(const Job *job, Scratch *own, int user, const float *row, float threshold) {
    HnScreenList *list = &own->lists[user];
    HnRankBest *best = &own->best[user];
    float least = NAN;
    for (int from = 0; from < list->count; from += AT_ONCE) {
        const int n = list->count - from < AT_ONCE ? list->count - from : AT_ONCE;
        float scores[AT_ONCE];
        scores_of(job, row, list->slot + from, n, scores);
        for (int i = 0; i < n; i++) {
            if (scores[i] >= threshold && !(scores[i] < least)) {
                least = hn_rank_best_add(best, scores[i], job->items.order[list->slot[from + i]], least);
            }
        }
    }
    own->n_rescored += (uint64_t)list->count;
    list->count = 0;
    least = hn_rank_best_cut(best);
    return least > threshold ? least : threshold;
}

/* Sets or clears the bits of a user's masked items. */
static void mask_set(const Job *job, Scratch *own, int user, uint64_t number, bool on) {
    const HnRankTask *task = job->task;
    const int tile = user / HN_SCREEN_USERS, lane = user % HN_SCREEN_USERS;
    for (uint64_t m = task->mask_offsets[number]; m < task->mask_offsets[number + 1]; m++) {
        const int32_t item = task->mask_items[m];
        if (item >= 0 && (uint64_t)item < task->n_items) {
            const uint32_t slot = (uint32_t)job->items.slot[item], bit = UINT32_C(1) << slot % HN_SCREEN_ITEMS;
            uint32_t *word = &own->masked[((size_t)(slot / HN_SCREEN_ITEMS) * TILES + (size_t)tile) * HN_SCREEN_LANES +
                                          (size_t)lane];
            *word = on ? *word | bit : *word & ~bit;
        }
    }
}

/* One panel, one tile. False where neither this panel nor any behind it matters to the tile. */
static bool tile_screen(const Job *job, Scratch *own, uint64_t first_user, int tile, uint64_t panel) {
    const size_t user_bytes = (size_t)job->n_quads * 4 * HN_SCREEN_USERS;
    HnScreenUsers *users = &own->tiles[tile];
    HnScreenHits hits;
    int some = hn_screen_tile(users, own->bytes + (size_t)tile * user_bytes, &job->items.panels[panel],
                              job->items.bytes + panel * job->items.panel_bytes, job->n_quads,
                              own->masked + (panel * TILES + (size_t)tile) * HN_SCREEN_LANES, &hits);
    if (some < 0) {
        return false;
    }
    for (; some != 0; some &= some - 1) {
        const int lane = __builtin_ctz((unsigned)some), user = tile * HN_SCREEN_USERS + lane;
        HnScreenList *list = &own->lists[user];
        hn_screen_list_add(list, hits.products + lane * HN_SCREEN_ITEMS, hits.passing[lane],
                           users->scale[lane] * job->items.panels[panel].scale, hits.error[lane],
                           (int32_t)(panel * HN_SCREEN_ITEMS));
        if (list->count > job->most) {
            users->threshold[lane] = hn_screen_list_cut(list, job->kept, users->threshold[lane]);
            if (list->count > job->most - job->most / 4) {
                users->threshold[lane] = list_settle(
                    job, own, user, job->task->users + (first_user + (uint64_t)user) * (uint64_t)job->task->dim,
                    users->threshold[lane]);
            }
        }
    }
    return true;
}

/* False where a row cannot be screened. */
static bool block_start(const Job *job, Scratch *own, uint64_t first_user, int n) {
    const size_t user_bytes = (size_t)job->n_quads * 4 * HN_SCREEN_USERS, dim = (size_t)job->task->dim;
    const int capacity = hn_screen_list_capacity(job->most), n_keys = job->kept + job->most;
    own->n_rescored = 0;
    for (int tile = 0; tile < TILES; tile++) {
        const int first = tile * HN_SCREEN_USERS, left = n - first;
        const int here = left < 0 ? 0 : left < HN_SCREEN_USERS ? left : HN_SCREEN_USERS;
        if (!hn_screen_users_pack(job->task->users + (first_user + (uint64_t)(here > 0 ? first : 0)) * dim, here,
                                  job->task->dim, &own->tiles[tile], own->bytes + (size_t)tile * user_bytes)) {
            return false;
        }
    }
    for (int u = 0; u < n; u++) {
        int32_t *entries = own->entries + (size_t)u * 3 * (size_t)capacity;
        float *high = (float *)(void *)(entries + capacity);
        own->lists[u] = (HnScreenList){entries, high, entries + 2 * (size_t)capacity, 0};
        own->best[u] = (HnRankBest){own->keys + (size_t)u * (size_t)n_keys, 0, n_keys, job->kept};
    }
    return true;
}

/* False where it ended early: too many scores had to be computed in full. */
static bool block_screen(const Job *job, Scratch *own, uint64_t first_user, int n) {
    const uint64_t most = (uint64_t)n * (job->task->n_items / LEAST_GAIN + 4 * (uint64_t)job->most);
    bool alive = true;
    for (uint64_t panel = 0; panel < job->items.n_panels && alive; panel++) {
        alive = false;
        for (int tile = 0; tile * HN_SCREEN_USERS < n; tile++) {
            alive |= tile_screen(job, own, first_user, tile, panel);
        }
        if (own->n_rescored > most) {
            return false;
        }
    }
    return true;
}

static void block_finish(const Job *job, Scratch *own, uint64_t first_user, int n) {
    const HnRankTask *task = job->task;
    for (int u = 0; u < n; u++) {
        const uint64_t number = first_user + (uint64_t)u, at = number * (uint64_t)task->k;
        const float threshold = hn_screen_list_cut(&own->lists[u], job->kept,
                                                   own->tiles[u / HN_SCREEN_USERS].threshold[u % HN_SCREEN_USERS]);
        (void)list_settle(job, own, u, task->users + number * (uint64_t)task->dim, threshold);
        hn_rank_best_finish(&own->best[u], task->k, task->top + at, task->scores != NULL ? task->scores + at : NULL);
    }
}

static void block_rank(Job *job, Scratch *own, uint64_t block) {
    const uint64_t first_user = block * BLOCK_USERS, left = job->task->n_users - first_user;
    const int n = left < BLOCK_USERS ? (int)left : BLOCK_USERS;
    if (!block_start(job, own, first_user, n)) {
        return;
    }
    for (int u = 0; u < n; u++) {
        mask_set(job, own, u, first_user + (uint64_t)u, true);
    }
    if (block_screen(job, own, first_user, n)) {
        block_finish(job, own, first_user, n);
        job->done[block] = 1;
        atomic_fetch_add_explicit(&job->n_rescored, own->n_rescored, memory_order_relaxed);
    } else {
        atomic_store_explicit(&job->refused, true, memory_order_relaxed);
    }
    for (int u = 0; u < n; u++) {
        mask_set(job, own, u, first_user + (uint64_t)u, false);
    }
}

static void job_run(Job *job, Scratch *scratch) {
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t b = 0; b < (int64_t)job->n_blocks; b++) {
        if (!atomic_load_explicit(&job->refused, memory_order_relaxed)) {
            block_rank(job, &scratch[omp_get_thread_num()], (uint64_t)b);
        }
    }
}

static HnStatus scratch_create(const Job *job, Scratch *own, HnError *err) {
    const size_t quads = (size_t)job->n_quads, capacity = (size_t)hn_screen_list_capacity(job->most);
    const uint64_t n_slots = job->items.n_panels * HN_SCREEN_ITEMS;
    own->tiles = hn_alloc(TILES, sizeof *own->tiles, "users of the screening", err);
    own->bytes = hn_alloc(TILES * quads, 4 * HN_SCREEN_USERS, "users' bytes of the screening", err);
    own->masked =
        hn_alloc(job->items.n_panels, TILES * HN_SCREEN_LANES * sizeof(uint32_t), "masks of the screening", err);
    own->lists = hn_alloc(BLOCK_USERS, sizeof *own->lists, "lists of the screening", err);
    own->entries = hn_alloc(BLOCK_USERS, 3 * capacity * sizeof(int32_t), "listed items of the screening", err);
    own->best = hn_alloc(BLOCK_USERS, sizeof *own->best, "lists of the ranking", err);
    own->keys = hn_alloc(BLOCK_USERS, (size_t)(job->kept + job->most) * sizeof(uint64_t), "candidates", err);
    if (!own->tiles || !own->bytes || !own->masked || !own->lists || !own->entries || !own->best || !own->keys) {
        return HN_MEMORY;
    }
    const uint32_t unused = job->task->n_items == n_slots ? 0 : UINT32_MAX << (job->task->n_items % HN_SCREEN_ITEMS);
    for (size_t i = 0; i < TILES * HN_SCREEN_LANES; i++) {
        own->masked[(job->items.n_panels - 1) * TILES * HN_SCREEN_LANES + i] = unused;
    }
    return HN_OK;
}

static void scratch_free(Scratch *own) {
    hn_free(own->keys);
    hn_free(own->best);
    hn_free(own->entries);
    hn_free(own->lists);
    hn_free(own->masked);
    hn_free(own->bytes);
    hn_free(own->tiles);
}

/* Runs of blocks that were not screened go to the ranking in floats. */
static HnStatus rest_rank(const Job *job, HnRankScreened *screened, HnError *err) {
    HnStatus status = HN_OK;
    for (uint64_t begin = 0, end; begin < job->n_blocks && status == HN_OK; begin = end) {
        end = begin + 1;
        while (end < job->n_blocks && job->done[end] == job->done[begin]) {
            end++;
        }
        HnRankTask part = *job->task;
        const uint64_t first = begin * BLOCK_USERS, last = end * BLOCK_USERS;
        part.n_users = (last < part.n_users ? last : part.n_users) - first;
        part.users += first * (uint64_t)part.dim;
        part.mask_offsets += first;
        part.top += first * (uint64_t)part.k;
        part.scores = part.scores != NULL ? part.scores + first * (uint64_t)part.k : NULL;
        if (job->done[begin]) {
            screened->n_screened += part.n_users;
        } else {
            status = hn_rank_floats(&part, err);
        }
    }
    return status;
}

HnStatus hn_rank_screen(const HnRankTask *task, HnRankScreened *screened, HnError *err) {
    const size_t threads = (size_t)omp_get_max_threads();
    const int kept = (uint64_t)task->k < task->n_items ? task->k : (int)task->n_items;
    Job job = {.task = task,
               .n_blocks = (task->n_users + BLOCK_USERS - 1) / BLOCK_USERS,
               .n_quads = hn_screen_quads(task->dim),
               .kept = kept,
               .most = 2 * kept + SPARE_ENTRIES};
    *screened = (HnRankScreened){0, 0};
    HnStatus status = hn_screen_items_create(task, &job.items, err);
    Scratch *scratch = hn_alloc(threads, sizeof *scratch, "threads of the screening", err);
    job.done = hn_alloc(job.n_blocks, 1, "blocks of the screening", err);
    status = status != HN_OK || scratch == NULL || job.done == NULL ? HN_MEMORY : HN_OK;
    for (size_t t = 0; t < threads && status == HN_OK; t++) {
        status = scratch_create(&job, &scratch[t], err);
    }
    if (status == HN_OK && job.items.usable) {
        job_run(&job, scratch);
        screened->n_rescored = job.n_rescored;
    }
    if (status == HN_OK) {
        status = rest_rank(&job, screened, err);
    }
    for (size_t t = 0; t < threads && scratch != NULL; t++) {
        scratch_free(&scratch[t]);
    }
    hn_free(job.done);
    hn_free(scratch);
    hn_screen_items_free(&job.items);
    return status;
}

bool hn_rank_screen_pays(const HnRankTask *task) {
    return hn_cpu_has_vnni() && task->dim <= HN_SCREEN_MOST_DIM && task->n_items >= LEAST_ITEMS &&
           task->n_users >= LEAST_USERS && (uint64_t)task->k <= task->n_items / 16;
}
#else

bool hn_rank_screen_pays(const HnRankTask *task) {
    (void)task;
    return false;
}

HnStatus hn_rank_screen(const HnRankTask *task, HnRankScreened *screened, HnError *err) {
    *screened = (HnRankScreened){0, 0};
    return hn_rank_floats(task, err);
}
#endif
