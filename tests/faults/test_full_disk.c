/* A disk that is full after the 1st, 2nd, 3rd ... page: every writer says which file and what to do, leaves nothing
 * half-written behind, and the process lives on. On a small tmpfs of its own where it may mount one (root), else SKIP.
 */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "sample.h"

enum { PAGE = 4096, DISK_PAGES = 256 };

static char *folder;
static char disk[600];
static bool mounted;

static int make_disk(void **state) {
    (void)state;
    folder = sample_folder();
    if (folder == NULL) {
        return 1;
    }
    snprintf(disk, sizeof disk, "%s/disk", folder);
    char command[1500], out[400];
    snprintf(command, sizeof command, "mkdir '%s' && mount -t tmpfs -o size=%d,mode=700 hnlmrec-test '%s' 2>&1", disk,
             DISK_PAGES * PAGE, disk);
    mounted = sample_run(command, out, sizeof out) == 0;
    return 0;
}

static int remove_disk(void **state) {
    (void)state;
    char command[1500], out[400];
    snprintf(command, sizeof command, "umount '%s' 2>&1", disk);
    int left = mounted ? sample_run(command, out, sizeof out) : 0;
    sample_folder_remove(folder);
    return left;
}

/* Leaves n_pages free. */
static void fill_disk(unsigned long n_pages) {
    char path[700];
    snprintf(path, sizeof path, "%s/ballast", disk);
    unlink(path);
    struct statvfs info;
    assert_int_equal(statvfs(disk, &info), 0);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(descriptor >= 0);
    static const char page[PAGE];
    for (unsigned long n = info.f_bavail; n > n_pages; n--) {
        assert_int_equal(write(descriptor, page, PAGE), PAGE);
    }
    close(descriptor);
}

static bool only_ballast(void) {
    HnError err = HN_ERROR_INIT;
    char **names = NULL;
    size_t n_names = 0;
    ASSERT_OK(hn_folder_list(disk, &names, &n_names, &err), &err);
    bool only = n_names == 1 && strcmp(names[0], "ballast") == 0;
    hn_names_free(&names, n_names);
    return only;
}

static void a_store_on_a_full_disk(void **state) {
    (void)state;
    uint64_t live = hn_alloc_live_blocks();
    const HnSchema *const schemas[] = {&HN_SCHEMA_DATASET, &HN_SCHEMA_CHECKPOINT, &HN_SCHEMA_VECTORS};
    const uint64_t scales[] = {40, 40, 400};
    for (size_t s = 0; s < 3; s++) {
        char path[700];
        snprintf(path, sizeof path, "%s/store.h5", disk);
        unsigned long n_pages = 0;
        for (bool done = false; !done; n_pages++) {
            assert_true(n_pages < DISK_PAGES);
            fill_disk(n_pages);
            HnError err = HN_ERROR_INIT;
            Sample sample = {.salt = 1, .scale = scales[s], .optional = true, .backwards = n_pages % 2 == 1};
            HnStatus status = sample_write(path, schemas[s], &sample, &err);
            done = status == HN_OK;
            if (!done) {
                assert_int_equal(status, HN_SPACE);
                assert_non_null(strstr(err.message, path));
                assert_non_null(strstr(err.message, "space"));
                assert_true(only_ballast());
            } else {
                assert_null(sample_difference(path, schemas[s], &sample));
                assert_int_equal(unlink(path), 0);
            }
            assert_int_equal(hn_alloc_live_blocks(), live);
        }
        print_message("%s: refused with 0 to %lu pages free, sealed with %lu\n", schemas[s]->name, n_pages - 2,
                      n_pages - 1);
        assert_true(n_pages > 10);
    }
}

/* Text leaves memory only every 4 MiB: the row that does not fit is the one that says so. */
static void long_text_on_a_full_disk(void **state) {
    (void)state;
    char path[700];
    snprintf(path, sizeof path, "%s/store.h5", disk);
    fill_disk(100);
    HnError err = HN_ERROR_INIT;
    HnStoreWriter *writer = NULL;
    static char text[1 << 20];
    memset(text, 'x', sizeof text);
    ASSERT_OK(hn_store_create(path, &HN_SCHEMA_PROFILES, NULL, &writer, &err), &err);
    ASSERT_OK(hn_store_strings_begin(writer, "profile", 100, &err), &err);
    HnStatus status = HN_OK;
    int row = 0;
    for (; row < 100 && status == HN_OK; row++) {
        status = hn_store_strings_add(writer, "profile", text, sizeof text, &err);
    }
    assert_int_equal(row, 5);
    assert_int_equal(status, HN_SPACE);
    assert_non_null(strstr(err.message, path));
    HnError again = HN_ERROR_INIT;
    assert_int_equal(hn_store_seal(&writer, &again), HN_SPACE); /* nor can it be sealed by mistake */
    assert_true(only_ballast());
}

static HnStatus count_key(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                          HnError *err) {
    (void)kind;
    (void)err;
    assert_true(key == *(uint64_t *)context);
    for (uint32_t i = 0; i < n_bytes; i++) {
        assert_true(((const unsigned char *)payload)[i] == (key & 255));
    }
    ++*(uint64_t *)context;
    return HN_OK;
}

static HnStatus append(HnJournal *journal, uint64_t key, HnError *err) {
    unsigned char payload[1500];
    memset(payload, (int)(key & 255), sizeof payload);
    return hn_journal_append(journal, key, 1, payload, (uint32_t)(200 + key * 37 % 1300), err);
}

/* Appends until the disk is full; what was committed is there, a later commit works once there is room again. */
static void a_journal_on_a_full_disk(void **state) {
    (void)state;
    for (unsigned long n_pages = 1; n_pages < 12; n_pages++) {
        HnError err = HN_ERROR_INIT;
        HnJournal *journal = NULL;
        fill_disk(n_pages);
        HnStatus status = hn_journal_open(disk, "rank-0", &journal, &err);
        if (status != HN_OK) { /* not even its folder entry or first line */
            assert_int_equal(status, HN_SPACE);
            continue;
        }
        uint64_t n_committed = 0, key = 0, next = 0;
        while (status == HN_OK) {
            assert_true(key < 1000);
            status = append(journal, key++, &err);
            if (status == HN_OK && key % 3 == 0) {
                status = hn_journal_commit(journal, &err);
                n_committed = status == HN_OK ? key : n_committed;
            }
        }
        assert_int_equal(status, HN_SPACE);
        assert_non_null(strstr(err.message, "rank-0.journal"));
        assert_non_null(strstr(err.message, "run the same command again"));
        HnJournalStats stats;
        hn_error_clear(&err);
        ASSERT_OK(hn_journal_scan(disk, count_key, &next, &stats, &err), &err);
        assert_true(next >= n_committed && stats.n_torn_bytes == 0);
        fill_disk(100); /* somebody made room: the same journal goes on, with what it still held */
        ASSERT_OK(hn_journal_commit(journal, &err), &err);
        ASSERT_OK(append(journal, key++, &err), &err);
        ASSERT_OK(hn_journal_close(&journal, &err), &err);
        next = 0;
        ASSERT_OK(hn_journal_scan(disk, count_key, &next, &stats, &err), &err);
        assert_true(next == key);
        char path[700];
        snprintf(path, sizeof path, "%s/rank-0.journal", disk);
        assert_int_equal(unlink(path), 0);
    }
}

/* The kind of failure that needs no disk of its own: a limit on file size (EFBIG). Always runs. */
static void a_store_over_the_file_size_limit(void **state) {
    (void)state;
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    char path[700], journal_folder[700];
    snprintf(path, sizeof path, "%s/limited.h5", folder);
    snprintf(journal_folder, sizeof journal_folder, "%s/limited", folder);
    unsigned n_refused = 0;
    HnStatus status = HN_IO;
    for (rlim_t limit = 0; status != HN_OK; limit += 1500) {
        HnError err = HN_ERROR_INIT;
        low = old;
        low.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
        Sample sample = {.salt = 1, .scale = 40, .optional = true};
        status = sample_write(path, &HN_SCHEMA_DATASET, &sample, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        if (status != HN_OK) {
            assert_int_equal(status, HN_IO);
            assert_non_null(strstr(err.message, "limited.h5"));
            assert_non_null(strstr(err.message, "File too large"));
            assert_false(hn_file_exists(path));
            n_refused++;
        } else {
            assert_null(sample_difference(path, &HN_SCHEMA_DATASET, &sample));
        }
    }
    signal(SIGXFSZ, handler);
    assert_true(n_refused > 5);
}

int main(int argc, char **argv) {
    const struct CMUnitTest on_disk[] = {
        cmocka_unit_test(a_store_on_a_full_disk),
        cmocka_unit_test(long_text_on_a_full_disk),
        cmocka_unit_test(a_journal_on_a_full_disk),
    };
    const struct CMUnitTest anywhere[] = {cmocka_unit_test(a_store_over_the_file_size_limit)};
    (void)argc;
    (void)argv;
    if (make_disk(NULL) != 0) {
        fprintf(stderr, "cannot make a folder to work in\n");
        return 1;
    }
    int failed = cmocka_run_group_tests(anywhere, NULL, NULL);
    if (mounted) {
        failed += cmocka_run_group_tests(on_disk, NULL, NULL);
    } else {
        printf("SKIP: full-disk tests need root, to mount a small tmpfs; the file-size-limit test ran\n");
    }
    bool skipped = !mounted;
    failed += remove_disk(NULL);
    return failed != 0 ? 1 : skipped ? 77 : 0;
}
