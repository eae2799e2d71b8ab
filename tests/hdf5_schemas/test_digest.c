/* Digests: equal for equal contents whatever the order of writing, different for anything else; known answers. */
#include "cmocka_all.h"

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

static void digest_of(const HnSchema *schema, Sample sample, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    const char *path = sample_path(folder, "digest.h5");
    char recorded[65];
    ASSERT_OK(sample_write(path, schema, &sample, &err), &err);
    ASSERT_OK(hn_store_digest(path, NULL, NULL, hex, &err), &err);
    ASSERT_OK(hn_store_content_id(path, recorded, &err), &err);
    assert_string_equal(recorded, hex);
}

static void equal_and_different(void **state) {
    (void)state;
    for (size_t s = 0; HN_SCHEMAS[s] != NULL; s++) {
        char one[65], two[65];
        Sample sample = {.salt = 5, .scale = 1, .optional = true};
        digest_of(HN_SCHEMAS[s], sample, one);
        sample.backwards = true; /* other order of rows and fields, so another file layout */
        digest_of(HN_SCHEMAS[s], sample, two);
        assert_string_equal(one, two);
        sample.jumps = 9; /* volatile fields only */
        digest_of(HN_SCHEMAS[s], sample, two);
        assert_string_equal(one, two);
        sample.salt = 6;
        digest_of(HN_SCHEMAS[s], sample, two);
        assert_string_not_equal(one, two);
        sample.salt = 5;
        sample.scale = 2;
        digest_of(HN_SCHEMAS[s], sample, two);
        assert_string_not_equal(one, two);
    }
}

typedef struct Fields {
    int n;
    char lines[2048];
} Fields;

static void keep_field(void *context, const char *field, const char hex[65]) {
    Fields *fields = (Fields *)context;
    size_t used = strlen(fields->lines);
    snprintf(fields->lines + used, sizeof fields->lines - used, "%s  %s\n", hex, field);
    fields->n++;
}

/* The format is a promise: recomputed here from its description, by hand. */
static void known_answer(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnStoreWriter *writer = NULL;
    const char *path = sample_path(folder, "known.h5");
    const float users[2] = {1.0f, -2.0f}, items[1] = {0.5f};
    uint64_t two[2] = {2, 1}, one[2] = {1, 1};
    ASSERT_OK(hn_store_create(path, &HN_SCHEMA_MODEL, NULL, &writer, &err), &err);
    ASSERT_OK(hn_store_write(writer, "user/embedding", two, users, &err), &err);
    ASSERT_OK(hn_store_write(writer, "item/embedding", one, items, &err), &err);
    ASSERT_OK(hn_store_seal(&writer, &err), &err);
    static const char user_bytes[] = "user/embedding\0f32\0\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                                     "\x00\x00\x80\x3f\x00\x00\x00\xc0";
    static const char item_bytes[] = "item/embedding\0f32\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                                     "\x00\x00\x00\x3f";
    char user[65], item[65], lines[256], total[65], whole[65];
    hn_sha256_bytes(user_bytes, sizeof user_bytes - 1, user);
    hn_sha256_bytes(item_bytes, sizeof item_bytes - 1, item);
    snprintf(lines, sizeof lines, "%s  item/embedding\n%s  user/embedding\n", item, user);
    hn_sha256_bytes(lines, strlen(lines), total);
    Fields fields = {0};
    ASSERT_OK(hn_store_digest(path, keep_field, &fields, whole, &err), &err);
    assert_int_equal(fields.n, 2);
    assert_string_equal(fields.lines, lines);
    assert_string_equal(whole, total);
}

/* ("ab", "c") is not ("a", "bc"), nor ("abc", ""). */
static void row_borders_count(void **state) {
    (void)state;
    static const char *const rows[3][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}};
    char hex[3][65];
    for (int i = 0; i < 3; i++) {
        HnError err = HN_ERROR_INIT;
        HnStoreWriter *writer = NULL;
        const char *path = sample_path(folder, "rows.h5");
        uint64_t two = 2;
        unsigned char status[2] = {0, 0};
        ASSERT_OK(hn_store_create(path, &HN_SCHEMA_PROFILES, NULL, &writer, &err), &err);
        ASSERT_OK(hn_store_write(writer, "status", &two, status, &err), &err);
        ASSERT_OK(hn_store_strings(writer, "profile", rows[i], 2, &err), &err);
        ASSERT_OK(hn_store_strings(writer, "reasoning", rows[0], 2, &err), &err);
        ASSERT_OK(hn_store_strings(writer, "raw", rows[0], 2, &err), &err);
        ASSERT_OK(hn_store_seal(&writer, &err), &err);
        ASSERT_OK(hn_store_digest(path, NULL, NULL, hex[i], &err), &err);
    }
    assert_string_not_equal(hex[0], hex[1]);
    assert_string_not_equal(hex[1], hex[2]);
    assert_string_not_equal(hex[0], hex[2]);
}

/* Fields larger than a digest block, and chunked heaps beside contiguous ones. */
static void large_fields(void **state) {
    (void)state;
    char one[65], two[65];
    Sample sample = {.salt = 1, .scale = 20000};
    digest_of(&HN_SCHEMA_MODEL, sample, one);
    sample.salt = 2;
    digest_of(&HN_SCHEMA_MODEL, sample, two);
    assert_string_not_equal(one, two);
    sample.scale = 60000;
    digest_of(&HN_SCHEMA_PROFILES, sample, one);
    digest_of(&HN_SCHEMA_PROFILES, sample, two);
    assert_string_equal(one, two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_and_different),
        cmocka_unit_test(known_answer),
        cmocka_unit_test(row_borders_count),
        cmocka_unit_test(large_fields),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
