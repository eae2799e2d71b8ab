/* A sealed store opens in other people's tools: h5dump (SKIP where it is absent) and h5py (SKIP where Python lacks it).
 */
#include "cmocka_all.h"

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

static void expect_words(const char *text, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strstr(text, words[i]) == NULL) {
            fail_msg("\"%s\" is not in:\n%.3000s", words[i], text);
        }
    }
}

static void h5dump_opens_every_store(void **state) {
    (void)state;
    static char out[1 << 20];
    char command[800];
    HnError err = HN_ERROR_INIT;
    Sample sample = {.scale = 1, .optional = true};
    for (size_t s = 0; HN_SCHEMAS[s] != NULL; s++) {
        const char *path = sample_path(folder, "dump.h5");
        ASSERT_OK(sample_write(path, HN_SCHEMAS[s], &sample, &err), &err);
        snprintf(command, sizeof command, "h5dump -A '%s' 2>&1", path);
        if (sample_run(command, out, sizeof out) != 0) {
            fail_msg("%s: %.2000s", HN_SCHEMAS[s]->name, out);
        }
        const char *const words[] = {"\"about\"", "\"unit\"", "\"shape\"", HN_SCHEMAS[s]->about, "\"content_sha256\""};
        expect_words(out, words, sizeof words / sizeof words[0]);
    }
    const char *path = sample_path(folder, "values.h5");
    HnStoreWriter *writer = NULL;
    uint64_t dims[2] = {1, 3};
    const float values[3] = {1.5f, -2.0f, 0.25f};
    ASSERT_OK(hn_store_create(path, &HN_SCHEMA_MODEL, NULL, &writer, &err), &err);
    ASSERT_OK(hn_store_write(writer, "user/embedding", dims, values, &err), &err);
    ASSERT_OK(hn_store_write(writer, "item/embedding", dims, values, &err), &err);
    ASSERT_OK(hn_store_seal(&writer, &err), &err);
    snprintf(command, sizeof command, "h5dump -d /user/embedding '%s' 2>&1", path);
    assert_int_equal(sample_run(command, out, sizeof out), 0);
    const char *const words[] = {"H5T_IEEE_F32LE", "( 1, 3 )", "1.5, -2, 0.25"};
    expect_words(out, words, 3);
}

int main(void) {
    char out[256];
    if (sample_run("h5dump --version 2>&1", out, sizeof out) != 0) {
        printf("SKIP: h5dump is not installed (package hdf5-tools)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(h5dump_opens_every_store)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
