#include "cf/vectors.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/half.h"
#include "base/rng.h"
#include "store.h"

enum { BLOCK_ROWS = 4096 };

/* The store must be about the data set's pairs: the same number, and the same items in the same places. */
static HnStatus check_pairs(const HnStore *store, const char *path, const HnUserShards *shards, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_dims(store, "pair/item", dims, err));
    if (dims[0] != shards->n_pairs) {
        return hn_fail(err, HN_CONFLICT,
                       "%s holds vectors of %llu pairs, the data set has %llu training pairs: it was made from another "
                       "data set; embed again, or name the matching data set",
                       path, (unsigned long long)dims[0], (unsigned long long)shards->n_pairs);
    }
    int32_t *items = hn_alloc(shards->n_local_pairs, sizeof *items, "pairs of the vector store", err);
    if (items == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    if (shards->n_local_pairs > 0) {
        status = hn_store_read_rows(store, "pair/item", shards->train.offsets[0], shards->n_local_pairs, items, err);
    }
    for (uint64_t p = 0; p < shards->n_local_pairs && status == HN_OK; p++) {
        if (items[p] != shards->train.items[p]) {
            status =
                hn_fail(err, HN_CONFLICT,
                        "%s: pair %llu is item %d, in the data set it is item %d: the vectors belong to another "
                        "data set or split; embed again, or name the matching data set",
                        path, (unsigned long long)(shards->train.offsets[0] + p), items[p], shards->train.items[p]);
        }
    }
    hn_free(items);
    return status;
}

static HnStatus check_finite(const HnVectors *vectors, const char *path, uint64_t first_pair, HnError *err) {
    uint64_t bad = UINT64_MAX;
#pragma omp parallel for schedule(static) reduction(min : bad)
    for (uint64_t p = 0; p < vectors->n; p++) {
        bool finite = true;
        for (uint64_t c = p * vectors->dim; c < (p + 1) * vectors->dim; c++) {
            finite = finite &&
                     (vectors->halves != NULL ? (vectors->halves[c] & 0x7c00) != 0x7c00 : isfinite(vectors->floats[c]));
        }
        bad = !finite && p < bad ? p : bad;
    }
    if (bad != UINT64_MAX) {
        return hn_fail(err, HN_INPUT, "%s: the vector of pair %llu is not finite: embed again", path,
                       (unsigned long long)(first_pair + bad));
    }
    return HN_OK;
}

static HnStatus read_rows(const HnStore *store, const char *path, const HnUserShards *shards, HnVectors *vectors,
                          HnError *err) {
    const bool half = hn_store_has(store, "vector");
    const char *field = half ? "vector" : "vector_f32";
    uint64_t dims[HN_MAX_DIMS] = {0}, first = shards->train.offsets[0];
    HN_TRY(hn_store_dims(store, field, dims, err));
    vectors->dim = dims[1];
    vectors->n = shards->n_local_pairs;
    if (vectors->dim == 0) {
        return hn_fail(err, HN_INPUT, "%s: vectors of width 0: embed again", path);
    }
    vectors->present = hn_alloc(vectors->n, 1, "vector marks", err);
    void *rows = hn_alloc(vectors->n, vectors->dim * (half ? sizeof(uint16_t) : sizeof(float)), "text vectors", err);
    vectors->halves = half ? rows : NULL;
    vectors->floats = half ? NULL : rows;
    if (vectors->present == NULL || rows == NULL) {
        return HN_MEMORY;
    }
    size_t row_bytes = vectors->dim * (half ? sizeof(uint16_t) : sizeof(float));
    for (uint64_t p = 0; p < vectors->n; p += BLOCK_ROWS) {
        uint64_t n = vectors->n - p < BLOCK_ROWS ? vectors->n - p : BLOCK_ROWS;
        HN_TRY(hn_store_read_rows(store, field, first + p, n, (char *)rows + p * row_bytes, err));
        HN_TRY(hn_store_read_rows(store, "present", first + p, n, vectors->present + p, err));
    }
    return check_finite(vectors, path, first, err);
}

/* Noise of variance 1/dim: about the length of a unit vector, which is what embedders give. */
static void random_row(HnVectors *vectors, uint64_t local, uint64_t pair, uint64_t seed) {
    HnRng rng;
    hn_rng_start(&rng, seed, HN_STREAM_RANDOM_VECTOR, 0, pair);
    double std = 1.0 / sqrt((double)vectors->dim);
    for (uint64_t c = local * vectors->dim; c < (local + 1) * vectors->dim; c++) {
        float value = (float)(std * hn_rng_normal(&rng));
        if (vectors->halves != NULL) {
            vectors->halves[c] = hn_half_from_float(value);
        } else {
            vectors->floats[c] = value;
        }
    }
}

static void put_noise(HnVectors *vectors, const HnTrainConfig *config, uint64_t first_pair, uint64_t seed) {
    const bool everywhere = config->semantic.vectors == HN_VECTORS_RANDOM;
    const bool where_absent = config->semantic.missing == HN_MISSING_RANDOM_VECTOR;
#pragma omp parallel for schedule(dynamic, 64)
    for (uint64_t p = 0; p < vectors->n; p++) {
        if (vectors->present[p] ? everywhere : where_absent) {
            random_row(vectors, p, first_pair + p, seed);
            vectors->present[p] = 1;
        }
    }
}

HnStatus hn_vectors_load(const char *path, const HnUserShards *shards, const HnTrainConfig *config, uint64_t seed,
                         HnVectors *vectors, HnError *err) {
    *vectors = (HnVectors){0};
    if (path == NULL) {
        return hn_fail(
            err, HN_CONFIG,
            "sampler.name is semantic, but there is no vector store: run the language-model stages first, or "
            "set llm.import_vectors");
    }
    HnStore *store = NULL;
    HN_TRY(hn_store_open(path, &HN_SCHEMA_VECTORS, &store, err));
    HnStatus status = check_pairs(store, path, shards, err);
    if (status == HN_OK) {
        status = read_rows(store, path, shards, vectors, err);
    }
    hn_store_close(&store);
    if (status != HN_OK) {
        hn_vectors_free(vectors);
        return status;
    }
    for (uint64_t p = 0; p < vectors->n; p++) {
        vectors->n_stored += vectors->present[p] != 0;
    }
    put_noise(vectors, config, shards->train.offsets[0], seed);
    return HN_OK;
}

void hn_vectors_free(HnVectors *vectors) {
    hn_free(vectors->floats);
    hn_free(vectors->halves);
    hn_free(vectors->present);
    *vectors = (HnVectors){0};
}

void hn_vectors_row(const HnVectors *vectors, uint64_t local_pair, float *row) {
    if (vectors->halves != NULL) {
        hn_half_to_floats(vectors->halves + local_pair * vectors->dim, row, vectors->dim);
    } else {
        memcpy(row, vectors->floats + local_pair * vectors->dim, vectors->dim * sizeof *row);
    }
}
