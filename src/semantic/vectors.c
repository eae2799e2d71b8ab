#include "vectors.h"

#include <string.h>

#include "base/alloc.h"
#include "base/half.h"

enum { BLOCK_PAIRS = 1024, COUNT_PAIRS = 65536 };

/* A block of pairs on its way into the store. */
typedef struct Block {
    uint32_t dim;
    float *mean;    /* [BLOCK_PAIRS][dim] */
    float *one;     /* [dim] */
    uint16_t *half; /* [BLOCK_PAIRS][dim] */
    uint8_t *present;
} Block;

static void free_block(Block *block) {
    hn_free(block->mean);
    hn_free(block->one);
    hn_free(block->half);
    hn_free(block->present);
}

static HnStatus make_block(uint32_t dim, Block *block, HnError *err) {
    const char *what = "vectors to be sealed";
    size_t n = (size_t)BLOCK_PAIRS * dim;
    block->dim = dim;
    block->mean = hn_alloc(n, sizeof *block->mean, what, err);
    block->one = hn_alloc(dim, sizeof *block->one, what, err);
    block->half = hn_alloc(n, sizeof *block->half, what, err);
    block->present = hn_alloc(BLOCK_PAIRS, 1, what, err);
    return block->mean && block->one && block->half && block->present ? HN_OK : HN_MEMORY;
}

/* The width that all vectors share. */
static HnStatus common_width(HnSpool *spool, uint64_t n_records, uint32_t *dim, HnError *err) {
    *dim = 0;
    for (uint64_t text = 0; text < n_records; text++) {
        HnRecord record;
        HN_TRY(hn_spool_get(spool, text, &record, err));
        if (record.status != HN_VECTOR_OK) {
            continue;
        }
        if (*dim != 0 && record.dim != *dim) {
            return hn_fail(err, HN_CONFLICT,
                           "the embedder gave vectors of %u and of %u components: its model was changed "
                           "half-way; remove the stage's journal folder to embed everything afresh",
                           *dim, record.dim);
        }
        *dim = record.dim;
    }
    if (*dim == 0) {
        return hn_fail(err, HN_INPUT,
                       "no train pair has a hard negative with a vector: all are noise, none or lost; read "
                       "\"raw\" in the negatives store to see what the provider answered");
    }
    return HN_OK;
}

/* A pair whose own record is its vector. */
static HnStatus copy(HnSpool *spool, uint64_t pair, Block *block, size_t at, HnError *err) {
    float *row = block->mean + at * block->dim;
    HnRecord record;
    HN_TRY(hn_spool_get(spool, pair, &record, err));
    block->present[at] = record.status == HN_VECTOR_OK;
    if (block->present[at]) {
        memcpy(row, record.vector, block->dim * sizeof *row);
    } else {
        memset(row, 0, block->dim * sizeof *row);
    }
    return HN_OK;
}

/* Eq 5: the mean of the samples that have a vector. */
static HnStatus average(const HnDistinct *distinct, HnSpool *spool, uint64_t pair, Block *block, size_t at,
                        HnError *err) {
    float *mean = block->mean + at * block->dim;
    const uint32_t *numbers = hn_distinct_of_pair(distinct, pair);
    uint32_t n = 0;
    memset(mean, 0, block->dim * sizeof *mean);
    for (uint64_t sample = 0; sample < hn_distinct_samples(distinct); sample++) {
        HnRecord record;
        if (numbers[sample] == HN_NO_TEXT) {
            continue;
        }
        HN_TRY(hn_spool_get(spool, numbers[sample], &record, err));
        if (record.status == HN_VECTOR_OK) {
            memcpy(block->one, record.vector, block->dim * sizeof *block->one);
            for (uint32_t i = 0; i < block->dim; i++) {
                mean[i] += block->one[i];
            }
            n++;
        }
    }
    for (uint32_t i = 0; i < block->dim && n > 1; i++) {
        mean[i] /= (float)n;
    }
    block->present[at] = n > 0;
    return HN_OK;
}

static HnStatus write_block(HnStoreWriter *writer, Block *block, HnVectorType type, uint64_t pair, uint64_t n,
                            HnError *err) {
    HN_TRY(hn_store_write_rows(writer, "present", pair, n, block->present, err));
    if (type == HN_VECTOR_F32) {
        return hn_store_write_rows(writer, "vector_f32", pair, n, block->mean, err);
    }
    hn_half_from_floats(block->mean, block->half, (size_t)n * block->dim);
    for (uint64_t i = 0; i < n * block->dim; i++) {
        if ((block->half[i] & 0x7C00U) == 0x7C00U) {
            return hn_fail(err, HN_NUMERIC,
                           "train pair %llu: a component of its vector is too large for 16 bits; set "
                           "llm.vector_type: f32",
                           (unsigned long long)(pair + i / block->dim));
        }
    }
    return hn_store_write_rows(writer, "vector", pair, n, block->half, err);
}

static HnStatus start_store(const HnStageContext *context, HnStoreWriter *writer, uint64_t dim, const char *embedder,
                            const char *model, const char *field, HnError *err) {
    uint64_t dims[] = {hn_dataset_count(context->dataset, HN_PART_TRAIN), dim};
    HN_TRY(hn_store_set_i64(writer, "dim", (int64_t)dim, err));
    HN_TRY(hn_store_set_text(writer, "embedder", embedder, err));
    HN_TRY(hn_store_set_text(writer, "model", model, err));
    HN_TRY(hn_stage_write_pairs(writer, context->dataset, err));
    HN_TRY(hn_store_define(writer, "present", dims, err));
    return hn_store_define(writer, field, dims, err);
}

static HnStatus write_means(const HnDistinct *distinct, HnSpool *spool, uint64_t n_pairs, HnStoreWriter *writer,
                            HnVectorType type, Block *block, HnVectorsReport *report, HnError *err) {
    report->pairs = n_pairs;
    for (uint64_t pair = 0; pair < n_pairs; pair += BLOCK_PAIRS) {
        uint64_t n = n_pairs - pair < BLOCK_PAIRS ? n_pairs - pair : BLOCK_PAIRS;
        for (uint64_t i = 0; i < n; i++) {
            HN_TRY(distinct ? average(distinct, spool, pair + i, block, (size_t)i, err)
                            : copy(spool, pair + i, block, (size_t)i, err));
            report->absent += !block->present[i];
        }
        HN_TRY(write_block(writer, block, type, pair, n, err));
    }
    return HN_OK;
}

HnStatus hn_vectors_seal(const HnStageContext *context, const HnDistinct *distinct, HnSpool *spool,
                         const char *out_path, const HnStageIdentity *identity, HnVectorsReport *report, HnError *err) {
    const HnLlmConfig *config = context->config;
    HnProvenance provenance = hn_stage_provenance(context, identity);
    HnStoreWriter *writer = NULL;
    Block block = {0};
    uint32_t dim = 0;
    *report = (HnVectorsReport){0};
    uint64_t n_pairs = hn_dataset_count(context->dataset, HN_PART_TRAIN);
    HN_TRY(common_width(spool, distinct ? hn_distinct_count(distinct) : n_pairs, &dim, err));
    HN_TRY(hn_store_create(out_path, &HN_SCHEMA_VECTORS, &provenance, &writer, err));
    HnStatus status = make_block(dim, &block, err);
    if (status == HN_OK) {
        status = start_store(context, writer, dim, hn_provider_name(config->embedder),
                             hn_provider_model(config, config->embedder, true),
                             config->vector_type == HN_VECTOR_F32 ? "vector_f32" : "vector", err);
    }
    if (status == HN_OK) {
        status = write_means(distinct, spool, n_pairs, writer, config->vector_type, &block, report, err);
    }
    if (status == HN_OK) {
        status = hn_store_seal(&writer, err);
    }
    if (writer) {
        hn_store_abandon(&writer);
    }
    free_block(&block);
    return status;
}

/* ---- import ---- */

static HnStatus same_pairs(const HnStageContext *context, const HnStore *store, const char *path, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0}, n_users = hn_dataset_users(context->dataset);
    int32_t *users = NULL, *items = NULL;
    HnStatus status = HN_OK;
    HN_TRY(hn_store_dims(store, "pair/user", dims, err));
    bool same = dims[0] == hn_dataset_count(context->dataset, HN_PART_TRAIN);
    for (uint64_t user = 0; user < n_users && same && status == HN_OK; user++) {
        HnPairs pairs = {0};
        status = hn_dataset_pairs(context->dataset, HN_PART_TRAIN, user, user + 1, &pairs, err);
        uint64_t n = status == HN_OK ? pairs.offsets[1] - pairs.offsets[0] : 0;
        if (n > 0) {
            users = hn_alloc(n, sizeof *users, "users of pairs", err);
            items = hn_alloc(n, sizeof *items, "items of pairs", err);
            status =
                users && items ? hn_store_read_rows(store, "pair/user", pairs.offsets[0], n, users, err) : HN_MEMORY;
        }
        if (n > 0 && status == HN_OK) {
            status = hn_store_read_rows(store, "pair/item", pairs.offsets[0], n, items, err);
        }
        for (uint64_t i = 0; i < n && status == HN_OK; i++) {
            same = same && users[i] == (int32_t)user && items[i] == pairs.items[i];
        }
        hn_free(users);
        hn_free(items);
        users = items = NULL;
        hn_pairs_free(&pairs);
    }
    HN_TRY(status);
    if (!same) {
        return hn_fail(err, HN_CONFLICT,
                       "%s (llm.import_vectors) holds vectors of other train pairs than this data set "
                       "has; vectors belong to one split: import that data set (data.dataset) with them",
                       path);
    }
    return HN_OK;
}

static HnStatus copy_rows(const HnStore *from, HnStoreWriter *to, const char *field, size_t value_bytes,
                          uint64_t n_pairs, uint64_t dim, HnVectorsReport *report, HnError *err) {
    void *rows = hn_alloc((size_t)(BLOCK_PAIRS * dim), value_bytes, "imported vectors", err);
    uint8_t *present = hn_alloc(BLOCK_PAIRS, 1, "imported vectors", err);
    HnStatus status = rows && present ? HN_OK : HN_MEMORY;
    report->pairs = n_pairs;
    for (uint64_t pair = 0; pair < n_pairs && status == HN_OK; pair += BLOCK_PAIRS) {
        uint64_t n = n_pairs - pair < BLOCK_PAIRS ? n_pairs - pair : BLOCK_PAIRS;
        status = hn_store_read_rows(from, field, pair, n, rows, err);
        status = status == HN_OK ? hn_store_read_rows(from, "present", pair, n, present, err) : status;
        status = status == HN_OK ? hn_store_write_rows(to, field, pair, n, rows, err) : status;
        status = status == HN_OK ? hn_store_write_rows(to, "present", pair, n, present, err) : status;
        for (uint64_t i = 0; i < n && status == HN_OK; i++) {
            report->absent += !present[i];
        }
    }
    hn_free(rows);
    hn_free(present);
    return status;
}

HnStatus hn_vectors_import(const HnStageContext *context, const char *path, const char *out_path,
                           const HnStageIdentity *identity, HnVectorsReport *report, HnError *err) {
    HnProvenance provenance = hn_stage_provenance(context, identity);
    HnStore *store = NULL;
    HnStoreWriter *writer = NULL;
    uint64_t dims[HN_MAX_DIMS] = {0};
    *report = (HnVectorsReport){0};
    HN_TRY(hn_store_open(path, &HN_SCHEMA_VECTORS, &store, err));
    const char *field = hn_store_has(store, "vector") ? "vector" : "vector_f32";
    HnStatus status = same_pairs(context, store, path, err);
    if (status == HN_OK) {
        status = hn_store_dims(store, field, dims, err);
    }
    if (status == HN_OK) {
        status = hn_store_create(out_path, &HN_SCHEMA_VECTORS, &provenance, &writer, err);
    }
    if (status == HN_OK) {
        status = start_store(context, writer, dims[1], "import", "", field, err);
    }
    if (status == HN_OK) {
        status = copy_rows(store, writer, field, strcmp(field, "vector") == 0 ? 2 : 4, dims[0], dims[1], report, err);
    }
    if (status == HN_OK) {
        status = hn_store_seal(&writer, err);
    }
    if (writer) {
        hn_store_abandon(&writer);
    }
    hn_store_close(&store);
    return status;
}

HnStatus hn_vectors_count(const char *path, HnVectorsReport *report, HnError *err) {
    HnStore *store = NULL;
    uint64_t dims[HN_MAX_DIMS] = {0};
    *report = (HnVectorsReport){0};
    HN_TRY(hn_store_open(path, &HN_SCHEMA_VECTORS, &store, err));
    HnStatus status = hn_store_dims(store, "present", dims, err);
    uint8_t *present = hn_alloc(COUNT_PAIRS, 1, "pairs with a vector", err);
    status = present ? status : HN_MEMORY;
    report->pairs = dims[0];
    for (uint64_t pair = 0; pair < dims[0] && status == HN_OK; pair += COUNT_PAIRS) {
        uint64_t n = dims[0] - pair < COUNT_PAIRS ? dims[0] - pair : COUNT_PAIRS;
        status = hn_store_read_rows(store, "present", pair, n, present, err);
        for (uint64_t i = 0; i < n; i++) {
            report->absent += !present[i];
        }
    }
    hn_free(present);
    hn_store_close(&store);
    return status;
}
