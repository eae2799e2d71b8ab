/* Writing the vector store: one row per train pair. */
#ifndef HN_SEMANTIC_VECTORS_H
#define HN_SEMANTIC_VECTORS_H

#include "distinct.h"
#include "stage.h"

typedef struct HnVectorsReport {
    uint64_t pairs, absent;
} HnVectorsReport;

/* Means over the samples of each pair (eq 5) of the spooled vectors of distinct texts, as f16 or f32. distinct NULL:
 * record p is the vector of pair p. */
HnStatus hn_vectors_seal(const HnStageContext *context, const HnDistinct *distinct, HnSpool *spool,
                         const char *out_path, const HnStageIdentity *identity, HnVectorsReport *report, HnError *err);
/* A vector store made elsewhere: checked to be about the same pairs (HN_CONFLICT), then copied row by row. */
HnStatus hn_vectors_import(const HnStageContext *context, const char *path, const char *out_path,
                           const HnStageIdentity *identity, HnVectorsReport *report, HnError *err);
/* How many pairs of a sealed vector store have no vector. */
HnStatus hn_vectors_count(const char *path, HnVectorsReport *report, HnError *err);

#endif
