/* A grid of short texts under headings, laid out for people or programs. Private to this room. */
#ifndef HN_REPORT_GRID_H
#define HN_REPORT_GRID_H

#include <stdio.h>

#include "base/error.h"
#include "report/report.h"

typedef struct HnGrid {
    size_t n_columns, n_cells; /* headings are the first cells */
    char **cells;
} HnGrid; /* zero-initialise, set n_columns */

/* The next cell, row by row. */
HnStatus hn_grid_add(HnGrid *grid, HnError *err, const char *format, ...) HN_PRINTF(3, 4);
/* A mean with its sample deviation ("0.1234 ± 0.0010", "0.1234" for n = 1, "-" for 0), as the next cell. */
HnStatus hn_grid_add_mean(HnGrid *grid, const double *values, size_t n, HnError *err);
/* The next cell: the number in full precision; empty for NaN. */
HnStatus hn_grid_add_number(HnGrid *grid, double value, HnError *err);
/* Aligned columns, CSV, a Markdown table, or a LaTeX tabular (booktabs). HN_REPORT_JSON is refused. */
HnStatus hn_grid_write(const HnGrid *grid, HnReportFormat format, FILE *out, HnError *err);
/* A line above the grid: plain, a comment in LaTeX, nothing in CSV. */
void hn_grid_title(const char *line, HnReportFormat format, FILE *out);
void hn_grid_free(HnGrid *grid);

size_t hn_text_width(const char *text); /* columns that a text takes, near enough: its code points */

#endif
