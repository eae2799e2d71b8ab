/* Raw dumps to dataset.h5, and the synthetic world. */
#ifndef HN_DATA_PREPARE_H
#define HN_DATA_PREPARE_H

#include "base/error.h"
#include "config/experiment.h"

/* What happened, for the log and the closing table. */
typedef struct HnPrepareReport {
    uint64_t lines_read, lines_bad, pairs_read, pairs_repeated, pairs_kept, users, items, n_train, n_valid, n_test;
} HnPrepareReport;

/* Reads config->format from config->interactions (+ items …), filters, splits, writes out_path. config_yaml goes into
 * the provenance. Synthetic worlds are generated straight into the store. Serial: one rank calls it. */
HnStatus hn_prepare(const HnDataConfig *config, const char *config_yaml, const char *out_path, HnPrepareReport *report,
                    HnError *err);
/* `hnlmrec synthesize`: the world as raw files (reviews.json.gz and meta.json.gz in the Amazon 2018 field names),
 * streaming. part of n_parts writes users [..) into files of their own: the concatenation does not depend on n_parts.
 */
HnStatus hn_synthesize(const HnDataConfig *config, const char *folder, int part, int n_parts, HnError *err);

#endif
