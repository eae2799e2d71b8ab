/* The table for people: blocks of columns that fit a terminal, then what the marks mean. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "report/grid.h"
#include "report/results.h"

enum { CELL_WIDTH = 20, LINE_WIDTH = 112 };

static HnStatus put_padded(HnText *line, const char *text, size_t width, HnError *err) {
    size_t used = hn_text_width(text);
    return hn_text_printf(line, err, "%s%*s", text, used < width ? (int)(width - used) : 0, "");
}

/* "[0.1234 ± 0.0012]*" */
static HnStatus put_cell(HnText *line, const HnCell *cell, size_t width, HnError *err) {
    char text[96];
    const char *open = cell->best ? "[" : " ", *close = cell->best ? "]" : " ";
    const char *star = hn_cell_is_significant(cell) ? "*" : "";
    if (cell->n == 0) {
        snprintf(text, sizeof text, " -");
    } else if (cell->n == 1) {
        snprintf(text, sizeof text, "%s%.4f%s%s", open, cell->mean, close, star);
    } else {
        snprintf(text, sizeof text, "%s%.4f \u00b1 %.4f%s%s", open, cell->mean, cell->deviation, close, star);
    }
    return put_padded(line, text, width, err);
}

/* A line ends without the blanks that its last cell was padded with. */
static HnStatus end_line(HnText *out, HnError *err) {
    while (out->length > 0 && out->data[out->length - 1] == ' ') {
        out->data[--out->length] = '\0';
    }
    return hn_text_puts(out, "\n", err);
}

size_t hn_results_n_seeds(const HnResults *results, const HnResultRow *row) {
    size_t n = 0;
    for (size_t s = 0; s < results->n_seeds; s++) {
        n += row->results[s].present ? 1u : 0u;
    }
    return n;
}

static HnStatus put_block(const HnResults *results, const HnCell *cells, size_t name_width, size_t first, size_t last,
                          HnText *out, HnError *err) {
    HN_TRY(put_padded(out, "row", name_width + 2, err));
    HN_TRY(put_padded(out, "seeds", 8, err));
    for (size_t m = first; m < last; m++) {
        HN_TRY(hn_text_puts(out, " ", err));
        HN_TRY(put_padded(out, results->metrics[m], CELL_WIDTH - 1, err));
    }
    HN_TRY(end_line(out, err));
    for (size_t r = 0; r < results->n_rows; r++) {
        char seeds[32];
        snprintf(seeds, sizeof seeds, "%zu/%zu", hn_results_n_seeds(results, &results->rows[r]), results->n_seeds);
        HN_TRY(put_padded(out, results->rows[r].name, name_width + 2, err));
        HN_TRY(put_padded(out, seeds, 8, err));
        for (size_t m = first; m < last; m++) {
            HN_TRY(put_cell(out, &cells[r * results->n_metrics + m], CELL_WIDTH, err));
        }
        HN_TRY(end_line(out, err));
    }
    return hn_text_puts(out, "\n", err);
}

HnStatus hn_results_put_missing(const HnResults *results, HnText *out, HnError *err) {
    for (size_t r = 0; r < results->n_rows; r++) {
        bool any = false;
        for (size_t s = 0; s < results->n_seeds; s++) {
            if (!results->rows[r].results[s].present) {
                HN_TRY(hn_text_printf(out, err, "%s%s %lld", any ? "," : "missing: ", any ? "" : results->rows[r].name,
                                      (long long)results->seeds[s]));
                any = true;
            }
        }
        if (any) {
            HN_TRY(hn_text_puts(out, " (seeds; run again with the same --out to finish)\n", err));
        }
    }
    return HN_OK;
}

static bool any_significant(const HnResults *results, const HnCell *cells) {
    for (size_t i = 0; i < results->n_rows * results->n_metrics; i++) {
        if (hn_cell_is_significant(&cells[i])) {
            return true;
        }
    }
    return false;
}

static HnStatus put_legend(const HnResults *results, const HnCell *cells, HnText *out, HnError *err) {
    HN_TRY(hn_text_puts(out, "mean \u00b1 sample standard deviation over seeds", err));
    HN_TRY(hn_text_puts(
        out, results->n_rows > 1 ? "; [ ] best mean of the column, among the rows with most seeds\n" : "\n", err));
    if (results->n_rows > 1) {
        HN_TRY(hn_text_printf(
            out, err,
            "%s differs from the first row: two-sided paired t-test over the same seeds, p < %.2f, not corrected "
            "for the number of cells%s\n",
            "*", hn_significance_level, any_significant(results, cells) ? "" : " (no cell does)"));
        HN_TRY(hn_text_puts(out, "p-values, Wilcoxon's too: --format csv or json\n", err));
    }
    HN_TRY(hn_results_put_missing(results, out, err));
    if (results->note != NULL) {
        HN_TRY(hn_text_printf(out, err,
                              "note: rows are in the order of their folders, and seeds that are absent from all "
                              "rows are not known: %s\n",
                              results->note));
    }
    return HN_OK;
}

static HnStatus put_all(const HnResults *results, const HnCell *cells, const char *folder, HnText *out, HnError *err) {
    size_t name_width = 3;
    for (size_t r = 0; r < results->n_rows; r++) {
        size_t width = hn_text_width(results->rows[r].name);
        name_width = width > name_width ? width : name_width;
    }
    HN_TRY(
        hn_text_printf(out, err, "%s (%s)\n", results->experiment == NULL ? "results" : results->experiment, folder));
    if (results->synthetic) {
        HN_TRY(hn_text_puts(out, HN_SYNTHETIC_NOTE "\n", err));
    }
    if (results->on_test) {
        HN_TRY(hn_text_puts(out, HN_ON_TEST_NOTE "\n", err));
    }
    if (results->untested) {
        HN_TRY(hn_text_puts(out, HN_UNTESTED_NOTE "\n", err));
    }
    HN_TRY(hn_text_puts(out, "\n", err));
    size_t room = name_width + 10 < LINE_WIDTH ? (LINE_WIDTH - name_width - 10) / CELL_WIDTH : 1;
    size_t columns = room == 0 ? 1 : room;
    for (size_t first = 0; first < results->n_metrics; first += columns) {
        size_t last = first + columns < results->n_metrics ? first + columns : results->n_metrics;
        HN_TRY(put_block(results, cells, name_width, first, last, out, err));
    }
    return put_legend(results, cells, out, err);
}

HnStatus hn_table_write(const HnResults *results, const HnCell *cells, const char *folder, FILE *out, HnError *err) {
    HnText text = {0};
    HnStatus status = put_all(results, cells, folder, &text, err);
    if (status == HN_OK) {
        (void)fputs(hn_text_get(&text), out); /* hn_report asks the stream for errors */
    }
    hn_text_free(&text);
    return status;
}

/* Markdown and LaTeX: one wide table, marks as in the table for people. */
static HnStatus fill_page(const HnResults *results, const HnCell *cells, HnGrid *grid, HnError *err) {
    grid->n_columns = 2 + results->n_metrics;
    HN_TRY(hn_grid_add(grid, err, "row"));
    HN_TRY(hn_grid_add(grid, err, "seeds"));
    for (size_t m = 0; m < results->n_metrics; m++) {
        HN_TRY(hn_grid_add(grid, err, "%s", results->metrics[m]));
    }
    for (size_t r = 0; r < results->n_rows; r++) {
        HN_TRY(hn_grid_add(grid, err, "%s", results->rows[r].name));
        HN_TRY(hn_grid_add(grid, err, "%zu/%zu", hn_results_n_seeds(results, &results->rows[r]), results->n_seeds));
        for (size_t m = 0; m < results->n_metrics; m++) {
            HnText text = {0};
            HnStatus status = put_cell(&text, &cells[r * results->n_metrics + m], 0, err);
            status = status == HN_OK ? hn_grid_add(grid, err, "%s", hn_text_get(&text)) : status;
            hn_text_free(&text);
            HN_TRY(status);
        }
    }
    return HN_OK;
}

HnStatus hn_page_write(const HnResults *results, const HnCell *cells, HnReportFormat format, FILE *out, HnError *err) {
    HnGrid grid = {0};
    HnText legend = {0};
    HnStatus status = fill_page(results, cells, &grid, err);
    status = status == HN_OK ? put_legend(results, cells, &legend, err) : status;
    if (status == HN_OK) {
        if (results->synthetic) {
            hn_grid_title(HN_SYNTHETIC_NOTE "\n", format, out);
        }
        if (results->on_test) {
            hn_grid_title(HN_ON_TEST_NOTE "\n", format, out);
        }
        if (results->untested) {
            hn_grid_title(HN_UNTESTED_NOTE "\n", format, out);
        }
        status = hn_grid_write(&grid, format, out, err);
    }
    if (status == HN_OK) {
        (void)fputc('\n', out);
        for (char *line = legend.data; line != NULL && *line != '\0';) {
            size_t n = strcspn(line, "\n");
            line[n] = '\0';
            hn_grid_title(line, format, out);
            line += n + 1;
        }
    }
    hn_text_free(&legend);
    hn_grid_free(&grid);
    return status;
}
