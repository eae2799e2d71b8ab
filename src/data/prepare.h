/* Raw dumps to dataset.h5, and the synthetic world. */
#ifndef HN_DATA_PREPARE_H
#define HN_DATA_PREPARE_H

#include <stdbool.h>

#include "base/error.h"
#include "config/experiment.h"

/* What happened, for the log and the closing table. */
typedef struct HnPrepareReport {
    uint64_t lines_read, lines_bad; /* of all input files; blank lines and header lines are no lines */
    uint64_t pairs_read;            /* interactions in good lines */
    uint64_t pairs_filtered;        /* of those, dropped by rating, date or keep lists */
    uint64_t pairs_repeated;        /* dropped: the user has the item already, earlier */
    uint64_t pairs_crossing;        /* validation or test pairs that an earlier given part holds */
    uint64_t pairs_core;            /* dropped by the k-core */
    uint64_t core_rounds;
    uint64_t pairs_kept, users, items, n_train, n_valid, n_test;
    uint64_t users_untrained, items_untrained; /* without a train pair */
    uint64_t users_untested;                   /* without a test pair */
    uint64_t n_reviews;                        /* train pairs with a text */
    uint64_t n_titles, n_descriptions, n_categories, n_attributes;
    uint64_t kept_users_unseen, kept_items_unseen; /* on a keep list, but in no interaction */
    uint64_t n_inputs;
    bool takes_reviews, takes_items; /* the format has reviews; item files were given */
    bool synthetic;                  /* the files are those of `hnlmrec synthesize` */
    double density;
} HnPrepareReport;

/* Reads config->format from config->interactions (+ items ...), filters, splits, writes out_path. config_yaml goes into
 * the provenance. Synthetic worlds are generated straight into the store. Serial: one rank calls it. On failure nothing
 * is left at out_path.
 *
 * The store holds the texts of train pairs only: a validation or test review would tell a profile what it is to
 * predict. Users and items are numbered by first appearance among what is kept (LightGCN lists: in the order of their
 * numbers).
 */
HnStatus hn_prepare(const HnDataConfig *config, const char *config_yaml, const char *out_path, HnPrepareReport *report,
                    HnError *err);
/* `hnlmrec synthesize`: the world as raw files in the Amazon 2018 field names, streaming: folder/reviews.json.gz and
 * folder/meta.json.gz; with n_parts > 1 reviews-00000-of-00004.json.gz and so on, one call a part (0-based). The files
 * of all parts, put together in order, are the same bytes for every n_parts. On failure no file is left. */
HnStatus hn_synthesize(const HnDataConfig *config, const char *folder, int part, int n_parts, HnError *err);

#endif
