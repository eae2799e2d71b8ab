/* run-log.jsonl: see run_log.h. */
#include "app/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "store.h"

HnStatus hn_run_log_start(HnRunLog *log, int argc, char **argv, HnError *err) {
    json_t *record = json_object();
    json_t *command = json_array();
    json_t *stages = json_array();
    if (record == NULL || command == NULL || stages == NULL) {
        json_decref(record);
        json_decref(command);
        json_decref(stages);
        return hn_fail(err, HN_MEMORY, "no memory for the run log");
    }
    char now[32], host[256] = "unknown";
    hn_clock_iso8601(now);
    gethostname(host, sizeof host - 1);
    for (int i = 0; i < argc; i++) {
        json_array_append_new(command, json_string(argv[i]));
    }
    json_object_set_new(record, "started", json_string(now));
    json_object_set_new(record, "version", json_string(hn_program_version()));
    json_object_set_new(record, "commit", json_string(hn_program_commit()));
    json_object_set_new(record, "host", json_string(host));
    json_object_set_new(record, "command", command);
    json_object_set_new(record, "stages", stages);
    log->record = record;
    log->started = hn_clock_seconds();
    return HN_OK;
}

void hn_run_log_text(HnRunLog *log, const char *key, const char *value) {
    if (log->record != NULL) {
        json_object_set_new(log->record, key, json_string(value));
    }
}

void hn_run_log_number(HnRunLog *log, const char *key, double value) {
    if (log->record != NULL) {
        json_object_set_new(log->record, key, json_real(value));
    }
}

void hn_run_log_stage(HnRunLog *log, const char *stage, double seconds, const char *note) {
    if (log->record == NULL) {
        return;
    }
    json_t *entry = json_pack("{s:s, s:f, s:s}", "stage", stage, "seconds", seconds, "note", note);
    if (entry != NULL) {
        json_array_append_new(json_object_get(log->record, "stages"), entry);
    }
}

static HnStatus append_line(const char *path, char *line, HnError *err) {
    size_t n = strlen(line);
    line[n] = '\n'; /* over the NUL: one write, so that lines of array elements do not mix */
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        return hn_fail_errno(err, errno, "cannot write %s", path);
    }
    ssize_t written = write(file, line, n + 1);
    int saved = errno;
    close(file);
    return written == (ssize_t)(n + 1) ? HN_OK : hn_fail_errno(err, saved, "cannot append to %s", path);
}

HnStatus hn_run_log_end(HnRunLog *log, const char *folder, const HnError *outcome, HnError *err) {
    if (log->record == NULL) {
        return HN_OK;
    }
    hn_run_log_number(log, "seconds", hn_clock_seconds() - log->started);
    hn_run_log_text(log, "outcome", outcome->status == HN_OK ? "ok" : outcome->message);
    char *line = json_dumps(log->record, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(log->record);
    log->record = NULL;
    char *path = hn_path_join(folder, "run-log.jsonl", err);
    HnStatus status = line == NULL || path == NULL ? hn_fail(err, HN_MEMORY, "no memory for the run log")
                                                   : append_line(path, line, err);
    hn_free(path);
    free(line);
    return status;
}
