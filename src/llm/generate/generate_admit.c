/* Who runs, on which pages, and what a step computes. */
#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "generate_private.h"

void hn_generator_enqueue(HnGenerator *g, HnJob *job) {
    HnJob **place = &g->queue;
    while (*place && (*place)->number < job->number) {
        place = &(*place)->next;
    }
    job->next = *place;
    *place = job;
}

static uint32_t common(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b) {
    uint32_t n = 0;
    while (n < n_a && n < n_b && a[n] == b[n]) {
        n++;
    }
    return n;
}

static void drop_kept(HnGenerator *g) {
    if (g->kept >= 0) {
        hn_kv_end(g->kv, g->kept);
        g->kept = -1;
    }
}

/* The sequence that shares most with the job's beginning, and how many tokens; -1 where that is less than a page.
 * *wait: a running prompt will share at least a page more once it is read. */
static int32_t find_parent(const HnGenerator *g, const HnJob *job, uint32_t *n_common, bool *wait) {
    int32_t parent = -1;
    uint32_t hoped = 0;
    *n_common = 0;
    if (g->kept >= 0) {
        *n_common = common(g->kept_tokens, g->n_kept, job->tokens, job->n_tokens - 1);
        parent = g->kept;
    }
    for (uint32_t i = 0; i < g->n_running; i++) {
        const HnJob *other = g->running[i];
        uint32_t whole = common(other->tokens, other->n_tokens, job->tokens, job->n_tokens - 1);
        uint32_t read = hn_kv_length(g->kv, other->sequence), now = whole < read ? whole : read;
        hoped = whole > hoped ? whole : hoped;
        if (now > *n_common) {
            *n_common = now;
            parent = other->sequence;
        }
    }
    *wait = hoped >= *n_common + HN_KV_PAGE;
    if (*n_common < HN_KV_PAGE) {
        *n_common = 0;
        parent = -1;
    }
    return parent;
}

/* Pages that running requests still take to read what they have. */
static uint64_t owed_pages(const HnGenerator *g) {
    uint64_t owed = 0;
    for (uint32_t i = 0; i < g->n_running; i++) {
        const HnJob *job = g->running[i];
        owed += hn_kv_pages_for(g->kv, job->sequence, job->n_tokens - hn_kv_length(g->kv, job->sequence));
    }
    return owed;
}

/* Begins the job's sequence, sharing where it can; false where there are not the pages to read all of it and to leave
 * one to each that runs, lest it is put back right away. */
static bool begin(HnGenerator *g, HnJob *job, int32_t parent, uint32_t n_common) {
    job->sequence = parent >= 0 ? hn_kv_fork(g->kv, parent, n_common) : -1;
    if (job->sequence < 0 && parent >= 0) { /* no page for the copied part */
        n_common -= n_common % HN_KV_PAGE;
        job->sequence = hn_kv_fork(g->kv, parent, n_common);
    }
    if (job->sequence < 0) {
        n_common = 0;
        job->sequence = hn_kv_begin(g->kv);
    }
    if (job->sequence < 0) {
        return false;
    }
    for (int attempt = 0; attempt < 2; attempt++) { /* the second without the kept pages */
        uint64_t needed =
            owed_pages(g) + g->n_running + hn_kv_pages_for(g->kv, job->sequence, job->n_tokens - n_common + 1);
        if (needed <= hn_kv_free_pages(g->kv)) {
            uint32_t of_prompt = n_common < job->n_prompt ? n_common : job->n_prompt;
            job->n_shared = job->n_tokens == job->n_prompt ? of_prompt : job->n_shared;
            g->stats.n_shared += n_common;
            return true;
        }
        drop_kept(g);
    }
    hn_kv_end(g->kv, job->sequence);
    job->sequence = -1;
    return false;
}

void hn_generator_admit(HnGenerator *g) {
    while (g->n_running < g->options.n_slots && g->queue) {
        HnJob *job = g->queue;
        bool wait = false;
        uint32_t n_common = 0;
        int32_t parent = g->options.no_sharing ? -1 : find_parent(g, job, &n_common, &wait);
        if (wait || !begin(g, job, parent, n_common)) {
            return; /* who was first stays first */
        }
        g->queue = job->next;
        job->next = NULL;
        uint32_t at = g->n_running++;
        for (; at > 0 && g->running[at - 1]->number > job->number; at--) {
            g->running[at] = g->running[at - 1];
        }
        g->running[at] = job;
    }
}

static void remove_running(HnGenerator *g, const HnJob *job) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_running; i++) {
        if (g->running[i] != job) {
            g->running[n++] = g->running[i];
        }
    }
    g->n_running = n;
}

static void put_back(HnGenerator *g, HnJob *job) {
    remove_running(g, job);
    hn_kv_end(g->kv, job->sequence);
    job->sequence = -1;
    hn_generator_enqueue(g, job);
    g->stats.n_put_back++;
}

static void add_run(HnGenerator *g, HnJob *job, uint32_t n_tokens) {
    uint32_t done = hn_kv_length(g->kv, job->sequence);
    g->runs[g->n_runs] = (HnLmRun){job->sequence, n_tokens, job->tokens + done};
    g->run_of[g->n_runs++] = job;
}

/* Everyone's next token, then prompts, the oldest first, as far as the chunk goes: at most the last of them is not read
 * to its end. */
static void compose(HnGenerator *g) {
    uint32_t n_reading = 0, chunk = g->options.chunk_tokens;
    g->n_runs = g->n_chosen = 0;
    for (uint32_t i = 0; i < g->n_running; i++) {
        HnJob *job = g->running[i];
        bool reads = job->n_tokens - hn_kv_length(g->kv, job->sequence) > 1;
        n_reading += reads;
        if (!reads) {
            add_run(g, job, 1);
        }
    }
    g->n_chosen = g->n_runs;
    chunk *= g->n_runs == 0 ? 8 : 1;
    for (uint32_t i = 0; i < g->n_running && n_reading > 0 && chunk > 0; i++) {
        HnJob *job = g->running[i];
        uint32_t left = job->n_tokens - hn_kv_length(g->kv, job->sequence);
        if (left > 1) {
            uint32_t n_tokens = left < chunk ? left : chunk;
            add_run(g, job, n_tokens);
            g->n_chosen += n_tokens == left;
            chunk -= n_tokens;
        }
    }
}

HnStatus hn_generator_plan(HnGenerator *g, HnError *err) {
    for (;;) {
        uint64_t needed = 0;
        compose(g);
        for (uint32_t i = 0; i < g->n_runs; i++) {
            needed += hn_kv_pages_for(g->kv, g->runs[i].sequence, g->runs[i].n_tokens);
        }
        if (needed <= hn_kv_free_pages(g->kv)) {
            return HN_OK;
        }
        if (g->kept >= 0) {
            drop_kept(g);
        } else if (g->n_running > 1) {
            put_back(g, g->running[g->n_running - 1]);
        } else {
            return hn_fail(err, HN_INTERNAL, "one request alone does not fit into the cache that it was checked for");
        }
    }
}

/* Keeps the whole pages of a prompt that are not kept already. */
static HnStatus keep_prompt(HnGenerator *g, const HnJob *job, HnError *err) {
    uint32_t read = hn_kv_length(g->kv, job->sequence), whole = job->n_prompt < read ? job->n_prompt : read;
    whole -= whole % HN_KV_PAGE;
    if (whole == 0 ||
        (g->kept >= 0 && g->n_kept == whole && common(g->kept_tokens, g->n_kept, job->tokens, whole) == whole)) {
        return HN_OK;
    }
    int32_t kept = hn_kv_fork(g->kv, job->sequence, whole);
    if (kept < 0) {
        return HN_OK;
    }
    drop_kept(g);
    HnStatus status = hn_resize(&g->kept_tokens, g->n_kept * sizeof *g->kept_tokens, whole, sizeof *g->kept_tokens,
                                "tokens of a kept prompt", err);
    if (status != HN_OK) {
        hn_kv_end(g->kv, kept);
        return status;
    }
    memcpy(g->kept_tokens, job->tokens, whole * sizeof *g->kept_tokens);
    g->kept = kept;
    g->n_kept = whole;
    return HN_OK;
}

HnStatus hn_generator_release(HnGenerator *g, HnJob *job, HnError *err) {
    HnStatus status = g->options.no_sharing ? HN_OK : keep_prompt(g, job, err);
    hn_kv_end(g->kv, job->sequence);
    job->sequence = -1;
    remove_running(g, job);
    *(g->finished ? &g->finished_last->next : &g->finished) = job;
    g->finished_last = job;
    g->n_waiting--;
    g->stats.n_finished++;
    return status;
}
