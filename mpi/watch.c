#include "watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

struct HnWatch {
    int rank;
    int64_t limit_s;
    _Atomic(const char *) pending; /* the collective that this rank is inside, or NULL */
    atomic_uint_fast64_t entered;  /* counts collectives: tells a long one from many short ones */
    atomic_bool told_elsewhere;

    bool running;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    bool stop; /* under lock */
};

void hn_watch_enter(HnWatch *watch, const char *name) {
    if (watch != NULL) {
        atomic_fetch_add(&watch->entered, 1);
        atomic_store(&watch->pending, name);
    }
}

void hn_watch_leave(HnWatch *watch) {
    if (watch != NULL) {
        atomic_store(&watch->pending, NULL);
    }
}

void hn_watch_told_elsewhere(HnWatch *watch, bool yes) {
    if (watch != NULL) {
        atomic_store(&watch->told_elsewhere, yes);
    }
}

bool hn_watch_is_told_elsewhere(const HnWatch *watch) {
    return watch != NULL && atomic_load(&watch->told_elsewhere);
}

/* The main thread sits inside MPI and cannot be asked to clean up: only write(2) and _exit are safe here. */
_Noreturn static void end_process(const HnWatch *watch, const char *name, double seconds) {
    char line[320];
    int n = snprintf(line, sizeof line,
                     "hnlmrec: [rank %d] watchdog: %s has been pending for %.0f s (limit %lld s, HNLMREC_WATCHDOG_S): "
                     "another rank is dead or hangs; ending the job. What is finished is kept: start the same command "
                     "again.\n",
                     watch->rank, name, seconds, (long long)watch->limit_s);
    if (n > 0) {
        size_t length = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
        ssize_t written = write(STDERR_FILENO, line, length);
        (void)written; /* nothing left to do about a closed stderr */
    }
    _exit(HN_INTERNAL);
}

static void *watch_main(void *argument) {
    HnWatch *watch = argument;
    uint_fast64_t seen = 0;
    double since = hn_clock_seconds();
    long step_ms = watch->limit_s > 4 ? 1000 : 100;

    pthread_mutex_lock(&watch->lock);
    while (!watch->stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += step_ms % 1000 * 1000000L;
        until.tv_sec += step_ms / 1000 + until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&watch->stopping, &watch->lock, &until);
        if (watch->stop) {
            break;
        }
        const char *name = atomic_load(&watch->pending);
        uint_fast64_t now_at = atomic_load(&watch->entered);
        double now = hn_clock_seconds();
        if (name == NULL || now_at != seen) {
            seen = now_at;
            since = now;
        } else if (now - since > (double)watch->limit_s) {
            end_process(watch, name, now - since);
        }
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

HnStatus hn_watch_start(int rank, int64_t limit_s, HnWatch **out, HnError *err) {
    *out = NULL;
    HnWatch *watch = hn_alloc(1, sizeof *watch, "watchdog", err);
    if (watch == NULL) {
        return HN_MEMORY;
    }
    watch->rank = rank;
    watch->limit_s = limit_s;
    atomic_init(&watch->pending, NULL);
    atomic_init(&watch->entered, 0);
    atomic_init(&watch->told_elsewhere, false);
    if (limit_s > 0) {
        pthread_mutex_init(&watch->lock, NULL);
        pthread_cond_init(&watch->stopping, NULL);
        int failure = pthread_create(&watch->thread, NULL, watch_main, watch);
        if (failure != 0) {
            pthread_cond_destroy(&watch->stopping);
            pthread_mutex_destroy(&watch->lock);
            hn_free(watch);
            return hn_fail_errno(err, failure, "cannot start the watchdog thread");
        }
        watch->running = true;
    }
    *out = watch;
    return HN_OK;
}

void hn_watch_stop(HnWatch **address) {
    HnWatch *watch = *address;
    if (watch == NULL) {
        return;
    }
    if (watch->running) {
        pthread_mutex_lock(&watch->lock);
        watch->stop = true;
        pthread_cond_signal(&watch->stopping);
        pthread_mutex_unlock(&watch->lock);
        pthread_join(watch->thread, NULL);
        pthread_cond_destroy(&watch->stopping);
        pthread_mutex_destroy(&watch->lock);
    }
    hn_free(watch);
    *address = NULL;
}
