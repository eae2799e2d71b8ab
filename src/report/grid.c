#include "report/grid.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "report/results.h"
#include "report/statistics.h"

size_t hn_text_width(const char *text) {
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80 ? 1u : 0u;
    }
    return width;
}

HnStatus hn_grid_add(HnGrid *grid, HnError *err, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = grid->n_cells, step = 64;
    if (n % step == 0) {
        HN_TRY(
            hn_resize(&grid->cells, n * sizeof *grid->cells, n + step, sizeof *grid->cells, "cells of a table", err));
    }
    grid->cells[n] = hn_strdup(text, err);
    grid->n_cells += grid->cells[n] != NULL;
    return grid->cells[n] == NULL ? HN_MEMORY : HN_OK;
}

HnStatus hn_grid_add_mean(HnGrid *grid, const double *values, size_t n, HnError *err) {
    return n == 0   ? hn_grid_add(grid, err, "-")
           : n == 1 ? hn_grid_add(grid, err, "%.4f", values[0])
                    : hn_grid_add(grid, err, "%.4f \u00b1 %.4f", hn_mean(values, n), hn_sample_deviation(values, n));
}

HnStatus hn_grid_add_number(HnGrid *grid, double value, HnError *err) {
    return isnan(value) ? hn_grid_add(grid, err, "%s", "") : hn_grid_add(grid, err, "%.17g", value);
}

void hn_grid_free(HnGrid *grid) {
    hn_names_free(&grid->cells, grid->n_cells);
    *grid = (HnGrid){0};
}

void hn_grid_title(const char *line, HnReportFormat format, FILE *out) {
    if (format != HN_REPORT_CSV) {
        (void)fprintf(out, "%s%s\n", format == HN_REPORT_LATEX ? "% " : "", line);
    }
}

static HnStatus write_aligned(const HnGrid *grid, FILE *out, HnError *err) {
    size_t *widest = hn_alloc(grid->n_columns, sizeof *widest, "widths of a table", err);
    if (widest == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < grid->n_cells; i++) {
        const size_t width = hn_text_width(grid->cells[i]), column = i % grid->n_columns;
        widest[column] = width > widest[column] ? width : widest[column];
    }
    for (size_t i = 0; i < grid->n_cells; i++) {
        const size_t column = i % grid->n_columns;
        bool last = column + 1 == grid->n_columns;
        size_t pad = last ? 0 : widest[column] + 2 - hn_text_width(grid->cells[i]);
        (void)fprintf(out, "%s%*s%s", grid->cells[i], (int)pad, "", last ? "\n" : "");
    }
    hn_free(widest);
    return HN_OK;
}

static void write_csv(const HnGrid *grid, FILE *out) {
    for (size_t i = 0; i < grid->n_cells; i++) {
        hn_csv_field(grid->cells[i], out);
        (void)fputc((i + 1) % grid->n_columns == 0 ? '\n' : ',', out);
    }
}

static void write_markdown(const HnGrid *grid, FILE *out) {
    for (size_t i = 0; i < grid->n_cells; i++) {
        (void)fputs(i % grid->n_columns == 0 ? "| " : " ", out);
        for (const char *c = grid->cells[i]; *c != '\0'; c++) {
            (void)fputs(*c == '|' ? "\\" : "", out);
            (void)fputc(*c, out);
        }
        (void)fputs((i + 1) % grid->n_columns == 0 ? " |\n" : " |", out);
        for (size_t k = 0; i + 1 == grid->n_columns && k < grid->n_columns; k++) {
            (void)fputs(k + 1 == grid->n_columns ? "|---|\n" : "|---", out);
        }
    }
}

/* Letters that mean something to LaTeX, and the plus-minus sign. */
static void put_latex(const char *text, FILE *out) {
    for (const char *c = text; *c != '\0'; c++) {
        if (strncmp(c, "\u00b1", 2) == 0) {
            (void)fputs("$\\pm$", out);
            c++;
        } else if (*c == '\\') {
            (void)fputs("\\textbackslash{}", out);
        } else if (*c == '~' || *c == '^') {
            (void)fprintf(out, "\\%c{}", *c);
        } else {
            (void)fputs(strchr("&%$#_{}", *c) != NULL ? "\\" : "", out);
            (void)fputc(*c, out);
        }
    }
}

static void write_latex(const HnGrid *grid, FILE *out) {
    (void)fputs("\\begin{tabular}{", out);
    for (size_t k = 0; k < grid->n_columns; k++) {
        (void)fputc('l', out);
    }
    (void)fputs("}\n\\toprule\n", out);
    for (size_t i = 0; i < grid->n_cells; i++) {
        put_latex(grid->cells[i], out);
        (void)fputs((i + 1) % grid->n_columns == 0 ? " \\\\\n" : " & ", out);
        (void)fputs(i + 1 == grid->n_columns ? "\\midrule\n" : "", out);
    }
    (void)fputs("\\bottomrule\n\\end{tabular}\n", out);
}

HnStatus hn_grid_write(const HnGrid *grid, HnReportFormat format, FILE *out, HnError *err) {
    switch (format) {
    case HN_REPORT_TABLE:
        return write_aligned(grid, out, err);
    case HN_REPORT_CSV:
        write_csv(grid, out);
        return HN_OK;
    case HN_REPORT_MARKDOWN:
        write_markdown(grid, out);
        return HN_OK;
    case HN_REPORT_LATEX:
        write_latex(grid, out);
        return HN_OK;
    case HN_REPORT_JSON:
        break;
    }
    return hn_fail(err, HN_USAGE, "this table is not made as JSON; take csv");
}
