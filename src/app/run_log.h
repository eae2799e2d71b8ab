/* run-log.jsonl: how a run folder was made, one JSON object a start. Only rank 0 writes. */
#ifndef HN_APP_RUN_LOG_H
#define HN_APP_RUN_LOG_H

#include <stdbool.h>

#include "base/error.h"

typedef struct HnRunLog {
    void *record; /* json_t */
    double started;
} HnRunLog;

HnStatus hn_run_log_start(HnRunLog *log, int argc, char **argv, HnError *err);
void hn_run_log_text(HnRunLog *log, const char *key, const char *value);
void hn_run_log_number(HnRunLog *log, const char *key, double value);
/* A stage's wall time; note says what happened ("made", "found", "imported"). */
void hn_run_log_stage(HnRunLog *log, const char *stage, double seconds, const char *note);
/* Appends the record to folder/run-log.jsonl with the outcome; forgets it. Safe on a log never started. */
HnStatus hn_run_log_end(HnRunLog *log, const char *folder, const HnError *outcome, HnError *err);

#endif
