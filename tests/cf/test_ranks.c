/* Reproducible training gives the same bits for any number of ranks and threads. One program on 4 ranks trains every
 * case in groups of 1, 2, 3 and 4 ranks with 1 and 2 threads, and compares everything: losses, parameter digests after
 * every epoch, metrics. Then, in the same groups, a training that is cut off in the middle of an epoch by one number of
 * ranks and taken up by another must end in the same bits.
 *
 * No cmocka: a rank that left a test alone would leave the others in a collective. A failure ends the job.
 */
#include "rank_cases.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cf/session.h"
#include "comm_ops.h"
#include "store.h"
#include "world.h"

static HnComm *job_world;
static int mismatches;

static void stop(HnStatus status, const char *where, HnError *err) {
    if (status != HN_OK) {
        hn_world_abort(job_world, where, err);
    }
}

/* The files of a case, made by rank 0; the data set is opened by all. */
static void open_case(Case *one, size_t number, const char *root) {
    HnError err = HN_ERROR_INIT;
    if (number % 2 == 1) { /* what is looked at beside the metrics */
        static double shares[] = {0.8, 0.15, 0.05};
        one->config.eval.activity_groups = 3, one->config.eval.false_negative_users = 9;
        one->config.eval.popularity_shares = (HnDoubleList){shares, 3};
    }
    one->world = world_make(one->n_users, one->n_items);
    world_fill(&one->world, one->n_users < 10 ? 12.0 : 8.0, 40 + number);
    one->folder = hn_path_printf(&err, "%s/case-%zu", root, number);
    uint64_t n_train = world_count(&one->world, 1);
    uint8_t *present = hn_alloc(n_train, 1, "marks", &err);
    for (uint64_t p = 0; p < n_train; p++) {
        present[p] = !one->absent || p % 3 != 1;
    }
    if (hn_comm_rank(job_world) == 0) {
        stop(hn_folder_make(one->folder, &err), "folder", &err);
        HnDataset *made = world_dataset(&one->world, one->folder);
        hn_dataset_close(&made);
        char *path = one->vectors ? world_vectors(&one->world, one->folder, "vectors.h5", 20, NULL, present, 5) : NULL;
        hn_free(path);
    }
    hn_free(present);
    stop(hn_comm_barrier(job_world, &err), "barrier", &err);
    char *path = hn_path_join(one->folder, "dataset.h5", &err);
    stop(hn_dataset_open(path, &one->dataset, &err), "open", &err);
    hn_free(path);
    one->vectors_path = one->vectors ? hn_path_join(one->folder, "vectors.h5", &err) : NULL;
}

static void close_case(Case *one) {
    hn_dataset_close(&one->dataset);
    hn_free(one->vectors_path);
    hn_free(one->folder);
    world_free(&one->world);
}

static HnTrainJob job_of(const Case *one, int threads, const char *folder) {
    return (HnTrainJob){.config = &one->config,
                        .variant = one->name,
                        .seed = 7,
                        .reproducible = true,
                        .threads = threads,
                        .dataset = one->dataset,
                        .vectors_path = one->vectors_path,
                        .folder = folder,
                        .config_yaml = "test"};
}

/* ---- every number of ranks ---- */

/* Ranks that share a host use it; those that lay items' layers side by side have one table of items, too. */
static void check_way(const Case *one, HnComm *group, const HnTrainer *trainer) {
    HnError err = HN_ERROR_INIT;
    HnCommHost host;
    stop(hn_comm_host(group, &host, &err), "host", &err);
    const bool shares = host.size > 1 && hn_model_on_host(&one->config);
    if ((trainer->host_items != NULL) != shares || trainer->items.shared != (shares && trainer->model->n_blocks > 0)) {
        fprintf(stderr, "%s: %d ranks a host, but items' rows go the other way\n", one->name, host.size);
        mismatches++;
    }
}

/* Everything that must not differ, as text. */
static void train_steps(const Case *one, HnComm *group, int threads, HnText *text) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = job_of(one, threads, one->folder);
    HnSession session;
    stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    check_way(one, group, session.trainer);
    for (int64_t e = 0; e < one->config.train.epochs; e++) {
        stop(hn_session_epoch(&session, &err), one->name, &err);
        const double *loss = session.history.loss + (uint64_t)e * HN_N_LOSSES;
        stop(hn_text_printf(text, &err, "epoch %lld: %s losses %a %a %a %a, %a\n", (long long)e + 1,
                            session.history.digest[e], loss[0], loss[1], loss[2], loss[3], loss[HN_LOSS_FALSE]),
             "text", &err);
    }
    for (uint64_t i = 0; i < session.history.n_evals * session.history.n_metrics; i++) {
        stop(hn_text_printf(text, &err, "%a\n", session.history.metric[i]), "text", &err);
    }
    hn_session_free(&session);
}

static void compare(const char *name, int ranks, int threads, const char *reference, const char *mine) {
    if (strcmp(reference, mine) != 0) {
        size_t at = 0;
        while (reference[at] == mine[at]) {
            at++;
        }
        while (at > 0 && reference[at - 1] != '\n') {
            at--;
        }
        fprintf(stderr, "%s: %d ranks, %d threads differ:\n  %.140s\n  %.140s\n", name, ranks, threads, reference + at,
                mine + at);
        mismatches++;
    }
}

/* Rank 0's text, on all ranks. */
static char *share(const HnText *text) {
    HnError err = HN_ERROR_INIT;
    uint64_t n = text->length + 1;
    stop(hn_comm_broadcast(job_world, &n, sizeof n, 0, &err), "share", &err);
    char *all = hn_alloc(n, 1, "reference", &err);
    if (hn_comm_rank(job_world) == 0) {
        memcpy(all, hn_text_get(text), n);
    }
    stop(hn_comm_broadcast(job_world, all, n, 0, &err), "share", &err);
    return all;
}

/* The four ranks as if on two hosts, and each on one of its own. */
static void every_host(const Case *one, const char *reference) {
    HnError err = HN_ERROR_INIT;
    for (int ranks = 2; ranks >= 1; ranks--) {
        HnComm *group = NULL;
        HnText text = {0};
        stop(hn_comm_split(job_world, 0, 0, &group, &err), "split", &err);
        group->ranks_a_host = ranks;
        train_steps(one, group, 1, &text);
        compare(ranks == 2 ? "two hosts" : "four hosts", 4, 1, reference, hn_text_get(&text));
        hn_text_free(&text);
        hn_comm_free(&group);
    }
}

static void every_group(const Case *one) {
    /* Colours of the four ranks: groups of 1 and 3, of 4, of 2 and 2. */
    static const int splits[3][4] = {{0, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 1, 1}};
    HnError err = HN_ERROR_INIT;
    char *reference = NULL;
    for (int s = 0; s < 3; s++) {
        HnComm *group = NULL;
        stop(hn_comm_split(job_world, splits[s][hn_comm_rank(job_world)], 0, &group, &err), "split", &err);
        for (int threads = 1; threads <= 2; threads++) {
            HnText text = {0};
            train_steps(one, group, threads, &text);
            if (reference == NULL) {
                reference = share(&text);
                if (hn_comm_rank(job_world) == 0) {
                    printf("%s: %.80s\n", one->name, reference);
                }
            }
            compare(one->name, hn_comm_size(group), threads, reference, hn_text_get(&text));
            hn_text_free(&text);
        }
        hn_comm_free(&group);
    }
    every_host(one, reference);
    hn_free(reference);
}

/* ---- sums in floats: other bits, the same training ---- */

static void floats_are_near(const Case *one) {
    HnError err = HN_ERROR_INIT;
    double last[2] = {0.0, 0.0};
    for (int exact = 0; exact <= 1; exact++) {
        HnTrainJob job = job_of(one, 1, one->folder);
        HnSession session;
        job.reproducible = exact;
        stop(hn_session_create(&job, job_world, &session, &err), one->name, &err);
        stop(hn_session_epoch(&session, &err), one->name, &err);
        stop(hn_session_epoch(&session, &err), one->name, &err);
        last[exact] = session.history.loss[HN_N_LOSSES + HN_LOSS_TOTAL];
        hn_session_free(&session);
    }
    double off = last[0] - last[1];
    if (!(off < 1e-4 * last[1] && off > -1e-4 * last[1])) {
        fprintf(stderr, "%s: mean loss %.9g with float sums, %.9g with exact ones\n", one->name, last[0], last[1]);
        mismatches++;
    }
}

/* ---- a step in one pass or in two ---- */

static void passes_agree(const Case *one) {
    HnError err = HN_ERROR_INIT;
    char digests[2][65] = {"", ""};
    for (int passes = 1; passes <= 2; passes++) {
        HnTrainJob job = job_of(one, 1, one->folder);
        HnTrainer *trainer = NULL;
        HnStepReport report;
        stop(hn_trainer_create(&job, job_world, &trainer, &err), one->name, &err);
        if (passes == 1) {
            stop(hn_trainer_step(trainer, &report, &err), one->name, &err);
        } else {
            stop(hn_trainer_gradients(trainer, NULL, &report, &err), one->name, &err);
            hn_trainer_update(trainer);
        }
        stop(hn_trainer_digest(trainer, digests[passes - 1], &err), one->name, &err);
        hn_trainer_free(&trainer);
    }
    if (strcmp(digests[0], digests[1]) != 0) {
        fprintf(stderr, "%s: gradients and update are not a step\n", one->name);
        mismatches++;
    }
}

/* ---- bytes of a step: those planned, which count as many distinct items as can be, and ranks alike ---- */

static void traffic_is_planned(const Case *one) {
    HnError err = HN_ERROR_INIT;
    if (world_count(&one->world, 1) <= 2 * (uint64_t)one->config.train.batch) {
        return; /* no second full batch */
    }
    for (int exact = 0; exact <= 1; exact++) {
        HnTrainJob job = job_of(one, 1, one->folder);
        HnTrainer *trainer = NULL;
        HnStepReport report;
        HnTrainPlan plan;
        job.reproducible = exact;
        stop(hn_trainer_create(&job, job_world, &trainer, &err), one->name, &err);
        stop(hn_trainer_step(trainer, &report, &err), one->name, &err); /* an epoch's start has its own */
        const uint64_t before = hn_comm_bytes_moved(job_world);
        stop(hn_trainer_step(trainer, &report, &err), one->name, &err);
        const double moved = (double)(hn_comm_bytes_moved(job_world) - before);
        stop(hn_train_plan(&one->config, exact, one->n_users, one->n_items, world_count(&one->world, 1),
                           one->vectors ? 20 : 0, hn_comm_size(job_world), &plan, &err),
             one->name, &err);
        if (moved > 1.1 * (double)plan.bytes_moved_per_step + 256.0 ||
            moved < 0.5 * (double)plan.bytes_moved_per_step) {
            fprintf(stderr, "%s: a step moved %.0f bytes, planned were %llu\n", one->name, moved,
                    (unsigned long long)plan.bytes_moved_per_step);
            mismatches++;
        }
        hn_trainer_free(&trainer);
    }
}

/* ---- what goes wrong on one rank is said by all ---- */

static void expect_all(HnStatus status, HnStatus wanted, const char *words, const HnError *err) {
    if (status != wanted || strstr(err->message, words) == NULL) {
        fprintf(stderr, "rank %d: status %d, \"%s\" does not say \"%s\"\n", hn_comm_rank(job_world), (int)status,
                err->message, words);
        mismatches++;
    }
}

/* One rank's allocations fail, each in turn: all ranks say so, and nothing is left behind. */
static void host_without_memory(const Case *one) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = job_of(one, 1, one->folder);
    HnTrainer *trainer = NULL;
    HnHostItems *items = NULL;
    HnStatus status = HN_MEMORY;
    stop(hn_trainer_create(&job, job_world, &trainer, &err), one->name, &err);
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnError cause = HN_ERROR_INIT;
        const uint64_t blocks = hn_alloc_live_blocks();
        hn_alloc_fail_at(hn_comm_rank(job_world) == 2 ? n : 0);
        status = hn_host_items_create(job_world, &trainer->graph, trainer->dim, true, 2, &items, &cause);
        hn_alloc_fail_at(0);
        if (status != HN_OK) {
            expect_all(status, HN_MEMORY, "memory", &cause);
            mismatches += items != NULL || hn_alloc_live_blocks() != blocks;
        }
    }
    hn_host_items_free(&items);
    hn_trainer_free(&trainer);
}

static void failures(const Case *one) {
    HnError err = HN_ERROR_INIT, cause = HN_ERROR_INIT;
    for (int exact = 0; exact <= 1; exact++) {
        HnTrainJob job = job_of(one, 1, one->folder);
        HnSession session;
        job.reproducible = exact;
        stop(hn_session_create(&job, job_world, &session, &err), one->name, &err);
        if (hn_comm_rank(job_world) == 2) {
            for (uint64_t k = 0; k < session.trainer->users.n_rows * (uint64_t)session.trainer->dim; k++) {
                session.trainer->users.value[k] = (float)NAN;
            }
        }
        cause = (HnError)HN_ERROR_INIT;
        expect_all(hn_session_epoch(&session, &cause), HN_NUMERIC, "not finite", &cause);
        hn_session_free(&session);
    }
    Case few = *one;
    few.config.train.virtual_shards = 3;
    HnTrainJob job = job_of(&few, 1, one->folder);
    cause = (HnError)HN_ERROR_INIT;
    expect_all(hn_train(&job, job_world, &cause), HN_CONFIG, "train.virtual_shards", &cause);
}

/* ---- cut off and taken up ---- */

/* The content digest of a sealed result: volatile fields (times, ranks) are no part of it. */
static void result_digest(const char *folder, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(folder, "result.h5", &err), model[65];
    stop(hn_store_digest(path, NULL, NULL, hex, &err), "digest", &err);
    hn_free(path);
    path = hn_path_join(folder, "model.h5", &err);
    stop(hn_store_digest(path, NULL, NULL, model, &err), "digest", &err);
    hn_free(path);
    for (int i = 0; i < 32; i++) {
        hex[i] = model[i]; /* half of each */
    }
}

/* One epoch and two steps, then a checkpoint. */
static void begin_training(const Case *one, HnComm *group, const char *folder) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = job_of(one, 2, folder);
    HnSession session;
    HnStepReport report;
    stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    stop(hn_session_epoch(&session, &err), one->name, &err);
    stop(hn_checkpoint_write(&session, &err), one->name, &err);
    stop(hn_session_epoch(&session, &err), one->name, &err);
    for (int k = 0; k < 2; k++) {
        if (session.trainer->step_in_epoch + 1 < session.trainer->order.n_batches) {
            stop(hn_trainer_step(session.trainer, &report, &err), one->name, &err);
        }
    }
    stop(hn_checkpoint_write(&session, &err), one->name, &err);
    hn_session_free(&session);
}

static void finish_training(const Case *one, HnComm *group, const char *folder, int threads) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = job_of(one, threads, folder);
    stop(hn_train(&job, group, &err), one->name, &err);
}

static void take_up(const Case *one) {
    HnError err = HN_ERROR_INIT;
    const int rank = hn_comm_rank(job_world);
    char *whole = hn_path_printf(&err, "%s/whole", one->folder), wanted[65] = "", got[65] = "";
    HnComm *alone = NULL, *three = NULL, *two = NULL;
    stop(hn_comm_split(job_world, rank == 0 ? 0 : -1, 0, &alone, &err), "split", &err);
    stop(hn_comm_split(job_world, rank < 3 ? 0 : -1, 0, &three, &err), "split", &err);
    stop(hn_comm_split(job_world, rank < 2 ? 0 : -1, 0, &two, &err), "split", &err);
    if (alone != NULL) {
        finish_training(one, alone, whole, 1);
        result_digest(whole, wanted);
    }
    struct {
        HnComm *first, *second;
    } ways[] = {{three, two}, {alone, job_world}, {job_world, alone}, {two, two}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        char *folder = hn_path_printf(&err, "%s/cut-%zu", one->folder, w);
        if (rank == 0) {
            stop(hn_folder_make(folder, &err), "folder", &err);
        }
        stop(hn_comm_barrier(job_world, &err), "barrier", &err);
        if (ways[w].first != NULL) {
            begin_training(one, ways[w].first, folder);
        }
        stop(hn_comm_barrier(job_world, &err), "barrier", &err);
        if (ways[w].second != NULL) {
            finish_training(one, ways[w].second, folder, 2);
        }
        stop(hn_comm_barrier(job_world, &err), "barrier", &err);
        if (rank == 0) {
            result_digest(folder, got);
            if (strcmp(got, wanted) != 0) {
                fprintf(stderr, "%s: cut off and taken up (way %zu) differs from the whole training\n", one->name, w);
                mismatches++;
            }
        }
        hn_free(folder);
    }
    hn_comm_free(&two);
    hn_comm_free(&three);
    hn_comm_free(&alone);
    hn_free(whole);
}

/* ---- what diverges leaves its checkpoint ---- */

/* After a checkpoint the last rank's moments are infinite: the loss is still finite, the step's parameters are not.
 * Then the checkpoint is read as it was written. */
static void diverge(const Case *one, HnComm *group, const char *folder) {
    HnError err = HN_ERROR_INIT, cause = HN_ERROR_INIT;
    HnTrainJob job = job_of(one, 1, folder);
    HnSession session;
    char before[65], after[65];
    bool found = false;
    stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    stop(hn_session_epoch(&session, &err), one->name, &err);
    stop(hn_checkpoint_write(&session, &err), one->name, &err);
    stop(hn_trainer_digest(session.trainer, before, &err), one->name, &err);
    if (hn_comm_rank(group) == hn_comm_size(group) - 1) {
        session.trainer->users.m[0] = INFINITY;
    }
    expect_all(hn_session_epoch(&session, &cause), HN_NUMERIC, "seed 7, epoch 2, step ", &cause);
    hn_session_free(&session);
    stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    stop(hn_checkpoint_read(&session, &found, &err), one->name, &err);
    stop(hn_trainer_digest(session.trainer, after, &err), one->name, &err);
    if (!found || session.trainer->epoch != 1 || strcmp(before, after) != 0) {
        fprintf(stderr, "%s: the checkpoint before divergence is not what was written\n", one->name);
        mismatches++;
    }
    hn_session_free(&session);
}

/* On one rank and on two, and all steps of the epoch in one, so that no later step's loss can tell. */
static void diverged_goes_on(const Case *one) {
    HnError err = HN_ERROR_INIT;
    char wanted[65] = "", got[65] = "";
    for (int large = 0; large <= 1; large++) {
        Case mine = *one;
        mine.config.train.batch = large ? 100000 : mine.config.train.batch;
        for (int size = 0; size <= 2; size++) { /* 0: one rank, undisturbed */
            HnComm *group = NULL;
            char *folder = hn_path_printf(&err, "%s/diverged-%d-%d", one->folder, large, size);
            const int n_ranks = size > 1 ? 2 : 1;
            stop(hn_comm_split(job_world, hn_comm_rank(job_world) < n_ranks ? 0 : -1, 0, &group, &err), "split", &err);
            if (hn_comm_rank(job_world) == 0) {
                stop(hn_folder_make(folder, &err), "folder", &err);
            }
            stop(hn_comm_barrier(job_world, &err), "barrier", &err);
            if (group != NULL && size > 0) {
                diverge(&mine, group, folder);
            }
            if (group != NULL) {
                finish_training(&mine, group, folder, 1);
            }
            if (hn_comm_rank(job_world) == 0) {
                result_digest(folder, size == 0 ? wanted : got);
                if (size > 0 && strcmp(got, wanted) != 0) {
                    fprintf(stderr, "%s: %d ranks did not go on from before divergence\n", one->name, n_ranks);
                    mismatches++;
                }
            }
            hn_comm_free(&group);
            hn_free(folder);
        }
    }
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (hn_world_start(&argc, &argv, &job_world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (hn_comm_size(job_world) != 4) {
        fprintf(stderr, "this test wants 4 ranks\n");
        hn_world_end(&job_world);
        return 77;
    }
    hn_log_setup(HN_LOG_ERROR, hn_comm_rank(job_world));
    omp_set_dynamic(0);
    Case cases[RANK_CASES];
    const size_t n = rank_cases(cases);
    char *root = hn_path_printf(&err, "%s/tests/cf-ranks", HN_BUILD_DIR);
    if (hn_comm_rank(job_world) == 0) {
        stop(hn_folder_remove(root, &err), "folder", &err);
    }
    stop(hn_comm_barrier(job_world, &err), "barrier", &err);
    for (size_t i = 0; i < n; i++) {
        open_case(&cases[i], i, root);
        every_group(&cases[i]);
        floats_are_near(&cases[i]);
        passes_agree(&cases[i]);
        traffic_is_planned(&cases[i]);
        if (i == 1 || i == 3 || i == 5 || i == 6 || cases[i].cut) {
            take_up(&cases[i]);
        }
        if (i == 1) {
            failures(&cases[i]);
            diverged_goes_on(&cases[i]);
            host_without_memory(&cases[i]);
        }
        close_case(&cases[i]);
    }
    int64_t all = mismatches;
    stop(hn_comm_sum_i64(job_world, &all, 1, &err), "sum", &err);
    if (hn_comm_rank(job_world) == 0) {
        stop(hn_folder_remove(root, &err), "folder", &err);
        printf("%zu cases, %lld differences\n", n, (long long)all);
    }
    hn_free(root);
    hn_world_end(&job_world);
    return all != 0 || hn_alloc_live_blocks() != 0;
}
