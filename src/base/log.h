/* Messages to people (stderr), progress of long work, time. */
#ifndef HN_BASE_LOG_H
#define HN_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef enum HnLogLevel { HN_LOG_DEBUG, HN_LOG_INFO, HN_LOG_WARN, HN_LOG_ERROR } HnLogLevel;

/* Only messages of at least this level appear. Ranks other than the first log warnings and errors only, with "[rank
 * r]". */
void hn_log_setup(HnLogLevel level, int rank);
void hn_log(HnLogLevel level, const char *format, ...) HN_PRINTF(2, 3);
/* A word that must never be printed again (an API key): every later message has it replaced by "[secret]", that of an
 * HnError too. */
HnStatus hn_log_hide(const char *secret, HnError *err);

double hn_clock_seconds(void);       /* monotonic */
int64_t hn_clock_unix(void);         /* seconds since 1970 */
void hn_clock_iso8601(char out[32]); /* now, UTC, "2026-01-31T12:34:56Z" */

/* Progress of `total` units of work: a bar on a terminal, a plain line every few seconds in a log file; with rate and
 * time left. Call update as often as you like. Only the first rank's shows. */
typedef struct HnProgress {
    const char *what; /* "epoch 3", "item profiles" */
    uint64_t total;
    uint64_t done;
    uint64_t done_at_start; /* work found done already; not counted in the rate */
    double started;
    double last_shown;
    bool on_terminal;
} HnProgress;
void hn_progress_start(HnProgress *progress, const char *what, uint64_t total, uint64_t already_done);
void hn_progress_update(HnProgress *progress, uint64_t done);
void hn_progress_finish(HnProgress *progress);

/* A stop asked for from outside (SIGTERM, SIGINT, SIGUSR1). hn_stop_install sets the handlers; loops ask. */
void hn_stop_install(void);
bool hn_stop_requested(void);
void hn_stop_request(void); /* for tests */

#endif
