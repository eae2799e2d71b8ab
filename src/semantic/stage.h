/* What the language-model stages share: their identity, their sealed output, their summary. */
#ifndef HN_SEMANTIC_STAGE_H
#define HN_SEMANTIC_STAGE_H

#include <stdbool.h>

#include "base/text.h"
#include "spool.h"
#include "stage_identity.h"
#include "stage_job.h"
#include "stages.h"
#include "store.h"

/* Collective. True where out_path is sealed with this identity; another identity is HN_CONFLICT. Whatever journals a
 * kill left behind a sealed output are removed. */
HnStatus hn_stage_is_sealed(const HnStageContext *context, const char *out_path, const HnStageIdentity *identity,
                            const char *journal_folder, bool *sealed, HnError *err);
HnProvenance hn_stage_provenance(const HnStageContext *context, const HnStageIdentity *identity);

/* Writes status, text, reasoning, raw and the counts of every key of the spool in key order. per_row 0: one key a row
 * (profiles). Otherwise each row has per_row keys (the samples of a pair), and the item that each names is written too.
 */
HnStatus hn_stage_write_texts(HnStoreWriter *writer, HnSpool *spool, uint64_t n_rows, uint64_t per_row,
                              const char *text_field, HnError *err);
/* pair/user and pair/item of every train pair. */
HnStatus hn_stage_write_pairs(HnStoreWriter *writer, const HnDataset *dataset, HnError *err);

/* Collective. Fills report's totals from the sealed text store (rank 0 reads it) and logs a line; `names` are the words
 * for the statuses 0 .. n_names-1, noise_mask and lost_status say how to count them. */
HnStatus hn_stage_summary(const HnStageContext *context, const char *what, const char *path, const char *const *names,
                          int n_names, unsigned noise_mask, int lost_status, HnStageReport *report, HnError *err);

#endif
