/* What the steps of a preparation share, in the order in which they fill it: collect (pass 1 over the interactions) ->
 * arrange (duplicates, k-core, numbering, split) -> texts (pass 2, item files) -> dataset_write. Private to this room.
 */
#ifndef HN_DATA_WORK_H
#define HN_DATA_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "data/dataset.h"
#include "data/intern.h"
#include "data/pair_table.h"
#include "data/prepare.h"
#include "data/reader.h"
#include "data/scan.h"
#include "data/split.h"
#include "data/text_sort.h"
#include "store.h"

typedef struct HnInputFile {
    const char *path; /* the configuration's */
    char sha256[65];
    uint8_t part; /* HnPart of the interactions in it */
} HnInputFile;

typedef struct HnWork {
    const HnDataConfig *config;
    const HnReaderOps *ops;
    HnPrepareReport *report;
    HnSplit split;
    int64_t time_from, time_to;

    HnInputFile *inputs; /* [n_inputs]: first the n_interactions files, then items and keep lists */
    size_t n_inputs, n_interactions;

    HnIntern *users, *items, *keep_users, *keep_items;
    HnPairTable table; /* after arrange: new indices, sorted by (user, item), part set */
    /* New index -> number in users/items. */
    uint32_t *user_source; /* [n_users] */
    uint32_t *item_source; /* [n_items] */
    uint32_t *item_index;  /* [interned items]: number -> new index or HN_NO_ID */
    uint64_t n_users, n_items;
    bool have_ratings, have_times; /* every pair has one */

    HnTextSort *reviews;    /* key: train pair number */
    HnTextSort *item_texts; /* key: field * n_items + item */
    uint64_t n_item_texts[HN_ITEM_FIELDS];
} HnWork;

/* Reads the keep lists and all interactions, filtered by rating, date and keep lists. */
HnStatus hn_work_collect(HnWork *work, HnError *err);
/* Duplicates, k-core, new indices, parts. */
HnStatus hn_work_arrange(HnWork *work, HnError *err);
/* The numbers of data.catalogue to_largest and joint as ids: *source new number -> interned (owned by the caller).
 * Items come after users. Ids that are no numbers, or far too large for the pairs, are HN_INPUT. */
HnStatus hn_catalogue_fill(HnWork *work, bool users, uint32_t **source, uint64_t *n, HnError *err);
/* Reviews of train pairs and texts of items. beside: where runs may be written. */
HnStatus hn_work_texts(HnWork *work, const char *beside, HnError *err);
HnStatus hn_work_write(HnWork *work, const char *config_yaml, const char *out_path, HnError *err);

/* One keep list: JSON lines whose first of the two keys is the id, or one raw id a line. */
HnStatus hn_keep_read(const HnScan *scan, bool users, HnIntern *ids, HnScanResult *result, HnError *err);
/* The filters and the split in words. */
HnStatus hn_recipe(const HnWork *work, HnText *recipe, HnError *err);

#endif
