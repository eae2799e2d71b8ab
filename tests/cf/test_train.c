/* hn_train on one rank: whole runs, edge cases, what it refuses, stopping and going on. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "cf/session.h"
#include "store.h"

static char *folder;

/* A world, a data set and a job over it, in a folder of its own. */
typedef struct Run {
    World world;
    HnTrainConfig config;
    HnComm *comm;
    HnDataset *dataset;
    char *folder;
    HnTrainJob job;
} Run;

static void run_open(Run *run, const char *name) {
    HnError err = HN_ERROR_INIT;
    expect_ok(hn_comm_self(&run->comm, &err), &err);
    run->folder = hn_path_join(folder, name, &err);
    expect_ok(hn_folder_make(run->folder, &err), &err);
    run->dataset = world_dataset(&run->world, run->folder);
    run->job = (HnTrainJob){.config = &run->config,
                            .variant = name,
                            .seed = 5,
                            .reproducible = true,
                            .threads = 2,
                            .dataset = run->dataset,
                            .folder = run->folder,
                            .config_yaml = "test: true\n"};
}

static void run_of(Run *run, const char *name, uint64_t n_users, uint64_t n_items, double per_user) {
    *run = (Run){.world = world_make(n_users, n_items), .config = small_config()};
    world_fill(&run->world, per_user, 31);
    run_open(run, name);
}

static void run_close(Run *run) {
    hn_dataset_close(&run->dataset);
    hn_comm_free(&run->comm);
    hn_free(run->folder);
    world_free(&run->world);
}

static HnStatus train(Run *run, HnError *err) {
    *err = (HnError)HN_ERROR_INIT;
    return hn_train(&run->job, run->comm, err);
}

static void trains(Run *run) {
    HnError err;
    expect_ok(train(run, &err), &err);
}

static void refuses(Run *run, HnStatus status, const char *words) {
    HnError err;
    assert_int_equal(train(run, &err), status);
    if (strstr(err.message, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    }
}

static char *in_folder(const Run *run, const char *name) {
    HnError err = HN_ERROR_INIT;
    return hn_path_join(run->folder, name, &err);
}

static void digest(const Run *run, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    char *path = in_folder(run, "result.h5");
    expect_ok(hn_store_digest(path, NULL, NULL, hex, &err), &err);
    hn_free(path);
}

static int64_t number(const Run *run, const char *name) {
    HnError err = HN_ERROR_INIT;
    HnStore *store = NULL;
    int64_t value = -99;
    char *path = in_folder(run, "result.h5");
    expect_ok(hn_store_open(path, &HN_SCHEMA_RESULT, &store, &err), &err);
    expect_ok(hn_store_get_i64(store, name, &value, &err), &err);
    hn_store_close(&store);
    hn_free(path);
    return value;
}

static size_t count_checkpoints(const Run *run) {
    HnError err = HN_ERROR_INIT;
    char **names = NULL;
    size_t n = 0, found = 0;
    expect_ok(hn_folder_list(run->folder, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        found += strncmp(names[i], "checkpoint-", 11) == 0;
    }
    hn_names_free(&names, n);
    return found;
}

/* ---- stopping: first, while this process has one thread and may fork ---- */

static void test_a_stop_loses_nothing(void **state) {
    (void)state;
    Run run;
    run_of(&run, "stop", 40, 30, 8.0);
    char stopped[65], whole[65];
    int interruptions = 0, status = 0;
    /* Each child is stopped before its first step, makes that one step, writes a checkpoint and ends. */
    for (int k = 0; k < 3; k++) {
        pid_t child = fork();
        if (child == 0) {
            HnError err;
            hn_stop_request();
            _exit(train(&run, &err) == HN_INTERRUPTED && strstr(err.message, "run again") != NULL ? 14 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        interruptions += WIFEXITED(status) && WEXITSTATUS(status) == 14;
    }
    assert_int_equal(interruptions, 3);
    assert_int_equal(count_checkpoints(&run), 2);
    trains(&run);
    digest(&run, stopped);
    assert_int_equal(count_checkpoints(&run), 0);
    run_close(&run);
    run_of(&run, "not-stopped", 40, 30, 8.0);
    run.job.variant = "stop";
    trains(&run);
    digest(&run, whole);
    assert_string_equal(stopped, whole);
    run_close(&run);
}

/* ---- whole runs ---- */

static void test_learns(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    /* Two blocks of users and items: what a user lacks of its own block is what it wants. */
    Run run = {.world = world_make(60, 40), .config = small_config()};
    for (uint64_t u = 0; u < 60; u++) {
        for (uint64_t i = u % 2; i < 40; i += 2) {
            uint64_t k = (u * 7 + i * 3) % 10;
            run.world.part[u * 40 + i] = k < 6 ? 1 : k < 8 ? 2 : 3;
        }
    }
    run.config.train.epochs = 30;
    run.config.train.patience = 0;
    run.config.train.learning_rate = 0.02;
    run_open(&run, "learns");
    trains(&run);
    HnStore *store = NULL;
    char *path = in_folder(&run, "result.h5");
    double test[10], loss[30 * HN_N_LOSSES];
    expect_ok(hn_store_open(path, &HN_SCHEMA_RESULT, &store, &err), &err);
    expect_ok(hn_store_read_rows(store, "test/value", 0, 10, test, &err), &err);
    expect_ok(hn_store_read_rows(store, "loss/value", 0, 30, loss, &err), &err);
    hn_store_close(&store);
    hn_free(path);
    assert_true(test[1] > 0.95); /* recall@20: the block has 20 items */
    assert_true(loss[29 * HN_N_LOSSES] < 0.5 * loss[0]);
    assert_int_equal(number(&run, "n_test_users"), 60);
    run_close(&run);
}

static void test_early_stopping(void **state) {
    (void)state;
    Run run;
    run_of(&run, "early", 40, 30, 8.0);
    run.config.train.epochs = 200;
    run.config.train.eval_every = 1;
    run.config.train.patience = 2;
    run.config.train.learning_rate = 0.05;
    trains(&run);
    int64_t epochs = number(&run, "epochs_run"), best = number(&run, "best_epoch");
    assert_true(epochs < 200);
    assert_int_equal(epochs, best + 2);
    run_close(&run);
}

/* ---- edges ---- */

static void test_small_worlds(void **state) {
    (void)state;
    const struct {
        const char *name;
        uint64_t n_users, n_items;
        double per_user;
        int64_t dim, layers, batch, shards;
    } worlds[] = {{"one user", 1, 30, 12.0, 8, 2, 32, 8},   {"dim one", 20, 20, 6.0, 1, 2, 32, 8},
                  {"no layers", 20, 20, 6.0, 8, 0, 32, 8},  {"batch of all", 20, 20, 6.0, 8, 2, 100000, 8},
                  {"batch of one", 6, 20, 6.0, 8, 2, 1, 8}, {"sparse", 30, 200, 2.0, 8, 3, 16, 8},
                  {"one shard", 20, 20, 6.0, 5, 2, 32, 1},  {"many shards", 20, 20, 6.0, 17, 2, 32, 500}};
    for (size_t k = 0; k < sizeof worlds / sizeof *worlds; k++) {
        for (int exact = 0; exact <= 1; exact++) {
            char name[64];
            (void)snprintf(name, sizeof name, "%s %d", worlds[k].name, exact);
            Run run;
            run_of(&run, name, worlds[k].n_users, worlds[k].n_items, worlds[k].per_user);
            run.config.model.dim = worlds[k].dim;
            run.config.model.layers = worlds[k].layers;
            run.config.train.batch = worlds[k].batch;
            run.config.train.virtual_shards = worlds[k].shards;
            run.job.reproducible = exact;
            trains(&run);
            assert_int_equal(number(&run, "epochs_run"), 4);
            run_close(&run);
        }
    }
}

static void test_users_without_tests(void **state) {
    (void)state;
    Run run = {.world = world_make(20, 20), .config = small_config()};
    world_fill(&run.world, 6.0, 31);
    for (uint64_t k = 0; k < 400; k++) {
        run.world.part[k] = run.world.part[k] > 1 ? 0 : run.world.part[k];
    }
    run_open(&run, "no-tests");
    trains(&run);
    assert_int_equal(number(&run, "n_test_users"), 0);
    assert_int_equal(number(&run, "best_epoch"), 4); /* nothing to select on: the last */
    run_close(&run);
}

static void test_a_user_who_took_everything(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Run run = {.world = world_make(10, 12), .config = small_config()};
    world_fill(&run.world, 5.0, 31);
    memset(run.world.part + 3 * 12, 1, 12);
    run_open(&run, "everything");
    HnTrainer *trainer = NULL;
    expect_ok(hn_trainer_create(&run.job, run.comm, &trainer, &err), &err);
    uint64_t used = 0, n_batches = trainer->order.n_batches;
    for (uint64_t s = 0; s < n_batches; s++) {
        HnStepReport report;
        expect_ok(hn_trainer_step(trainer, &report, &err), &err);
        used += report.n_pairs;
    }
    assert_int_equal(used, world_count(&run.world, 1) - 12);
    assert_true(trainer->warned_skips);
    hn_trainer_free(&trainer);
    trains(&run);
    run_close(&run);
    run = (Run){.world = world_make(4, 3), .config = small_config()};
    memset(run.world.part, 1, 12);
    run_open(&run, "all-everything");
    refuses(&run, HN_INPUT, "took every item");
    run_close(&run);
}

/* ---- what it refuses ---- */

static void test_refusals(void **state) {
    (void)state;
    Run run;
    run_of(&run, "refusals", 20, 20, 6.0);
    static char wrong[] = "recal@20", *right = NULL;
    right = run.config.train.stop_metric;
    run.config.train.stop_metric = wrong;
    refuses(&run, HN_CONFIG, "train.stop_metric");
    run.config.train.stop_metric = right;
    run.config.train.batch = 1000;
    run.config.train.drop_last = true;
    refuses(&run, HN_CONFIG, "train.drop_last");
    run.config.train.drop_last = false;
    run.config.sampler.name = HN_SAMPLER_SEMANTIC;
    refuses(&run, HN_CONFIG, "no vector store");
    run_close(&run);
    run = (Run){.world = world_make(3, 3), .config = small_config()};
    run_open(&run, "nothing");
    refuses(&run, HN_INPUT, "no training pairs");
    run_close(&run);
}

static void test_divergence_is_named(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const float poison[] = {NAN, INFINITY, 1e30f};
    for (int exact = 0; exact <= 1; exact++) {
        for (size_t p = 0; p < 3; p++) {
            for (int item = 0; item <= 1; item++) {
                Run run;
                run_of(&run, "diverges", 20, 20, 6.0);
                run.job.reproducible = exact;
                HnSession session;
                expect_ok(hn_session_create(&run.job, run.comm, &session, &err), &err);
                expect_ok(hn_session_epoch(&session, &err), &err);
                expect_ok(hn_checkpoint_write(&session, &err), &err);
                HnTable *table = item ? &session.trainer->items : &session.trainer->users;
                for (uint64_t k = 0; k < table->n_rows * 8; k++) {
                    table->value[k] = poison[p];
                }
                HnError cause = HN_ERROR_INIT;
                assert_int_equal(hn_session_epoch(&session, &cause), HN_NUMERIC);
                assert_non_null(strstr(cause.message, "diverges, seed 5, epoch 2, step 1"));
                assert_non_null(strstr(cause.message, "train.learning_rate"));
                hn_session_free(&session);
                /* The checkpoint before it stands. */
                trains(&run);
                expect_ok(hn_folder_remove(run.folder, &err), &err);
                run_close(&run);
            }
        }
    }
}

/* ---- checkpoints ---- */

static void one_epoch_and_checkpoint(Run *run) {
    HnError err = HN_ERROR_INIT;
    HnSession session;
    bool found = false;
    expect_ok(hn_session_create(&run->job, run->comm, &session, &err), &err);
    expect_ok(hn_checkpoint_read(&session, &found, &err), &err);
    expect_ok(hn_session_epoch(&session, &err), &err);
    expect_ok(hn_checkpoint_write(&session, &err), &err);
    hn_session_free(&session);
}

static void test_another_training_is_refused(void **state) {
    (void)state;
    Run run;
    run_of(&run, "identity", 20, 20, 6.0);
    one_epoch_and_checkpoint(&run);
    run.config.train.learning_rate = 0.5;
    refuses(&run, HN_CONFLICT, "train.learning_rate: 0.01");
    run.config.train.learning_rate = 0.01;
    run.config.train.reg_rows = HN_ROWS_FINAL;
    refuses(&run, HN_CONFLICT, "train.reg_rows: 0");
    run.config.train.reg_rows = HN_ROWS_EGO;
    run.job.seed = 6;
    refuses(&run, HN_CONFLICT, "seed: 5");
    run.job.seed = 5;
    run.job.reproducible = false;
    refuses(&run, HN_CONFLICT, "reproducible: 1");
    run.job.reproducible = true;
    trains(&run);
    run_close(&run);
}

static void damage(const char *path) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    for (int k = 0; k < 2000; k++) {
        (void)fputc(0x5a, file);
    }
    assert_int_equal(fclose(file), 0);
}

static void test_damaged_checkpoints_are_passed_over(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char whole[65], got[65];
    Run run;
    run_of(&run, "undamaged", 20, 20, 6.0);
    run.job.variant = "damaged";
    trains(&run);
    digest(&run, whole);
    run_close(&run);
    run_of(&run, "damaged", 20, 20, 6.0);
    for (int k = 0; k < 3; k++) {
        one_epoch_and_checkpoint(&run);
    }
    assert_int_equal(count_checkpoints(&run), 2);
    char *path = in_folder(&run, "checkpoint-0000003-0000000000/part-0-of-1.h5");
    damage(path);
    hn_free(path);
    path = in_folder(&run, "checkpoint-0000009-0000000000"); /* begun, and killed before its manifest */
    expect_ok(hn_folder_make(path, &err), &err);
    hn_free(path);
    trains(&run);
    digest(&run, got);
    assert_string_equal(whole, got);
    run_close(&run);
}

/* ---- memory ---- */

/* Every allocation of a training fails in turn: an error each time, and nothing is left behind. */
static void test_memory_runs_out(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Run run;
    run_of(&run, "memory", 8, 9, 4.0);
    run.config.train.epochs = 1;
    run.config.train.virtual_shards = 2;
    char *vectors = world_vectors(&run.world, run.folder, "vectors.h5", 6, NULL, NULL, 1);
    run.config.sampler.name = HN_SAMPLER_SEMANTIC;
    run.config.align.negatives = HN_ALIGN_BATCH;
    run.config.align.vector = HN_ALIGN_ADAPTED;
    run.job.vectors_path = vectors;
    run.job.threads = 1;
    uint64_t live = hn_alloc_live_blocks(), n = 1;
    for (;; n++) {
        hn_error_clear(&err);
        hn_alloc_fail_at(n);
        HnStatus status = hn_train(&run.job, run.comm, &err);
        hn_alloc_fail_at(0);
        assert_int_equal(hn_alloc_live_blocks(), live);
        char *path = in_folder(&run, "result.h5");
        bool done = hn_file_exists(path);
        hn_free(path);
        if (status == HN_OK) {
            assert_true(done);
            break;
        }
        assert_true(n < 5000);
    }
    assert_true(n > 60);
    hn_free(vectors);
    run_close(&run);
}

/* ---- the plan ---- */

static void test_plan_is_close_to_what_is_taken(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Run run;
    run_of(&run, "plan", 300, 200, 10.0);
    run.config.model.dim = 32;
    HnTrainPlan plan;
    uint64_t n_train = world_count(&run.world, 1);
    const HnSamplerName samplers[] = {HN_SAMPLER_MIXGCF, HN_SAMPLER_RNS};
    for (size_t s = 0; s < sizeof samplers / sizeof samplers[0]; s++) {
        run.config.sampler.name = samplers[s];
        expect_ok(hn_train_plan(&run.config, true, 300, 200, n_train, 0, 1, &plan, &err), &err);
        HnTrainer *trainer = NULL;
        expect_ok(hn_trainer_create(&run.job, run.comm, &trainer, &err), &err);
        double taken = (double)hn_trainer_memory_bytes(trainer);
        assert_true((double)plan.memory_per_rank > 0.8 * taken && (double)plan.memory_per_rank < 1.6 * taken);
        assert_int_equal(plan.bytes_moved_per_step, 0);
        hn_trainer_free(&trainer);
    }
    expect_ok(hn_train_plan(&run.config, true, 300, 200, n_train, 0, 4, &plan, &err), &err);
    assert_true(plan.bytes_moved_per_step > 3 * 200 * 32 * 8);
    assert_int_equal(hn_train_plan(&run.config, true, 300, 200, n_train, 0, 9, &plan, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "train.virtual_shards"));
    run_close(&run);
}

static int set_up(void **state) {
    (void)state;
    hn_log_setup(HN_LOG_ERROR, 0);
    folder = folder_make("train");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stop_loses_nothing),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_early_stopping),
        cmocka_unit_test(test_small_worlds),
        cmocka_unit_test(test_users_without_tests),
        cmocka_unit_test(test_a_user_who_took_everything),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_divergence_is_named),
        cmocka_unit_test(test_another_training_is_refused),
        cmocka_unit_test(test_damaged_checkpoints_are_passed_over),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_plan_is_close_to_what_is_taken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
