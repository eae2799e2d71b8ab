/* The 1st, 2nd, 3rd ... allocation fails, until the call succeeds: each time an error that says so, nothing leaked, no
 * file left. */
#include "cmocka_all.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
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

typedef HnStatus Action(const char *path, HnError *err);

static HnStatus write_store(const char *path, HnError *err) {
    Sample sample = {.scale = 1, .optional = true};
    return sample_write(path, &HN_SCHEMA_DATASET, &sample, err);
}

static HnStatus write_backwards(const char *path, HnError *err) {
    Sample sample = {.scale = 1, .optional = true, .backwards = true};
    return sample_write(path, &HN_SCHEMA_CHECKPOINT, &sample, err);
}

static HnStatus read_store(const char *path, HnError *err) {
    HnStore *store = NULL;
    char *bytes = NULL, *text = NULL;
    uint64_t *offsets = NULL;
    HN_TRY(hn_store_open(path, NULL, &store, err));
    HnStatus status = hn_store_read_strings(store, "item/raw_id", 0, 5, &bytes, &offsets, err);
    if (status == HN_OK) {
        status = hn_store_get_text(store, "recipe", &text, err);
    }
    hn_free(bytes);
    hn_free(offsets);
    hn_free(text);
    hn_store_close(&store);
    return status;
}

static HnStatus digest_store(const char *path, HnError *err) {
    char hex[65];
    HN_TRY(hn_store_digest(path, NULL, NULL, hex, err));
    return hn_store_content_id(path, hex, err);
}

static HnStatus make_reference(const char *path, HnError *err) {
    (void)path;
    char *page = NULL;
    HN_TRY(hn_store_reference(&page, err));
    hn_free(page);
    return HN_OK;
}

static HnStatus use_journal(const char *path, HnError *err) {
    (void)path;
    HnJournal *journal = NULL;
    HN_TRY(hn_journal_open(folder, "memory", &journal, err));
    static const char payload[5000] = "x";
    HnStatus status = HN_OK;
    for (uint64_t key = 0; key < 100 && status == HN_OK; key++) {
        status = hn_journal_append(journal, key, 1, payload, sizeof payload, err);
    }
    HnError later = HN_ERROR_INIT;
    HnStatus closed = hn_journal_close(&journal, status == HN_OK ? err : &later);
    HnJournalStats stats;
    return status != HN_OK ? status : closed != HN_OK ? closed : hn_journal_scan(folder, NULL, NULL, &stats, err);
}

static void brutal(Action *action, const char *path, bool writes) {
    uint64_t live = hn_alloc_live_blocks();
    for (uint64_t n = 1;; n++) {
        assert_true(n < 5000);
        HnError err = HN_ERROR_INIT;
        if (writes) {
            unlink(path);
        }
        hn_alloc_fail_at(n);
        HnStatus status = action(path, &err);
        hn_alloc_fail_at(0);
        assert_int_equal(hn_alloc_live_blocks(), live);
        if (status == HN_OK) {
            assert_true(n > 1);
            return;
        }
        if (status != HN_MEMORY) {
            fail_msg("allocation %d: status %d: %s", (int)n, (int)status, err.message);
        }
        if (writes && hn_file_exists(path)) { /* failed after the rename: then it is whole */
            char hex[65];
            HnError none = HN_ERROR_INIT;
            ASSERT_OK(hn_store_digest(path, NULL, NULL, hex, &none), &none);
        }
    }
}

static void writing(void **state) {
    (void)state;
    brutal(write_store, sample_path(folder, "w.h5"), true);
    brutal(write_backwards, sample_path(folder, "b.h5"), true);
    HnError err = HN_ERROR_INIT;
    char **names = NULL;
    size_t n_names = 0;
    ASSERT_OK(hn_folder_list(folder, &names, &n_names, &err), &err);
    for (size_t i = 0; i < n_names; i++) {
        assert_null(strstr(names[i], ".tmp"));
    }
    hn_names_free(&names, n_names);
}

static void reading(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "r.h5");
    ASSERT_OK(write_store(path, &err), &err);
    brutal(read_store, path, false);
    brutal(digest_store, path, false);
    brutal(make_reference, path, false);
}

static void journaling(void **state) {
    (void)state;
    brutal(use_journal, sample_path(folder, "unused"), false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),
        cmocka_unit_test(reading),
        cmocka_unit_test(journaling),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
