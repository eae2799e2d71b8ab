/* `hnlmrec digest`, the subcommand alone: this program calls itself with the words "digest ..." to run it. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "base/hash.h"
#include "sample.h"

static char *folder;
static const char self[] = HN_BUILD_DIR "/tests/test_digest_command";

int hn_command_fail(const HnError *err) {
    fprintf(stderr, "%s\n", err->message);
    return (int)err->status;
}

static int digest(const char *arguments, char *out, size_t n_bytes) {
    char command[2000];
    snprintf(command, sizeof command, "cd '%s' && '%s' digest %s 2>&1", folder, self, arguments);
    return sample_run(command, out, n_bytes);
}

static void put(const char *name, const HnSchema *schema, unsigned salt) {
    HnError err = HN_ERROR_INIT;
    Sample sample = {.salt = salt, .scale = 1, .optional = true, .jumps = (unsigned)getpid() + (unsigned)rand()};
    ASSERT_OK(sample_write(sample_path(folder, name), schema, &sample, &err), &err);
}

/* The total's 64 digits: first on the last line. */
static const char *total_of(const char *out) {
    static char totals[2][65];
    static int next;
    const char *line = strstr(out, "  total of ");
    assert_non_null(line);
    assert_true(line - out >= 64);
    char *total = totals[next++ % 2];
    memcpy(total, line - 64, 64);
    return total;
}

static int make_runs(void **state) {
    (void)state;
    folder = sample_folder();
    if (folder == NULL) {
        return 1;
    }
    static const char *const runs[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        char name[64];
        mkdir(sample_path(folder, runs[i]), 0700);
        snprintf(name, sizeof name, "%s/seed-1", runs[i]);
        mkdir(sample_path(folder, name), 0700);
        snprintf(name, sizeof name, "%s/dataset.h5", runs[i]);
        put(name, &HN_SCHEMA_DATASET, 1);
        snprintf(name, sizeof name, "%s/seed-1/result.h5", runs[i]);
        put(name, &HN_SCHEMA_RESULT, 2);
        snprintf(name, sizeof name, "%s/seed-1/checkpoint-%d.h5", runs[i], i); /* these differ */
        put(name, &HN_SCHEMA_CHECKPOINT, 3 + (unsigned)i);
        snprintf(name, sizeof name, "%s/seed-1/log.txt", runs[i]);
        FILE *file = fopen(sample_path(folder, name), "w");
        fprintf(file, "took %d s\n", i);
        fclose(file);
    }
    mkdir(sample_path(folder, "empty"), 0700);
    return 0;
}

static int remove_runs(void **state) {
    (void)state;
    sample_folder_remove(folder);
    return 0;
}

static void equal_runs_have_equal_totals(void **state) {
    (void)state;
    static char a[1 << 14], b[1 << 14];
    assert_int_equal(digest("a", a, sizeof a), 0);
    assert_int_equal(digest("b/", b, sizeof b), 0);
    assert_string_equal(a, b); /* the paths are those below the folder */
    assert_non_null(strstr(a, "  dataset.h5\n"));
    assert_non_null(strstr(a, "  seed-1/result.h5\n"));
    assert_null(strstr(a, "checkpoint"));
    assert_non_null(strstr(a, "  total of 2 stores\n"));
    /* The total can be made by hand: SHA-256 over the lines in front of it. */
    char hex[65];
    const char *last = strstr(a, "  total of ") - 64;
    hn_sha256_bytes(a, (size_t)(last - a), hex);
    assert_string_equal(hex, total_of(a));
    assert_int_equal(digest("--all a", a, sizeof a), 0);
    assert_int_equal(digest("b --all", b, sizeof b), 0);
    assert_non_null(strstr(a, "  total of 3 stores\n"));
    assert_string_not_equal(total_of(a), total_of(b));
}

static void one_line_a_field(void **state) {
    (void)state;
    static char fields[1 << 14], plain[1 << 14];
    assert_int_equal(digest("--fields a", fields, sizeof fields), 0);
    assert_int_equal(digest("a", plain, sizeof plain), 0);
    assert_non_null(strstr(fields, "  seed-1/result.h5:test/value\n"));
    assert_null(strstr(fields, "time/epoch_seconds")); /* volatile */
    assert_string_equal(total_of(fields), total_of(plain));
}

static void files_by_name(void **state) {
    (void)state;
    static char out[1 << 14];
    assert_int_equal(digest("a/dataset.h5 b/seed-1/checkpoint-1.h5", out, sizeof out), 0);
    assert_non_null(strstr(out, "  b/seed-1/checkpoint-1.h5\n"));
    assert_non_null(strstr(out, "total of 2 stores"));
}

static void what_it_refuses(void **state) {
    (void)state;
    static char out[1 << 14];
    assert_int_equal(digest("", out, sizeof out), HN_USAGE);
    assert_non_null(strstr(out, "usage: hnlmrec digest"));
    assert_int_equal(digest("--help", out, sizeof out), 0);
    assert_int_equal(digest("--feilds a", out, sizeof out), HN_USAGE);
    assert_int_equal(digest("empty", out, sizeof out), HN_INPUT);
    assert_non_null(strstr(out, "no sealed store"));
    assert_int_equal(digest("absent", out, sizeof out), HN_IO);
    assert_int_equal(digest("a/seed-1/log.txt", out, sizeof out), HN_FORMAT);
    /* A value changed behind our back: the recorded digest tells. */
    put("a/changed.h5", &HN_SCHEMA_MODEL, 1);
    const char *path = sample_path(folder, "a/changed.h5");
    HnError err = HN_ERROR_INIT;
    HnStore *store = NULL;
    float row[3];
    ASSERT_OK(hn_store_open(path, NULL, &store, &err), &err);
    ASSERT_OK(hn_store_read_rows(store, "item/embedding", 2, 1, row, &err), &err);
    hn_store_close(&store);
    static char bytes[1 << 16];
    FILE *file = fopen(path, "r+b");
    size_t n = fread(bytes, 1, sizeof bytes, file), at = 0;
    while (at < n && memcmp(bytes + at, row, sizeof row) != 0) {
        at++;
    }
    assert_true(at < n);
    fseek(file, (long)at, SEEK_SET);
    fputc(bytes[at] ^ 1, file);
    fclose(file);
    assert_int_equal(digest("a", out, sizeof out), HN_CORRUPT);
    assert_non_null(strstr(out, "changed.h5"));
    assert_non_null(strstr(out, "changed or damaged"));
    unlink(path);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "digest") == 0) {
        return hn_command_digest(argc - 1, argv + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_runs_have_equal_totals),
        cmocka_unit_test(one_line_a_field),
        cmocka_unit_test(files_by_name),
        cmocka_unit_test(what_it_refuses),
    };
    return cmocka_run_group_tests(tests, make_runs, remove_runs);
}
