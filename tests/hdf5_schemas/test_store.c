/* Sealed stores: every type there and back, what may be absent, what the writer refuses, what a reader refuses. */
#include "cmocka_all.h"

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

static void every_schema_there_and_back(void **state) {
    (void)state;
    uint64_t live = hn_alloc_live_blocks();
    for (size_t s = 0; HN_SCHEMAS[s] != NULL; s++) {
        for (unsigned variant = 0; variant < 16; variant++) {
            Sample sample = {.salt = variant,
                             .scale = (variant & 8) != 0 ? 40 : 1,
                             .optional = (variant & 1) != 0,
                             .second = (variant & 2) != 0,
                             .backwards = (variant & 4) != 0};
            HnError err = HN_ERROR_INIT;
            const char *path = sample_path(folder, "store.h5");
            ASSERT_OK(sample_write(path, HN_SCHEMAS[s], &sample, &err), &err);
            const char *difference = sample_difference(path, HN_SCHEMAS[s], &sample);
            if (difference != NULL) {
                fail_msg("%s, variant %u: %s", HN_SCHEMAS[s]->name, variant, difference);
            }
        }
    }
    assert_int_equal(hn_alloc_live_blocks(), live);
}

static void no_rows_at_all(void **state) {
    (void)state;
    for (size_t s = 0; HN_SCHEMAS[s] != NULL; s++) {
        Sample sample = {.scale = 0, .optional = true};
        HnError err = HN_ERROR_INIT;
        const char *path = sample_path(folder, "empty.h5");
        ASSERT_OK(sample_write(path, HN_SCHEMAS[s], &sample, &err), &err);
        assert_null(sample_difference(path, HN_SCHEMAS[s], &sample));
        char hex[65];
        ASSERT_OK(hn_store_digest(path, NULL, NULL, hex, &err), &err);
    }
}

static void attributes_there_and_back(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "attributes.h5");
    HnStoreWriter *writer = NULL;
    ASSERT_OK(hn_store_create(path, &HN_SCHEMA_MODEL, NULL, &writer, &err), &err);
    Sample sample = {.scale = 1};
    ASSERT_OK(sample_fill(writer, &HN_SCHEMA_MODEL, &sample, &err), &err);
    char *large = (char *)malloc(300001);
    memset(large, 'y', 300000);
    large[300000] = '\0';
    ASSERT_OK(hn_store_set_text(writer, "large", large, &err), &err);
    ASSERT_OK(hn_store_set_text(writer, "empty", "", &err), &err);
    ASSERT_OK(hn_store_set_text(writer, "nothing", NULL, &err), &err);
    ASSERT_OK(hn_store_set_text(writer, "twice", "old", &err), &err);
    ASSERT_OK(hn_store_set_text(writer, "twice", "gr\xc3\xbc\xc3\x9f", &err), &err);
    ASSERT_OK(hn_store_set_i64(writer, "least", INT64_MIN, &err), &err);
    ASSERT_OK(hn_store_set_f64(writer, "third", 1.0 / 3.0, &err), &err);
    ASSERT_FAILS(hn_store_set_i64(writer, "schema_version", 1, &err), HN_INTERNAL, "belongs to the store", &err);
    ASSERT_FAILS(hn_store_set_f64(writer, "dim", 1.0, &err), HN_INTERNAL, "another type", &err);
    ASSERT_OK(hn_store_seal(&writer, &err), &err);

    HnStore *store = NULL;
    ASSERT_OK(hn_store_open(path, NULL, &store, &err), &err);
    assert_ptr_equal(hn_store_schema(store), &HN_SCHEMA_MODEL);
    char *text = NULL;
    ASSERT_OK(hn_store_get_text(store, "large", &text, &err), &err);
    assert_string_equal(text, large);
    hn_free(text);
    ASSERT_OK(hn_store_get_text(store, "empty", &text, &err), &err);
    assert_string_equal(text, "");
    hn_free(text);
    ASSERT_OK(hn_store_get_text(store, "nothing", &text, &err), &err);
    assert_string_equal(text, "");
    hn_free(text);
    ASSERT_OK(hn_store_get_text(store, "twice", &text, &err), &err);
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    hn_free(text);
    int64_t whole = 0;
    double third = 0;
    ASSERT_OK(hn_store_get_i64(store, "least", &whole, &err), &err);
    assert_true(whole == INT64_MIN);
    ASSERT_OK(hn_store_get_i64(store, "seed", &whole, &err), &err);
    assert_true(whole == -1);
    ASSERT_OK(hn_store_get_f64(store, "third", &third, &err), &err);
    assert_true(third == 1.0 / 3.0);
    ASSERT_FAILS(hn_store_get_i64(store, "absent", &whole, &err), HN_FORMAT, "absent", &err);
    ASSERT_FAILS(hn_store_get_i64(store, "third", &whole, &err), HN_FORMAT, "third", &err);
    ASSERT_FAILS(hn_store_get_text(store, "least", &text, &err), HN_FORMAT, "least", &err);
    static const char *const provenance[] = {"program",        "version",        "commit", "libraries",
                                             "created",        "products",       "config", "inputs",
                                             "processor_path", "content_sha256", "about"};
    for (size_t i = 0; i < sizeof provenance / sizeof provenance[0]; i++) {
        ASSERT_OK(hn_store_get_text(store, provenance[i], &text, &err), &err);
        hn_free(text);
    }
    hn_store_close(&store);
    free(large);
}

static void long_heaps_and_ranges(void **state) {
    (void)state;
    enum { ROWS = 3, LONG = 5 << 20 };
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "long.h5");
    HnStoreWriter *writer = NULL;
    char *text = (char *)malloc(LONG);
    for (size_t i = 0; i < LONG; i++) {
        text[i] = (char)(i * 2654435761u >> 13);
    }
    ASSERT_OK(hn_store_create(path, &HN_SCHEMA_PROFILES, NULL, &writer, &err), &err);
    uint64_t rows = ROWS;
    unsigned char status[ROWS] = {0};
    ASSERT_OK(hn_store_write(writer, "status", &rows, status, &err), &err);
    static const char *const fields[] = {"profile", "reasoning", "raw"};
    for (int f = 0; f < 3; f++) {
        ASSERT_OK(hn_store_strings_begin(writer, fields[f], ROWS, &err), &err);
    }
    /* Interleaved; the heap of "raw" passes two chunk borders, the last is exactly two chunks. */
    for (int row = 0; row < ROWS; row++) {
        ASSERT_OK(hn_store_strings_add(writer, "profile", text, LONG, &err), &err);
        ASSERT_OK(hn_store_strings_add(writer, "reasoning", NULL, 0, &err), &err);
        ASSERT_OK(hn_store_strings_add(writer, "raw", text + row, row < 2 ? 4u << 20 : 0, &err), &err);
    }
    ASSERT_FAILS(hn_store_strings_add(writer, "raw", "x", 1, &err), HN_INTERNAL, "more rows", &err);
    ASSERT_OK(hn_store_seal(&writer, &err), &err);

    HnStore *store = NULL;
    ASSERT_OK(hn_store_open(path, &HN_SCHEMA_PROFILES, &store, &err), &err);
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    ASSERT_OK(hn_store_read_strings(store, "profile", 1, 2, &bytes, &offsets, &err), &err);
    assert_true(offsets[0] == 0 && offsets[1] == LONG && offsets[2] == 2 * LONG);
    assert_memory_equal(bytes, text, LONG);
    assert_memory_equal(bytes + LONG, text, LONG);
    hn_free(bytes);
    hn_free(offsets);
    ASSERT_OK(hn_store_read_strings(store, "raw", 1, 1, &bytes, &offsets, &err), &err);
    assert_true(offsets[1] == 4 << 20);
    assert_memory_equal(bytes, text + 1, 4 << 20);
    hn_free(bytes);
    hn_free(offsets);
    ASSERT_OK(hn_store_read_strings(store, "reasoning", 3, 0, &bytes, &offsets, &err), &err);
    hn_free(bytes);
    hn_free(offsets);
    ASSERT_FAILS(hn_store_read_strings(store, "reasoning", 2, 2, &bytes, &offsets, &err), HN_RANGE, "3 rows", &err);
    ASSERT_FAILS(hn_store_read_strings(store, "status", 0, 1, &bytes, &offsets, &err), HN_INTERNAL, "strings", &err);
    ASSERT_FAILS(hn_store_read_rows(store, "raw", 0, 1, text, &err), HN_INTERNAL, "strings", &err);
    ASSERT_FAILS(hn_store_read_rows(store, "status", UINT64_MAX, 2, text, &err), HN_RANGE, "rows", &err);
    ASSERT_FAILS(hn_store_read_rows(store, "attempts", 0, 1, text, &err), HN_FORMAT, "without the optional", &err);
    ASSERT_FAILS(hn_store_read_rows(store, "nonsense", 0, 1, text, &err), HN_INTERNAL, "declares no field", &err);
    hn_store_close(&store);
    free(text);
}

static HnStoreWriter *begin(const HnSchema *schema, HnError *err) {
    HnStoreWriter *writer = NULL;
    ASSERT_OK(hn_store_create(sample_path(folder, "refused.h5"), schema, NULL, &writer, err), err);
    return writer;
}

static void the_writer_refuses(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    float values[8] = {0};
    uint64_t two[2] = {2, 2}, three[2] = {2, 3}, vast[2] = {UINT64_MAX / 2, 3};
    HnStoreWriter *writer = begin(&HN_SCHEMA_MODEL, &err);
    ASSERT_FAILS(hn_store_define(writer, "nonsense", two, &err), HN_INTERNAL, "declares no field nonsense", &err);
    ASSERT_FAILS(hn_store_define(writer, "user/embedding", vast, &err), HN_RANGE, "too large", &err);
    ASSERT_FAILS(hn_store_write_rows(writer, "user/embedding", 0, 1, values, &err), HN_INTERNAL, "before it is", &err);
    ASSERT_FAILS(hn_store_strings_begin(writer, "user/embedding", 1, &err), HN_INTERNAL, "strings", &err);
    ASSERT_OK(hn_store_define(writer, "user/embedding", two, &err), &err);
    ASSERT_FAILS(hn_store_define(writer, "user/embedding", two, &err), HN_INTERNAL, "twice", &err);
    ASSERT_FAILS(hn_store_write_rows(writer, "user/embedding", 1, 2, values, &err), HN_RANGE, "outside", &err);
    ASSERT_OK(hn_store_write_rows(writer, "user/embedding", 1, 1, values, &err), &err);
    ASSERT_FAILS(hn_store_seal(&writer, &err), HN_INTERNAL, "row 0 of 2 of field user/embedding", &err);
    assert_null(writer);

    writer = begin(&HN_SCHEMA_MODEL, &err);
    ASSERT_OK(hn_store_write(writer, "user/embedding", two, values, &err), &err);
    ASSERT_FAILS(hn_store_seal(&writer, &err), HN_INTERNAL, "required field item/embedding", &err);

    writer = begin(&HN_SCHEMA_MODEL, &err);
    ASSERT_OK(hn_store_write(writer, "user/embedding", two, values, &err), &err);
    ASSERT_OK(hn_store_write(writer, "item/embedding", three, values, &err), &err);
    ASSERT_FAILS(hn_store_seal(&writer, &err), HN_INTERNAL, "says dim = 3, but field user/embedding says 2", &err);

    writer = begin(&HN_SCHEMA_VECTORS, &err);
    Sample sample = {.scale = 1};
    ASSERT_OK(sample_fill(writer, &HN_SCHEMA_VECTORS, &sample, &err), &err);
    uint64_t dims[2] = {9, 3};
    float more[27] = {0};
    ASSERT_OK(hn_store_write(writer, "vector_f32", dims, more, &err), &err);
    ASSERT_FAILS(hn_store_seal(&writer, &err), HN_INTERNAL, "exactly one", &err);

    writer = begin(&HN_SCHEMA_PROFILES, &err);
    ASSERT_OK(hn_store_strings_begin(writer, "raw", 2, &err), &err);
    ASSERT_OK(hn_store_strings_add(writer, "raw", "x", 1, &err), &err);
    ASSERT_FAILS(hn_store_strings_begin(writer, "raw", 2, &err), HN_INTERNAL, "twice", &err);
    hn_store_abandon(&writer);
    assert_null(writer);
    assert_false(hn_file_exists(sample_path(folder, "refused.h5")));
    char **names = NULL;
    size_t n_names = 0;
    ASSERT_OK(hn_folder_list(folder, &names, &n_names, &err), &err);
    for (size_t i = 0; i < n_names; i++) {
        assert_null(strstr(names[i], ".tmp")); /* every refusal removed its file */
    }
    hn_names_free(&names, n_names);
}

static void where_it_cannot_be_written(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnStoreWriter *writer = NULL;
    ASSERT_FAILS(hn_store_create(sample_path(folder, "absent/x.h5"), &HN_SCHEMA_MODEL, NULL, &writer, &err), HN_IO,
                 "No such file", &err);
    assert_null(writer);
    if (geteuid() != 0) {
        const char *closed = sample_path(folder, "closed");
        assert_int_equal(mkdir(closed, 0500), 0);
        ASSERT_FAILS(hn_store_create(sample_path(closed, "x.h5"), &HN_SCHEMA_MODEL, NULL, &writer, &err), HN_IO,
                     "Permission denied", &err);
    }
    /* A folder stands where the store should go. */
    const char *taken = sample_path(folder, "taken.h5");
    assert_int_equal(mkdir(taken, 0700), 0);
    Sample sample = {.scale = 1};
    ASSERT_FAILS(sample_write(taken, &HN_SCHEMA_MODEL, &sample, &err), HN_IO, "taken.h5", &err);
}

static void a_second_store_replaces_the_first(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "replaced.h5");
    Sample old = {.scale = 1, .salt = 1}, new = {.scale = 2, .salt = 2};
    ASSERT_OK(sample_write(path, &HN_SCHEMA_MODEL, &old, &err), &err);
    HnStore *store = NULL; /* a reader of the old one is not disturbed */
    ASSERT_OK(hn_store_open(path, &HN_SCHEMA_MODEL, &store, &err), &err);
    ASSERT_OK(sample_write(path, &HN_SCHEMA_MODEL, &new, &err), &err);
    uint64_t dims[HN_MAX_DIMS];
    float row[3];
    ASSERT_OK(hn_store_dims(store, "user/embedding", dims, &err), &err);
    assert_true(dims[0] == 7);
    ASSERT_OK(hn_store_read_rows(store, "user/embedding", 6, 1, row, &err), &err);
    HnStore *other = NULL;
    ASSERT_OK(hn_store_open(path, &HN_SCHEMA_MODEL, &other, &err), &err);
    ASSERT_OK(hn_store_dims(other, "user/embedding", dims, &err), &err);
    assert_true(dims[0] == 14);
    hn_store_close(&store);
    ASSERT_OK(hn_store_read_rows(other, "user/embedding", 13, 1, row, &err), &err);
    hn_store_close(&other);
    assert_null(sample_difference(path, &HN_SCHEMA_MODEL, &new));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schema_there_and_back),
        cmocka_unit_test(no_rows_at_all),
        cmocka_unit_test(attributes_there_and_back),
        cmocka_unit_test(long_heaps_and_ranges),
        cmocka_unit_test(the_writer_refuses),
        cmocka_unit_test(where_it_cannot_be_written),
        cmocka_unit_test(a_second_store_replaces_the_first),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
