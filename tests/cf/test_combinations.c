/* Walks what can be configured together. Every backbone with every sampler and every loss, with exact sums and with
 * sums in floats, either trains with finite losses or is refused by the check of the configuration, in a message that
 * names its keys. Then combinations of all choices of a row in which every two values meet: the same bits on one rank
 * with one thread, on one rank with two, and on two ranks.
 *
 * No cmocka: a rank that left a test alone would leave the others in a collective. */
#include "combinations.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "cf/session.h"
#include "fixture.h"
#include "world.h"

static HnComm *job_world, *alone;
static HnDataset *dataset;
static char *folder, *vectors;
static int64_t failures;

static void stop(HnStatus status, const char *where, HnError *err) {
    if (status != HN_OK) {
        hn_world_abort(job_world, where, err);
    }
}

static void failed(const Factors *factors, const Combination *one, const char *what) {
    HnText name = {0};
    factors_name(factors, one, &name);
    fprintf(stderr, "%s: %s\n", hn_text_get(&name), what);
    hn_text_free(&name);
    failures++;
}

/* Two epochs of a few steps. Everything that must not differ goes to text, and whether it all is finite comes back. */
static HnStatus train(const HnTrainConfig *config, HnComm *group, bool exact, int threads, HnText *text, bool *finite,
                      HnError *err) {
    HnTrainJob job = {.config = config,
                      .variant = "combination",
                      .seed = 11,
                      .reproducible = exact,
                      .threads = threads,
                      .dataset = dataset,
                      .vectors_path = vectors,
                      .folder = folder,
                      .config_yaml = "test"};
    HnSession session;
    HnStatus status = hn_session_create(&job, group, &session, err);
    for (int e = 0; e < 2 && status == HN_OK; e++) {
        status = hn_session_epoch(&session, err);
    }
    *finite = true;
    for (uint64_t i = 0; status == HN_OK && i < session.history.n_epochs * HN_N_LOSSES; i++) {
        const double loss = session.history.loss[i];
        *finite = *finite && isfinite(loss);
        status = hn_text_printf(text, err, "%a ", loss);
    }
    for (uint64_t e = 0; status == HN_OK && e < session.history.n_epochs; e++) {
        status = hn_text_printf(text, err, "%s ", session.history.digest[e]);
    }
    for (uint64_t i = 0; status == HN_OK && i < session.history.n_evals * session.history.n_metrics; i++) {
        *finite = *finite && isfinite(session.history.metric[i]);
        status = hn_text_printf(text, err, "%a ", session.history.metric[i]);
    }
    hn_session_free(&session);
    return status;
}

/* ---- backbone x sampler x loss ---- */

static bool names_one(const Factors *factors, const Combination *one, const char *message) {
    bool named = false;
    for (int f = 0; f < factors->n; f++) {
        named = named || (one->value[f] != 0 && strstr(message, factors->factor[f].key->name) != NULL);
    }
    return named;
}

static void try_one(const Factors *factors, const Combination *one, int64_t counts[2]) {
    HnError err = HN_ERROR_INIT;
    if (!factors_allowed(factors, one, &err)) {
        counts[1]++;
        if (!names_one(factors, one, err.message)) {
            failed(factors, one, err.message);
        }
        return;
    }
    const HnTrainConfig config = factors_config(factors, one);
    for (int exact = 0; exact <= 1; exact++) {
        HnText text = {0};
        bool finite = false;
        if (train(&config, alone, exact, 1, &text, &finite, &err) != HN_OK) {
            failed(factors, one, err.message);
        } else if (!finite) {
            failed(factors, one, hn_text_get(&text));
        }
        hn_text_free(&text);
    }
    counts[0]++;
}

/* Shared out over the ranks. */
static void every_triple(const Factors *factors) {
    const int backbone = factors_find(factors, "model.backbone"), sampler = factors_find(factors, "sampler.name");
    const int loss = factors_find(factors, "loss.name"), k = factors_find(factors, "sampler.negatives");
    const int n_samplers = factors->factor[sampler].n, n_losses = factors->factor[loss].n, n_ks = factors->factor[k].n;
    const int n = factors->factor[backbone].n * n_samplers * n_losses * n_ks;
    HnError err = HN_ERROR_INIT;
    int64_t counts[2] = {0, 0};
    for (int i = hn_comm_rank(job_world); i < n; i += hn_comm_size(job_world)) {
        Combination one = {0};
        one.value[k] = (int8_t)(i % n_ks);
        one.value[loss] = (int8_t)(i / n_ks % n_losses);
        one.value[sampler] = (int8_t)(i / (n_ks * n_losses) % n_samplers);
        one.value[backbone] = (int8_t)(i / (n_ks * n_losses * n_samplers));
        try_one(factors, &one, counts);
    }
    stop(hn_comm_sum_i64(job_world, counts, 2, &err), "sum", &err);
    if (hn_comm_rank(job_world) == 0) {
        printf("backbone x sampler x loss x negatives: %lld trained, %lld refused\n", (long long)counts[0],
               (long long)counts[1]);
    }
    if (counts[0] + counts[1] != n || counts[0] < n / 2) {
        fprintf(stderr, "only %lld of %d were trained\n", (long long)counts[0], n);
        failures++;
    }
}

/* ---- every two values ---- */

static void same_bits(const Factors *factors, const Combination *one) {
    HnError err = HN_ERROR_INIT;
    const HnTrainConfig config = factors_config(factors, one);
    HnText mine = {0}, together = {0};
    bool finite = false, finite_together = false;
    HnStatus status = train(&config, alone, true, 1 + hn_comm_rank(job_world), &mine, &finite, &err);
    status = hn_comm_agree(job_world, status, &err);
    if (status == HN_OK) {
        status = train(&config, job_world, true, 1, &together, &finite_together, &err);
    }
    if (status != HN_OK) {
        failed(factors, one, err.message);
    } else if (!finite || !finite_together) {
        failed(factors, one, hn_text_get(&mine));
    } else if (strcmp(hn_text_get(&mine), hn_text_get(&together)) != 0) {
        fprintf(stderr, "%s\n%s\n", hn_text_get(&mine), hn_text_get(&together));
        failed(factors, one, "two ranks end in other bits than one");
    }
    hn_text_free(&together);
    hn_text_free(&mine);
}

static void every_pair(const Factors *factors) {
    Combination *all = NULL;
    size_t n_refused = 0, unnamed = 0;
    const size_t n = factors_cover(factors, 1, &all, &n_refused, &unnamed);
    if (hn_comm_rank(job_world) == 0) {
        printf("%d factors: %zu combinations, %zu pairs refused\n", factors->n, n, n_refused);
        failures += (int64_t)unnamed;
    }
    for (size_t i = 0; i < n; i++) {
        same_bits(factors, &all[i]);
    }
    hn_free(all);
}

/* ---- the data ---- */

static void open_data(void) {
    HnError err = HN_ERROR_INIT;
    World world = world_make(24, 19);
    world_fill(&world, 6.0, 2);
    if (hn_comm_rank(job_world) == 0) {
        uint8_t present[24 * 19];
        for (size_t p = 0; p < sizeof present; p++) {
            present[p] = p % 5 != 3;
        }
        stop(hn_folder_remove(folder, &err), "folder", &err);
        stop(hn_folder_make(folder, &err), "folder", &err);
        HnDataset *made = world_dataset(&world, folder);
        hn_dataset_close(&made);
        hn_free(world_vectors(&world, folder, "vectors.h5", 12, NULL, present, 5));
    }
    stop(hn_comm_barrier(job_world, &err), "barrier", &err);
    char *path = hn_path_join(folder, "dataset.h5", &err);
    stop(hn_dataset_open(path, &dataset, &err), "open", &err);
    hn_free(path);
    vectors = hn_path_join(folder, "vectors.h5", &err);
    world_free(&world);
}

static void walk(void) {
    static const char *const sets[] = {"sampler.name=rns",
                                       "model.dim=8",
                                       "model.layers=2",
                                       "train.batch=16",
                                       "sampler.candidates=5",
                                       "train.virtual_shards=8",
                                       "train.eval_every=1",
                                       "eval.ks=[5, 20]",
                                       "train.learning_rate=0.01",
                                       "eval.activity_groups=0",
                                       "eval.false_negative_users=5"};
    HnError err = HN_ERROR_INIT;
    HnExperiment *base = NULL;
    Factors factors;
    stop(hn_experiment_load(NULL, sets, sizeof sets / sizeof *sets, &base, &err), "configuration", &err);
    factors_list(&factors, base);
    open_data();
    every_triple(&factors);
    every_pair(&factors);
    hn_dataset_close(&dataset);
    hn_free(vectors);
    hn_experiment_free(&base);
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (hn_world_start(&argc, &argv, &job_world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (hn_comm_size(job_world) != 2) {
        fprintf(stderr, "this test wants 2 ranks\n");
        hn_world_end(&job_world);
        return 77;
    }
    hn_log_setup(HN_LOG_ERROR, hn_comm_rank(job_world));
    omp_set_dynamic(0);
    stop(hn_comm_self(&alone, &err), "one rank", &err);
    folder = hn_path_printf(&err, "%s/tests/cf-combinations", HN_BUILD_DIR);
    walk();
    stop(hn_comm_sum_i64(job_world, &failures, 1, &err), "sum", &err);
    if (hn_comm_rank(job_world) == 0) {
        stop(hn_folder_remove(folder, &err), "folder", &err);
        printf("%lld failures\n", (long long)failures);
    }
    hn_free(folder);
    hn_comm_free(&alone);
    hn_world_end(&job_world);
    return failures != 0 || hn_alloc_live_blocks() != 0;
}
