#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store.h"

static void put_fields(HnStoreWriter *writer, size_t n, const char *const *metrics, const double *values, bool tested) {
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
    if (tested) {
        assert_int_equal(hn_store_write(writer, "test/value", (uint64_t[]){n}, values, &err), HN_OK);
    }
    hn_free(valid);
}

/* Two groups of users, "few" with half and "many" with twice the test's values; "few" adds a quarter to recall. */
static void put_groups(HnStoreWriter *writer, size_t n, const double *values) {
    HnError err = HN_ERROR_INIT;
    const char *kinds[] = {"activity", "activity"}, *names[] = {"few", "many|more"};
    const int64_t least[] = {1, 6}, most[] = {5, 99}, members[] = {30, 10}, users[] = {29, 9};
    const double share[] = {0.25 * values[0], 0.75 * values[0]};
    double *value = hn_alloc(2 * n, sizeof *value, "values", &err);
    for (size_t i = 0; i < 2 * n; i++) {
        value[i] = (i < n ? 0.5 : 2.0) * values[i % n];
    }
    assert_int_equal(hn_store_strings(writer, "group/kind", kinds, 2, &err), HN_OK);
    assert_int_equal(hn_store_strings(writer, "group/name", names, 2, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "group/least", (uint64_t[]){2}, least, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "group/most", (uint64_t[]){2}, most, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "group/members", (uint64_t[]){2}, members, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "group/users", (uint64_t[]){2}, users, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "group/value", (uint64_t[]){2, n}, value, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "group/recall_share", (uint64_t[]){2, 1}, share, &err), HN_OK);
    hn_free(value);
}

void folder_put_result(const char *folder, const char *slug, const char *variant, int64_t seed, size_t n,
                       const char *const *metrics, const double *values, bool synthetic) {
    HnError err = HN_ERROR_INIT;
    HnProvenance provenance = {
        .config = seed == 7 ? "eval.select_on: test\n" : "", .seed = seed, .synthetic = synthetic};
    HnStoreWriter *writer = NULL;
    char *place = hn_path_printf(&err, "%s/train/%s/seed-%lld", folder, slug, (long long)seed);
    assert_int_equal(hn_folder_make(place, &err), HN_OK);
    char *path = hn_path_join(place, "result.h5", &err);
    assert_int_equal(hn_store_create(path, &HN_SCHEMA_RESULT, &provenance, &writer, &err), HN_OK);
    put_fields(writer, n, metrics, values, true);
    if (seed != 9) { /* seed 9 was trained without groups */
        put_groups(writer, n, values);
    }
    assert_int_equal(hn_store_set_text(writer, "variant", variant, &err), HN_OK);
    const char *names[] = {"best_epoch", "epochs_run",   "n_test_users", "n_vectors_used", "n_pairs_without_vector",
                           "batches",    "reproducible", "ranks",        "threads"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const bool nobody = seed == 8 && strcmp(names[i], "n_test_users") == 0;
        assert_int_equal(hn_store_set_i64(writer, names[i], nobody ? 0 : (int64_t)i + 1, &err), HN_OK);
    }
    if (hn_store_seal(&writer, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    hn_free(path);
    hn_free(place);
}

void folder_put_trial(const char *folder, int64_t number, const char *rate, double value, bool failed) {
    HnError err = HN_ERROR_INIT;
    const HnProvenance provenance = {.seed = 5, .synthetic = true};
    const char *keys[] = {"train.learning_rate"}, *metrics[] = {"recall@10"};
    const double seconds[] = {1.5, 2.0};
    const struct {
        const char *name, *value;
    } texts[] = {{"variant", "the, row"},
                 {"status", failed ? "failed" : "done"},
                 {"reason", failed ? "not finite" : ""},
                 {"metric", "recall@10"}};
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"trial", number}, {"n_trials", 6}, {"best_epoch", 2}, {"epochs_run", 2}};
    HnStoreWriter *writer = NULL;
    char *place = hn_path_printf(&err, "%s/tune/trial-%04lld", folder, (long long)number);
    assert_int_equal(hn_folder_make(place, &err), HN_OK);
    char *path = hn_path_join(place, "trial.h5", &err);
    assert_int_equal(hn_store_create(path, &HN_SCHEMA_TRIAL, &provenance, &writer, &err), HN_OK);
    put_fields(writer, 1, metrics, &value, false);
    assert_int_equal(hn_store_strings(writer, "setting/key", keys, 1, &err), HN_OK);
    assert_int_equal(hn_store_strings(writer, "setting/value", &rate, 1, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "time/epoch_seconds", (uint64_t[]){2}, seconds, &err), HN_OK);
    assert_int_equal(hn_store_write(writer, "time/eval_seconds", (uint64_t[]){2}, seconds, &err), HN_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(hn_store_set_text(writer, texts[i].name, texts[i].value, &err), HN_OK);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(hn_store_set_i64(writer, numbers[i].name, numbers[i].value, &err), HN_OK);
    }
    assert_int_equal(hn_store_set_f64(writer, "best_value", value, &err), HN_OK);
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

const char folder_experiment[] = "name: by hand\nseeds: [1, 2, 3]\ncompare:\n"
                                 "  - {name: \"Zeta, first\", sampler.name: rns}\n"
                                 "  - {name: Alpha, sampler.name: semantic}\n"
                                 "  - {name: not run, semantic.alpha: 0.5}\n";
const char *const folder_metrics[2] = {"recall@10", "ndcg@10"};

char *folder_put_run(const char *top, const char *name, bool with_experiment, bool synthetic) {
    char *folder = hn_path_join(top, name, NULL);
    const double zeta[3][2] = {{0.10, 0.5}, {0.20, 0.5}, {0.30, 0.25}};
    const double alpha[2][2] = {{0.2001, 0.5}, {0.3002, 0.5}};
    for (int s = 0; s < 3; s++) {
        folder_put_result(folder, "zeta-first", "Zeta, first", s + 1, 2, folder_metrics, zeta[s], synthetic);
    }
    for (int s = 0; s < 2; s++) {
        folder_put_result(folder, "alpha", "Alpha", s + 1, 2, folder_metrics, alpha[s], synthetic);
    }
    if (with_experiment) {
        folder_put_experiment(folder, folder_experiment);
    }
    return folder;
}
