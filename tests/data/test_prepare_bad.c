/* Bad input: each kind has its outcome, and a message that says what to do. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "config/experiment.h"
#include "fixture.h"

static Prepared prepared;

static const char *set(const char *key, const char *name) {
    static char text[8][8192];
    static unsigned next;
    char *out = text[next++ % 8];
    (void)snprintf(out, sizeof text[0], "%s=[%s]", key, fixture_path(name));
    return out;
}

static void run_pairs(const char *text, const char *more) {
    fixture_text("in.txt", text);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", set("data.interactions", "in.txt"), more, NULL);
}

static void empty_input(void **state) {
    (void)state;
    run_pairs("", NULL);
    fixture_failed(&prepared, HN_INPUT, "in.txt", "empty", NULL);
    run_pairs("\n\n  \n", NULL);
    fixture_failed(&prepared, HN_INPUT, "in.txt", "empty", NULL);
    run_pairs("user,item\n", NULL);
    fixture_failed(&prepared, HN_INPUT, "no interactions", "data.format", NULL);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", NULL);
    assert_int_equal(prepared.status, HN_CONFIG);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", set("data.interactions", "absent.txt"), NULL);
    assert_true(prepared.status == HN_IO || prepared.status == HN_CONFIG);
    assert_non_null(strstr(prepared.err.message, "absent.txt"));
}

static void malformed_lines(void **state) {
    (void)state;
    /* One of ten lines is malformed. */
    const char *lines = "a x 1\nb x 1\nc x 1\nd x nan\na y 1\nb y 1\nc y 1\nd y 1\na z 1\nb z 1\n";
    run_pairs(lines, "data.max_bad_share=0.05");
    fixture_failed(&prepared, HN_INPUT, "in.txt", "1 of 10 lines (10 %)", "line 4", "\"nan\" is not a finite number",
                   "raise data.max_bad_share", NULL);
    run_pairs(lines, "data.max_bad_share=0.1");
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(prepared.report.lines_bad, 1);
    assert_int_equal(prepared.report.pairs_kept, 9);
    fixture_release(&prepared);
    /* Invalid UTF-8, a NUL byte, a field too many: all malformed, all counted. */
    fixture_write("in.txt", "a x\nb \377\nc\0c x\nd x y z\ne y\n", 26);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", set("data.interactions", "in.txt"),
                    "data.max_bad_share=0.9", NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(prepared.report.lines_bad, 3);
    assert_int_equal(prepared.report.pairs_kept, 2);
    fixture_release(&prepared);
}

/* The wrong format is told before 30 GB are read. */
static void hopeless(void **state) {
    (void)state;
    static char text[1 << 16];
    size_t n = 0;
    while (n + 8 < sizeof text) {
        n += (size_t)snprintf(text + n, sizeof text - n, "1 2 3\n");
    }
    fixture_write("in.txt", text, n);
    fixture_prepare(&prepared, "bad.h5", "data.format=amazon", set("data.interactions", "in.txt"), NULL);
    fixture_failed(&prepared, HN_INPUT, "1000 of 1000 lines", "data.format (it is amazon)", NULL);
}

static void filters_that_leave_nothing(void **state) {
    (void)state;
    run_pairs("a x 3\nb x 3\n", "data.min_rating=4");
    fixture_failed(&prepared, HN_INPUT, "none of the 2 interactions", "data.min_rating", NULL);
    run_pairs("a x 3\nb x 3\n", "data.core_users=2");
    fixture_failed(&prepared, HN_INPUT, "k-core", "data.core_users", NULL);
    run_pairs("a x\nb x\n", "data.min_rating=4");
    fixture_failed(&prepared, HN_INPUT, "no rating", "data.min_rating", NULL);
    run_pairs("a x 5\nb x 5\n", "data.date_from=2015-01-01");
    fixture_failed(&prepared, HN_INPUT, "no time", "data.date_from", NULL);
    run_pairs("a x 5\nb x 5\n", "data.split=time");
    fixture_failed(&prepared, HN_INPUT, "data.split: time", "choose data.split: ratio", NULL);
}

static void contradictions(void **state) {
    (void)state;
    fixture_text("l.txt", "0 1 2\n");
    fixture_prepare(&prepared, "bad.h5", "data.format=lightgcn", set("data.interactions", "l.txt"), "data.min_rating=3",
                    NULL);
    fixture_failed(&prepared, HN_CONFIG, "data.min_rating", NULL);
    fixture_prepare(&prepared, "bad.h5", "data.format=lightgcn", set("data.interactions", "l.txt"), "data.split=given",
                    NULL);
    assert_int_equal(prepared.status, HN_CONFIG);
    fixture_prepare(&prepared, "bad.h5", "data.format=lightgcn", set("data.interactions", "l.txt"),
                    set("data.test", "l.txt"), NULL);
    assert_int_equal(prepared.status, HN_CONFIG);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", set("data.interactions", "l.txt"),
                    "data.date_from=2020-01-01", "data.date_to=2019-01-01", NULL);
    assert_int_equal(prepared.status, HN_CONFIG);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", set("data.interactions", "l.txt"),
                    "data.date_from=yesterday", NULL);
    assert_int_equal(prepared.status, HN_CONFIG);
    /* Given parts that all repeat the train part leave nobody to test: told, not failed. */
    fixture_prepare(&prepared, "same.h5", "data.format=lightgcn", "data.split=given", set("data.interactions", "l.txt"),
                    set("data.test", "l.txt"), NULL);
    assert_int_equal(prepared.status, HN_OK);
    assert_int_equal(prepared.report.pairs_crossing, 2);
    assert_int_equal(prepared.report.n_test, 0);
    fixture_release(&prepared);
}

static void out_of_range(void **state) {
    (void)state;
    fixture_text("l.txt", "0 1 2\n1 2147483647\n");
    fixture_prepare(&prepared, "bad.h5", "data.format=lightgcn", set("data.interactions", "l.txt"), NULL);
    fixture_failed(&prepared, HN_INPUT, "line 2", "2147483647 is out of range", NULL);
}

static void truncated(void **state) {
    (void)state;
    static char text[200000];
    size_t n = 0;
    for (int k = 0; n + 32 < sizeof text; k++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "u%d i%d\n", k, k * k % 97);
    }
    const char *path = fixture_write("cut.txt.gz", text, n);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    fixture_prepare(&prepared, "bad.h5", "data.format=pairs", set("data.interactions", "cut.txt.gz"), NULL);
    fixture_failed(&prepared, HN_INPUT, "cut.txt.gz", "incomplete", NULL);
}

static void one_megabyte_line(void **state) {
    (void)state;
    static char text[(1 << 20) + 4096];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"reviewerID\":\"A\",\"asin\":\"B\",\"reviewText\":\"");
    memset(text + n, 'w', 1 << 20);
    n += 1 << 20;
    n += (size_t)snprintf(text + n, sizeof text - n, "\"}\n{\"reviewerID\":\"A\",\"asin\":\"C\"}\n");
    fixture_write("long.json", text, n);
    fixture_prepare(&prepared, "long.h5", "data.format=amazon", set("data.interactions", "long.json"),
                    "data.split_ratio=[1.0,0.0,0.0]", NULL);
    assert_int_equal(prepared.status, HN_OK);
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    assert_int_equal(hn_dataset_text(prepared.dataset, HN_TEXT_REVIEW, 0, 2, &bytes, &offsets, &prepared.err), HN_OK);
    assert_int_equal(offsets[1] - offsets[0], 1 << 20);
    hn_free(bytes);
    hn_free(offsets);
    fixture_release(&prepared);
}

static void bad_metadata(void **state) {
    (void)state;
    fixture_text("r.json", "{\"reviewerID\":\"A\",\"asin\":\"B\"}\n{\"reviewerID\":\"A\",\"asin\":\"C\"}\n");
    fixture_text("m.json", "{\"asin\":\"B\",\"title\":\"T\"}\n{\"asin\":\"C\",\"title\"\n");
    fixture_prepare(&prepared, "bad.h5", "data.format=amazon", set("data.interactions", "r.json"),
                    set("data.items", "m.json"), NULL);
    fixture_failed(&prepared, HN_INPUT, "m.json", "line 2", "data.max_bad_share", NULL);
    fixture_text("m.json", "");
    fixture_prepare(&prepared, "bad.h5", "data.format=amazon", set("data.interactions", "r.json"),
                    set("data.items", "m.json"), NULL);
    fixture_failed(&prepared, HN_INPUT, "m.json", "empty", NULL);
}

static void output_folder(void **state) {
    (void)state;
    /* The folder is looked at before the input: this one could not even be read. */
    fixture_text("in.txt", "");
    fixture_prepare(&prepared, "absent/out.h5", "data.format=pairs", set("data.interactions", "in.txt"), NULL);
    assert_int_not_equal(prepared.status, HN_OK);
    assert_non_null(strstr(prepared.err.message, "absent/out.h5"));
    /* A folder that only others may write to; root has to become somebody else to see that. */
    assert_int_equal(chmod(fixture_folder(), 0755), 0);
    assert_int_equal(mkdir(fixture_path("readonly"), 0555), 0);
    bool root = geteuid() == 0;
    assert_int_equal(root ? seteuid(65534) : 0, 0);
    fixture_prepare(&prepared, "readonly/out.h5", "data.format=pairs", set("data.interactions", "in.txt"), NULL);
    assert_int_equal(root ? seteuid(0) : 0, 0);
    fixture_failed(&prepared, HN_IO, "readonly/out.h5", NULL);
    fixture_prepare(&prepared, "out.h5", "data.format=pairs", set("data.interactions", "in.txt"), "data.dataset=old.h5",
                    NULL);
    fixture_failed(&prepared, HN_CONFIG, "data.dataset", NULL);
}

static HnStatus synthesize_into(const char *folder) {
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    assert_int_equal(hn_experiment_load(NULL, NULL, 0, &experiment, &err), HN_OK);
    HnStatus status = hn_synthesize(&experiment->data, fixture_path(folder), 0, 1, &err);
    hn_experiment_free(&experiment);
    return status;
}

/* The disk ends at 20,000 bytes: the same path as a full one. Nothing stays behind. */
static void full_disk(void **state) {
    (void)state;
    struct rlimit old, small;
    static char text[100000];
    size_t n = 0;
    for (int k = 0; n + 32 < sizeof text; k++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "u%d i%d\n", k, k * k % 97);
    }
    fixture_write("in.txt", text, n);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 20000;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fixture_prepare(&prepared, "full.h5", "data.format=pairs", set("data.interactions", "in.txt"), NULL);
    HnStatus synthesized = synthesize_into("full-folder");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, before);
    assert_true(prepared.status == HN_IO || prepared.status == HN_SPACE);
    assert_non_null(strstr(prepared.err.message, "full.h5"));
    char **names = NULL;
    size_t n_names;
    assert_int_equal(hn_folder_list(fixture_folder(), &names, &n_names, NULL), HN_OK);
    for (size_t k = 0; k < n_names; k++) {
        assert_null(strstr(names[k], "full.h5"));
    }
    hn_names_free(&names, n_names);
    assert_true(synthesized == HN_IO || synthesized == HN_SPACE);
    assert_int_equal(hn_folder_list(fixture_path("full-folder"), &names, &n_names, NULL), HN_OK);
    assert_int_equal(n_names, 0);
    hn_names_free(&names, n_names);
}

/* An old result survives a failed preparation as it was, and no temporary file is left. */
static void old_result_survives(void **state) {
    (void)state;
    run_pairs("a x\nb x\n", NULL);
    assert_int_equal(prepared.status, HN_OK);
    char id[65], in[8192];
    (void)snprintf(id, sizeof id, "%s", hn_dataset_id(prepared.dataset));
    fixture_release(&prepared);
    fixture_text("worse.txt", "a x 1\nb\n");
    (void)snprintf(in, sizeof in, "data.interactions=[%s]", fixture_path("worse.txt"));
    const char *const sets[] = {"data.format=pairs", in, "eval.select_on=test"};
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    assert_int_equal(hn_experiment_load(NULL, sets, 3, &experiment, &err), HN_OK);
    HnPrepareReport report;
    assert_int_equal(hn_prepare(&experiment->data, "", fixture_path("bad.h5"), &report, &err), HN_INPUT);
    hn_experiment_free(&experiment);
    hn_error_clear(&err);
    HnDataset *dataset = NULL;
    assert_int_equal(hn_dataset_open(fixture_path("bad.h5"), &dataset, &err), HN_OK);
    assert_string_equal(hn_dataset_id(dataset), id);
    hn_dataset_close(&dataset);
    char **names = NULL;
    size_t n_names;
    assert_int_equal(hn_folder_list(fixture_folder(), &names, &n_names, NULL), HN_OK);
    for (size_t k = 0; k < n_names; k++) {
        assert_true(strcmp(names[k], "bad.h5") == 0 || strstr(names[k], "bad.h5") == NULL);
    }
    hn_names_free(&names, n_names);
}

/* Last: a stop that was asked for stays asked for. */
static void stop(void **state) {
    (void)state;
    static char text[100000];
    size_t n = 0;
    while (n + 32 < sizeof text) {
        n += (size_t)snprintf(text + n, sizeof text - n, "u i%zu\n", n);
    }
    fixture_write("in.txt", text, n);
    hn_stop_request();
    fixture_prepare(&prepared, "stop.h5", "data.format=pairs", set("data.interactions", "in.txt"), NULL);
    fixture_failed(&prepared, HN_INTERRUPTED, NULL);
    fixture_prepare(&prepared, "stop.h5", "data.format=synthetic", NULL);
    fixture_failed(&prepared, HN_INTERRUPTED, NULL);
}

/* A header that is not known for one must not become a user and an item. */
static void headers_of_other_names(void **state) {
    (void)state;
    run_pairs("visitor,product\n1,20\n2,21\n", NULL);
    fixture_failed(&prepared, HN_INPUT, "in.txt:1: words, and numbers below them", NULL);
    run_pairs("\n# comment\n1 20\n", NULL);
    fixture_failed(&prepared, HN_INPUT, "in.txt:2: ", NULL);
    run_pairs("user_id,product\nann,tea\nbob,jam\n", NULL);
    fixture_failed(&prepared, HN_INPUT, "in.txt:1: this line names a column of users and none of items", NULL);
    run_pairs("rating,iid:token,stars\nann,tea,3\nbob,jam,4\n", NULL);
    fixture_failed(&prepared, HN_INPUT, "in.txt:1: this line names a column of items and none of users", NULL);
    const char *const good[] = {"ann,tea\nbob,jam\n7,8\n", "ann,tea\n7,jam\n7,8\n", "1,tea\n2,3\n4,5\n"};
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        run_pairs(good[k], NULL);
        assert_int_equal(prepared.status, HN_OK);
        assert_int_equal(prepared.report.pairs_kept, 3);
        fixture_release(&prepared);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_input),    cmocka_unit_test(malformed_lines),
        cmocka_unit_test(hopeless),       cmocka_unit_test(filters_that_leave_nothing),
        cmocka_unit_test(contradictions), cmocka_unit_test(out_of_range),
        cmocka_unit_test(truncated),      cmocka_unit_test(one_megabyte_line),
        cmocka_unit_test(bad_metadata),   cmocka_unit_test(output_folder),
        cmocka_unit_test(full_disk),      cmocka_unit_test(old_result_survives),
        cmocka_unit_test(stop),           cmocka_unit_test(headers_of_other_names),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
