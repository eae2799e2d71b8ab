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

HnComm *rank_world;
int rank_mismatches;

void rank_stop(HnStatus status, const char *where, HnError *err) {
    if (status != HN_OK) {
        hn_world_abort(rank_world, where, err);
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
    if (hn_comm_rank(rank_world) == 0) {
        rank_stop(hn_folder_make(one->folder, &err), "folder", &err);
        HnDataset *made = world_dataset(&one->world, one->folder);
        hn_dataset_close(&made);
        char *path = one->vectors ? world_vectors(&one->world, one->folder, "vectors.h5", 20, NULL, present, 5) : NULL;
        hn_free(path);
    }
    hn_free(present);
    rank_stop(hn_comm_barrier(rank_world, &err), "barrier", &err);
    char *path = hn_path_join(one->folder, "dataset.h5", &err);
    rank_stop(hn_dataset_open(path, &one->dataset, &err), "open", &err);
    hn_free(path);
    one->vectors_path = one->vectors ? hn_path_join(one->folder, "vectors.h5", &err) : NULL;
}

static void close_case(Case *one) {
    hn_dataset_close(&one->dataset);
    hn_free(one->vectors_path);
    hn_free(one->folder);
    world_free(&one->world);
}

HnTrainJob rank_job(const Case *one, int threads, const char *folder) {
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
    rank_stop(hn_comm_host(group, &host, &err), "host", &err);
    const bool shares = host.size > 1 && hn_model_on_host(&one->config);
    if ((trainer->host_items != NULL) != shares || trainer->items.shared != (shares && trainer->model->n_blocks > 0)) {
        fprintf(stderr, "%s: %d ranks a host, but items' rows go the other way\n", one->name, host.size);
        rank_mismatches++;
    }
}

/* Everything that must not differ, as text. */
static void train_steps(const Case *one, HnComm *group, int threads, HnText *text) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = rank_job(one, threads, one->folder);
    HnSession session;
    rank_stop(hn_session_create(&job, group, &session, &err), one->name, &err);
    check_way(one, group, session.trainer);
    for (int64_t e = 0; e < one->config.train.epochs; e++) {
        rank_stop(hn_session_epoch(&session, &err), one->name, &err);
        const double *loss = session.history.loss + (uint64_t)e * HN_N_LOSSES;
        rank_stop(hn_text_printf(text, &err, "epoch %lld: %s losses %a %a %a %a, %a\n", (long long)e + 1,
                                 session.history.digest[e], loss[0], loss[1], loss[2], loss[3], loss[HN_LOSS_FALSE]),
                  "text", &err);
    }
    for (uint64_t i = 0; i < session.history.n_evals * session.history.n_metrics; i++) {
        rank_stop(hn_text_printf(text, &err, "%a\n", session.history.metric[i]), "text", &err);
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
        rank_mismatches++;
    }
}

/* Rank 0's text, on all ranks. */
static char *share(const HnText *text) {
    HnError err = HN_ERROR_INIT;
    uint64_t n = text->length + 1;
    rank_stop(hn_comm_broadcast(rank_world, &n, sizeof n, 0, &err), "share", &err);
    char *all = hn_alloc(n, 1, "reference", &err);
    if (hn_comm_rank(rank_world) == 0) {
        memcpy(all, hn_text_get(text), n);
    }
    rank_stop(hn_comm_broadcast(rank_world, all, n, 0, &err), "share", &err);
    return all;
}

/* The four ranks as if on two hosts, and each on one of its own. */
static void every_host(const Case *one, const char *reference) {
    HnError err = HN_ERROR_INIT;
    for (int ranks = 2; ranks >= 1; ranks--) {
        HnComm *group = NULL;
        HnText text = {0};
        rank_stop(hn_comm_split(rank_world, 0, 0, &group, &err), "split", &err);
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
        rank_stop(hn_comm_split(rank_world, splits[s][hn_comm_rank(rank_world)], 0, &group, &err), "split", &err);
        for (int threads = 1; threads <= 2; threads++) {
            HnText text = {0};
            train_steps(one, group, threads, &text);
            if (reference == NULL) {
                reference = share(&text);
                if (hn_comm_rank(rank_world) == 0) {
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
        HnTrainJob job = rank_job(one, 1, one->folder);
        HnSession session;
        job.reproducible = exact;
        rank_stop(hn_session_create(&job, rank_world, &session, &err), one->name, &err);
        rank_stop(hn_session_epoch(&session, &err), one->name, &err);
        rank_stop(hn_session_epoch(&session, &err), one->name, &err);
        last[exact] = session.history.loss[HN_N_LOSSES + HN_LOSS_TOTAL];
        hn_session_free(&session);
    }
    double off = last[0] - last[1];
    if (!(off < 1e-4 * last[1] && off > -1e-4 * last[1])) {
        fprintf(stderr, "%s: mean loss %.9g with float sums, %.9g with exact ones\n", one->name, last[0], last[1]);
        rank_mismatches++;
    }
}

/* ---- a step in one pass or in two ---- */

static void passes_agree(const Case *one) {
    HnError err = HN_ERROR_INIT;
    char digests[2][65] = {"", ""};
    for (int passes = 1; passes <= 2; passes++) {
        HnTrainJob job = rank_job(one, 1, one->folder);
        HnTrainer *trainer = NULL;
        HnStepReport report;
        rank_stop(hn_trainer_create(&job, rank_world, &trainer, &err), one->name, &err);
        if (passes == 1) {
            rank_stop(hn_trainer_step(trainer, &report, &err), one->name, &err);
        } else {
            rank_stop(hn_trainer_gradients(trainer, NULL, &report, &err), one->name, &err);
            hn_trainer_update(trainer);
        }
        rank_stop(hn_trainer_digest(trainer, digests[passes - 1], &err), one->name, &err);
        hn_trainer_free(&trainer);
    }
    if (strcmp(digests[0], digests[1]) != 0) {
        fprintf(stderr, "%s: gradients and update are not a step\n", one->name);
        rank_mismatches++;
    }
}

/* ---- bytes of a step: those planned, which count as many distinct items as can be, and ranks alike ---- */

static void traffic_is_planned(const Case *one) {
    HnError err = HN_ERROR_INIT;
    if (world_count(&one->world, 1) <= 2 * (uint64_t)one->config.train.batch) {
        return; /* no second full batch */
    }
    for (int exact = 0; exact <= 1; exact++) {
        HnTrainJob job = rank_job(one, 1, one->folder);
        HnTrainer *trainer = NULL;
        HnStepReport report;
        HnTrainPlan plan;
        job.reproducible = exact;
        rank_stop(hn_trainer_create(&job, rank_world, &trainer, &err), one->name, &err);
        rank_stop(hn_trainer_step(trainer, &report, &err), one->name, &err); /* an epoch's start has its own */
        const uint64_t before = hn_comm_bytes_moved(rank_world);
        rank_stop(hn_trainer_step(trainer, &report, &err), one->name, &err);
        const double moved = (double)(hn_comm_bytes_moved(rank_world) - before);
        rank_stop(hn_train_plan(&one->config, exact, one->n_users, one->n_items, world_count(&one->world, 1),
                                one->vectors ? 20 : 0, hn_comm_size(rank_world), &plan, &err),
                  one->name, &err);
        if (moved > 1.1 * (double)plan.bytes_moved_per_step + 256.0 ||
            moved < 0.5 * (double)plan.bytes_moved_per_step) {
            fprintf(stderr, "%s: a step moved %.0f bytes, planned were %llu\n", one->name, moved,
                    (unsigned long long)plan.bytes_moved_per_step);
            rank_mismatches++;
        }
        hn_trainer_free(&trainer);
    }
}

/* ---- what goes wrong on one rank is said by all ---- */

void rank_expect(HnStatus status, HnStatus wanted, const char *words, const HnError *err) {
    if (status != wanted || strstr(err->message, words) == NULL) {
        fprintf(stderr, "rank %d: status %d, \"%s\" does not say \"%s\"\n", hn_comm_rank(rank_world), (int)status,
                err->message, words);
        rank_mismatches++;
    }
}

/* One rank's allocations fail, each in turn: all ranks say so, and nothing is left behind. */
static void host_without_memory(const Case *one) {
    HnError err = HN_ERROR_INIT;
    HnTrainJob job = rank_job(one, 1, one->folder);
    HnTrainer *trainer = NULL;
    HnHostItems *items = NULL;
    HnStatus status = HN_MEMORY;
    rank_stop(hn_trainer_create(&job, rank_world, &trainer, &err), one->name, &err);
    for (uint64_t n = 1; status != HN_OK; n++) {
        HnError cause = HN_ERROR_INIT;
        const uint64_t blocks = hn_alloc_live_blocks();
        hn_alloc_fail_at(hn_comm_rank(rank_world) == 2 ? n : 0);
        status = hn_host_items_create(rank_world, &trainer->graph, trainer->dim, true, 2, &items, &cause);
        hn_alloc_fail_at(0);
        if (status != HN_OK) {
            rank_expect(status, HN_MEMORY, "memory", &cause);
            rank_mismatches += items != NULL || hn_alloc_live_blocks() != blocks;
        }
    }
    hn_host_items_free(&items);
    hn_trainer_free(&trainer);
}

static void failures(const Case *one) {
    HnError err = HN_ERROR_INIT, cause = HN_ERROR_INIT;
    for (int exact = 0; exact <= 1; exact++) {
        HnTrainJob job = rank_job(one, 1, one->folder);
        HnSession session;
        job.reproducible = exact;
        rank_stop(hn_session_create(&job, rank_world, &session, &err), one->name, &err);
        if (hn_comm_rank(rank_world) == 2) {
            for (uint64_t k = 0; k < session.trainer->users.n_rows * (uint64_t)session.trainer->dim; k++) {
                session.trainer->users.value[k] = (float)NAN;
            }
        }
        cause = (HnError)HN_ERROR_INIT;
        rank_expect(hn_session_epoch(&session, &cause), HN_NUMERIC, "not finite", &cause);
        hn_session_free(&session);
    }
    Case few = *one;
    few.config.train.virtual_shards = 3;
    HnTrainJob job = rank_job(&few, 1, one->folder);
    cause = (HnError)HN_ERROR_INIT;
    rank_expect(hn_train(&job, rank_world, &cause), HN_CONFIG, "train.virtual_shards", &cause);
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (hn_world_start(&argc, &argv, &rank_world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (hn_comm_size(rank_world) != 4) {
        fprintf(stderr, "this test wants 4 ranks\n");
        hn_world_end(&rank_world);
        return 77;
    }
    hn_log_setup(HN_LOG_ERROR, hn_comm_rank(rank_world));
    omp_set_dynamic(0);
    Case cases[RANK_CASES];
    const size_t n = rank_cases(cases);
    char *root = hn_path_printf(&err, "%s/tests/cf-ranks", HN_BUILD_DIR);
    if (hn_comm_rank(rank_world) == 0) {
        rank_stop(hn_folder_remove(root, &err), "folder", &err);
    }
    rank_stop(hn_comm_barrier(rank_world, &err), "barrier", &err);
    for (size_t i = 0; i < n; i++) {
        open_case(&cases[i], i, root);
        every_group(&cases[i]);
        floats_are_near(&cases[i]);
        passes_agree(&cases[i]);
        traffic_is_planned(&cases[i]);
        if (i == 1 || i == 3 || i == 5 || i == 6 || cases[i].cut) {
            rank_take_up(&cases[i]);
        }
        if (i == 1) {
            failures(&cases[i]);
            rank_diverged_goes_on(&cases[i]);
            host_without_memory(&cases[i]);
        }
        close_case(&cases[i]);
    }
    int64_t all = rank_mismatches;
    rank_stop(hn_comm_sum_i64(rank_world, &all, 1, &err), "sum", &err);
    if (hn_comm_rank(rank_world) == 0) {
        rank_stop(hn_folder_remove(root, &err), "folder", &err);
        printf("%zu cases, %lld differences\n", n, (long long)all);
    }
    hn_free(root);
    hn_world_end(&rank_world);
    return all != 0 || hn_alloc_live_blocks() != 0;
}
