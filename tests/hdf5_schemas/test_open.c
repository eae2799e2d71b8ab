/* What a reader refuses: no store, another store, a newer one, an unfinished, cut, zeroed or damaged one. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "sample.h"

/* HDF5 1.10 itself loses 456 bytes at each open of a file with a damaged header; what is ours comes from hn_alloc. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5";
}

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

static const char *sample_of(const HnSchema *schema, const char *name) {
    HnError err = HN_ERROR_INIT;
    Sample sample = {.scale = 40, .optional = true};
    const char *path = sample_path(folder, name);
    ASSERT_OK(sample_write(path, schema, &sample, &err), &err);
    return path;
}

static HnStatus try_open(const char *path, const HnSchema *schema, HnError *err) {
    HnStore *store = NULL;
    HnStatus status = hn_store_open(path, schema, &store, err);
    assert_true((status == HN_OK) == (store != NULL));
    hn_store_close(&store);
    return status;
}

static void write_file(const char *path, const void *bytes, size_t n_bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void no_store(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "other");
    ASSERT_FAILS(try_open(path, NULL, &err), HN_IO, "No such file", &err);
    write_file(path, "", 0);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "empty", &err);
    write_file(path, "user,item\n1,2\n", 14);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "no HDF5 file", &err);
    write_file(path, "\x89HDF\r\n\x1a\n", 8);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "cut short or damaged", &err);
    char *zeros = (char *)calloc(1, 100000);
    write_file(path, zeros, 100000);
    free(zeros);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "zeros", &err);
    ASSERT_FAILS(try_open(folder, NULL, &err), HN_IO, folder, &err);
}

static void another_store(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_of(&HN_SCHEMA_MODEL, "model.h5");
    ASSERT_FAILS(try_open(path, &HN_SCHEMA_RESULT, &err), HN_FORMAT,
                 "this is a model store, where a result store is needed", &err);
}

/* Changes a sealed store behind our back, as another program would. */
static hid_t open_raw(const char *path) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void put_version(const char *path, int64_t version) {
    hid_t file = open_raw(path);
    hid_t attribute = H5Aopen(file, "schema_version", H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &version) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
}

static void a_newer_version(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_of(&HN_SCHEMA_MODEL, "newer.h5");
    put_version(path, HN_SCHEMA_MODEL.version + 1);
    ASSERT_FAILS(try_open(path, &HN_SCHEMA_MODEL, &err), HN_FORMAT, "Use the hnlmrec that wrote it or a newer one",
                 &err);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "reads version 1", &err);
    put_version(path, 0);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "Run again what made it", &err);
    put_version(path, 1);
    ASSERT_OK(try_open(path, NULL, &err), &err);
}

static void an_unknown_or_foreign_file(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "foreign.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "no store of hnlmrec", &err);
    HnSchema unknown = HN_SCHEMA_MODEL;
    unknown.name = "moodel";
    path = sample_of(&unknown, "unknown.h5");
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "knows no moodel stores", &err);
}

static void something_missing(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_of(&HN_SCHEMA_PROFILES, "missing.h5");
    hid_t file = open_raw(path);
    assert_true(H5Ldelete(file, "attempts", H5P_DEFAULT) >= 0); /* optional */
    H5Fclose(file);
    ASSERT_OK(try_open(path, NULL, &err), &err);
    file = open_raw(path);
    assert_true(H5Ldelete(file, "raw/offsets", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "raw/offsets", &err);
    file = open_raw(path);
    assert_true(H5Ldelete(file, "raw", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "lacks its field raw", &err);
    path = sample_of(&HN_SCHEMA_MODEL, "unsealed.h5");
    file = open_raw(path);
    assert_true(H5Adelete(file, "content_sha256") >= 0);
    H5Fclose(file);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "never finished", &err);
}

static void replace_dataset(const char *path, const char *name, hid_t type, int n_dims, const hsize_t *dims) {
    hid_t file = open_raw(path);
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(n_dims, dims, NULL);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
}

static void another_shape_or_type(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const hsize_t five_by_four[2] = {5, 4}, twenty = 20;
    const char *path = sample_of(&HN_SCHEMA_MODEL, "shape.h5");
    replace_dataset(path, "item/embedding", H5T_IEEE_F64LE, 2, five_by_four);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "another type", &err);
    replace_dataset(path, "item/embedding", H5T_IEEE_F32LE, 1, &twenty);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_FORMAT, "number of dimensions", &err);
    replace_dataset(path, "item/embedding", H5T_IEEE_F32LE, 2, five_by_four);
    ASSERT_FAILS(try_open(path, NULL, &err), HN_CORRUPT, "says dim = 4", &err);
}

/* A vector store as a Python user may make it: no provenance, big-endian is refused, the rest is enough. */
static void made_elsewhere(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_of(&HN_SCHEMA_VECTORS, "elsewhere.h5");
    char recorded[65], computed[65];
    ASSERT_OK(hn_store_content_id(path, recorded, &err), &err);
    hid_t file = open_raw(path);
    static const char *const own[] = {"program", "version", "commit", "content_sha256", "config", "about"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        assert_true(H5Adelete(file, own[i]) >= 0);
    }
    /* A fixed-length schema attribute, as numpy strings give. */
    assert_true(H5Adelete(file, "schema") >= 0);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, 7);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    hid_t attribute = H5Acreate2(file, "schema", type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, "vectors") >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
    ASSERT_OK(try_open(path, &HN_SCHEMA_VECTORS, &err), &err);
    ASSERT_OK(hn_store_content_id(path, computed, &err), &err);
    assert_string_equal(recorded, computed);
}

/* Any cut of a sealed file is refused or, where only slack is gone, reads the same: never a crash, never other data. */
static void cut_anywhere(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const char *path = sample_of(&HN_SCHEMA_PROFILES, "whole.h5"), *cut = sample_path(folder, "cut.h5");
    char whole[65], hex[65], *bytes = NULL;
    size_t n_bytes = 0, n_refused = 0, n_tried = 0;
    ASSERT_OK(hn_store_digest(path, NULL, NULL, whole, &err), &err);
    ASSERT_OK(hn_file_read(path, 1 << 26, &bytes, &n_bytes, &err), &err);
    for (size_t n = 0; n < n_bytes; n += n < 2048 ? 31 : 997) {
        write_file(cut, bytes, n);
        HnStatus status = hn_store_digest(cut, NULL, NULL, hex, &err);
        assert_true(status == HN_OK ? strcmp(hex, whole) == 0 : status == HN_CORRUPT || status == HN_FORMAT);
        assert_true(status == HN_OK || strstr(err.message, "cut.h5") != NULL);
        n_refused += status != HN_OK;
        n_tried++;
        hn_error_clear(&err);
    }
    assert_int_equal(n_refused, n_tried); /* HDF5 records the length, so every cut is seen */
    hn_free(bytes);
}

/* A changed byte is either refused or harmless (attributes, slack): the digest never silently differs. */
static void a_byte_changed_anywhere(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Sample sample = {.scale = 40, .optional = true};
    const char *path = sample_of(&HN_SCHEMA_MODEL, "good.h5"), *bad = sample_path(folder, "bad.h5");
    char *bytes = NULL, whole[65], hex[65];
    size_t n_bytes = 0, n_refused = 0;
    ASSERT_OK(hn_store_digest(path, NULL, NULL, whole, &err), &err);
    ASSERT_OK(hn_file_read(path, 1 << 26, &bytes, &n_bytes, &err), &err);
    assert_null(sample_difference(path, &HN_SCHEMA_MODEL, &sample));
    for (size_t i = 0; i < n_bytes; i += i < 4096 ? 13 : 211) {
        bytes[i] = (char)(bytes[i] ^ 0x41);
        write_file(bad, bytes, n_bytes);
        bytes[i] = (char)(bytes[i] ^ 0x41);
        HnStatus status = hn_store_digest(bad, NULL, NULL, hex, &err);
        assert_true(status != HN_OK || strcmp(hex, whole) == 0);
        n_refused += status != HN_OK;
        hn_error_clear(&err);
    }
    assert_true(n_refused > 10);
    hn_free(bytes);
}

int main(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_store),
        cmocka_unit_test(another_store),
        cmocka_unit_test(a_newer_version),
        cmocka_unit_test(an_unknown_or_foreign_file),
        cmocka_unit_test(something_missing),
        cmocka_unit_test(another_shape_or_type),
        cmocka_unit_test(made_elsewhere),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(a_byte_changed_anywhere),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
