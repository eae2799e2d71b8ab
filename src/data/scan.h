/* Every line of one input file through a callback: malformed lines counted, progress shown, a stop obeyed. */
#ifndef HN_DATA_SCAN_H
#define HN_DATA_SCAN_H

#include "base/error.h"
#include "data/reader.h"

/* A line that the file's fault check passed and that is not blank. reader->why set on return: it was malformed. */
typedef HnStatus HnLineFn(void *context, HnReader *reader, HnLine *line, HnError *err);

typedef struct HnScan {
    const char *path;
    const HnReaderOps *ops;
    const char *format; /* what the message calls the format */
    bool items;         /* a file of items */
    bool with_text;
    double max_bad_share;
    bool first_pass; /* count malformed lines and compute sha256; else a second look at known lines */
    bool own_check;  /* the callback looks at few lines, and checks their encoding itself */
    HnLineFn *each;
    void *context;
    const bool *done; /* set by the callback to end early; may be NULL */
} HnScan;

typedef struct HnScanResult {
    uint64_t lines_read, lines_bad;
    char sha256[65];
} HnScanResult;

HnStatus hn_scan(const HnScan *scan, HnScanResult *result, HnError *err);

#endif
