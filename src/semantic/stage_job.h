/* The engine under every language-model stage: items 0 .. n_items-1 are dealt over the worker ranks, asked of a
 * provider, judged, and journaled; what a journal holds is never asked again.
 *
 * Collective over the workers. Each rank appends to a journal of its own and commits it at the latest every half second
 * or 64 records (1024 cheap ones of the extractive provider), and always before the dealer hears that an item is done:
 * after a kill at most what was in flight or not yet committed is asked again. A rank whose endpoint is lost gives its
 * items back and the others go on.
 */
#ifndef HN_SEMANTIC_STAGE_JOB_H
#define HN_SEMANTIC_STAGE_JOB_H

#include "base/text.h"
#include "provider.h"
#include "record.h"
#include "spool.h"
#include "stage_identity.h"
#include "stages.h"

typedef struct HnStageJob HnStageJob;
struct HnStageJob {
    const char *name; /* "item profiles": for people */
    const HnStageContext *context;
    const char *folder;        /* the stage's journal folder; see hn_stage_folder */
    HnStageIdentity *identity; /* what the journals depend on */
    uint64_t n_items;
    HnProviderFamily family;
    bool embedder;                             /* the provider is to embed */
    const char *item_profiles, *user_profiles; /* for the provider; may be NULL */
    bool may_repeat;                           /* an unparsable answer is asked for once more */
    void *self;
    /* Fills the request for an item, rendering into system and input; or fills *record and sets *known where there is
     * nothing to ask. request->key is the item already. */
    HnStatus (*ask)(void *self, uint64_t item, HnRequest *request, HnText *system, HnText *input, bool *known,
                    HnRecord *record, HnError *err);
    /* Judges an answer (never a lost one): fills status, item, texts or vector of *record, which may point into memory
     * of self until the next call. *unparsable: breaks the contract's form. */
    HnStatus (*judge)(void *self, uint64_t item, const HnAnswer *answer, HnRecord *record, bool *unparsable,
                      HnError *err);
    uint8_t lost_status; /* HnRecord.status where the provider gave up */
};

/* What one run of the engine did on all ranks. */
typedef struct HnStageJobReport {
    uint64_t done_before, answered;
    uint64_t tokens, computed; /* embedded in this start, and computed for it; 0: not known */
    double seconds;
} HnStageJobReport;

/* Until every item is in a journal. HN_INTERRUPTED: a stop was asked for; HN_NETWORK: no endpoint answers, or
 * answers were lost after all retries and llm.accept_lost is false. */
HnStatus hn_stage_job_run(const HnStageJob *job, HnStageJobReport *report, HnError *err);

#endif
