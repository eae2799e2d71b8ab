#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_private.h"

enum { MAX_SECRETS = 16, MAX_SECRET_BYTES = 512, MAX_MESSAGE = 16384 };

/* What every message of the process shares. Static storage: a secret outlives every block that could be freed. */
static struct {
    pthread_mutex_t lock;
    HnLogLevel level;
    int rank;
    size_t n_secrets;
    char secrets[MAX_SECRETS][MAX_SECRET_BYTES + 1];
    char message[MAX_MESSAGE];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = HN_LOG_INFO};

void hn_log_setup(HnLogLevel level, int rank) {
    (void)pthread_mutex_lock(&state.lock);
    state.level = level;
    state.rank = rank;
    (void)pthread_mutex_unlock(&state.lock);
}

HnStatus hn_log_hide(const char *secret, HnError *err) {
    size_t length = strlen(secret);
    if (length == 0) {
        return HN_OK;
    }
    if (length > MAX_SECRET_BYTES) {
        return hn_fail(err, HN_RANGE, "a secret of %zu bytes cannot be hidden from messages; the limit is %d bytes",
                       length, MAX_SECRET_BYTES);
    }
    (void)pthread_mutex_lock(&state.lock);
    bool known = false;
    for (size_t i = 0; i < state.n_secrets; i++) {
        known = known || strcmp(state.secrets[i], secret) == 0;
    }
    bool full = !known && state.n_secrets == MAX_SECRETS;
    if (!known && !full) {
        memcpy(state.secrets[state.n_secrets++], secret, length + 1);
    }
    (void)pthread_mutex_unlock(&state.lock); /* before hn_fail, which redacts its message under the same lock */
    return full ? hn_fail(err, HN_RANGE, "more than %d secrets cannot be hidden from messages", MAX_SECRETS) : HN_OK;
}

static size_t replace_all(char *text, size_t length, const char *secret) {
    static const char mark[] = "[secret]";
    size_t n_secret = strlen(secret);
    size_t n_mark = n_secret < sizeof mark - 1 ? n_secret : sizeof mark - 1; /* never longer: the text is in place */
    char *found = text;
    while ((found = strstr(found, secret)) != NULL) {
        memcpy(found, mark, n_mark);
        memmove(found + n_mark, found + n_secret, length - (size_t)(found - text) - n_secret + 1);
        length -= n_secret - n_mark;
        found += n_mark;
    }
    return length;
}

/* Replaces the secrets, then, in a text that was cut, drops the tail that may hold a secret's beginning. */
static void redact(char *text, bool was_cut) {
    size_t length = strlen(text);
    size_t longest = 0;
    for (size_t i = 0; i < state.n_secrets; i++) {
        size_t n_secret = strlen(state.secrets[i]);
        longest = n_secret > longest ? n_secret : longest;
        length = replace_all(text, length, state.secrets[i]);
    }
    if (was_cut && length > longest) {
        text[length - longest] = '\0';
    }
    for (char *c = text; *c != '\0'; c++) { /* inputs are quoted in messages: no terminal controls from them */
        if (((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f) {
            *c = '?';
        }
    }
}

void hn_log_redact(char *text, bool was_cut) {
    (void)pthread_mutex_lock(&state.lock);
    redact(text, was_cut);
    (void)pthread_mutex_unlock(&state.lock);
}

void hn_log(HnLogLevel level, const char *format, ...) {
    static const char *const names[] = {"debug: ", "", "warning: ", "error: "};
    (void)pthread_mutex_lock(&state.lock);
    if (level >= state.level && (state.rank == 0 || level >= HN_LOG_WARN)) {
        va_list args;
        va_start(args, format);
        int length = vsnprintf(state.message, sizeof state.message, format, args);
        va_end(args);
        redact(state.message, length >= (int)sizeof state.message);
        if (state.rank == 0) {
            (void)fprintf(stderr, "%s%s\n", names[level], state.message);
        } else {
            (void)fprintf(stderr, "[rank %d] %s%s\n", state.rank, names[level], state.message);
        }
        (void)fflush(stderr);
    }
    (void)pthread_mutex_unlock(&state.lock);
}

bool hn_log_shows_progress(void) {
    (void)pthread_mutex_lock(&state.lock);
    bool shows = state.rank == 0 && state.level <= HN_LOG_INFO;
    (void)pthread_mutex_unlock(&state.lock);
    return shows;
}

double hn_clock_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t hn_clock_unix(void) {
    return (int64_t)time(NULL);
}

void hn_clock_iso8601(char out[32]) {
    time_t now = time(NULL);
    struct tm parts;
    memset(&parts, 0, sizeof parts);
    (void)gmtime_r(&now, &parts);
    if (strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        out[0] = '\0';
    }
}
