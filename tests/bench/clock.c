#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bench.h"

enum { MOST_RUNS = 2000 };

static int compare_doubles(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double bench_median(double *times, int n) {
    qsort(times, (size_t)n, sizeof times[0], compare_doubles);
    return times[n / 2];
}

BenchTime bench_time_beside(void (*work)(void *context), void *context, int least, double seconds, BenchPeer *peer) {
    static double times[MOST_RUNS];
    int n = 0;
    bench_peer_turn(peer);
    bench_peer_forget(peer); /* both warm up */
    work(context);
    double spent = 0.0, turn = 0.0;
    for (; n < MOST_RUNS && (n < least || spent < seconds); n++) {
        const double start = hn_clock_seconds();
        work(context);
        times[n] = hn_clock_seconds() - start;
        spent += times[n];
        turn += times[n];
        if (turn >= BENCH_TURN_SECONDS) {
            bench_peer_turn(peer);
            turn = 0.0;
        }
    }
    const double median = bench_median(times, n);
    return (BenchTime){times[0], median, spent / n};
}

BenchTime bench_time(void (*work)(void *context), void *context, int least, double seconds) {
    return bench_time_beside(work, context, least, seconds, NULL);
}

float *bench_floats(uint64_t n, HnError *err) {
    float *x = hn_alloc(n, sizeof *x, "bench values", err);
    uint64_t state = n;
    for (uint64_t i = 0; x != NULL && i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
    }
    return x;
}
