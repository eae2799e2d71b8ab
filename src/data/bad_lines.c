#include "bad_lines.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { REPORTED = 5, HOPELESS = 1000 };

void hn_bad_lines_start(HnBadLines *lines, const char *path, const char *format, double max_share) {
    memset(lines, 0, sizeof *lines);
    lines->path = path;
    lines->format = format;
    lines->max_share = max_share;
}

static HnStatus too_many(const HnBadLines *lines, HnError *err) {
    return hn_fail(
        err, HN_INPUT,
        "%s: %llu of %llu lines (%.4g %%) are malformed, above data.max_bad_share = %g; the first is line %llu: "
        "%s. Check data.format (it is %s), repair the file, or raise data.max_bad_share",
        lines->path, (unsigned long long)lines->bad, (unsigned long long)lines->read,
        100.0 * (double)lines->bad / (double)lines->read, lines->max_share, (unsigned long long)lines->first_line,
        lines->first_why, lines->format);
}

HnStatus hn_bad_lines_count(HnBadLines *lines, uint64_t line, const char *why, HnError *err) {
    lines->read++;
    if (why == NULL || why[0] == '\0') {
        return HN_OK;
    }
    if (lines->bad++ == 0) {
        lines->first_line = line;
        (void)snprintf(lines->first_why, sizeof lines->first_why, "%s", why);
    }
    if (lines->bad <= REPORTED) {
        hn_log(HN_LOG_WARN, "%s:%llu: %s; the line is left out", lines->path, (unsigned long long)line, why);
    }
    return lines->bad == HOPELESS && lines->read == HOPELESS && lines->max_share < 1 ? too_many(lines, err) : HN_OK;
}

HnStatus hn_bad_lines_finish(const HnBadLines *lines, HnError *err) {
    if (lines->read == 0) {
        return hn_fail(err, HN_INPUT,
                       "%s is empty: there is nothing to read in it; fetch it again, or take it out of data.*",
                       lines->path);
    }
    if ((double)lines->bad > lines->max_share * (double)lines->read) {
        return too_many(lines, err);
    }
    if (lines->bad > 0) {
        hn_log(HN_LOG_WARN, "%s: %llu of %llu lines (%.4g %%) are malformed and left out", lines->path,
               (unsigned long long)lines->bad, (unsigned long long)lines->read,
               100.0 * (double)lines->bad / (double)lines->read);
    }
    return HN_OK;
}
