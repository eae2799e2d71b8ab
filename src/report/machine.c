/* The tables for programs: CSV and JSON, in full precision. */
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "report/results.h"

void hn_csv_field(const char *text, FILE *out) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        (void)fputs(*text == '"' ? "\"\"" : "", out);
        if (*text != '"') {
            (void)fputc(*text, out);
        }
    }
    (void)fputc('"', out);
}

/* ",0.1234", or "," where there is no number. */
static void put_number(double value, FILE *out) {
    (void)fputc(',', out);
    if (!isnan(value)) {
        (void)fprintf(out, "%.17g", value);
    }
}

static void put_missing(const HnResults *results, const HnResultRow *row, FILE *out) {
    bool any = false;
    (void)fputc(',', out);
    for (size_t s = 0; s < results->n_seeds; s++) {
        if (!row->results[s].present) {
            (void)fprintf(out, "%s%lld", any ? " " : "", (long long)results->seeds[s]);
            any = true;
        }
    }
}

HnStatus hn_csv_write(const HnResults *results, const HnCell *cells, FILE *out, HnError *err) {
    (void)err;
    (void)fputs("variant,metric,n_seeds,mean,sample_deviation,least,most,best,n_pairs,difference_to_first,paired_t_p,"
                "wilcoxon_p,missing_seeds,synthetic,selected_on_test\n",
                out);
    for (size_t r = 0; r < results->n_rows; r++) {
        for (size_t m = 0; m < results->n_metrics; m++) {
            const HnCell *cell = &cells[r * results->n_metrics + m];
            hn_csv_field(results->rows[r].name, out);
            (void)fprintf(out, ",%s,%zu", results->metrics[m], cell->n);
            put_number(cell->mean, out);
            put_number(cell->deviation, out);
            put_number(cell->least, out);
            put_number(cell->most, out);
            (void)fprintf(out, ",%d,%zu", cell->best ? 1 : 0, cell->n_pairs);
            put_number(cell->difference, out);
            put_number(cell->t_p, out);
            put_number(cell->wilcoxon_p, out);
            put_missing(results, &results->rows[r], out);
            (void)fprintf(out, ",%d,%d\n", results->synthetic ? 1 : 0, results->rows[r].on_test ? 1 : 0);
        }
    }
    return HN_OK;
}

static json_t *number(double value) {
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *cell_object(const HnCell *cell, bool is_first) {
    json_t *object = json_pack("{s:I, s:o, s:o, s:o, s:o, s:b}", "n_seeds", (json_int_t)cell->n, "mean",
                               number(cell->mean), "sample_deviation", number(cell->deviation), "least",
                               number(cell->least), "most", number(cell->most), "best", (int)cell->best);
    if (object != NULL && !is_first) {
        json_t *against = json_pack("{s:I, s:o, s:o, s:o}", "n_pairs", (json_int_t)cell->n_pairs, "difference",
                                    number(cell->difference), "paired_t_p", number(cell->t_p), "wilcoxon_p",
                                    number(cell->wilcoxon_p));
        (void)json_object_set_new(object, "against_first_row", against); /* refuses NULL; counted below */
        if (against == NULL) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *result_object(const HnResults *results, const HnResult *result, int64_t seed) {
    json_t *test = json_object();
    for (size_t m = 0; m < results->n_metrics; m++) {
        if (!isnan(result->test[m]) &&
            json_object_set_new(test, results->metrics[m], json_real(result->test[m])) != 0) {
            json_decref(test);
            return NULL;
        }
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:s, s:o}", "seed", (json_int_t)seed, "best_epoch",
                     (json_int_t)result->best_epoch, "epochs_run", (json_int_t)result->epochs_run, "n_test_users",
                     (json_int_t)result->n_test_users, "file", result->path, "test", test);
}

static json_t *row_object(const HnResults *results, const HnCell *cells, size_t r) {
    const HnResultRow *row = &results->rows[r];
    json_t *seeds = json_array(), *missing = json_array(), *metrics = json_object();
    bool good = seeds != NULL && missing != NULL && metrics != NULL;
    for (size_t s = 0; s < results->n_seeds && good; s++) {
        good = row->results[s].present
                   ? json_array_append_new(seeds, result_object(results, &row->results[s], results->seeds[s])) == 0
                   : json_array_append_new(missing, json_integer((json_int_t)results->seeds[s])) == 0;
    }
    for (size_t m = 0; m < results->n_metrics && good; m++) {
        good = json_object_set_new(metrics, results->metrics[m],
                                   cell_object(&cells[r * results->n_metrics + m], r == 0)) == 0;
    }
    json_t *object = good ? json_pack("{s:s, s:b, s:O, s:O, s:O}", "variant", row->name, "selected_on_test",
                                      (int)row->on_test, "metrics", metrics, "seeds", seeds, "missing_seeds", missing)
                          : NULL;
    json_decref(seeds);
    json_decref(missing);
    json_decref(metrics);
    return object;
}

HnStatus hn_json_write(const HnResults *results, const HnCell *cells, const char *folder, FILE *out, HnError *err) {
    json_t *rows = json_array();
    bool good = rows != NULL;
    for (size_t r = 0; r < results->n_rows && good; r++) {
        good = json_array_append_new(rows, row_object(results, cells, r)) == 0;
    }
    json_t *object =
        good ? json_pack("{s:s?, s:s, s:b, s:s, s:O}", "experiment", results->experiment, "folder", folder, "synthetic",
                         (int)results->synthetic, "reference_row", results->rows[0].name, "rows", rows)
             : NULL;
    json_decref(rows);
    if (object == NULL) {
        return hn_fail(err, HN_MEMORY,
                       "the results cannot be put into JSON (out of memory, or a name that is not UTF-8)");
    }
    (void)json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17)); /* hn_report asks the stream for errors */
    (void)fputc('\n', out);
    json_decref(object);
    return HN_OK;
}
