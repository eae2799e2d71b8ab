#include "mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum { CHILD_ROUNDS = 1000, ROUND_LIMIT = 20 /* s of processor: a round that takes longer hangs */ };
enum { MOST_MEMORY = 1 << 20 /* KiB: bad input must not take more */ };

static bool memory_is_bounded(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss <= MOST_MEMORY) {
        return true;
    }
    printf("memory: more than %d KiB\n", (int)MOST_MEMORY);
    return false;
}

static size_t below(HnRng *rng, size_t bound) {
    return bound == 0 ? 0 : (size_t)hn_rng_below64(rng, bound);
}

static size_t mutate_once(HnRng *rng, char *bytes, size_t n) {
    size_t at = below(rng, n), length = 1 + below(rng, n - at < 200 ? n - at : 200), from = below(rng, n - length + 1);
    switch (hn_rng_below(rng, 8)) {
    case 0: /* a bit */
        bytes[at] = (char)(bytes[at] ^ (1 << hn_rng_below(rng, 8)));
        return n;
    case 1: /* a byte */
        bytes[at] = (char)hn_rng_below(rng, 256);
        return n;
    case 2: /* an extreme number */
        for (size_t i = at; i < n && i < at + 8; i++) {
            bytes[i] = hn_rng_below(rng, 2) != 0 ? (char)0xff : 0;
        }
        return n;
    case 3: /* a hole */
        memset(bytes + at, 0, length);
        return n;
    case 4: /* a part over another */
        memmove(bytes + at, bytes + from, length < n - at ? length : n - at);
        return n;
    case 5: /* a part taken out */
        memmove(bytes + at, bytes + at + length, n - at - length);
        return n - length;
    case 6: /* a part put in twice */
        memmove(bytes + at + length, bytes + at, n - at);
        return n + length;
    default: /* cut short */
        return at;
    }
}

size_t mutate(HnRng *rng, char *bytes, size_t n_bytes) {
    size_t most = 2 * n_bytes;
    for (uint32_t n = 1 + hn_rng_below(rng, 4); n > 0 && n_bytes > 0 && n_bytes < most; n--) {
        n_bytes = mutate_once(rng, bytes, n_bytes);
    }
    return n_bytes;
}

/* Of the processor's time, not the clock's: a machine that others keep busy is no hang. */
static void limit_time(void) {
    const struct itimerval limit = {.it_value = {.tv_sec = ROUND_LIMIT}};
    (void)setitimer(ITIMER_PROF, &limit, NULL);
}

static unsigned long number_from(const char *variable, unsigned long otherwise) {
    const char *text = getenv(variable);
    return text == NULL || text[0] == '\0' ? otherwise : strtoul(text, NULL, 10);
}

double fuzz_seconds(void) {
    return (double)number_from("HN_FUZZ_SECONDS", 3);
}

unsigned long fuzz_seed(void) {
    return number_from("HN_FUZZ_SEED", 1);
}

/* In the child. Its last round is in the pipe when it dies. */
static void run_child(FuzzRound *round, unsigned long begin, double end_time, int descriptor) {
    for (unsigned long i = begin; i < begin + CHILD_ROUNDS && hn_clock_seconds() < end_time; i++) {
        if (write(descriptor, &i, sizeof i) != (ssize_t)sizeof i) {
            _exit(3);
        }
        limit_time();
        if (!round(i) || !memory_is_bounded()) {
            fflush(stdout);
            _exit(1);
        }
    }
    exit(0); /* with the leak check of a sanitizer, where there is one */
}

int fuzz_run(const char *name, FuzzRound *round) {
    double end_time = hn_clock_seconds() + fuzz_seconds();
    unsigned long begin = 0, last = 0;
    while (hn_clock_seconds() < end_time) {
        int ends[2];
        if (pipe(ends) != 0) {
            return 1;
        }
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            run_child(round, begin, end_time, ends[1]);
        }
        close(ends[1]);
        while (read(ends[0], &last, sizeof last) == (ssize_t)sizeof last) {
        }
        close(ends[0]);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("%s: round %lu of seed %lu went wrong (%s %d)\n", name, last, fuzz_seed(),
                   WIFSIGNALED(status) ? "signal" : "exit code",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            return 1;
        }
        begin += CHILD_ROUNDS;
    }
    printf("%s: %lu rounds of seed %lu in %.0f s\n", name, last + 1, fuzz_seed(), fuzz_seconds());
    return 0;
}
