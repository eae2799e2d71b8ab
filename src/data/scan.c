#include "scan.h"

#include <string.h>

#include "bad_lines.h"
#include "base/log.h"

enum { LINES_PER_LOOK = 4096, PROGRESS_FROM = 64 << 20 };

static bool is_blank(const HnLine *line) {
    return line->fault == NULL && line->text[strspn(line->text, " \t")] == '\0';
}

/* Once in a while: has somebody asked to stop, and how far are we? */
static HnStatus look_up(const HnInput *input, HnProgress *progress, const HnLine *line, HnError *err) {
    if (line->number % LINES_PER_LOOK != 0) {
        return HN_OK;
    }
    if (hn_stop_requested()) {
        return hn_fail(err, HN_INTERRUPTED, "stopped while reading; nothing was written");
    }
    if (hn_input_size(input) >= PROGRESS_FROM) {
        hn_progress_update(progress, hn_input_offset(input));
    }
    return HN_OK;
}

static HnStatus scan_lines(const HnScan *scan, HnInput *input, HnReader *reader, HnBadLines *bad, HnError *err) {
    HnProgress progress;
    bool shown = hn_input_size(input) >= PROGRESS_FROM;
    const char *base = strrchr(scan->path, '/');
    if (shown) {
        hn_progress_start(&progress, base != NULL ? base + 1 : scan->path, hn_input_size(input), 0);
    }
    HnLine line;
    bool got = false;
    for (;;) {
        HN_TRY(hn_input_next(input, &line, &got, err));
        if (!got || (scan->done != NULL && *scan->done)) {
            break;
        }
        HN_TRY(look_up(input, &progress, &line, err));
        if (is_blank(&line)) {
            continue;
        }
        reader->why[0] = '\0';
        if (line.fault == NULL) {
            HN_TRY(scan->each(scan->context, reader, &line, err));
        }
        HN_TRY(hn_bad_lines_count(bad, line.number, line.fault != NULL ? line.fault : reader->why, err));
    }
    if (shown) {
        hn_progress_finish(&progress);
    }
    return HN_OK;
}

HnStatus hn_scan(const HnScan *scan, HnScanResult *result, HnError *err) {
    memset(result, 0, sizeof *result);
    HnInput *input = NULL;
    HnReader reader;
    HnBadLines bad;
    hn_reader_start(&reader, scan->ops, scan->path, scan->items, scan->with_text);
    hn_bad_lines_start(&bad, scan->path, scan->format, scan->max_bad_share);
    unsigned flags = scan->first_pass ? HN_INPUT_HASH : scan->own_check ? HN_INPUT_ANY_BYTES : 0;
    flags |= scan->ops != NULL && scan->items ? scan->ops->input_flags : 0;
    HnStatus status = hn_input_open(scan->path, flags, &input, err);
    if (status == HN_OK) {
        status = scan_lines(scan, input, &reader, &bad, err);
    }
    if (status == HN_OK && scan->first_pass) {
        status = hn_bad_lines_finish(&bad, err);
        hn_input_sha256(input, result->sha256);
    }
    if (status == HN_OK && reader.markup_titles > 0) {
        hn_log(HN_LOG_INFO, "%s: %llu titles are left-over HTML and left out", scan->path,
               (unsigned long long)reader.markup_titles);
    }
    result->lines_read = bad.read;
    result->lines_bad = bad.bad;
    hn_input_close(&input);
    hn_reader_stop(&reader);
    return status;
}
