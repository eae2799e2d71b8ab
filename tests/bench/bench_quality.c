/* bench_quality LISTS LABEL TEST FOLDER [PEER_COMMAND]
 *
 * Seconds of training until MF ranks as well as the peer does: NDCG@20 of the lists TEST, which stand for validation
 * here, tested after every epoch while the clock stands. Both train to their ends; the mark is 98 % of the lesser of
 * the two bests, and of the peer's settings the one that reaches it first counts. */
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "bench.h"
#include "cf/trainer.h"
#include "job.h"

enum { EPOCHS = 20, MOST_POINTS = 1000, MOST_LINE = 200 };
#define SHARE_OF_BEST 0.98

typedef struct Point {
    int setting;
    double seconds, ndcg;
} Point;

typedef struct Curve {
    Point points[MOST_POINTS];
    int n;
} Curve;

static double best_of(const Curve *curve) {
    double best = 0.0;
    for (int i = 0; i < curve->n; i++) {
        best = curve->points[i].ndcg > best ? curve->points[i].ndcg : best;
    }
    return best;
}

static double seconds_to(const Curve *curve, double mark) {
    double least = 0.0;
    for (int i = 0; i < curve->n; i++) {
        const Point *p = &curve->points[i];
        least = p->ndcg >= mark && (least == 0.0 || p->seconds < least) ? p->seconds : least;
    }
    return least;
}

static void read_peer(const char *command, Curve *curve) {
    char line[MOST_LINE];
    FILE *out = popen(command, "r");
    while (out != NULL && fgets(line, sizeof line, out) != NULL && curve->n < MOST_POINTS) {
        Point *p = &curve->points[curve->n];
        curve->n += sscanf(line, "%d %lf %lf", &p->setting, &p->seconds, &p->ndcg) == 3;
    }
    if (out == NULL || pclose(out) != 0) {
        fprintf(stderr, "bench_quality: the peer failed; no ratio\n");
        curve->n = 0;
    }
}

static HnStatus train(HnTrainer *trainer, const BenchJob *job, const HnEvalSet *set, Curve *curve, HnError *err) {
    const HnIntList *ks = &job->experiment->train.eval.ks;
    double loss[HN_N_LOSSES], values[HN_N_METRICS], seconds = 0.0;
    size_t ndcg = 0;
    HN_TRY(hn_metrics_find(ks, "ndcg@20", &ndcg, err));
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        const double start = hn_clock_seconds();
        HN_TRY(hn_trainer_epoch(trainer, loss, err));
        seconds += hn_clock_seconds() - start;
        HN_TRY(hn_trainer_embed(trainer, err));
        HN_TRY(hn_evaluate(set, trainer->final_users, trainer->final_items, hn_dataset_items(job->dataset), BENCH_DIM,
                           ks, NULL, job->world, values, err));
        curve->points[curve->n++] = (Point){0, seconds, values[ndcg]};
    }
    return HN_OK;
}

static HnStatus measure(const BenchJob *job, Curve *curve, HnError *err) {
    const HnTrainJob train_job = {.config = &job->experiment->train,
                                  .variant = "mf-quality",
                                  .seed = 1,
                                  .threads = omp_get_max_threads(),
                                  .dataset = job->dataset,
                                  .folder = job->folder,
                                  .config_yaml = ""};
    HnTrainer *trainer = NULL;
    HnEvalSet set = {0};
    HnStatus status = hn_trainer_create(&train_job, job->world, &trainer, err);
    status = status == HN_OK
                 ? hn_eval_set_create(job->dataset, &trainer->shards, HN_PART_TEST, false, job->world, &set, err)
                 : status;
    status = status == HN_OK ? train(trainer, job, &set, curve, err) : status;
    hn_eval_set_free(&set);
    hn_trainer_free(&trainer);
    return status;
}

static void print(const char *label, const Curve *ours, const Curve *peer) {
    const double own = best_of(ours), other = peer->n > 0 ? best_of(peer) : own;
    const double mark = SHARE_OF_BEST * (own < other ? own : other);
    BenchLine line = {.name = "mf-quality",
                      .ours_ms = 1e3 * seconds_to(ours, mark),
                      .peer_ms = 1e3 * seconds_to(peer, mark),
                      .goal = 1.0};
    snprintf(line.note, sizeof line.note, "%s; training until ndcg@20 %.4f (best: ours %.4f, peer %.4f)", label, mark,
             own, other);
    bench_line_print(&line);
}

int main(int argc, char **argv) {
    static Curve ours, peer;
    static const char *const sets[] = {"model.backbone=mf", "sampler.name=rns", "train.batch=2048", "eval.ks=[20]",
                                       "train.learning_rate=0.005"};
    HnError err = HN_ERROR_INIT;
    BenchJob job;
    if (argc < 5) {
        fprintf(stderr, "usage: bench_quality LISTS LABEL TEST FOLDER [PEER_COMMAND]\n");
        return 2;
    }
    char **args = argv;
    const int n_args = argc;
    HnStatus status =
        bench_job_open(&argc, &argv, args[1], args[3], args[4], sets, sizeof sets / sizeof sets[0], &job, &err);
    status = status == HN_OK ? measure(&job, &ours, &err) : status;
    if (status == HN_OK) {
        if (n_args > 5 && args[5][0] != '\0') {
            read_peer(args[5], &peer);
        }
        print(args[2], &ours, &peer);
    } else {
        fprintf(stderr, "bench_quality: %s\n", err.message);
    }
    bench_job_close(&job);
    return status == HN_OK ? 0 : 1;
}
