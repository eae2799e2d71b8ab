/* Tables of a run folder made by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/alloc.h"
#include "base/file.h"
#include "folder.h"
#include "report/report.h"

static char top[256];
static char output[65536];

static int make_top(void **state) {
    (void)state;
    snprintf(top, sizeof top, "/tmp/hn-report-XXXXXX");
    return mkdtemp(top) == NULL ? -1 : 0;
}

static int drop_top(void **state) {
    (void)state;
    return hn_folder_remove(top, NULL) == HN_OK && hn_alloc_live_blocks() == 0 ? 0 : -1;
}

static HnStatus report(const char *folder, HnReportFormat format, HnError *err) {
    FILE *stream = tmpfile();
    assert_non_null(stream);
    HnStatus status = hn_report(folder, format, stream, err);
    rewind(stream);
    size_t n = fread(output, 1, sizeof output - 1, stream);
    output[n] = '\0';
    fclose(stream);
    return status;
}

static void assert_says(const char *text) {
    if (strstr(output, text) == NULL) {
        fail_msg("\"%s\" is missing in:\n%s", text, output);
    }
}

/* Where nobody was tested, a mean over nobody is no 0.0000. */
static void untested_is_said(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const double zeros[2] = {0.0, 0.0};
    char *folder = hn_path_join(top, "untested", NULL);
    folder_put_result(folder, "a", "A", 8, 2, folder_metrics, zeros, false);
    folder_put_result(folder, "b", "B", 8, 2, folder_metrics, zeros, false);
    const HnReportFormat formats[] = {HN_REPORT_TABLE, HN_REPORT_MARKDOWN, HN_REPORT_LATEX, HN_REPORT_CSV,
                                      HN_REPORT_JSON};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        assert_int_equal(report(folder, formats[i], &err), HN_OK);
        assert_null(strstr(output, "0.0000"));
        if (i < 3) {
            assert_says("NOT TESTED: no user has a test item");
        }
    }
    assert_says("\"mean\": null");
    hn_free(folder);
}

static void table_for_people(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "table", true, true);
    assert_int_equal(report(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_says("by hand (");
    assert_says("SYNTHETIC DATA");
    assert_says("[0.2000 \u00b1 0.1000]");   /* Zeta's recall: best among the rows with all seeds */
    assert_says(" 0.2501 \u00b1 0.0708 * "); /* Alpha's: higher, but of two seeds only; significant against the first */
    assert_says("  0.5000 \u00b1 0.0000\n");
    assert_says("3/3");
    assert_says("2/3");
    assert_says("0/3");
    assert_says("missing: Alpha 3 (seeds");
    assert_says("missing: not run 1, 2, 3 (seeds");
    assert_says("paired t-test");
    assert_true(strstr(output, "Zeta, first") < strstr(output, "Alpha"));
    assert_null(strstr(output, "note:"));
    hn_free(folder);
}

static void csv_has_full_precision(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "csv", true, false);
    assert_int_equal(report(folder, HN_REPORT_CSV, &err), HN_OK);
    int lines = 0;
    for (const char *c = output; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, 1 + 3 * 2);
    assert_says("\"Zeta, first\",recall@10,3,");
    assert_says("not run,recall@10,0,,,,,0,0,,,,1 2 3,0,0\n");
    const char *alpha = strstr(output, "Alpha,recall@10,2,");
    assert_non_null(alpha);
    double mean = strtod(alpha + strlen("Alpha,recall@10,2,"), NULL);
    assert_true(mean == (0.2001 + 0.3002) / 2.0);
    /* Differences .1001 and .1002: t = .10015 / .00005 = 2003, one degree of freedom: p = 2/pi * atan(1/2003). */
    double fields[12];
    const char *at = alpha + strlen("Alpha,");
    for (int i = 0; i < 12; i++) {
        fields[i] = strtod(at, NULL);
        at = strchr(at, ',');
        at = at == NULL ? "" : at + 1;
    }
    assert_int_equal((int)fields[7], 2);
    assert_true(fabs(fields[8] - 0.10015) < 1e-12);
    assert_true(fabs(fields[9] - atan(1.0 / 2003.0) * 2.0 / 3.14159265358979323846) < 1e-9);
    assert_true(fields[10] == 0.5);
    hn_free(folder);
}

static void json_says_everything(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "json", true, true);
    assert_int_equal(report(folder, HN_REPORT_JSON, &err), HN_OK);
    json_error_t why;
    json_t *object = json_loads(output, 0, &why), *rows = json_object_get(object, "rows");
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "experiment")), "by hand");
    assert_true(json_is_true(json_object_get(object, "synthetic")));
    assert_int_equal(json_array_size(rows), 3);
    json_t *alpha = json_array_get(rows, 1), *cell = json_object_get(json_object_get(alpha, "metrics"), "ndcg@10");
    assert_int_equal(json_array_size(json_object_get(alpha, "seeds")), 2);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(alpha, "missing_seeds"), 0)), 3);
    assert_true(json_real_value(json_object_get(cell, "mean")) == 0.5);
    assert_true(json_real_value(json_object_get(json_object_get(cell, "against_first_row"), "paired_t_p")) == 1.0);
    json_t *seed = json_array_get(json_object_get(alpha, "seeds"), 1);
    assert_true(json_real_value(json_object_get(json_object_get(seed, "test"), "recall@10")) == 0.3002);
    json_t *absent = json_object_get(json_object_get(json_array_get(rows, 2), "metrics"), "recall@10");
    assert_true(json_is_null(json_object_get(absent, "mean")));
    json_decref(object);
    hn_free(folder);
}

static void without_the_experiment(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "bare", false, false);
    assert_int_equal(report(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_says("note: rows are in the order of their folders");
    assert_says("experiment.yaml");
    assert_null(strstr(output, "SYNTHETIC"));
    assert_true(strstr(output, "Alpha") < strstr(output, "Zeta, first"));
    assert_says("missing: Alpha 3");
    hn_free(folder);
}

static void one_seed_has_no_deviation(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = hn_path_join(top, "one", NULL);
    folder_put_result(folder, "only", "only", 9, 2, folder_metrics, (double[]){0.125, 0.25}, false);
    assert_int_equal(report(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_says(" 0.1250");
    assert_null(strstr(output, " \n"));
    assert_null(strstr(output, "0.1250 \u00b1"));
    assert_null(strstr(output, "nan"));
    assert_int_equal(report(folder, HN_REPORT_CSV, &err), HN_OK);
    assert_says("only,recall@10,1,0.125,,0.125,0.125,0,0,,,,,0,0\n");
    hn_free(folder);
}

/* And in the part that the epoch was selected on. */
static void rows_may_differ_in_metrics(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = hn_path_join(top, "mixed", NULL);
    const char *const other[] = {"ndcg@10", "mrr@5"};
    folder_put_result(folder, "a", "a", 1, 2, folder_metrics, (double[]){0.1, 0.2}, false);
    folder_put_result(folder, "b", "b", 7, 2, other, (double[]){0.3, 0.4}, false);
    assert_int_equal(report(folder, HN_REPORT_CSV, &err), HN_OK);
    assert_says("a,recall@10,1,0.1");
    assert_says("b,ndcg@10,1,0.2999");
    assert_says("b,mrr@5,1,0.4");
    assert_says("missing_seeds,synthetic,selected_on_test\n");
    assert_says("a,mrr@5,0,,,,,0,0,,,,7,0,0\nb,recall@10,0,");
    assert_says(",1,0,1\nb,ndcg@10,");
    assert_int_equal(report(folder, HN_REPORT_JSON, &err), HN_OK);
    assert_says("\"variant\": \"a\",\n      \"selected_on_test\": false");
    assert_says("\"variant\": \"b\",\n      \"selected_on_test\": true");
    hn_free(folder);
}

static void what_cannot_be_read_is_an_error(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(report("/no/such/run", HN_REPORT_TABLE, &err), HN_INPUT);
    assert_non_null(strstr(err.message, "/no/such/run"));
    hn_error_clear(&err);
    char *folder = hn_path_join(top, "empty", NULL);
    folder_put_experiment(folder, folder_experiment);
    assert_int_equal(report(folder, HN_REPORT_TABLE, &err), HN_INPUT);
    assert_non_null(strstr(err.message, "no finished training"));
    hn_free(folder);

    hn_error_clear(&err);
    folder = folder_put_run(top, "corrupt", true, false);
    char *path = hn_path_join(folder, "train/alpha/seed-2/result.h5", NULL);
    assert_int_equal(hn_file_write_atomic(path, "not a store", 11, &err), HN_OK);
    assert_int_not_equal(report(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_non_null(strstr(err.message, "result.h5"));
    hn_free(path);
    hn_free(folder);

    hn_error_clear(&err);
    folder = folder_put_run(top, "twice", true, false);
    folder_put_result(folder, "copy-of-alpha", "Alpha", 1, 2, folder_metrics, (double[]){0.1, 0.2}, false);
    assert_int_equal(report(folder, HN_REPORT_TABLE, &err), HN_CONFLICT);
    hn_free(folder);

    hn_error_clear(&err);
    folder = folder_put_run(top, "full", true, false);
    FILE *full = fopen("/dev/full", "w");
    if (full != NULL) {
        assert_int_equal(hn_report(folder, HN_REPORT_JSON, full, &err), HN_IO);
        fclose(full);
    }
    hn_free(folder);
}

static HnStatus report_curves(const char *folder, HnError *err) {
    FILE *stream = tmpfile();
    HnStatus status = hn_report_curves(folder, stream, err);
    rewind(stream);
    output[fread(output, 1, sizeof output - 1, stream)] = '\0';
    fclose(stream);
    return status;
}

static void curves_hold_every_epoch(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "curves", true, false);
    assert_int_equal(report_curves(folder, &err), HN_OK);
    assert_says("variant,seed,epoch,part,name,value,selected_on_test\n");
    assert_says("Alpha,1,1,loss,total,0.69999999999999996,0\n");
    assert_says("Alpha,1,2,loss,l2,0.02,0\n");
    assert_says("\"Zeta, first\",3,2,valid,ndcg@10,0.125,0\n");
    hn_free(folder);
}

static HnStatus report_groups(const char *folder, HnReportFormat format, HnError *err) {
    FILE *stream = tmpfile();
    HnStatus status = hn_report_groups(folder, format, stream, err);
    rewind(stream);
    output[fread(output, 1, sizeof output - 1, stream)] = '\0';
    fclose(stream);
    return status;
}

static void groups_are_means_over_seeds(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "groups", true, true);
    assert_int_equal(report_groups(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_says("SYNTHETIC DATA");
    /* Zeta's recall is .1, .2, .3 over all; "few" has half of it, and adds a quarter. */
    assert_says("Zeta, first  activity  few        30       29     0.1000 \u00b1 0.0500  0.2083 \u00b1 0.0722");
    assert_says("0.0500 \u00b1 0.0250\n");
    assert_int_equal(report_groups(folder, HN_REPORT_CSV, &err), HN_OK);
    assert_says("\"Zeta, first\",activity,many|more,6,99,10,9,recall@10,3,0.4000");
    assert_says("Alpha,activity,few,1,5,30,29,recall_share@10,2,0.0625");
    assert_int_equal(report_groups(folder, HN_REPORT_MARKDOWN, &err), HN_OK);
    assert_says("| row | kind | group | members | users | recall@10 | ndcg@10 | recall_share@10 |\n|---|---|");
    assert_says("| many\\|more |");
    assert_int_equal(report_groups(folder, HN_REPORT_LATEX, &err), HN_OK);
    assert_says("% SYNTHETIC DATA");
    assert_says("recall\\_share@10 \\\\\n\\midrule");
    assert_says("0.1000 $\\pm$ 0.0500 &");
    assert_int_equal(report_groups(folder, HN_REPORT_JSON, &err), HN_USAGE);
    hn_free(folder);

    hn_error_clear(&err);
    folder = hn_path_join(top, "no-groups", NULL);
    folder_put_result(folder, "only", "only", 9, 2, folder_metrics, (double[]){0.125, 0.25}, false);
    assert_int_equal(report_groups(folder, HN_REPORT_TABLE, &err), HN_INPUT);
    assert_non_null(strstr(err.message, "eval.activity_groups"));
    hn_free(folder);
}

/* Two runs of two shares; one that does not say its share is refused. */
static void shares_stand_side_by_side(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *whole = folder_put_run(top, "share-whole", true, true),
         *half = folder_put_run(top, "share-half", false, false);
    folder_put_experiment(half, "name: half\nseeds: [1, 2, 3]\ndata.train_share: 0.5\ncompare: [{name: Alpha}]\n");
    const char *const folders[] = {half, whole};
    FILE *stream = tmpfile();
    assert_int_equal(hn_report_shares(folders, 2, stream, &err), HN_OK);
    rewind(stream);
    output[fread(output, 1, sizeof output - 1, stream)] = '\0';
    fclose(stream);
    assert_says(
        "row,train_share,metric,n_seeds,mean,sample_deviation,synthetic,selected_on_test\nAlpha,0.5,recall@10,2,0.25");
    assert_says("Alpha,1,recall@10,2,0.25");
    assert_says("\"Zeta, first\",1,ndcg@10,3,0.41666666666666669,0.1443375672974064");
    assert_says(",1,0\n");
    hn_free(whole);
    hn_free(half);
    char *bare = folder_put_run(top, "share-unknown", false, false);
    const char *const unknown[] = {bare};
    stream = tmpfile();
    assert_int_equal(hn_report_shares(unknown, 1, stream, &err), HN_INPUT);
    assert_non_null(strstr(err.message, "data.train_share"));
    fclose(stream);
    hn_free(bare);
}

/* Wherever figures of a row stand that chose its epoch on test, they say so; those of other rows do not. */
static void selected_on_test_is_said(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = hn_path_join(top, "on-test", NULL);
    folder_put_result(folder, "a", "a", 1, 2, folder_metrics, (double[]){0.1, 0.2}, false);
    folder_put_result(folder, "b", "b", 7, 2, folder_metrics, (double[]){0.3, 0.4}, false);
    folder_put_experiment(folder, "name: t\nseeds: [1, 7]\ncompare: [{name: a}, {name: b, eval.select_on: test}]\n");
    assert_int_equal(report_groups(folder, HN_REPORT_CSV, &err), HN_OK);
    assert_says(",synthetic,selected_on_test\n");
    assert_says("a,activity,few,1,5,30,29,recall@10,1,0.050000000000000003,,0,0\n");
    assert_says("b,activity,few,1,5,30,29,recall@10,1,0.14999999999999999,,0,1\n");
    assert_int_equal(report_groups(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_says("SELECTED ON TEST");
    assert_int_equal(report_curves(folder, &err), HN_OK);
    assert_says("a,1,2,loss,l2,0.02,0\n");
    assert_says("b,7,2,loss,l2,0.02,1\n");
    FILE *stream = tmpfile();
    const char *const folders[] = {folder};
    assert_int_equal(hn_report_shares(folders, 1, stream, &err), HN_OK);
    rewind(stream);
    output[fread(output, 1, sizeof output - 1, stream)] = '\0';
    fclose(stream);
    assert_says("a,1,recall@10,1,0.10000000000000001,,0,0\n");
    assert_says("b,1,recall@10,1,0.29999999999999999,,0,1\n");
    hn_free(folder);
}

static HnStatus report_trials(const char *folder, HnReportFormat format, HnError *err) {
    FILE *stream = tmpfile();
    HnStatus status = hn_report_trials(folder, format, stream, err);
    rewind(stream);
    output[fread(output, 1, sizeof output - 1, stream)] = '\0';
    fclose(stream);
    return status;
}

/* Best first, ties by number, failures last whatever they had reached. */
static void trials_best_first(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = hn_path_join(top, "trials", NULL);
    assert_int_equal(report_trials(folder, HN_REPORT_TABLE, &err), HN_INPUT);
    hn_error_clear(&err);
    folder_put_trial(folder, 3, "0.1", 0.25, false);
    folder_put_trial(folder, 1, "0.01", 0.125, false);
    folder_put_trial(folder, 2, "0.5", 0.75, true);
    folder_put_trial(folder, 4, "0.2", 0.25, false);
    assert_int_equal(report_trials(folder, HN_REPORT_TABLE, &err), HN_OK);
    assert_says("trial  train.learning_rate  recall@10  best_epoch  epochs  seconds  status\n"
                "3      0.1                  0.250000   2           2       7.0      done\n"
                "4      0.2                  0.250000   2           2       7.0      done\n"
                "1      0.01                 0.125000   2           2       7.0      done\n"
                "2      0.5                  -          2           2       7.0      failed\n"
                "4 of 6 trials are done");
    assert_says("SYNTHETIC DATA");
    assert_int_equal(report_trials(folder, HN_REPORT_CSV, &err), HN_OK);
    assert_says("2,0.5,0.75,2,2,7.0,failed,5,\"the, row\",recall@10,");
    assert_says(",not finite,1\n");
    assert_int_equal(report_trials(folder, HN_REPORT_MARKDOWN, &err), HN_OK);
    assert_says("| 3 | 0.1 | 0.250000 | 2 | 2 | 7.0 | done |\n");
    hn_free(folder);
}

static void pages_hold_the_whole_table(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "pages", true, false);
    assert_int_equal(report(folder, HN_REPORT_MARKDOWN, &err), HN_OK);
    assert_says(
        "| row | seeds | recall@10 | ndcg@10 |\n|---|---|---|---|\n| Zeta, first | 3/3 | [0.2000 \u00b1 0.1000]");
    assert_says("| not run | 0/3 |");
    assert_says("missing: Alpha 3 (seeds");
    assert_int_equal(report(folder, HN_REPORT_LATEX, &err), HN_OK);
    assert_says("Zeta, first & 3/3 & [0.2000 $\\pm$ 0.1000]");
    assert_says("\\end{tabular}\n\n% mean");
    hn_free(folder);
}

/* Every allocation of a whole report fails once: an error each time, and no block is left. */
static void fail_every_allocation(HnStatus (*make)(const char *folder, HnReportFormat format, HnError *err),
                                  const char *folder) {
    uint64_t before = hn_alloc_live_blocks();
    for (uint64_t n = 1;; n++) {
        HnError err = HN_ERROR_INIT;
        hn_alloc_fail_at(n);
        HnStatus status = make(folder, HN_REPORT_TABLE, &err);
        hn_alloc_fail_at(0);
        assert_int_equal(hn_alloc_live_blocks(), before);
        if (status == HN_OK) {
            assert_null(strstr(output, "note:"));
            assert_true(n > 50);
            break;
        }
        if (status != HN_MEMORY || err.status != HN_MEMORY) {
            fail_msg("allocation %d: status %d, %s", (int)n, (int)status, err.message);
        }
    }
}

static void report_without_memory(void **state) {
    (void)state;
    char *folder = folder_put_run(top, "memory", true, false);
    fail_every_allocation(report, folder);
    hn_free(folder);
    folder = hn_path_join(top, "memory-small", NULL); /* each allocation costs a whole report */
    folder_put_result(folder, "only", "only", 1, 2, folder_metrics, (double[]){0.125, 0.25}, false);
    folder_put_experiment(folder, "name: small\nseeds: [1]\ncompare: [{name: only}]\n");
    folder_put_trial(folder, 1, "0.1", 0.25, false);
    fail_every_allocation(report_groups, folder);
    fail_every_allocation(report_trials, folder);
    hn_free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untested_is_said),           cmocka_unit_test(table_for_people),
        cmocka_unit_test(csv_has_full_precision),     cmocka_unit_test(json_says_everything),
        cmocka_unit_test(without_the_experiment),     cmocka_unit_test(one_seed_has_no_deviation),
        cmocka_unit_test(rows_may_differ_in_metrics), cmocka_unit_test(what_cannot_be_read_is_an_error),
        cmocka_unit_test(curves_hold_every_epoch),    cmocka_unit_test(groups_are_means_over_seeds),
        cmocka_unit_test(shares_stand_side_by_side),  cmocka_unit_test(selected_on_test_is_said),
        cmocka_unit_test(trials_best_first),          cmocka_unit_test(pages_hold_the_whole_table),
        cmocka_unit_test(report_without_memory),
    };
    return cmocka_run_group_tests(tests, make_top, drop_top);
}
