/* Malformed lines: counted per file, the first few reported, and the run failed above a share of them. */
#ifndef HN_DATA_BAD_LINES_H
#define HN_DATA_BAD_LINES_H

#include <stdint.h>

#include "base/error.h"
#include "data/json.h"

typedef struct HnBadLines {
    const char *path, *format;
    double max_share;
    uint64_t read, bad; /* lines that are not blank; malformed ones among them */
    uint64_t first_line;
    char first_why[HN_WHY_BYTES];
} HnBadLines;

void hn_bad_lines_start(HnBadLines *lines, const char *path, const char *format, double max_share);
/* Counts one line; why NULL or "" = good. Fails early where a long file has no good line at all. */
HnStatus hn_bad_lines_count(HnBadLines *lines, uint64_t line, const char *why, HnError *err);
/* At the end of the file: the total as a warning, or the failure above max_share, or an empty file's. */
HnStatus hn_bad_lines_finish(const HnBadLines *lines, HnError *err);

#endif
