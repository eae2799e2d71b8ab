/* What half-done work belongs to, so that it is never gone on with as another: lines that its answers depend on, and
 * what decides the bits of a native model's products (linear.h). The latter is no part of the hash: a sealed store is
 * found again on any processor, but work that was begun on one kind goes on on that kind, or is mixed as asked. */
#ifndef HN_SEMANTIC_STAGE_IDENTITY_H
#define HN_SEMANTIC_STAGE_IDENTITY_H

#include <stdbool.h>

#include "base/text.h"
#include "linear.h"
#include "stages.h"

/* "key: value" lines, and the inputs for the provenance. Zero-initialise; hn_stage_identity_free. */
typedef struct HnStageIdentity {
    HnText lines;
    HnText inputs;
    char hash[65];
    char products[16];       /* hn_linear_bits, "mixed" once it was begun with others; "": no native model */
    bool finished;           /* nothing is left to make: other products change nothing */
    bool mix_bits;           /* other products may be mixed in (llm.native.mix_bits) */
    const char *mix_hint;    /* how one asks for that */
    char their_products[16]; /* of the last of: */
    HnText others;           /* inputs whose products are others, "negatives (plain)" one a line */
} HnStageIdentity;

/* Opens the identity: stage name, data set, and who writes (embedder: who embeds). */
HnStatus hn_stage_identity_start(const HnStageContext *context, const char *stage, bool embedder,
                                 HnStageIdentity *identity, HnError *err);
/* A sealed store that the stage reads (NULL: none), by its content. */
HnStatus hn_stage_identity_store(HnStageIdentity *identity, const char *role, const char *path, HnError *err);
HnStatus hn_stage_identity_line(HnStageIdentity *identity, const char *key, const char *value, HnError *err);
/* What decides the bits of a native model's products here; mix_hint (borrowed) says how one allows others. */
void hn_stage_identity_products(HnStageIdentity *identity, HnWeightType weights, bool mix_bits, const char *mix_hint);
HnStatus hn_stage_identity_number(HnStageIdentity *identity, const char *key, int64_t value, HnError *err);
/* Closes it: the hash is taken and joins the inputs. */
HnStatus hn_stage_identity_finish(HnStageIdentity *identity, HnError *err);
void hn_stage_identity_free(HnStageIdentity *identity);

/* "<folder>/journal-<stage>", for hn_free. */
char *hn_stage_folder(const char *folder, const char *stage, HnError *err);
/* Rank 0: makes the journal folder, or checks that it belongs to this identity (HN_CONFLICT says what differs). Where
 * other products are mixed in, which is said, identity->products becomes "mixed". */
HnStatus hn_stage_claim(const char *folder, HnStageIdentity *identity, HnError *err);
/* The same for one file beside the work: written where nothing is begun. afresh: how to begin anew, for messages. */
HnStatus hn_stage_claim_file(const char *path, bool begun, const char *afresh, HnStageIdentity *identity, HnError *err);
/* Rank 0, before anything is asked: inputs of other products are HN_CONFLICT, or said where they may be mixed, and
 * identity->products becomes "mixed". */
HnStatus hn_stage_check_inputs(HnStageIdentity *identity, const char *stage, HnError *err);

#endif
