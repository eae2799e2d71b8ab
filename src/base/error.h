/* One status type, and the caller-owned error object that explains it.
 *
 * Every function that can fail returns HnStatus and takes an HnError as its last argument. The first message wins:
 * hn_fail on an error that is already set leaves it alone, so the cause closest to the fault is what a user reads.
 * A message names the file, the line of the input where there is one, and what to do about it.
 */
#ifndef HN_BASE_ERROR_H
#define HN_BASE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, process exit code, text) */
#define HN_STATUS_TABLE(X)                          \
    X(OK, 0, "ok")                                  \
    X(USAGE, 2, "wrong command line")               \
    X(CONFIG, 3, "wrong configuration")             \
    X(INPUT, 4, "bad input")                        \
    X(IO, 5, "input/output error")                  \
    X(SPACE, 6, "out of disk space")                \
    X(FORMAT, 7, "unexpected file format")          \
    X(CORRUPT, 8, "corrupt store")                  \
    X(MEMORY, 9, "out of memory")                   \
    X(RANGE, 10, "value out of range")              \
    X(NETWORK, 11, "network error")                 \
    X(UNSUPPORTED, 12, "not supported")             \
    X(CONFLICT, 13, "conflict with existing files") \
    X(INTERRUPTED, 14, "interrupted")               \
    X(NUMERIC, 15, "numeric error")                 \
    X(INTERNAL, 16, "internal error")

typedef enum HnStatus {
#define HN_STATUS_ENUM(name, code, text) HN_##name = code,
    HN_STATUS_TABLE(HN_STATUS_ENUM)
#undef HN_STATUS_ENUM
} HnStatus;

typedef struct HnError {
    HnStatus status;    /* HN_OK while nothing failed */
    char message[2048]; /* UTF-8, one or a few sentences, no trailing newline */
} HnError;

#define HN_ERROR_INIT \
    {                 \
        HN_OK, {      \
            0         \
        }             \
    }

#if defined(__GNUC__)
#define HN_PRINTF(fmt_index, first) __attribute__((format(printf, fmt_index, first)))
#else
#define HN_PRINTF(fmt_index, first)
#endif

/* Sets *err (which may be NULL) unless it already holds a failure; returns the status that *err holds then. */
HnStatus hn_fail(HnError *err, HnStatus status, const char *format, ...) HN_PRINTF(3, 4);

/* The same, with strerror(errno_value) appended; ENOSPC and EDQUOT become HN_SPACE. */
HnStatus hn_fail_errno(HnError *err, int errno_value, const char *format, ...) HN_PRINTF(3, 4);

/* Short text of a status ("bad input"). */
const char *hn_status_text(HnStatus status);

/* Forgets a failure, so that the object can be used again. */
void hn_error_clear(HnError *err);

/* Returns from the calling function when the expression is not HN_OK. */
#define HN_TRY(expression)                     \
    do {                                       \
        HnStatus hn_try_status = (expression); \
        if (hn_try_status != HN_OK) {          \
            return hn_try_status;              \
        }                                      \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
