/* The first, second, third ... allocation of a preparation fails until it succeeds: each failure is told as such,
 * leaves no block and no file. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config/experiment.h"
#include "fixture.h"

static void fail_every_allocation(const char *const *sets, size_t n_sets) {
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    HnPrepareReport report;
    assert_int_equal(hn_experiment_load(NULL, sets, n_sets, &experiment, &err), HN_OK);
    uint64_t live = hn_alloc_live_blocks(), n_failed = 0, n_whole = 0;
    const char *path = fixture_path("memory.h5");
    for (uint64_t n = 1;; n++) {
        hn_error_clear(&err);
        hn_alloc_fail_at(n);
        HnStatus status = hn_prepare(&experiment->data, "", path, &report, &err);
        hn_alloc_fail_at(0);
        assert_int_equal(hn_alloc_live_blocks(), live);
        if (status == HN_OK) {
            break;
        }
        n_failed++;
        if (status != HN_MEMORY) {
            print_error("allocation %llu: status %d: %s\n", (unsigned long long)n, (int)status, err.message);
        }
        assert_int_equal(status, HN_MEMORY);
        /* Half a file is never there: none, or (when only the folder's sync failed) the whole. */
        if (hn_file_exists(path)) {
            HnDataset *dataset = NULL;
            hn_error_clear(&err);
            assert_int_equal(hn_dataset_open(path, &dataset, &err), HN_OK);
            hn_dataset_close(&dataset);
            assert_int_equal(remove(path), 0);
            n_whole++;
        }
        assert_true(n < 5000);
    }
    assert_true(n_failed > 30 && n_whole <= 2);
    char **names = NULL;
    size_t n_names;
    assert_int_equal(hn_folder_list(fixture_folder(), &names, &n_names, &err), HN_OK);
    for (size_t k = 0; k < n_names; k++) { /* the store itself and the inputs */
        assert_true(strcmp(names[k], "memory.h5") == 0 || strstr(names[k], "memory.h5") == NULL);
    }
    hn_names_free(&names, n_names);
    assert_int_equal(remove(path), 0);
    hn_experiment_free(&experiment);
}

static void files(void **state) {
    (void)state;
    fixture_text("r.json.gz",
                 "{\"reviewerID\":\"A\",\"asin\":\"1\",\"overall\":5,\"reviewText\":\"a\\nb\",\"summary\":\"s\"}\n"
                 "{\"reviewerID\":\"B\",\"asin\":\"1\",\"overall\":5,\"reviewText\":\"c\"}\n"
                 "{\"reviewerID\":\"A\",\"asin\":\"2\",\"overall\":5,\"reviewText\":\"d\"}\n");
    fixture_text("m.json", "{\"asin\":\"1\",\"title\":\"One\\u00e9\",\"category\":[\"x\",\"y\"]}\n");
    fixture_text("keep.txt", "1\n2\n");
    char in[8192], items[8192], keep[8192];
    (void)snprintf(in, sizeof in, "data.interactions=[%s]", fixture_path("r.json.gz"));
    (void)snprintf(items, sizeof items, "data.items=[%s]", fixture_path("m.json"));
    (void)snprintf(keep, sizeof keep, "data.keep_items=%s", fixture_path("keep.txt"));
    const char *const sets[] = {"data.format=amazon", in, items, keep, "data.core_users=1", "eval.select_on=test"};
    fail_every_allocation(sets, sizeof sets / sizeof sets[0]);
}

static void catalogue(void **state) {
    (void)state;
    fixture_text("train.txt", "4 7 2\n0 2 3\n");
    char in[8192];
    (void)snprintf(in, sizeof in, "data.interactions=[%s]", fixture_path("train.txt"));
    const char *const sets[] = {"data.format=lightgcn", in, "data.catalogue=to_largest", "eval.select_on=test"};
    fail_every_allocation(sets, sizeof sets / sizeof sets[0]);
}

static void world(void **state) {
    (void)state;
    const char *const sets[] = {"data.format=synthetic", "data.synthetic.users=5", "data.synthetic.items=30",
                                "data.synthetic.interactions=40"};
    fail_every_allocation(sets, sizeof sets / sizeof sets[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(files), cmocka_unit_test(catalogue), cmocka_unit_test(world)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
