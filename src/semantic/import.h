/* Profiles made elsewhere, as JSON lines: {"uid" | "user_id" | "iid" | "item_id": id, "profile": text, ...}. Ids are
 * the raw ones (a string or a whole number).
 */
#ifndef HN_SEMANTIC_IMPORT_H
#define HN_SEMANTIC_IMPORT_H

#include "data/dataset.h"
#include "spool.h"

typedef struct HnImportReport {
    uint64_t lines, matched, unknown,
        repeated; /* unknown: ids that the data set lacks; repeated: the first line wins */
} HnImportReport;

/* Fills the spool (keys = users or items): matched rows are HN_PROFILE_IMPORTED, all others HN_PROFILE_EMPTY. A line
 * that is no such object is an error that names file and line. */
HnStatus hn_import_profiles(const char *path, bool users, const HnDataset *dataset, HnSpool *spool,
                            HnImportReport *report, HnError *err);

#endif
