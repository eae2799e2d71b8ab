#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store.h"

static void put_fields(HnStoreWriter *writer, size_t n, const char *const *metrics, const double *values) {
    HnError err = HN_ERROR_INIT;
    const char *losses[] = {"total", "l2"}, *digests[] = {"d1", "d2"};
    const double loss_values[] = {0.7, 0.01, 0.5, 0.02};
    const int32_t epochs[] = {1, 2};
    double *valid = hn_alloc(2 * n, sizeof *valid, "values", &err);
    for (size_t i = 0; i < 2 * n; i++) {
        valid[i] = 0.5 * values[i % n];
    }
    assert_int_equal(hn_store_strings(writer, "loss/name", losses, 2, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "loss/value", (uint64_t[]){2, 2}, loss_values, &err), HN_OK);
    assert_int_equal(hn_store_strings(writer, "digest/epoch", digests, 2, &err), HN_OK);
    assert_int_equal(hn_store_strings(writer, "metric/name", metrics, n, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "valid/epoch", (uint64_t[]){2}, epochs, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "valid/value", (uint64_t[]){2, n}, valid, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "test/value", (uint64_t[]){n}, values, &err), HN_OK);
    hn_free(valid);
}

void folder_put_result(const char *folder, const char *slug, const char *variant, int64_t seed, size_t n,
                       const char *const *metrics, const double *values, bool synthetic) {
    HnError err = HN_ERROR_INIT;
    HnProvenance provenance = {.seed = seed, .synthetic = synthetic};
    HnStoreWriter *writer = NULL;
    char *place = hn_path_printf(&err, "%s/train/%s/seed-%lld", folder, slug, (long long)seed);
    assert_int_equal(hn_folder_make(place, &err), HN_OK);
    char *path = hn_path_join(place, "result.h5", &err);
    assert_int_equal(hn_store_create(path, &HN_SCHEMA_RESULT, &provenance, &writer, &err), HN_OK);
    put_fields(writer, n, metrics, values);
    assert_int_equal(hn_store_set_text(writer, "variant", variant, &err), HN_OK);
    const char *names[] = {"best_epoch", "epochs_run",   "n_test_users", "n_vectors_used", "n_pairs_without_vector",
                           "batches",    "reproducible", "ranks",        "threads"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(hn_store_set_i64(writer, names[i], (int64_t)i + 1, &err), HN_OK);
    }
    if (hn_store_seal(&writer, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    hn_free(path);
    hn_free(place);
}

void folder_put_experiment(const char *folder, const char *yaml) {
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(folder, "experiment.yaml", &err);
    assert_int_equal(hn_folder_make(folder, &err), HN_OK);
    assert_int_equal(hn_file_write_atomic(path, yaml, strlen(yaml), &err), HN_OK);
    hn_free(path);
}
