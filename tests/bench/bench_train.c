/* bench_train NAME LISTS LABEL TEST FOLDER [PEER_COMMAND]
 *
 * NAME: one of `step_kinds` below, with -yelp2018 behind it where LISTS is that graph, or semantic-step-WIDTH.
 * Steps of the program's own trainer on one rank: width 64, batch 2048, 32 candidates where a sampler has any. The data
 * set is prepared from LISTS (train) and TEST by the program's own reader; vectors of a semantic step are noise, since
 * only their width matters here. Prints two lines: reproducible off and on. Files go to FOLDER and are removed. Under
 * mpirun, steps of all its ranks. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "bench.h"
#include "cf/trainer.h"
#include "comm.h"
#include "gemm.h"
#include "job.h"
#include "step_floor.h"
#include "store.h"

enum { DIM = BENCH_DIM, BATCH = 2048, SHARED_STEPS = 400, STEPS_TOGETHER = 128 };

/* Goals: times the peer, on phone and on yelp2018. */
typedef struct Step {
    const char *name, *backbone, *layers, *sampler;
    double goal, goal_yelp2018;
} Step;
static const Step step_kinds[] = {
    {"lightgcn-step", "lightgcn", "3", "rns", 8.0, 6.0},
    {"lightgcn-dns-step", "lightgcn", "3", "dns", 12.0, 8.0},
    {"lightgcn-ahns-step", "lightgcn", "3", "ahns", 12.0, 8.0},
    {"mf-step", "mf", "0", "rns", 12.0, 12.0},
    {"mf-dns-step", "mf", "0", "dns", 12.0, 8.0},
    {"mf-ahns-step", "mf", "0", "ahns", 12.0, 8.0},
    {"lightgcn-mixgcf-step", "lightgcn", "3", "mixgcf", 12.0, 8.0},
    {"ngcf-step", "ngcf", "3", "rns", 12.0, 6.0},
    {"dgcf-step", "dgcf", "1", "rns", 5.0, 5.0},
    {"sgl-step", "sgl", "3", "rns", 3.0, 3.0},
    {"semantic-step", "lightgcn", "3", "semantic", 0.0, 0.0},
};

typedef struct Bench {
    const char *name, *lists, *label, *test, *folder;
    const Step *step;
    BenchPeer *peer;
    uint64_t text_dim; /* 0 = random negatives */
    char *vectors_path;
    BenchJob job;
    HnTrainer *trainer;
    int together; /* steps that are timed as one, where rows wait for theirs */
    HnError *err;
} Bench;

static HnStatus write_rows(HnStoreWriter *writer, uint64_t n_pairs, uint64_t dim, HnError *err) {
    enum { ROWS = 1024 };
    const uint64_t dims[2] = {n_pairs, dim};
    uint16_t *rows = hn_alloc(ROWS, dim * sizeof *rows, "vectors", err);
    uint64_t state = 1;
    HnStatus status = rows == NULL ? HN_MEMORY : hn_store_define(writer, "vector", dims, err);
    for (uint64_t p = 0; status == HN_OK && p < n_pairs; p += ROWS) {
        for (uint64_t i = 0; i < ROWS * dim; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            rows[i] = (uint16_t)((state >> 60 & 1) << 15 | 0x2400 | (state >> 40 & 0x3FF)); /* +-(1 to 2)/64 */
        }
        status = hn_store_write_rows(writer, "vector", p, n_pairs - p < ROWS ? n_pairs - p : ROWS, rows, err);
    }
    hn_free(rows);
    return status;
}

static HnStatus write_vectors(Bench *bench, HnError *err) {
    const uint64_t n_users = hn_dataset_users(bench->job.dataset);
    HnPairs pairs = {0};
    HnStoreWriter *writer = NULL;
    const HnProvenance provenance = {.seed = -1, .synthetic = true};
    HN_TRY(hn_dataset_pairs(bench->job.dataset, HN_PART_TRAIN, 0, n_users, &pairs, err));
    const uint64_t n = pairs.offsets[n_users];
    int32_t *users = hn_alloc(n, sizeof *users, "pairs", err);
    uint8_t *present = hn_alloc(n, 1, "marks", err);
    HnStatus status = users == NULL || present == NULL ? HN_MEMORY : HN_OK;
    for (uint64_t u = 0; status == HN_OK && u < n_users; u++) {
        for (uint64_t p = pairs.offsets[u]; p < pairs.offsets[u + 1]; p++) {
            users[p] = (int32_t)u;
            present[p] = 1;
        }
    }
    status =
        status == HN_OK ? hn_store_create(bench->vectors_path, &HN_SCHEMA_VECTORS, &provenance, &writer, err) : status;
    status = status == HN_OK ? hn_store_write(writer, "pair/user", &n, users, err) : status;
    status = status == HN_OK ? hn_store_write(writer, "pair/item", &n, pairs.items, err) : status;
    status = status == HN_OK ? hn_store_write(writer, "present", &n, present, err) : status;
    status = status == HN_OK ? write_rows(writer, n, bench->text_dim, err) : status;
    status = status == HN_OK ? hn_store_set_i64(writer, "dim", (int64_t)bench->text_dim, err) : status;
    status = status == HN_OK ? hn_store_seal(&writer, err) : status;
    if (writer != NULL) {
        hn_store_abandon(&writer);
    }
    hn_free(present);
    hn_free(users);
    hn_pairs_free(&pairs);
    return status;
}

static HnStatus set_up(Bench *bench, int *argc, char ***argv, HnError *err) {
    char backbone[40], layers[40], batch[40], sampler[40];
    const char *sets[] = {backbone, layers, batch, sampler, "sampler.candidates=32"};
    snprintf(backbone, sizeof backbone, "model.backbone=%s", bench->step->backbone);
    snprintf(layers, sizeof layers, "model.layers=%s", bench->step->layers);
    snprintf(batch, sizeof batch, "train.batch=%d", BATCH);
    snprintf(sampler, sizeof sampler, "sampler.name=%s", bench->step->sampler);
    HN_TRY(bench_job_open(argc, argv, bench->lists, bench->test, bench->folder, sets, sizeof sets / sizeof sets[0],
                          &bench->job, err));
    bench->vectors_path = hn_path_printf(err, "%s/vectors.h5", bench->folder);
    return bench->text_dim > 0 ? write_vectors(bench, err) : HN_OK;
}

/* The next steps; an epoch's order is made when the epoch begins, as in training. */
static void take_steps(void *context) {
    Bench *bench = context;
    HnTrainer *trainer = bench->trainer;
    HnStatus status = HN_OK;
    for (uint64_t end = trainer->steps + (uint64_t)bench->together; trainer->steps < end && status == HN_OK;) {
        if (trainer->step_in_epoch == trainer->order.n_batches) {
            trainer->epoch++;
            trainer->step_in_epoch = 0;
            trainer->order_ready = false;
        }
        status = hn_trainer_steps(trainer, end - trainer->steps, bench->err);
    }
}

/* Seconds that the adapter's products take by themselves: forward and weight gradient of both layers, and the gradient
 * of the hidden rows. */
static double products_floor(uint64_t text_dim, double *flops) {
    const int64_t b = BATCH, in = (int64_t)text_dim, hidden = (in + DIM) / 2;
    const struct {
        int64_t m, n, k;
        bool trans_a, trans_b;
    } shapes[] = {{b, hidden, in, false, true},
                  {b, DIM, hidden, false, true},
                  {b, hidden, DIM, false, false},
                  {hidden, in, b, true, false},
                  {DIM, hidden, b, true, false}};
    double seconds = 0.0;
    *flops = 0.0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const double of_this = 2.0 * (double)shapes[i].m * (double)shapes[i].n * (double)shapes[i].k;
        const double gflops =
            bench_product_gflops(shapes[i].trans_a, shapes[i].trans_b, shapes[i].m, shapes[i].n, shapes[i].k);
        *flops += of_this;
        seconds += of_this / gflops * 1e-9;
    }
    return seconds;
}

static void note_adapter(const Bench *bench, const HnSamplerFacts *before, const HnSamplerFacts *after, double steps,
                         BenchLine *line, double *step_seconds) {
    double flops;
    const double floor = products_floor(bench->text_dim, &flops);
    const double seconds = (after->product_seconds - before->product_seconds) / steps;
    line->share = floor / seconds;
    line->share_goal = 0.8;
    line->floor = "the same products alone";
    snprintf(line->note, sizeof line->note, "%s; adapter %.0f %% of the step, %.0f GFLOP/s (alone %.0f)", bench->label,
             100.0 * seconds / *step_seconds, flops / seconds * 1e-9, flops / floor * 1e-9);
}

static void note_views(const Bench *bench, const BenchTime *time, BenchLine *line) {
    const HnTrainer *trainer = bench->trainer;
    const double floor =
        bench_views_floor(&trainer->graph.users, &trainer->graph.items, 3, trainer->batch.n_users, BATCH);
    line->share = floor / time->best;
    line->share_goal = 1.0 / 1.5;
    line->floor = "products, exponential and propagation alone";
    snprintf(line->note, sizeof line->note, "%s; best step %.1f ms, floor %.1f ms", bench->label, 1e3 * time->best,
             1e3 * floor);
}

static void note_step(Bench *bench, const BenchTime *time, BenchLine *line) {
    BenchStepFloor floor = {0};
    if (hn_comm_size(bench->job.world) == 1) { /* ranks would have to agree on the number of steps */
        floor = bench_step_floor(bench->trainer, take_steps, bench, bench->together);
    }
    int n = snprintf(line->note, sizeof line->note, "%s; best step %.2f ms", bench->label,
                     1e3 * time->best / bench->together);
    if (floor.seconds > 0.0 && n > 0) {
        line->share = floor.share;
        line->share_goal = 1.0 / 1.5;
        line->floor = floor.what;
        snprintf(line->note + n, sizeof line->note - (size_t)n, ", floor %.2f ms", 1e3 * floor.seconds);
    }
}

static HnStatus run_mode(Bench *bench, bool reproducible, HnError *err) {
    HnSamplerFacts before, after;
    const HnTrainJob job = {.config = &bench->job.experiment->train,
                            .variant = bench->name,
                            .seed = 1,
                            .reproducible = reproducible,
                            .threads = omp_get_max_threads(),
                            .dataset = bench->job.dataset,
                            .vectors_path = bench->text_dim > 0 ? bench->vectors_path : NULL,
                            .folder = bench->folder,
                            .config_yaml = ""};
    char name[80];
    BenchLine line = {.name = name};
    snprintf(name, sizeof name, "%s%s", bench->name, reproducible ? " (repr.)" : "");
    HnStatus status = hn_trainer_create(&job, bench->job.world, &bench->trainer, err);
    if (status == HN_OK) {
        HnTrainer *trainer = bench->trainer;
        (void)trainer->sampler->facts(trainer->sampler_state, &before, err);
        const uint64_t steps_before = trainer->steps;
        bench->together = trainer->users.waits ? STEPS_TOGETHER : 1;
        const bool alone = hn_comm_size(bench->job.world) == 1; /* ranks must agree on the number of steps */
        const BenchTime time = bench_time_beside(take_steps, bench, alone ? 10 : SHARED_STEPS / bench->together,
                                                 alone ? 3.0 : 0.0, bench->peer);
        (void)trainer->sampler->facts(trainer->sampler_state, &after, err);
        const double steps = (double)(trainer->steps - steps_before);
        double mean_seconds = time.mean;
        line.ours_ms = 1e3 * time.median / bench->together;
        line.peer_ms = bench_peer_ms(bench->peer);
        if (bench->text_dim > 0) {
            note_adapter(bench, &before, &after, steps, &line, &mean_seconds);
        } else {
            line.goal = strstr(bench->name, "yelp2018") == NULL ? bench->step->goal : bench->step->goal_yelp2018;
            if (strcmp(bench->step->backbone, "sgl") == 0) {
                note_views(bench, &time, &line);
            } else {
                note_step(bench, &time, &line);
            }
        }
        status = err->status;
    }
    if (status == HN_OK && hn_comm_rank(bench->job.world) == 0) {
        bench_line_print(&line);
    }
    hn_trainer_free(&bench->trainer);
    return status;
}

/* The longest name that NAME begins with. */
static const Step *step_of(const char *name) {
    const Step *found = NULL;
    for (size_t i = 0; i < sizeof step_kinds / sizeof step_kinds[0]; i++) {
        const size_t n = strlen(step_kinds[i].name);
        if (strncmp(name, step_kinds[i].name, n) == 0 && (name[n] == '\0' || name[n] == '-')) {
            found = &step_kinds[i];
        }
    }
    return found;
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    const Step *step = argc < 6 ? NULL : step_of(argv[1]);
    if (step == NULL) {
        fprintf(stderr, "usage: bench_train NAME LISTS LABEL TEST FOLDER [PEER_COMMAND]; names:");
        for (size_t i = 0; i < sizeof step_kinds / sizeof step_kinds[0]; i++) {
            fprintf(stderr, " %s", step_kinds[i].name);
        }
        fprintf(stderr, "\n");
        return 2;
    }
    Bench bench = {.name = argv[1],
                   .lists = argv[2],
                   .label = argv[3],
                   .test = argv[4],
                   .folder = argv[5],
                   .step = step,
                   .err = &err};
    bench.text_dim =
        strcmp(step->sampler, "semantic") == 0 ? strtoull(bench.name + strlen("semantic-step-"), NULL, 10) : 0;
    bench.peer = bench_peer_start(argc > 6 ? argv[6] : NULL);
    HnStatus status = set_up(&bench, &argc, &argv, &err);
    for (int reproducible = 0; reproducible <= 1 && status == HN_OK; reproducible++) {
        status = run_mode(&bench, reproducible == 1, &err);
    }
    bench_job_close(&bench.job);
    hn_free(bench.vectors_path);
    bench_peer_stop(bench.peer);
    if (status != HN_OK) {
        fprintf(stderr, "bench_train: %s\n", err.message);
    }
    return status == HN_OK ? 0 : 1;
}
