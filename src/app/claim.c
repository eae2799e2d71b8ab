/* A claim on a piece of work: see claim.h. */
#include "app/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

enum { BEAT_SECONDS = 5, STALE_SECONDS = 60 };

struct HnClaim {
    char *path;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;
};

static void *beat(void *context) {
    HnClaim *claim = context;
    pthread_mutex_lock(&claim->lock);
    while (!claim->ending) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += BEAT_SECONDS;
        pthread_cond_timedwait(&claim->wake, &claim->lock, &until);
        utimensat(AT_FDCWD, claim->path, NULL, 0);
    }
    pthread_mutex_unlock(&claim->lock);
    return NULL;
}

/* A holder on this host that is gone, or a heartbeat that stood still for STALE_SECONDS while this process watched: the
 * clock of another host is never compared with ours. */
static bool holder_is_dead(const char *path) {
    char host[256] = "", holder[256] = "";
    long pid = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    int n = fscanf(file, "%255s %ld", holder, &pid);
    fclose(file);
    gethostname(host, sizeof host - 1);
    if (n == 2 && strcmp(host, holder) == 0 && hn_process_is_gone(pid)) {
        return true;
    }
    static struct timespec seen;
    static double since;
    struct stat now;
    if (stat(path, &now) != 0) {
        return false;
    }
    if (since == 0 || now.st_mtim.tv_sec != seen.tv_sec || now.st_mtim.tv_nsec != seen.tv_nsec) {
        seen = now.st_mtim;
        since = hn_clock_seconds();
    }
    return hn_clock_seconds() - since > STALE_SECONDS;
}

/* Takes a dead holder's file away. rename is atomic: of several who try, one succeeds. */
static void take_away(const char *path) {
    char *stale = hn_path_printf(NULL, "%s.stale-%ld", path, (long)getpid());
    if (stale != NULL && rename(path, stale) == 0) {
        hn_log(HN_LOG_WARN, "the maker of %s died; taking over", path);
        unlink(stale);
    }
    hn_free(stale);
}

static HnStatus start_beating(const char *path, HnClaim **out, HnError *err) {
    HnClaim *claim = hn_alloc(1, sizeof *claim, "claim", err);
    char *copy = hn_strdup(path, err);
    if (claim == NULL || copy == NULL) {
        goto fail;
    }
    claim->path = copy;
    pthread_mutex_init(&claim->lock, NULL);
    pthread_cond_init(&claim->wake, NULL);
    if (pthread_create(&claim->thread, NULL, beat, claim) != 0) {
        hn_fail(err, HN_INTERNAL, "cannot start a thread for the heartbeat of %s", path);
        goto fail;
    }
    *out = claim;
    return HN_OK;
fail:
    unlink(path);
    hn_free(copy);
    hn_free(claim);
    return err != NULL ? err->status : HN_MEMORY;
}

HnStatus hn_claim_try(const char *path, HnClaim **claim, HnError *err) {
    *claim = NULL;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0 && errno == EEXIST) {
        if (holder_is_dead(path)) {
            take_away(path);
        }
        return HN_OK;
    }
    if (file < 0) {
        return hn_fail_errno(err, errno, "cannot write %s; is its folder there, and writable?", path);
    }
    char line[320], host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    int n = snprintf(line, sizeof line, "%s %ld\n", host, (long)getpid());
    ssize_t written = write(file, line, (size_t)n);
    int saved = errno;
    close(file);
    if (written != n) {
        unlink(path);
        return hn_fail_errno(err, saved, "cannot write %s", path);
    }
    return start_beating(path, claim, err);
}

HnStatus hn_claim_output(const char *output, HnClaim **claim, HnError *err) {
    char *path = hn_path_printf(err, "%s.claim", output);
    HnStatus status = path ? HN_OK : HN_MEMORY;
    *claim = NULL;
    for (int i = 0; i < 2 && *claim == NULL && status == HN_OK; i++) { /* the first may take away a dead one's */
        status = hn_claim_try(path, claim, err);
    }
    if (status == HN_OK && *claim == NULL) {
        status = hn_fail(err, HN_CONFLICT,
                         "another process is writing %s (its claim is %s); if it is dead, try again in a minute",
                         output, path);
    }
    hn_free(path);
    return status;
}

void hn_claim_release(HnClaim **claim_address) {
    HnClaim *claim = *claim_address;
    if (claim == NULL) {
        return;
    }
    pthread_mutex_lock(&claim->lock);
    claim->ending = true;
    pthread_cond_signal(&claim->wake);
    pthread_mutex_unlock(&claim->lock);
    pthread_join(claim->thread, NULL);
    pthread_mutex_destroy(&claim->lock);
    pthread_cond_destroy(&claim->wake);
    unlink(claim->path);
    hn_free(claim->path);
    hn_free(claim);
    *claim_address = NULL;
}
