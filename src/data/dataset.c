#include "dataset.h"

#include <string.h>

#include "base/alloc.h"
#include "store.h"

struct HnDataset {
    HnStore *store;
    uint64_t n_users, n_items, n_pairs[3];
    bool synthetic;
    char id[65];
};

static const char *const offset_fields[] = {"train/offsets", "valid/offsets", "test/offsets"};
static const char *const item_fields[] = {"train/items", "valid/items", "test/items"};
static const char *const text_fields[] = {"user/raw_id",     "item/raw_id",     "item/title",  "item/description",
                                          "item/categories", "item/attributes", "train/review"};

static HnStatus read_counts(HnDataset *dataset, HnError *err) {
    static const char *const names[] = {"n_users", "n_items", "n_train", "n_valid", "n_test"};
    uint64_t *counts[] = {&dataset->n_users, &dataset->n_items, &dataset->n_pairs[HN_PART_TRAIN],
                          &dataset->n_pairs[HN_PART_VALID], &dataset->n_pairs[HN_PART_TEST]};
    for (int k = 0; k < 5; k++) {
        int64_t value;
        HN_TRY(hn_store_get_i64(dataset->store, names[k], &value, err));
        if (value < 0) {
            return hn_fail(err, HN_CORRUPT, "the data set's attribute %s is negative: prepare it again", names[k]);
        }
        *counts[k] = (uint64_t)value;
    }
    int64_t synthetic;
    HN_TRY(hn_store_get_i64(dataset->store, "synthetic", &synthetic, err));
    dataset->synthetic = synthetic != 0;
    return HN_OK;
}

/* The attributes and the fields must tell the same story before anybody sizes memory by them. */
static HnStatus check_shapes(const HnDataset *dataset, const char *path, HnError *err) {
    for (int part = 0; part < 3; part++) {
        uint64_t offsets[HN_MAX_DIMS], items[HN_MAX_DIMS], last;
        HN_TRY(hn_store_dims(dataset->store, offset_fields[part], offsets, err));
        HN_TRY(hn_store_dims(dataset->store, item_fields[part], items, err));
        if (offsets[0] != dataset->n_users + 1 || items[0] != dataset->n_pairs[part]) {
            return hn_fail(err, HN_CORRUPT, "%s: %s does not fit the counts in its attributes: prepare it again", path,
                           item_fields[part]);
        }
        HN_TRY(hn_store_read_rows(dataset->store, offset_fields[part], dataset->n_users, 1, &last, err));
        if (last != dataset->n_pairs[part]) {
            return hn_fail(err, HN_CORRUPT, "%s: %s ends at %llu, not at %llu: prepare it again", path,
                           offset_fields[part], (unsigned long long)last, (unsigned long long)dataset->n_pairs[part]);
        }
    }
    return HN_OK;
}

HnStatus hn_dataset_open(const char *path, HnDataset **out, HnError *err) {
    *out = NULL;
    HnDataset *dataset = hn_alloc(1, sizeof *dataset, "data set", err);
    if (dataset == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = hn_store_content_id(path, dataset->id, err);
    if (status == HN_OK) {
        status = hn_store_open(path, &HN_SCHEMA_DATASET, &dataset->store, err);
    }
    if (status == HN_OK) {
        status = read_counts(dataset, err);
    }
    if (status == HN_OK) {
        status = check_shapes(dataset, path, err);
    }
    if (status != HN_OK) {
        hn_dataset_close(&dataset);
    }
    *out = dataset;
    return status;
}

void hn_dataset_close(HnDataset **dataset) {
    if (*dataset != NULL) {
        hn_store_close(&(*dataset)->store);
        hn_free(*dataset);
        *dataset = NULL;
    }
}

uint64_t hn_dataset_users(const HnDataset *dataset) {
    return dataset->n_users;
}

uint64_t hn_dataset_items(const HnDataset *dataset) {
    return dataset->n_items;
}

uint64_t hn_dataset_count(const HnDataset *dataset, HnPart part) {
    return dataset->n_pairs[part];
}

bool hn_dataset_synthetic(const HnDataset *dataset) {
    return dataset->synthetic;
}

const char *hn_dataset_id(const HnDataset *dataset) {
    return dataset->id;
}

/* Offsets of users begin .. end (end - begin + 1 of them), checked to ascend within the part. */
static HnStatus read_offsets(const HnDataset *dataset, HnPart part, uint64_t begin, uint64_t end, uint64_t **offsets,
                             HnError *err) {
    uint64_t n = end - begin + 1;
    *offsets = hn_alloc(n, sizeof **offsets, "user offsets", err);
    if (*offsets == NULL) {
        return HN_MEMORY;
    }
    HN_TRY(hn_store_read_rows(dataset->store, offset_fields[part], begin, n, *offsets, err));
    for (uint64_t u = 0; u + 1 < n; u++) {
        if ((*offsets)[u] > (*offsets)[u + 1] || (*offsets)[u + 1] > dataset->n_pairs[part]) {
            return hn_fail(err, HN_CORRUPT, "%s of user %llu does not ascend: prepare the data set again",
                           offset_fields[part], (unsigned long long)(begin + u));
        }
    }
    return HN_OK;
}

HnStatus hn_dataset_pairs(const HnDataset *dataset, HnPart part, uint64_t user_begin, uint64_t user_end, HnPairs *pairs,
                          HnError *err) {
    memset(pairs, 0, sizeof *pairs);
    if (user_begin > user_end || user_end > dataset->n_users) {
        return hn_fail(err, HN_RANGE, "users %llu to %llu of %llu were asked for", (unsigned long long)user_begin,
                       (unsigned long long)user_end, (unsigned long long)dataset->n_users);
    }
    pairs->user_begin = user_begin;
    pairs->user_end = user_end;
    HnStatus status = read_offsets(dataset, part, user_begin, user_end, &pairs->offsets, err);
    if (status == HN_OK) {
        uint64_t first = pairs->offsets[0], n = pairs->offsets[user_end - user_begin] - first;
        pairs->items = hn_alloc(n, sizeof *pairs->items, "items of users", err);
        status = pairs->items == NULL
                     ? HN_MEMORY
                     : hn_store_read_rows(dataset->store, item_fields[part], first, n, pairs->items, err);
        for (uint64_t p = 0; status == HN_OK && p < n; p++) {
            if (pairs->items[p] < 0 || (uint64_t)pairs->items[p] >= dataset->n_items) {
                status = hn_fail(err, HN_CORRUPT, "%s: pair %llu names item %d of %llu: prepare the data set again",
                                 item_fields[part], (unsigned long long)(first + p), (int)pairs->items[p],
                                 (unsigned long long)dataset->n_items);
            }
        }
    }
    if (status != HN_OK) {
        hn_pairs_free(pairs);
    }
    return status;
}

HnStatus hn_dataset_offsets(const HnDataset *dataset, HnPart part, uint64_t **offsets, HnError *err) {
    HnStatus status = read_offsets(dataset, part, 0, dataset->n_users, offsets, err);
    if (status != HN_OK) {
        hn_free(*offsets);
        *offsets = NULL;
    }
    return status;
}

void hn_pairs_free(HnPairs *pairs) {
    hn_free(pairs->offsets);
    hn_free(pairs->items);
    memset(pairs, 0, sizeof *pairs);
}

bool hn_dataset_has_text(const HnDataset *dataset, HnTextField field) {
    return hn_store_has(dataset->store, text_fields[field]);
}

static uint64_t text_rows(const HnDataset *dataset, HnTextField field) {
    switch (field) {
    case HN_TEXT_USER_ID:
        return dataset->n_users;
    case HN_TEXT_REVIEW:
        return dataset->n_pairs[HN_PART_TRAIN];
    default:
        return dataset->n_items;
    }
}

HnStatus hn_dataset_text(const HnDataset *dataset, HnTextField field, uint64_t row_begin, uint64_t row_end,
                         char **bytes, uint64_t **offsets, HnError *err) {
    *bytes = NULL;
    *offsets = NULL;
    if (row_begin > row_end || row_end > text_rows(dataset, field)) {
        return hn_fail(err, HN_RANGE, "rows %llu to %llu of %llu of %s were asked for", (unsigned long long)row_begin,
                       (unsigned long long)row_end, (unsigned long long)text_rows(dataset, field), text_fields[field]);
    }
    if (hn_dataset_has_text(dataset, field)) {
        return hn_store_read_strings(dataset->store, text_fields[field], row_begin, row_end - row_begin, bytes, offsets,
                                     err);
    }
    *bytes = hn_alloc(1, 1, "no text", err);
    *offsets = hn_alloc(row_end - row_begin + 1, sizeof **offsets, "no text", err);
    if (*bytes == NULL || *offsets == NULL) {
        hn_free(*bytes);
        hn_free(*offsets);
        *bytes = NULL;
        *offsets = NULL;
        return HN_MEMORY;
    }
    return HN_OK;
}
