/* kill -9 at random times: nothing that was committed is lost, no sealed name is ever unreadable, and a restarted job
 * redoes at most what was in flight.
 *
 * A child works; the parent kills it and looks at what the disk holds. Progress that the child has been promised (a
 * commit or a seal that returned) is noted in shared memory.
 */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "sample.h"

enum { KILLS = 220, LARGE_BATCH = 200, BATCH = 16, ITEMS = 3000 };

typedef struct Promise {
    volatile uint64_t n_committed; /* records whose commit returned */
    volatile uint64_t n_sealed;    /* stores whose seal returned */
    volatile uint64_t n_done;      /* items worked on, again ones counted again */
    volatile int failed;
} Promise;

static char *folder;
static Promise *promise;

static int make_folder(void **state) {
    (void)state;
    folder = sample_folder();
    int descriptor = folder == NULL ? -1 : open(sample_path(folder, "promise"), O_RDWR | O_CREAT, 0600);
    if (descriptor < 0 || ftruncate(descriptor, sizeof *promise) != 0) {
        return 1;
    }
    void *shared = mmap(NULL, sizeof *promise, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    promise = shared == MAP_FAILED ? NULL : (Promise *)shared;
    close(descriptor);
    return promise == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    munmap(promise, sizeof *promise);
    sample_folder_remove(folder);
    return 0;
}

typedef HnStatus Work(const char *where, uint64_t round, HnError *err);

static pid_t start(Work *work, const char *where, uint64_t round) {
    pid_t child = fork();
    if (child == 0) {
        HnError err = HN_ERROR_INIT;
        if (work(where, round, &err) != HN_OK) {
            fprintf(stderr, "child: %s\n", err.message);
            promise->failed = 1;
        }
        _exit(0);
    }
    return child;
}

/* Kills the child after a random time of at most most_us. Returns true where it had ended by itself. */
static bool kill_after(pid_t child, HnRng *rng, uint32_t most_us) {
    struct timespec time = {0, (long)hn_rng_below(rng, most_us) * 1000};
    nanosleep(&time, NULL);
    kill(child, SIGKILL);
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    assert_int_equal(promise->failed, 0);
    return WIFEXITED(status);
}

/* ---- journal ---- */

static uint32_t payload_of(uint64_t key, unsigned char payload[3000]) {
    memset(payload, (int)(key * 31 & 255), 3000);
    return (uint32_t)(key * 2654435761u >> 7) % 3000;
}

static HnStatus append_for_ever(const char *where, uint64_t round, HnError *err) {
    HnJournal *journal = NULL;
    unsigned char payload[3000];
    HN_TRY(hn_journal_open(where, "rank-0", &journal, err));
    for (uint64_t key = round;; key++) {
        uint32_t n_bytes = payload_of(key, payload);
        HN_TRY(hn_journal_append(journal, key, 3, payload, n_bytes, err));
        if (key % (key % 1000 < 500 ? BATCH : LARGE_BATCH) == 0) {
            HN_TRY(hn_journal_commit(journal, err));
            promise->n_committed = key + 1;
        }
    }
}

static HnStatus expect_next(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                            HnError *err) {
    (void)err;
    uint64_t *next = (uint64_t *)context;
    unsigned char wanted[3000];
    assert_true(key == *next);
    assert_int_equal(kind, 3);
    assert_int_equal(n_bytes, payload_of(key, wanted));
    assert_memory_equal(payload, wanted, n_bytes);
    (*next)++;
    return HN_OK;
}

static void a_journal_loses_nothing(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, 0);
    const char *where = sample_path(folder, "journal");
    uint64_t next = 0, n_torn = 0;
    for (int i = 0; i < KILLS; i++) {
        if (i % 5 == 0) { /* begin anew now and then: a long file would make every round's check slow */
            ASSERT_OK(hn_folder_remove(where, &err), &err);
            next = 0;
            promise->n_committed = 0;
        }
        assert_false(kill_after(start(append_for_ever, where, next), &rng, 4000));
        HnJournalStats stats;
        next = 0;
        ASSERT_OK(hn_journal_scan(where, expect_next, &next, &stats, &err), &err);
        assert_true(next >= promise->n_committed);
        n_torn += stats.n_torn_bytes > 0;
    }
    print_message("%d kills, %d of them tore a record\n", KILLS, (int)n_torn);
}

/* ---- sealed stores ---- */

static Sample sample_number(uint64_t n) {
    return (Sample){.salt = (unsigned)n, .scale = 1 + n % 50, .optional = n % 2 == 0, .backwards = n % 3 == 0};
}

static HnStatus seal_for_ever(const char *where, uint64_t round, HnError *err) {
    char path[600];
    snprintf(path, sizeof path, "%s/store.h5", where);
    for (uint64_t n = round;; n++) {
        Sample sample = sample_number(n);
        HN_TRY(sample_write(path, &HN_SCHEMA_CHECKPOINT, &sample, err));
        promise->n_sealed = n + 1;
    }
}

static size_t count_temporaries(const char *where) {
    HnError err = HN_ERROR_INIT;
    char **names = NULL;
    size_t n_names = 0, n = 0;
    ASSERT_OK(hn_folder_list(where, &names, &n_names, &err), &err);
    for (size_t i = 0; i < n_names; i++) {
        n += strstr(names[i], ".tmp") != NULL;
    }
    hn_names_free(&names, n_names);
    return n;
}

static void a_sealed_name_is_always_readable(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    hn_rng_start(&rng, 2, HN_STREAM_TEST, 0, 0);
    const char *where = sample_path(folder, "stores");
    char path[600];
    snprintf(path, sizeof path, "%s/store.h5", where);
    ASSERT_OK(hn_folder_make(where, &err), &err);
    size_t n_left = 0;
    double started = hn_clock_seconds();
    Sample first = sample_number(2);
    ASSERT_OK(sample_write(path, &HN_SCHEMA_CHECKPOINT, &first, &err), &err);
    assert_int_equal(unlink(path), 0);
    /* Kills within the time of about three stores, however slow this machine is today. */
    uint32_t window = (uint32_t)(3e6 * (hn_clock_seconds() - started));
    window = window < 6000 ? 6000 : window > 300000 ? 300000 : window;
    promise->n_sealed = 0;
    for (int i = 0; i < KILLS; i++) {
        assert_false(kill_after(start(seal_for_ever, where, promise->n_sealed), &rng, window));
        uint64_t n = promise->n_sealed; /* number n-1 was promised; n may have been renamed before it was noted */
        Sample last = sample_number(n - 1), newer = sample_number(n);
        if (n == 0 && !hn_file_exists(path)) {
            continue;
        }
        const char *difference = n == 0 ? "" : sample_difference(path, &HN_SCHEMA_CHECKPOINT, &last);
        if (difference != NULL && sample_difference(path, &HN_SCHEMA_CHECKPOINT, &newer) != NULL) {
            fail_msg("after kill %d, store %d: %s", i, (int)n, difference);
        }
        assert_true(count_temporaries(where) <= 1); /* the next writer sweeps up */
        n_left += count_temporaries(where);
    }
    assert_true(promise->n_sealed > 0 && n_left > 0);
    Sample sample = sample_number(0);
    ASSERT_OK(sample_write(path, &HN_SCHEMA_CHECKPOINT, &sample, &err), &err);
    assert_int_equal(count_temporaries(where), 0);
    print_message("%d kills, %d in the middle of a store, %d stores sealed\n", KILLS, (int)n_left,
                  (int)promise->n_sealed);
}

/* ---- a stage: journal what is answered, seal at the end, redo what was in flight ---- */

static HnStatus mark_done(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                          HnError *err) {
    (void)kind;
    (void)payload;
    (void)n_bytes;
    (void)err;
    ((uint8_t *)context)[key] = 1;
    return HN_OK;
}

/* Dies by its own hand after `life` answers (0 = never): where a kill from outside would mostly hit a sync, these hit
 * every place between two. */
static HnStatus answer_items(const char *where, uint64_t life, uint8_t *done, HnError *err) {
    HnJournal *journal = NULL;
    HN_TRY(hn_journal_open(where, "rank-0", &journal, err));
    uint64_t pending = 0;
    for (uint64_t item = 0; item < ITEMS; item++) {
        if (done[item] == 0) {
            HN_TRY(hn_journal_append(journal, item, 0, "answer", 6, err));
            promise->n_done++;
            if (++pending == life) {
                kill(getpid(), SIGKILL);
            }
            if (pending % BATCH == 0) {
                HN_TRY(hn_journal_commit(journal, err));
            }
        }
    }
    return hn_journal_close(&journal, err);
}

static HnStatus run_stage(const char *where, uint64_t life, HnError *err) {
    char path[600];
    snprintf(path, sizeof path, "%s/profiles.h5", where);
    if (hn_file_exists(path)) {
        return HN_OK;
    }
    static uint8_t done[ITEMS];
    HN_TRY(hn_journal_scan(where, mark_done, done, NULL, err));
    HN_TRY(answer_items(where, life, done, err));
    memset(done, 0, sizeof done);
    HN_TRY(hn_journal_scan(where, mark_done, done, NULL, err));
    HnStoreWriter *writer = NULL;
    const uint64_t rows = ITEMS;
    HN_TRY(hn_store_create(path, &HN_SCHEMA_PROFILES, NULL, &writer, err));
    HN_TRY(hn_store_write(writer, "status", &rows, done, err));
    static const char *const fields[] = {"profile", "reasoning", "raw"};
    for (int f = 0; f < 3; f++) {
        HN_TRY(hn_store_strings_begin(writer, fields[f], ITEMS, err));
        for (int item = 0; item < ITEMS; item++) {
            HN_TRY(hn_store_strings_add(writer, fields[f], "answer", 6, err));
        }
    }
    return hn_store_seal(&writer, err);
}

static void a_restart_redoes_what_was_in_flight(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    hn_rng_start(&rng, 3, HN_STREAM_TEST, 0, 0);
    int n_kills = 0;
    promise->n_done = 0;
    const char *where = sample_path(folder, "stage");
    ASSERT_OK(hn_folder_make(where, &err), &err);
    bool ended = false;
    while (!ended) {
        uint64_t life = n_kills < 60 ? 1 + hn_rng_below(&rng, 100) : 0;
        ended = kill_after(start(run_stage, where, life), &rng, n_kills < 120 ? 20000 : 300000);
        n_kills += !ended;
        assert_true(n_kills < 5000);
    }
    print_message("%d items took %d kills and %d answers\n", ITEMS, n_kills, (int)promise->n_done);
    assert_true(promise->n_done > ITEMS); /* some of it was in flight */
    assert_true(promise->n_done <= (uint64_t)ITEMS + (uint64_t)n_kills * BATCH);
    HnStore *store = NULL;
    uint8_t status[ITEMS];
    char path[600];
    snprintf(path, sizeof path, "%s/profiles.h5", where);
    ASSERT_OK(hn_store_open(path, &HN_SCHEMA_PROFILES, &store, &err), &err);
    ASSERT_OK(hn_store_read_rows(store, "status", 0, ITEMS, status, &err), &err);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(status[i], 1);
    }
    hn_store_close(&store);
}

int main(void) {
    /* A kill, unlike a power cut, loses nothing of what the kernel holds: memory serves as well as a disk, and the time
     * goes into more places to be killed at instead of into syncs. */
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_loses_nothing),
        cmocka_unit_test(a_sealed_name_is_always_readable),
        cmocka_unit_test(a_restart_redoes_what_was_in_flight),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
