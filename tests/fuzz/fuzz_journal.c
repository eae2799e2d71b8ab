/* Damaged journals: a scan or an open ends with a status, never a crash; whatever record it gives was once written;
 * appending after a successful open adds to exactly what the scan gave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "mutate.h"
#include "sample.h"

enum { RECORDS = 40 };

static char *folder;
static char *original;
static size_t n_original;

static uint32_t payload_of(uint64_t key, unsigned char payload[400]) {
    memset(payload, (int)(key * 5 & 255), 400);
    return (uint32_t)(key * 97 % 400);
}

static HnStatus is_a_record(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                            HnError *err) {
    unsigned char wanted[400];
    ++*(uint64_t *)context;
    if (key > RECORDS || kind != key % 3 || n_bytes != payload_of(key, wanted) ||
        memcmp(payload, wanted, n_bytes) != 0) {
        return hn_fail(err, HN_INTERNAL, "a record that nobody wrote: key %llu", (unsigned long long)key);
    }
    return HN_OK;
}

static HnStatus append(HnJournal *journal, uint64_t key, HnError *err) {
    unsigned char payload[400];
    uint32_t n_bytes = payload_of(key, payload);
    return hn_journal_append(journal, key, (uint32_t)(key % 3), payload, n_bytes, err);
}

static bool wrong(const char *what, const HnError *err) {
    printf("%s: %s\n", what, err->message);
    return false;
}

static bool round_of(unsigned long round) {
    HnRng rng;
    hn_rng_start(&rng, fuzz_seed(), HN_STREAM_TEST, 1, round);
    char *bytes = (char *)malloc(2 * n_original + 4096);
    memcpy(bytes, original, n_original);
    size_t n_bytes = mutate(&rng, bytes, n_original);
    FILE *file = fopen(sample_path(folder, "j.journal"), "wb");
    bool written = file != NULL && fwrite(bytes, 1, n_bytes, file) == n_bytes;
    if (file == NULL || fclose(file) != 0 || !written) {
        return false;
    }
    free(bytes);
    HnError err = HN_ERROR_INIT;
    HnJournalStats stats;
    HnJournal *journal = NULL;
    uint64_t n_before = 0, n_after = 0;
    HnStatus scanned = hn_journal_scan(folder, is_a_record, &n_before, &stats, &err);
    if (scanned != HN_OK && scanned != HN_CORRUPT && scanned != HN_FORMAT) {
        return wrong("scan", &err);
    }
    if (scanned == HN_OK && stats.n_bytes + stats.n_torn_bytes != n_bytes) {
        return wrong("scan counts other bytes than there are", &err);
    }
    hn_error_clear(&err);
    HnStatus opened = hn_journal_open(folder, "j", &journal, &err);
    if (opened != scanned) {
        return wrong("open disagrees with scan", &err);
    }
    if (opened != HN_OK) {
        return true;
    }
    if (append(journal, RECORDS, &err) != HN_OK || hn_journal_close(&journal, &err) != HN_OK ||
        hn_journal_scan(folder, is_a_record, &n_after, &stats, &err) != HN_OK) {
        return wrong("appending", &err);
    }
    return n_after == n_before + 1 && stats.n_torn_bytes == 0 ? true : wrong("records lost or gained", &err);
}

static HnStatus prepare(HnError *err) {
    HnJournal *journal = NULL;
    HN_TRY(hn_journal_open(folder, "j", &journal, err));
    for (uint64_t key = 0; key < RECORDS; key++) {
        HN_TRY(append(journal, key, err));
        if (key % 9 == 8) {
            HN_TRY(hn_journal_commit(journal, err));
        }
    }
    HN_TRY(hn_journal_close(&journal, err));
    return hn_file_read(sample_path(folder, "j.journal"), 1 << 24, &original, &n_original, err);
}

int main(void) {
    HnError err = HN_ERROR_INIT;
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* syncs cost nothing there, so there are ten times as many rounds */
    }
    folder = sample_folder();
    int code = 1;
    if (folder == NULL || prepare(&err) != HN_OK) {
        printf("cannot prepare: %s\n", err.message);
    } else {
        code = fuzz_run("journal", round_of);
    }
    hn_free(original);
    sample_folder_remove(folder);
    return code;
}
