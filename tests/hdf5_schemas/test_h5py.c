/* A sealed store opens in other people's tools: h5dump (SKIP where it is absent) and h5py (SKIP where Python lacks it).
 */
#include "cmocka_all.h"

#include <stdlib.h>

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

static const char *python(void) {
    const char *named = getenv("HNLMREC_TEST_PYTHON");
    return named == NULL || named[0] == '\0' ? "python3" : named;
}

static void h5py_reads_what_was_written(void **state) {
    (void)state;
    static char out[1 << 16];
    char command[2000];
    HnError err = HN_ERROR_INIT;
    HnStoreWriter *writer = NULL;
    const char *path = sample_path(folder, "h5py.h5");
    uint64_t two = 2, dims[2] = {2, 2};
    const int32_t users[2] = {0, 1}, items[2] = {7, -1};
    const uint8_t present[2] = {1, 0};
    const uint16_t halves[4] = {0x3c00, 0xc000, 0x3555, 0x0001}; /* 1, -2, 0.333, the least subnormal */
    ASSERT_OK(hn_store_create(path, &HN_SCHEMA_VECTORS, NULL, &writer, &err), &err);
    ASSERT_OK(hn_store_write(writer, "pair/user", &two, users, &err), &err);
    ASSERT_OK(hn_store_write(writer, "pair/item", &two, items, &err), &err);
    ASSERT_OK(hn_store_write(writer, "present", &two, present, &err), &err);
    ASSERT_OK(hn_store_write(writer, "vector", dims, halves, &err), &err);
    ASSERT_OK(hn_store_seal(&writer, &err), &err);
    const char *text = sample_path(folder, "text.h5");
    static const char *const rows[2] = {"gr\xc3\xbc\xc3\x9f dich", ""};
    ASSERT_OK(hn_store_create(text, &HN_SCHEMA_PROFILES, NULL, &writer, &err), &err);
    ASSERT_OK(hn_store_write(writer, "status", &two, present, &err), &err);
    ASSERT_OK(hn_store_strings(writer, "profile", rows, 2, &err), &err);
    ASSERT_OK(hn_store_strings(writer, "reasoning", rows, 2, &err), &err);
    ASSERT_OK(hn_store_strings(writer, "raw", rows, 2, &err), &err);
    ASSERT_OK(hn_store_seal(&writer, &err), &err);
    snprintf(command, sizeof command,
             "%s - '%s' '%s' 2>&1 <<'END'\n"
             "import h5py, sys\n"
             "f = h5py.File(sys.argv[1], 'r')\n"
             "v = f['vector']\n"
             "assert str(v.dtype) == 'float16' and v.shape == (2, 2), v\n"
             "assert v[0].tolist() == [1.0, -2.0] and float(v[1, 1]) == 2.0 ** -24, v[:]\n"
             "assert f['pair/item'][:].tolist() == [7, -1] and f['present'][:].tolist() == [1, 0]\n"
             "assert b'vector' in v.attrs['about'] and v.attrs['shape'] == b'[n_pairs][dim]'\n"
             "assert f.attrs['schema'] == b'vectors' and f.attrs['schema_version'] == 1\n"
             "t = h5py.File(sys.argv[2], 'r')['profile']\n"
             "o = t['offsets'][:]\n"
             "rows = [t['bytes'][o[i]:o[i+1]].tobytes().decode() for i in range(len(o) - 1)]\n"
             "assert rows == ['gr\\u00fc\\u00df dich', ''], rows\n"
             "assert 'offsets[i+1]' in t.attrs['encoding'].decode()\n"
             "print('read')\n"
             "END\n",
             python(), path, text);
    int code = sample_run(command, out, sizeof out);
    if (code != 0 || strstr(out, "read") == NULL) {
        fail_msg("%.3000s", out);
    }
}

int main(void) {
    char command[600], out[256];
    snprintf(command, sizeof command, "%s -c 'import h5py' 2>&1", python());
    if (sample_run(command, out, sizeof out) != 0) {
        printf("SKIP: %s has no h5py\n", python());
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(h5py_reads_what_was_written)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
