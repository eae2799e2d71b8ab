/* Damaged stores: opening, reading everything and digesting ends with a status, never a crash or a hang; and a digest
 * that is given is the one of the undamaged store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "mutate.h"
#include "sample.h"

/* HDF5 1.10 itself loses 456 bytes at each open of a file with a damaged header; what is ours comes from hn_alloc. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5";
}

enum { MAX_SCHEMAS = 16 };

static char *folder;
static size_t n_schemas;
static char *originals[MAX_SCHEMAS];
static size_t n_original[MAX_SCHEMAS];
static char digests[MAX_SCHEMAS][65];

static bool wrong(const char *what, const HnError *err) {
    printf("%s: %s\n", what, err->message);
    return false;
}

/* All rows of all fields; statuses do not matter, surviving does. */
static void read_everything(const HnStore *store) {
    const HnSchema *schema = hn_store_schema(store);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const HnField *field = &schema->fields[i];
        HnError err = HN_ERROR_INIT;
        uint64_t dims[HN_MAX_DIMS] = {0}, *offsets = NULL;
        char *bytes = NULL;
        if (!hn_store_has(store, field->path) || hn_store_dims(store, field->path, dims, &err) != HN_OK) {
            continue;
        }
        if (field->type == HN_STRINGS) {
            hn_store_read_strings(store, field->path, 0, dims[0], &bytes, &offsets, &err);
            hn_free(bytes);
            hn_free(offsets);
        } else if (dims[0] < 1000 && dims[1] < 1000) { /* the sizes of the undamaged store are far below */
            size_t n = (size_t)dims[0] * (size_t)(dims[1] == 0 ? 1 : dims[1]);
            char *values = (char *)malloc(8 * n + 1);
            hn_store_read_rows(store, field->path, 0, dims[0], values, &err);
            free(values);
        }
    }
}

static bool round_of(unsigned long round) {
    HnRng rng;
    hn_rng_start(&rng, fuzz_seed(), HN_STREAM_TEST, 2, round);
    size_t s = round % n_schemas;
    char *bytes = (char *)malloc(2 * n_original[s] + 4096);
    memcpy(bytes, originals[s], n_original[s]);
    size_t n_bytes = mutate(&rng, bytes, n_original[s]);
    const char *path = sample_path(folder, "store.h5");
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(bytes, 1, n_bytes, file) == n_bytes;
    if (file == NULL || fclose(file) != 0 || !written) {
        return false;
    }
    free(bytes);
    HnError err = HN_ERROR_INIT;
    HnStore *store = NULL;
    uint64_t live = hn_alloc_live_blocks();
    if (hn_store_open(path, NULL, &store, &err) == HN_OK) {
        read_everything(store);
        hn_store_close(&store);
    } else if (err.status != HN_CORRUPT && err.status != HN_FORMAT) {
        return wrong("open", &err);
    }
    hn_error_clear(&err);
    char hex[65];
    HnStatus status = hn_store_digest(path, NULL, NULL, hex, &err);
    if (status == HN_OK && strcmp(hex, digests[s]) != 0) {
        return wrong("another digest, and nobody noticed", &err);
    }
    if (status != HN_OK && status != HN_CORRUPT && status != HN_FORMAT) {
        return wrong("digest", &err);
    }
    return hn_alloc_live_blocks() == live ? true : wrong("blocks left", &err);
}

static HnStatus prepare(HnError *err) {
    for (; HN_SCHEMAS[n_schemas] != NULL && n_schemas < MAX_SCHEMAS; n_schemas++) {
        Sample sample = {.salt = 3, .scale = 1, .optional = true};
        const char *path = sample_path(folder, "store.h5");
        HN_TRY(sample_write(path, HN_SCHEMAS[n_schemas], &sample, err));
        HN_TRY(hn_store_digest(path, NULL, NULL, digests[n_schemas], err));
        HN_TRY(hn_file_read(path, 1 << 24, &originals[n_schemas], &n_original[n_schemas], err));
    }
    return HN_OK;
}

int main(void) {
    HnError err = HN_ERROR_INIT;
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* syncs cost nothing there, so there are ten times as many rounds */
    }
    folder = sample_folder();
    int code = 1;
    if (folder == NULL || prepare(&err) != HN_OK) {
        printf("cannot prepare: %s\n", err.message);
    } else {
        code = fuzz_run("store", round_of);
    }
    for (size_t i = 0; i < n_schemas; i++) {
        hn_free(originals[i]);
    }
    sample_folder_remove(folder);
    return code;
}
