/* The declarations themselves, the shapes in them, and the page made from them. */
#include "cmocka_all.h"

#include "base/alloc.h"
#include "base/file.h"
#include "shape.h"
#include "store.h"

static void every_declaration_is_sound(void **state) {
    (void)state;
    for (size_t s = 0; HN_SCHEMAS[s] != NULL; s++) {
        const HnSchema *schema = HN_SCHEMAS[s];
        assert_true(schema->version >= 1 && schema->n_fields > 0);
        for (size_t other = 0; other < s; other++) {
            assert_string_not_equal(schema->name, HN_SCHEMAS[other]->name);
        }
        for (size_t i = 0; i < schema->n_fields; i++) {
            const HnField *field = &schema->fields[i];
            HnShape shape;
            assert_true(hn_shape_parse(field->shape, &shape));
            assert_true(field->type != HN_STRINGS || shape.n_dims == 1);
            size_t n = strlen(field->about);
            assert_true(n > 0 && field->about[n - 1] == '.' && strlen(field->unit) > 0);
            for (size_t j = 0; j < i; j++) { /* no field twice, none inside another */
                const char *a = schema->fields[j].path;
                size_t shorter = strlen(a) < strlen(field->path) ? strlen(a) : strlen(field->path);
                assert_true(strncmp(a, field->path, shorter) != 0 || (a[shorter] != '\0' && a[shorter] != '/') ||
                            (field->path[shorter] != '\0' && field->path[shorter] != '/'));
            }
        }
    }
}

static void shapes_are_read(void **state) {
    (void)state;
    HnShape shape;
    assert_true(hn_shape_parse("[n]", &shape));
    assert_int_equal(shape.n_dims, 1);
    assert_true(hn_shape_parse("[n_users+1][dim]", &shape));
    assert_int_equal(shape.n_dims, 2);
    assert_true(shape.dims[0].plus == 1 && shape.dims[1].plus == 0);
    assert_string_equal(shape.dims[1].name, "dim");
    assert_true(hn_shape_parse("[a*b]", &shape));
    assert_string_equal(shape.dims[0].times, "b");
    static const char *const wrong[] = {"",
                                        "n",
                                        "[]",
                                        "[n",
                                        "[n]x",
                                        "[n+1*2]",
                                        "[+1]",
                                        "[n*]",
                                        "[a][b][c][d][e]",
                                        "[a_name_that_is_far_too_long_to_be_one]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(hn_shape_parse(wrong[i], &shape));
    }
}

static void sizes_must_agree(void **state) {
    (void)state;
    const HnField fields[] = {{"text", HN_STRINGS, "[n*m]", "1", "T.", 0},
                              {"offsets", HN_U64, "[n+1]", "1", "O.", 0},
                              {"status", HN_U8, "[n][m]", "1", "S.", 0}};
    const HnSchema schema = {"x", "X.", 1, fields, 3, NULL, 0};
    HnExtent good[] = {{true, {6}}, {true, {4}}, {true, {3, 2}}};
    HnError err = HN_ERROR_INIT;
    ASSERT_OK(hn_shapes_agree(&schema, good, sizeof good[0], "f", HN_CORRUPT, &err), &err);
    HnExtent product[] = {{true, {7}}, {true, {4}}, {true, {3, 2}}};
    ASSERT_FAILS(hn_shapes_agree(&schema, product, sizeof good[0], "f", HN_CORRUPT, &err), HN_CORRUPT,
                 "field text has 7 rows", &err);
    HnExtent sum[] = {{true, {6}}, {true, {5}}, {true, {3, 2}}};
    ASSERT_FAILS(hn_shapes_agree(&schema, sum, sizeof good[0], "f", HN_CORRUPT, &err), HN_CORRUPT, "says n = 3", &err);
    HnExtent none[] = {{true, {6}}, {true, {0}}, {true, {3, 2}}};
    ASSERT_FAILS(hn_shapes_agree(&schema, none, sizeof good[0], "f", HN_CORRUPT, &err), HN_CORRUPT, "at least 1", &err);
    HnExtent wide[] = {{true, {0}}, {false, {0}}, {true, {(uint64_t)1 << 33, (uint64_t)1 << 31}}};
    ASSERT_FAILS(hn_shapes_agree(&schema, wide, sizeof good[0], "f", HN_CORRUPT, &err), HN_CORRUPT, "field text", &err);
    HnExtent absent[] = {{true, {6}}, {true, {4}}, {false, {0}}}; /* m is nowhere said */
    ASSERT_OK(hn_shapes_agree(&schema, absent, sizeof good[0], "f", HN_CORRUPT, &err), &err);
}

static void the_page_is_up_to_date(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *page = NULL, *file = NULL;
    size_t n_bytes = 0;
    ASSERT_OK(hn_store_reference(&page, &err), &err);
    const char *path = HN_SOURCE_DIR "/hdf5_schemas/REFERENCE.md";
    ASSERT_OK(hn_file_read(path, 1 << 20, &file, &n_bytes, &err), &err);
    if (strcmp(page, file) != 0) {
        fail_msg("hdf5_schemas/REFERENCE.md is not what the declarations say; write it again with\n"
                 "  hnlmrec help stores > hdf5_schemas/REFERENCE.md");
    }
    hn_free(page);
    hn_free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_declaration_is_sound),
        cmocka_unit_test(shapes_are_read),
        cmocka_unit_test(sizes_must_agree),
        cmocka_unit_test(the_page_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
