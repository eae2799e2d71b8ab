/* The peer takes turns with us, half a second each: what else the machine does for a while meets both, and the ratio of
 * the medians stays what it is. Its program runs all the time and waits for lines on its standard input
 * (tests/peers/peer.py). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { MOST_TIMES = 20000, LONGEST_ANSWER = 1 << 16 };

struct BenchPeer {
    pid_t pid;
    FILE *to, *from;
    double times[MOST_TIMES];
    int n;
};

BenchPeer *bench_peer_start(const char *command) {
    int to[2], from[2];
    if (command == NULL || command[0] == '\0' || pipe(to) != 0 || pipe(from) != 0) {
        return NULL;
    }
    BenchPeer *peer = calloc(1, sizeof *peer);
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is seen at its answer */
    peer->pid = fork();
    if (peer->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    peer->to = fdopen(to[1], "w");
    peer->from = fdopen(from[0], "r");
    return peer;
}

void bench_peer_turn(BenchPeer *peer) {
    static char answer[LONGEST_ANSWER];
    if (peer == NULL || peer->from == NULL) {
        return;
    }
    if (fputs("turn\n", peer->to) < 0 || fflush(peer->to) != 0 || fgets(answer, sizeof answer, peer->from) == NULL) {
        fprintf(stderr, "bench: the peer has ended; no ratio\n");
        peer->n = 0;
        (void)fclose(peer->from);
        peer->from = NULL;
        return;
    }
    char *at = answer, *end;
    for (double ms = strtod(at, &end); end != at && peer->n < MOST_TIMES; ms = strtod(at, &end)) {
        peer->times[peer->n++] = ms;
        at = end;
    }
}

double bench_peer_ms(BenchPeer *peer) {
    return peer != NULL && peer->n > 0 ? bench_median(peer->times, peer->n) : 0.0;
}

void bench_peer_forget(BenchPeer *peer) {
    if (peer != NULL) {
        peer->n = 0;
    }
}

void bench_peer_stop(BenchPeer *peer) {
    if (peer == NULL) {
        return;
    }
    (void)fclose(peer->to); /* it ends at the end of its input */
    if (peer->from != NULL) {
        (void)fclose(peer->from);
    }
    (void)waitpid(peer->pid, NULL, 0);
    free(peer);
}

double bench_peak_gb(const BenchPeer *peer) {
    char path[64] = "/proc/self/status", line[256];
    double kilobytes = 0.0;
    if (peer != NULL) {
        snprintf(path, sizeof path, "/proc/%d/status", (int)peer->pid);
    }
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kilobytes = strtod(line + 6, NULL);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kilobytes * 1024e-9;
}
