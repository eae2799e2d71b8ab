/* Journals: there and back, torn ends cut, damage to committed records reported, foreign files left alone. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "sample.h"

static char *folder;

static int make_folder(void **state) {
    (void)state;
    folder = sample_folder();
    return folder == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    sample_folder_remove(folder);
    return 0;
}

/* Record `key` has key * 7 % 300 bytes of value key. */
static uint32_t payload_of(uint64_t key, unsigned char payload[300]) {
    memset(payload, (int)(key & 255), 300);
    return (uint32_t)(key * 7 % 300);
}

static HnStatus append(HnJournal *journal, uint64_t key, HnError *err) {
    unsigned char payload[300];
    uint32_t n_bytes = payload_of(key, payload);
    return hn_journal_append(journal, key, (uint32_t)(key % 5), payload, n_bytes, err);
}

/* Expects keys 0, 1, 2 ... */
static HnStatus expect_next(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                            HnError *err) {
    (void)err;
    uint64_t *next = (uint64_t *)context;
    unsigned char wanted[300];
    assert_true(key == *next);
    assert_int_equal(kind, key % 5);
    assert_int_equal(n_bytes, payload_of(key, wanted));
    assert_memory_equal(payload, wanted, n_bytes);
    (*next)++;
    return HN_OK;
}

static uint64_t scan(const char *where, HnJournalStats *stats) {
    HnError err = HN_ERROR_INIT;
    uint64_t next = 0;
    ASSERT_OK(hn_journal_scan(where, expect_next, &next, stats, &err), &err);
    assert_true(stats->n_records == next);
    return next;
}

static void write_journal(const char *where, const char *name, uint64_t begin, uint64_t end, uint64_t batch) {
    HnError err = HN_ERROR_INIT;
    HnJournal *journal = NULL;
    ASSERT_OK(hn_journal_open(where, name, &journal, &err), &err);
    for (uint64_t key = begin; key < end; key++) {
        ASSERT_OK(append(journal, key, &err), &err);
        if (batch > 0 && (key + 1) % batch == 0) {
            ASSERT_OK(hn_journal_commit(journal, &err), &err);
        }
    }
    ASSERT_OK(hn_journal_close(&journal, &err), &err);
    assert_null(journal);
}

static void there_and_back(void **state) {
    (void)state;
    const char *where = sample_path(folder, "a/b/c");
    HnJournalStats stats;
    assert_true(scan(where, &stats) == 0); /* absent folder */
    assert_true(stats.n_files == 0);
    write_journal(where, "rank-0", 0, 0, 0);
    assert_true(scan(where, &stats) == 0);
    assert_true(stats.n_files == 1 && stats.n_torn_bytes == 0);
    write_journal(where, "rank-0", 0, 10, 3);
    write_journal(where, "rank-0", 10, 5000, 0); /* goes on where it stopped */
    write_journal(where, "rank-1", 5000, 5003, 1);
    assert_true(scan(where, &stats) == 5003);
    assert_true(stats.n_files == 2 && stats.n_torn_bytes == 0);
    /* Other files in the folder are none of its business. */
    HnError err = HN_ERROR_INIT;
    ASSERT_OK(hn_file_write_atomic(sample_path(where, "notes.txt"), "x", 1, &err), &err);
    assert_true(scan(where, &stats) == 5003);
}

static HnStatus stop_at_third(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                              HnError *err) {
    (void)kind;
    (void)payload;
    (void)n_bytes;
    ++*(int *)context;
    return key == 2 ? hn_fail(err, HN_RANGE, "enough") : HN_OK;
}

static void a_callback_ends_the_scan(void **state) {
    (void)state;
    const char *where = sample_path(folder, "callback");
    write_journal(where, "j", 0, 10, 0);
    HnError err = HN_ERROR_INIT;
    int n = 0;
    ASSERT_FAILS(hn_journal_scan(where, stop_at_third, &n, NULL, &err), HN_RANGE, "enough", &err);
    assert_int_equal(n, 3);
}

static HnStatus keep_length(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                            HnError *err) {
    (void)key;
    (void)kind;
    (void)err;
    const unsigned char *bytes = (const unsigned char *)payload;
    assert_true(n_bytes == 0 || (bytes[0] == 'q' && bytes[n_bytes - 1] == 'q'));
    *(uint64_t *)context += n_bytes;
    return HN_OK;
}

static void records_larger_than_every_buffer(void **state) {
    (void)state;
    const char *where = sample_path(folder, "large");
    enum { LARGE = 5000000 };
    char *payload = (char *)malloc(LARGE);
    memset(payload, 'q', LARGE);
    HnError err = HN_ERROR_INIT;
    HnJournal *journal = NULL;
    ASSERT_OK(hn_journal_open(where, "j", &journal, &err), &err);
    uint64_t total = 0, found = 0;
    const uint32_t lengths[] = {LARGE, 0, 1, 262144, LARGE - 1, 1048576, 1048543, 3};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ASSERT_OK(hn_journal_append(journal, i, 0, payload, lengths[i], &err), &err);
        total += lengths[i];
    }
    ASSERT_FAILS(hn_journal_append(journal, 0, UINT32_MAX, payload, 1, &err), HN_INTERNAL, "is taken", &err);
    ASSERT_OK(hn_journal_close(&journal, &err), &err);
    ASSERT_OK(hn_journal_scan(where, keep_length, &found, NULL, &err), &err);
    assert_true(found == total);
    free(payload);
}

static char *read_journal(const char *path, size_t *n_bytes) {
    HnError err = HN_ERROR_INIT;
    char *bytes = NULL;
    ASSERT_OK(hn_file_read(path, 1 << 26, &bytes, n_bytes, &err), &err);
    return bytes;
}

static void put_file(const char *path, const char *bytes, size_t n_bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

/* Cut at every length: what is whole in front of the cut is there, appending goes on from it. */
static void cut_at_every_byte(void **state) {
    (void)state;
    const char *where = sample_path(folder, "whole"), *cut = sample_path(folder, "cut");
    char copy[600], original[600];
    snprintf(original, sizeof original, "%s/j.journal", where);
    snprintf(copy, sizeof copy, "%s/j.journal", cut);
    write_journal(where, "j", 0, 20, 4);
    assert_int_equal(mkdir(cut, 0700), 0);
    size_t n_bytes = 0;
    char *bytes = read_journal(original, &n_bytes);
    uint64_t before = 0;
    for (size_t n = 0; n <= n_bytes; n++) {
        HnJournalStats stats;
        put_file(copy, bytes, n);
        uint64_t found = scan(cut, &stats);
        assert_true(found == before || found == before + 1);
        assert_true(stats.n_bytes + stats.n_torn_bytes == n);
        before = found;
        if (n % 29 == 0) { /* the next writer cuts the torn end off and goes on */
            write_journal(cut, "j", found, found + 3, 0);
            assert_true(scan(cut, &stats) == found + 3);
            assert_true(stats.n_torn_bytes == 0);
        }
    }
    assert_true(before == 20);
    hn_free(bytes);
}

/* A changed byte in front of committed records is corruption, named with its place; nothing is dropped silently. */
static void a_byte_changed_anywhere(void **state) {
    (void)state;
    const char *where = sample_path(folder, "changed");
    char path[600];
    snprintf(path, sizeof path, "%s/j.journal", where);
    write_journal(where, "j", 0, 12, 5);
    size_t n_bytes = 0;
    char *bytes = read_journal(path, &n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (char)(bytes[i] ^ 0x10);
        put_file(path, bytes, n_bytes);
        bytes[i] = (char)(bytes[i] ^ 0x10);
        HnError err = HN_ERROR_INIT;
        HnJournalStats stats;
        HnJournal *journal = NULL;
        uint64_t next = 0;
        HnStatus status = hn_journal_scan(where, expect_next, &next, &stats, &err);
        if (i < 20) {
            assert_int_equal(status, HN_FORMAT);
        } else if (i < n_bytes - 32) {
            assert_int_equal(status, HN_CORRUPT);
            assert_non_null(strstr(err.message, path));
            assert_non_null(strstr(err.message, "damaged at byte"));
        } else { /* the last mark itself: no record is lost */
            assert_int_equal(status, HN_OK);
            assert_true(next == 12);
        }
        hn_error_clear(&err);
        if (status != HN_OK) { /* nor does a writer touch such a file */
            assert_int_equal(hn_journal_open(where, "j", &journal, &err), status);
            struct stat info;
            assert_int_equal(stat(path, &info), 0);
            assert_int_equal(info.st_size, n_bytes);
        }
    }
    hn_free(bytes);
}

/* What a power cut may leave of records that were never committed: holes and later pages. */
static void damage_to_what_was_never_committed(void **state) {
    (void)state;
    const char *where = sample_path(folder, "never");
    char path[600];
    snprintf(path, sizeof path, "%s/j.journal", where);
    write_journal(where, "j", 0, 3, 0);
    size_t n_committed = 0, n_bytes = 0;
    hn_free(read_journal(path, &n_committed));
    write_journal(where, "j", 3, 9, 0);
    char *bytes = read_journal(path, &n_bytes);
    n_bytes -= 32;                       /* no mark behind the second batch */
    memset(bytes + n_committed, 0, 100); /* its first page never arrived */
    put_file(path, bytes, n_bytes);
    HnJournalStats stats;
    assert_true(scan(where, &stats) == 3);
    assert_true(stats.n_torn_bytes == n_bytes - n_committed);
    write_journal(where, "j", 3, 4, 0);
    assert_true(scan(where, &stats) == 4);
    hn_free(bytes);
}

/* A payload that holds a whole journal, marks and all, is data. */
static void a_journal_inside_a_record(void **state) {
    (void)state;
    const char *where = sample_path(folder, "inside"), *other = sample_path(folder, "outside");
    char path[600], outer[600];
    snprintf(path, sizeof path, "%s/j.journal", where);
    snprintf(outer, sizeof outer, "%s/j.journal", other);
    write_journal(where, "j", 0, 5, 1);
    size_t n_bytes = 0, n_outer = 0;
    char *bytes = read_journal(path, &n_bytes);
    HnError err = HN_ERROR_INIT;
    HnJournal *journal = NULL;
    ASSERT_OK(hn_journal_open(other, "j", &journal, &err), &err);
    ASSERT_OK(hn_journal_append(journal, 0, 0, NULL, 0, &err), &err);
    ASSERT_OK(hn_journal_append(journal, 99, 9, bytes, (uint32_t)n_bytes, &err), &err);
    ASSERT_OK(hn_journal_close(&journal, &err), &err);
    hn_free(bytes);
    bytes = read_journal(outer, &n_outer);
    put_file(outer, bytes, n_outer - 33); /* torn: the mark and the record's last byte */
    HnJournalStats stats;
    assert_true(scan(other, &stats) == 1);
    assert_true(stats.n_torn_bytes > n_bytes);
    hn_free(bytes);
}

static void what_is_no_journal(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnJournal *journal = NULL;
    const char *where = sample_path(folder, "foreign");
    char path[600];
    snprintf(path, sizeof path, "%s/j.journal", where);
    assert_int_equal(mkdir(where, 0700), 0);
    put_file(path, "Dear diary, today ...", 21);
    ASSERT_FAILS(hn_journal_open(where, "j", &journal, &err), HN_FORMAT, "no journal", &err);
    ASSERT_FAILS(hn_journal_scan(where, NULL, NULL, NULL, &err), HN_FORMAT, "no journal", &err);
    put_file(path, "Dear", 4); /* shorter than a header, and not the beginning of one */
    ASSERT_FAILS(hn_journal_open(where, "j", &journal, &err), HN_FORMAT, "no journal", &err);
    put_file(path, "hnlmrec journal v2\n", 20);
    ASSERT_FAILS(hn_journal_open(where, "j", &journal, &err), HN_FORMAT, "newer version", &err);
    ASSERT_FAILS(hn_journal_open(where, "a/b", &journal, &err), HN_INTERNAL, "no name", &err);
    ASSERT_FAILS(hn_journal_open(path, "j", &journal, &err), HN_IO, "j.journal", &err); /* a file is no folder */
    assert_null(journal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_callback_ends_the_scan),
        cmocka_unit_test(records_larger_than_every_buffer),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(a_byte_changed_anywhere),
        cmocka_unit_test(damage_to_what_was_never_committed),
        cmocka_unit_test(a_journal_inside_a_record),
        cmocka_unit_test(what_is_no_journal),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
