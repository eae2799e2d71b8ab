#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "config/experiment.h"

enum { N_SLOTS = 16, SLOT_BYTES = 4096, MOST_SETS = 32 };

static char folder[SLOT_BYTES];
static char slots[N_SLOTS][SLOT_BYTES];
static unsigned next_slot;

static char *slot(void) {
    return slots[next_slot++ % N_SLOTS];
}

int fixture_open(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/hn-data-XXXXXX", base != NULL ? base : "/tmp");
    hn_log_setup(getenv("HN_TEST_LOUD") != NULL ? HN_LOG_DEBUG : HN_LOG_ERROR, 0);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

int fixture_close(void **state) {
    (void)state;
    return hn_folder_remove(folder, NULL) == HN_OK ? 0 : -1;
}

const char *fixture_folder(void) {
    return folder;
}

const char *fixture_path(const char *name) {
    char *path = slot();
    assert_true((size_t)snprintf(path, SLOT_BYTES, "%s/%s", folder, name) < SLOT_BYTES);
    return path;
}

const char *fixture_write(const char *name, const char *bytes, size_t n_bytes) {
    const char *path = fixture_path(name);
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".gz") == 0) {
        gzFile file = gzopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(n_bytes == 0 ? 0 : gzwrite(file, bytes, (unsigned)n_bytes), (int)n_bytes);
        assert_int_equal(gzclose(file), Z_OK);
    } else {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
        assert_int_equal(fclose(file), 0);
    }
    return path;
}

const char *fixture_text(const char *name, const char *text) {
    return fixture_write(name, text, strlen(text));
}

const char *fixture_shared(const char *name) {
    const char *base = getenv("HNLMREC_TEST_DATA");
    char *path = slot();
    (void)snprintf(path, SLOT_BYTES, "%s/%s", base != NULL ? base : HN_SOURCE_DIR "/../shared/data", name);
    return hn_file_exists(path) ? path : NULL;
}

void fixture_prepare(Prepared *prepared, const char *out, ...) {
    const char *sets[MOST_SETS] = {"eval.select_on=test"};
    size_t n = 1;
    va_list arguments;
    va_start(arguments, out);
    for (const char *set; (set = va_arg(arguments, const char *)) != NULL;) {
        assert_true(n < MOST_SETS);
        sets[n++] = set;
    }
    va_end(arguments);
    memset(prepared, 0, sizeof *prepared);
    const char *path = fixture_path(out);
    (void)remove(path);
    HnExperiment *experiment = NULL;
    prepared->status = hn_experiment_load(NULL, sets, n, &experiment, &prepared->err);
    if (prepared->status == HN_OK) {
        prepared->status = hn_prepare(&experiment->data, "test: true\n", path, &prepared->report, &prepared->err);
    }
    hn_experiment_free(&experiment);
    assert_int_equal(prepared->status, prepared->err.status);
    if (prepared->status != HN_OK) {
        assert_true(prepared->err.message[0] != '\0');
        assert_false(hn_file_exists(path));
        return;
    }
    HnError *err = &prepared->err;
    assert_int_equal(hn_dataset_open(path, &prepared->dataset, err), HN_OK);
    for (int part = 0; part < 3; part++) {
        assert_int_equal(hn_dataset_pairs(prepared->dataset, (HnPart)part, 0, hn_dataset_users(prepared->dataset),
                                          &prepared->pairs[part], err),
                         HN_OK);
    }
}

void fixture_release(Prepared *prepared) {
    for (int part = 0; part < 3; part++) {
        hn_pairs_free(&prepared->pairs[part]);
    }
    hn_dataset_close(&prepared->dataset);
}

const char *fixture_row(const HnDataset *dataset, HnTextField field, uint64_t row) {
    char *bytes = NULL, *out = slot();
    uint64_t *offsets = NULL;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_dataset_text(dataset, field, row, row + 1, &bytes, &offsets, &err), HN_OK);
    uint64_t n = offsets[1] - offsets[0];
    assert_true(n < SLOT_BYTES);
    memcpy(out, bytes, n);
    out[n] = '\0';
    hn_free(bytes);
    hn_free(offsets);
    return out;
}

void fixture_failed(const Prepared *prepared, HnStatus status, ...) {
    va_list arguments;
    va_start(arguments, status);
    if (prepared->status != status) {
        print_error("status %d, message: %s\n", (int)prepared->status, prepared->err.message);
    }
    assert_int_equal(prepared->status, status);
    for (const char *part; (part = va_arg(arguments, const char *)) != NULL;) {
        if (strstr(prepared->err.message, part) == NULL) {
            print_error("\"%s\" is not in: %s\n", part, prepared->err.message);
            fail();
        }
    }
    va_end(arguments);
}
