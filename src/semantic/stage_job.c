#include "stage_job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "deal.h"
#include "http.h"
#include "store.h"

enum {
    COMMIT_PAID = 64,    /* answers of an endpoint or a model that a lost host may cost */
    COMMIT_CHEAP = 1024, /* ... of the extractive provider, which makes thousands in a second */
    POLL_MS = 20,        /* rank 0 also deals: it must not wait long for its own provider */
    DRAIN = 64,          /* answers taken before the dealer is looked after again */
    RECORD_KIND = 1
};
static const double COMMIT_SECONDS = 0.5;

/* An item that was asked of the provider. */
typedef struct Open {
    uint64_t item;
    uint32_t asks, attempts, prompt_tokens, answer_tokens;
} Open;

typedef struct Loop {
    const HnStageJob *job;
    HnProvider *provider;
    HnDeal *deal;
    HnJournal *journal;
    Open *open; /* [n_open] of [capacity] */
    size_t n_open, capacity;
    uint64_t uncommitted[COMMIT_CHEAP];
    size_t n_uncommitted, commit_records;
    double last_commit;
    uint64_t answered, noise, lost;
    HnText system, input, encoded;
    HnProgress progress;
    char what[128];
    HnLlmConfig config; /* the stage's, with this rank's own endpoint */
    char *url, *embed_url;
} Loop;

/* ---- the journal ---- */

static HnStatus commit(Loop *loop, HnError *err) {
    loop->last_commit = hn_clock_seconds();
    if (loop->n_uncommitted == 0) {
        return HN_OK;
    }
    HN_TRY(hn_journal_commit(loop->journal, err));
    size_t n = loop->n_uncommitted;
    loop->n_uncommitted = 0;
    for (size_t i = 0; i < n; i++) {
        HN_TRY(hn_deal_done(loop->deal, loop->uncommitted[i], err));
    }
    return HN_OK;
}

static HnStatus keep(Loop *loop, uint64_t item, const HnRecord *record, HnError *err) {
    HN_TRY(hn_record_encode(record, &loop->encoded, err));
    HN_TRY(
        hn_journal_append(loop->journal, item, RECORD_KIND, loop->encoded.data, (uint32_t)loop->encoded.length, err));
    loop->uncommitted[loop->n_uncommitted++] = item;
    loop->answered++;
    loop->noise += record->status != 0;
    return loop->n_uncommitted >= loop->commit_records ? commit(loop, err) : HN_OK;
}

/* ---- asking and judging ---- */

static HnStatus ask(Loop *loop, Open open, HnError *err) {
    HnRequest request = {.key = open.item, .user = UINT32_MAX, .item = UINT32_MAX};
    HnRecord record = {.item = -1};
    bool known = false;
    HN_TRY(loop->job->ask(loop->job->self, open.item, &request, &loop->system, &loop->input, &known, &record, err));
    if (known) {
        return keep(loop, open.item, &record, err);
    }
    if (loop->n_open == loop->capacity) {
        size_t capacity = loop->capacity ? loop->capacity * 2 : 64;
        HN_TRY(hn_resize(&loop->open, loop->n_open * sizeof *loop->open, capacity, sizeof *loop->open,
                         "items in flight", err));
        loop->capacity = capacity;
    }
    request.system = hn_text_get(&loop->system);
    request.prompt = hn_text_get(&loop->input);
    HN_TRY(loop->provider->ops->submit(loop->provider, &request, err));
    open.asks++;
    loop->open[loop->n_open++] = open;
    return HN_OK;
}

static HnStatus take(Loop *loop, const HnAnswer *answer, HnError *err) {
    size_t at = 0;
    while (at < loop->n_open && loop->open[at].item != answer->key) {
        at++;
    }
    if (at == loop->n_open) {
        return hn_fail(err, HN_INTERNAL, "the provider answered item %llu, which was not asked",
                       (unsigned long long)answer->key);
    }
    Open open = loop->open[at];
    loop->open[at] = loop->open[--loop->n_open];
    open.attempts += answer->attempts;
    open.prompt_tokens += answer->prompt_tokens;
    open.answer_tokens += answer->answer_tokens;
    HnRecord record = {.item = -1};
    if (answer->status != HN_ANSWER_OK) {
        hn_log(HN_LOG_WARN, "%s: item %llu got no answer: %s", loop->job->name, (unsigned long long)open.item,
               answer->note);
        record.status = loop->job->lost_status;
        record.lost = answer->status == HN_ANSWER_LOST;
        loop->lost += record.lost;
        record.raw = answer->note;
        record.n_raw = (uint32_t)strlen(answer->note);
    } else {
        bool unparsable = false;
        HN_TRY(loop->job->judge(loop->job->self, open.item, answer, &record, &unparsable, err));
        if (unparsable && loop->job->may_repeat && open.asks < 2) {
            return ask(loop, open, err);
        }
    }
    record.attempts = open.attempts;
    record.prompt_tokens = open.prompt_tokens;
    record.answer_tokens = open.answer_tokens;
    return keep(loop, open.item, &record, err);
}

/* ---- the loop ---- */

static HnStatus fill(Loop *loop, bool *got_any, bool *finished, HnError *err) {
    *got_any = *finished = false;
    while (loop->provider->ops->capacity(loop->provider) > 0) {
        uint64_t item = 0;
        bool got = false;
        HN_TRY(hn_deal_next(loop->deal, &item, &got, finished, err));
        if (!got) {
            return HN_OK;
        }
        *got_any = true;
        HN_TRY(ask(loop, (Open){.item = item}, err));
    }
    return HN_OK;
}

static HnStatus drain(Loop *loop, int wait_ms, HnError *err) {
    for (int i = 0; i < DRAIN; i++) {
        HnAnswer answer = {0};
        bool got = false;
        HN_TRY(loop->provider->ops->poll(loop->provider, i == 0 ? wait_ms : 0, &answer, &got, err));
        if (!got) {
            break;
        }
        HnStatus status = take(loop, &answer, err);
        hn_free(answer.text);
        hn_free(answer.vector);
        HN_TRY(status);
    }
    /* A killed process loses nothing of it; a lost host, what is uncommitted. */
    return hn_journal_flush(loop->journal, err);
}

static void show(Loop *loop) {
    if (loop->noise > 0) {
        snprintf(loop->what, sizeof loop->what, "%s (%llu without a result here)", loop->job->name,
                 (unsigned long long)loop->noise);
    }
    hn_progress_update(&loop->progress, hn_deal_finished_count(loop->deal));
}

static HnStatus run_loop(Loop *loop, HnError *err) {
    for (;;) {
        bool got_any = false, finished = false;
        if (hn_stop_requested()) {
            return HN_OK;
        }
        HN_TRY(fill(loop, &got_any, &finished, err));
        if (finished && loop->n_open == 0 && loop->n_uncommitted == 0) {
            return HN_OK;
        }
        if (loop->n_open > 0) {
            HN_TRY(drain(loop, POLL_MS, err));
        } else if (!got_any) {
            /* Nothing to do but to say what is done: others may wait for it. */
            HN_TRY(commit(loop, err));
            struct timespec pause = {0, 1000000};
            nanosleep(&pause, NULL);
        }
        if (hn_clock_seconds() - loop->last_commit >= COMMIT_SECONDS) {
            HN_TRY(commit(loop, err));
        }
        HN_TRY(hn_deal_poll(loop->deal, err));
        show(loop);
    }
}

/* ---- before and after ---- */

typedef struct Done {
    uint8_t *flags; /* [n_items]: 1 = journaled for good */
    uint64_t n_items, n;
} Done;

static HnStatus mark_done(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                          HnError *err) {
    Done *done = context;
    HnRecord record;
    (void)kind;
    HN_TRY(hn_record_decode(payload, n_bytes, &record, err));
    if (key >= done->n_items) {
        return hn_fail(err, HN_CORRUPT, "a journal holds item %llu of a stage with %llu", (unsigned long long)key,
                       (unsigned long long)done->n_items);
    }
    if (!record.lost && !done->flags[key]) {
        done->flags[key] = 1;
        done->n++;
    }
    return HN_OK;
}

/* Rank 0 finds what is done; all learn how much. */
static HnStatus find_done(const HnStageJob *job, Done *done, HnError *err) {
    HnComm *comm = job->context->workers;
    HnStatus status = HN_OK;
    done->n_items = job->n_items;
    if (hn_comm_rank(comm) == 0) {
        HnJournalStats stats = {0};
        status = hn_stage_check_inputs(job->identity, job->name, err);
        status = status == HN_OK ? hn_stage_claim(job->folder, job->identity, err) : status;
        if (status == HN_OK) {
            done->flags = hn_alloc(job->n_items, 1, "finished items", err);
            status = done->flags ? hn_journal_scan(job->folder, mark_done, done, &stats, err) : HN_MEMORY;
        }
        if (status == HN_OK && stats.n_torn_bytes > 0) {
            hn_log(HN_LOG_INFO, "%s: %llu bytes of unfinished answers at the end of a journal are dropped", job->name,
                   (unsigned long long)stats.n_torn_bytes);
        }
    }
    HN_TRY(hn_comm_agree(comm, status, err));
    return hn_comm_broadcast(comm, &done->n, sizeof done->n, 0, err);
}

/* Several endpoints are shared out over the ranks. */
static HnStatus pick_endpoint(Loop *loop, HnError *err) {
    int rank = hn_comm_rank(loop->job->context->workers);
    HnHttpConfig *http = &loop->config.http;
    bool own = http->embed_url && http->embed_url[0];
    if ((http->url && http->url[0]) || !own) {
        HN_TRY(hn_http_pick(http->url ? http->url : "", rank, &loop->url, err));
        http->url = loop->url;
    }
    if (own) {
        HN_TRY(hn_http_pick(http->embed_url, rank, &loop->embed_url, err));
        http->embed_url = loop->embed_url;
    }
    return HN_OK;
}

static HnStatus open_loop(Loop *loop, HnError *err) {
    const HnStageJob *job = loop->job;
    char name[32];
    snprintf(name, sizeof name, "rank-%05d", hn_comm_rank(job->context->workers));
    HN_TRY(hn_journal_open(job->folder, name, &loop->journal, err));
    loop->config = *job->context->config;
    if (job->family == HN_PROVIDER_HTTP) {
        HN_TRY(pick_endpoint(loop, err));
    }
    if (job->family == HN_PROVIDER_NATIVE) { /* models are loaded when first asked: after all ranks have come here */
        loop->config.native.memory_gb = hn_provider_memory_gb(&loop->config, job->context->workers_on_host);
    }
    return hn_provider_open(job->family, job->embedder, &loop->config, job->context->dataset, job->item_profiles,
                            job->user_profiles, &loop->provider, err);
}

static void close_loop(Loop *loop) {
    if (loop->provider) {
        hn_provider_close(&loop->provider);
    }
    hn_free(loop->url);
    hn_free(loop->embed_url);
    hn_free(loop->open);
    hn_text_free(&loop->system);
    hn_text_free(&loop->input);
    hn_text_free(&loop->encoded);
}

/* Answers given up in this start. A store without them would be sealed for good, because of an outage that may be over
 * in a minute: the stage stops here, everything that was answered stays, and the next start asks for these alone. */
static HnStatus refuse_lost(const Loop *loop, HnError *err) {
    int64_t lost = (int64_t)loop->lost;
    HN_TRY(hn_comm_sum_i64(loop->job->context->workers, &lost, 1, err));
    if (lost == 0 || loop->job->context->config->accept_lost) {
        return HN_OK;
    }
    return hn_fail(
        err, HN_NETWORK,
        "%s: %lld answers were lost after all retries (llm.http.retries); the others are kept: run again to ask "
        "for these alone, or go on without them with --set llm.accept_lost=true",
        loop->job->name, (long long)lost);
}

/* From the loop's end to one verdict on all ranks. A lost endpoint is no failure where others did its items. */
static HnStatus finish(Loop *loop, HnStatus looped, HnError *loop_err, HnError *err) {
    const HnStageJob *job = loop->job;
    HnComm *comm = job->context->workers;
    HnError end_err = HN_ERROR_INIT, late_err = HN_ERROR_INIT;
    HnStatus late = loop->journal ? commit(loop, &late_err) : HN_OK; /* what came in is kept whatever went wrong */
    if (looped == HN_NETWORK && hn_comm_size(comm) > 1) { /* others may do its items: then nobody else says it */
        hn_log(HN_LOG_WARN, "%s: %s", job->name, loop_err->message);
    }
    bool stopped = hn_stop_requested();
    if (stopped ||
        (looped != HN_OK && looped != HN_NETWORK)) { /* it concerns all: the others shall not go on for hours */
        HnError ignored = HN_ERROR_INIT;
        (void)hn_deal_cancel(loop->deal, &ignored);
    }
    HnStatus ended = hn_deal_end(&loop->deal, &end_err);
    HnStatus closed = loop->journal ? hn_journal_close(&loop->journal, &late_err) : HN_OK;
    HnStatus status = HN_OK;
    if (looped != HN_OK && looped != HN_NETWORK) {
        status = hn_fail(err, looped, "%s", loop_err->message);
    } else if (late != HN_OK || closed != HN_OK) {
        status = hn_fail(err, late_err.status, "%s", late_err.message);
    }
    HN_TRY(hn_comm_any(comm, &stopped, err));
    if (status == HN_OK && ended != HN_OK) {
        if (looped == HN_NETWORK) {
            status = hn_fail(err, looped, "%s", loop_err->message);
        } else if (stopped && (ended == HN_NETWORK || ended == HN_INTERRUPTED)) {
            status = hn_fail(err, HN_INTERRUPTED,
                             "%s: stopped as asked; what is answered is kept, the same command goes "
                             "on from there",
                             job->name);
        } else if (ended != HN_INTERRUPTED) { /* cancelled by the rank that has the cause to tell */
            status = hn_fail(err, ended, "%s: %s", job->name, end_err.message);
        }
    }
    return hn_comm_agree(comm, status, err);
}

static HnStatus run_pending(const HnStageJob *job, const Done *done, HnStageJobReport *report, HnError *err) {
    HnComm *comm = job->context->workers;
    Loop loop = {.job = job, .commit_records = job->family == HN_PROVIDER_EXTRACTIVE ? COMMIT_CHEAP : COMMIT_PAID};
    HnError loop_err = HN_ERROR_INIT;
    snprintf(loop.what, sizeof loop.what, "%s", job->name);
    HnStatus status = hn_comm_agree(comm, open_loop(&loop, err), err);
    if (status == HN_OK) {
        size_t chunk = loop.provider->ops->capacity(loop.provider);
        status = hn_deal_start(comm, job->n_items, done->flags, chunk, &loop.deal, err);
    }
    if (status == HN_OK) {
        hn_progress_start(&loop.progress, loop.what, job->n_items, done->n);
        loop.last_commit = hn_clock_seconds();
        HnStatus looped = run_loop(&loop, &loop_err);
        status = finish(&loop, looped, &loop_err, err);
        if (status == HN_OK) {
            status = refuse_lost(&loop, err);
        }
        hn_progress_finish(&loop.progress);
    } else if (loop.journal) {
        HnError ignored = HN_ERROR_INIT;
        hn_journal_close(&loop.journal, &ignored);
    }
    uint64_t tokens = 0, computed = 0;
    if (loop.provider && loop.provider->ops->effort) {
        loop.provider->ops->effort(loop.provider, &tokens, &computed);
    }
    int64_t sums[] = {(int64_t)loop.answered, (int64_t)tokens, (int64_t)computed};
    close_loop(&loop);
    HN_TRY(status);
    HN_TRY(hn_comm_sum_i64(comm, sums, 3, err));
    report->answered = (uint64_t)sums[0];
    report->tokens = (uint64_t)sums[1];
    report->computed = (uint64_t)sums[2];
    return HN_OK;
}

HnStatus hn_stage_job_run(const HnStageJob *job, HnStageJobReport *report, HnError *err) {
    Done done = {0};
    double started = hn_clock_seconds();
    *report = (HnStageJobReport){0};
    HnStatus status = find_done(job, &done, err);
    report->done_before = done.n;
    if (status == HN_OK && done.n < job->n_items) {
        if (done.n > 0) {
            hn_log(HN_LOG_INFO, "%s: %llu of %llu are done already", job->name, (unsigned long long)done.n,
                   (unsigned long long)job->n_items);
        }
        status = run_pending(job, &done, report, err);
    }
    hn_free(done.flags);
    report->seconds = hn_clock_seconds() - started;
    return status;
}
