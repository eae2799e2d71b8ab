#include <omp.h>
#include <stdio.h>

#include "bench.h"
#include "cpu.h"

void bench_line_head(void) {
    printf("%-28s %11s %11s %8s %-11s %-44s %s\n", "name", "ours", "peer", "ratio", "goal", "distance from the floor",
           "path");
}

void bench_line_print(const BenchLine *line) {
    char ours[32], peer[32] = "-", ratio[32] = "-", goal[32] = "-", share[96] = "-";
    snprintf(ours, sizeof ours, "%.3f ms", line->ours_ms);
    if (line->peer_ms > 0.0) {
        snprintf(peer, sizeof peer, "%.2f ms", line->peer_ms);
        snprintf(ratio, sizeof ratio, "%.2f x", line->peer_ms / line->ours_ms);
    }
    if (line->goal > 0.0 && line->peer_ms > 0.0) {
        snprintf(goal, sizeof goal, "%g x %s", line->goal,
                 line->peer_ms / line->ours_ms >= line->goal ? "met" : "LOST");
    }
    if (line->share > 0.0) {
        const char *verdict = line->share_goal <= 0.0 ? "" : line->share >= line->share_goal ? ", met" : ", LOST";
        snprintf(share, sizeof share, "%.0f %% of %s%s", 100.0 * line->share, line->floor, verdict);
    }
    printf("%-28s %11s %11s %8s %-11s %-44s %s, %d threads%s%s\n", line->name, ours, peer, ratio, goal, share,
           hn_cpu_path_name(hn_cpu_path()), omp_get_max_threads(), line->note[0] != '\0' ? "; " : "", line->note);
    fflush(stdout);
}
