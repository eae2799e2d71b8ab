/* hn_train where a training is done already: found, tidied up behind, and refused where it was of other data. */
#include "fixture.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "cf/train.h"
#include "store.h"

static char *folder;

typedef struct Run {
    World world;
    HnTrainConfig config;
    HnComm *comm;
    HnDataset *dataset;
    HnTrainJob job;
} Run;

/* A run in `folder` over a world of so many items a user; all of them write into the same place. */
static void run_open(Run *run, const char *data, double per_user) {
    HnError err = HN_ERROR_INIT;
    *run = (Run){.world = world_make(40, 30), .config = small_config()};
    world_fill(&run->world, per_user, 31);
    expect_ok(hn_comm_self(&run->comm, &err), &err);
    char *place = hn_path_join(folder, data, &err);
    expect_ok(hn_folder_make(place, &err), &err);
    run->dataset = world_dataset(&run->world, place);
    hn_free(place);
    run->job = (HnTrainJob){.config = &run->config,
                            .variant = "done",
                            .seed = 5,
                            .reproducible = true,
                            .threads = 1,
                            .dataset = run->dataset,
                            .folder = folder,
                            .config_yaml = "test: true\n"};
}

static void run_close(Run *run) {
    hn_dataset_close(&run->dataset);
    hn_comm_free(&run->comm);
    world_free(&run->world);
}

static void digest_after(Run *run, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    expect_ok(hn_train(&run->job, run->comm, &err), &err);
    char *path = hn_path_join(folder, "result.h5", &err);
    expect_ok(hn_store_digest(path, NULL, NULL, hex, &err), &err);
    hn_free(path);
}

static void test_done_is_done(void **state) {
    (void)state;
    Run run;
    char before[65], after[65];
    run_open(&run, "data", 8.0);
    digest_after(&run, before);
    run.config.train.learning_rate = 0.5; /* nothing is computed any more */
    digest_after(&run, after);
    assert_string_equal(before, after);
    run_close(&run);
}

/* A kill just after the end may leave a checkpoint. */
static void test_checkpoints_left_are_removed(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Run run;
    char hex[65];
    run_open(&run, "data", 8.0);
    digest_after(&run, hex);
    char *left = hn_path_join(folder, "checkpoint-0000003-0000000000", &err);
    expect_ok(hn_folder_make(left, &err), &err);
    digest_after(&run, hex);
    assert_false(hn_folder_exists(left));
    hn_free(left);
    run_close(&run);
}

/* Input files that changed under their names: old and new results must not stand in one table. */
static void test_other_data_are_refused(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Run run, changed;
    char before[65], after[65];
    run_open(&run, "data", 8.0);
    digest_after(&run, before);
    run_open(&changed, "changed", 9.0);
    assert_int_equal(hn_train(&changed.job, changed.comm, &err), HN_CONFLICT);
    assert_non_null(strstr(err.message, "made from another data set, and the input files have changed"));
    assert_non_null(strstr(err.message, "result.h5"));
    digest_after(&run, after);
    assert_string_equal(before, after);
    run_close(&changed);
    run_close(&run);
}

static void test_other_vectors_are_refused(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Run run;
    char hex[65];
    run_open(&run, "data", 8.0);
    run.config.sampler.name = HN_SAMPLER_SEMANTIC;
    char *first = world_vectors(&run.world, folder, "first.h5", 12, NULL, NULL, 9);
    char *second = world_vectors(&run.world, folder, "second.h5", 12, NULL, NULL, 10);
    run.job.vectors_path = first;
    digest_after(&run, hex);
    run.job.vectors_path = second;
    assert_int_equal(hn_train(&run.job, run.comm, &err), HN_CONFLICT);
    assert_non_null(strstr(err.message, "made from other vectors"));
    hn_free(first);
    hn_free(second);
    run_close(&run);
}

static int set_up(void **state) {
    (void)state;
    hn_log_setup(HN_LOG_ERROR, 0);
    folder = folder_make("done");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_done_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoints_left_are_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_data_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_vectors_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
