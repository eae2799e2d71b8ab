/* safetensors: what is written is read; every kind of damage is named. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "folder.h"
#include "llm/files/tensors.h"

#define ONE "model.safetensors"
#define INDEX "model.safetensors.index.json"

static HnTensors *tensors;

static void expect_open(HnStatus wanted, const char *word, const char *second) {
    HnError err = HN_ERROR_INIT;
    uint64_t live = hn_alloc_live_blocks();
    HnStatus status = hn_tensors_open(folder_path(""), &tensors, &err);
    folder_expect(status, wanted, &err, word, second, NULL);
    if (wanted != HN_OK) {
        assert_null(tensors);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
}

static void header(const char *text, size_t n_data) {
    folder_safetensors(ONE, text, n_data);
}

static HnStatus take(const char *name, int n_dims, uint64_t first, uint64_t second, HnTensor *tensor, HnError *err) {
    uint64_t dims[2] = {first, second};
    return hn_tensors_take(tensors, name, n_dims, dims, tensor, err);
}

static void single_file(void **state) {
    (void)state;
    folder_clear();
    /* In another order than by place; a scalar, an empty tensor and an integer one; padding behind the header. */
    header("{\"b\":{\"dtype\":\"BF16\",\"shape\":[3,2],\"data_offsets\":[8,20]},"
           "\"__metadata__\":{\"format\":\"pt\"},"
           "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
           "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,5],\"data_offsets\":[20,20]},"
           "\"scalar\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[20,22]},"
           "\"x.position_ids\":{\"dtype\":\"I64\",\"shape\":[1,2],\"data_offsets\":[22,38]}}   ",
           38);
    expect_open(HN_OK, NULL, NULL);
    HnError err = HN_ERROR_INIT;
    HnTensor tensor;
    assert_int_equal(hn_tensors_bytes(tensors), 38);
    assert_true(hn_tensors_has(tensors, "a"));
    assert_false(hn_tensors_has(tensors, "__metadata__"));
    assert_int_equal(take("b", 2, 3, 2, &tensor, &err), HN_OK);
    assert_int_equal(tensor.type, HN_ELEMENT_BF16);
    assert_int_equal(tensor.n_bytes, 12);
    assert_string_equal(tensor.name, "b");
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(((const unsigned char *)tensor.bytes)[i], (unsigned char)((8 + i) * 7 + 3));
    }
    hn_tensors_drop(&tensor); /* and read again: from the file */
    assert_int_equal(((const unsigned char *)tensor.bytes)[0], 8 * 7 + 3);
    folder_expect(take("b", 2, 3, 2, &tensor, &err), HN_FORMAT, &err, ONE, "b is asked for twice", NULL);
    hn_error_clear(&err);
    folder_expect(take("a", 1, 3, 0, &tensor, &err), HN_FORMAT, &err, "a is [2]", "should be [3]", NULL);
    hn_error_clear(&err);
    folder_expect(take("a", 2, 2, 1, &tensor, &err), HN_FORMAT, &err, "should be [2, 1]", NULL);
    hn_error_clear(&err);
    folder_expect(take("c", 1, 2, 0, &tensor, &err), HN_FORMAT, &err, ONE, "no tensor c", NULL);
    hn_error_clear(&err);
    folder_expect(take("x.position_ids", 2, 1, 2, &tensor, &err), HN_UNSUPPORTED, &err, "x.position_ids holds I64",
                  NULL);
    hn_error_clear(&err);
    assert_int_equal(take("scalar", 0, 0, 0, &tensor, &err), HN_OK);
    assert_int_equal(take("empty", 2, 0, 5, &tensor, &err), HN_OK);
    assert_int_equal(tensor.n_bytes, 0);
    hn_tensors_drop(&tensor);
    char *leftovers = NULL;
    static const char *const known[] = {"position_ids", "inv_freq"};
    folder_expect(hn_tensors_finish(tensors, known, 2, NULL, &leftovers, &err), HN_FORMAT, &err, "1 of the tensors: a;",
                  NULL);
    hn_error_clear(&err);
    assert_int_equal(take("a", 1, 2, 0, &tensor, &err), HN_OK);
    assert_int_equal(hn_tensors_finish(tensors, known, 2, NULL, &leftovers, &err), HN_OK);
    assert_string_equal(leftovers, "x.position_ids");
    hn_free(leftovers);
    assert_int_equal(hn_tensors_finish(tensors, known, 2, NULL, NULL, &err), HN_OK);
    hn_tensors_close(&tensors);
    assert_null(tensors);
    hn_tensors_close(&tensors);
}

static void tied_heads(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTensor tensor;
    char *leftovers = NULL;
    folder_clear();
    static const char two[] = "{\"embed\":{\"dtype\":\"F16\",\"shape\":[2,64],\"data_offsets\":[0,256]},"
                              "\"lm_head.weight\":{\"dtype\":\"F16\",\"shape\":[2,64],\"data_offsets\":[256,512]}}";
    header(two, 512); /* bytes repeat every 256: the two are equal */
    expect_open(HN_OK, NULL, NULL);
    assert_int_equal(take("embed", 2, 2, 64, &tensor, &err), HN_OK);
    assert_int_equal(hn_tensors_finish(tensors, NULL, 0, "embed", &leftovers, &err), HN_OK);
    assert_string_equal(leftovers, "lm_head.weight");
    hn_free(leftovers);
    folder_expect(hn_tensors_finish(tensors, NULL, 0, NULL, NULL, &err), HN_FORMAT, &err, "lm_head.weight", NULL);
    hn_error_clear(&err);
    hn_tensors_close(&tensors);
    char *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(hn_file_read(folder_path(ONE), 1 << 20, &bytes, &n_bytes, &err), HN_OK);
    bytes[n_bytes - 1] ^= 1;
    folder_write(ONE, bytes, n_bytes);
    hn_free(bytes);
    expect_open(HN_OK, NULL, NULL);
    assert_int_equal(take("embed", 2, 2, 64, &tensor, &err), HN_OK);
    folder_expect(hn_tensors_finish(tensors, NULL, 0, "embed", NULL, &err), HN_FORMAT, &err,
                  "lm_head.weight differs from embed", NULL);
    hn_tensors_close(&tensors);
}

#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        HnStatus status;
        const char *word;
    } cases[] = {
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 7, HN_FORMAT, "cut short"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 9, HN_FORMAT, "1 bytes at the end belong to no tensor"},
        {"{}", 4, HN_FORMAT, "4 bytes at the end"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[4,12]") "}", 12, HN_FORMAT, "overlap"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[0,8]") "}", 8, HN_FORMAT, "overlap"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]", "[12,16]") "}", 16, HN_FORMAT, "hole"},
        {"{" TENSOR("a", "F32", "[2]", "[4,12]") "}", 12, HN_FORMAT, "hole"},
        {"{" TENSOR("a", "F32", "[3]", "[0,8]") "}", 8, HN_FORMAT, "has 8 bytes, but its shape and dtype take 12"},
        {"{" TENSOR("a", "F16", "[2]", "[0,8]") "}", 8, HN_FORMAT, "take 4"},
        {"{" TENSOR("a", "F32", "[2]", "[8,0]") "}", 8, HN_FORMAT, "no data_offsets"},
        {"{" TENSOR("a", "F32", "[2]", "[-8,0]") "}", 8, HN_FORMAT, "no data_offsets"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8,8]") "}", 8, HN_FORMAT, "no data_offsets"},
        {"{" TENSOR("a", "F32", "[2]", "8") "}", 8, HN_FORMAT, "no data_offsets"},
        {"{" TENSOR("a", "F32", "[-2]", "[0,8]") "}", 8, HN_FORMAT, "a size that is no number"},
        {"{" TENSOR("a", "F32", "[2.0]", "[0,8]") "}", 8, HN_FORMAT, "a size that is no number"},
        {"{" TENSOR("a", "F32", "2", "[0,8]") "}", 8, HN_FORMAT, "no shape"},
        {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, HN_FORMAT, "no shape of at most 8"},
        {"{" TENSOR("a", "F32", "[4294967296,4294967296]", "[0,8]") "}", 8, HN_FORMAT, "absurd shape"},
        {"{" TENSOR("a", "F32", "[4611686018427387906]", "[0,8]") "}", 8, HN_FORMAT, "absurd shape"},
        {"{" TENSOR("a", "F31", "[2]", "[0,8]") "}", 8, HN_UNSUPPORTED, "unknown dtype F31"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HN_FORMAT, "no dtype"},
        {"{\"a\":[1,2]}", 8, HN_FORMAT, "an object is expected"},
        {"{" TENSOR("", "F32", "[2]", "[0,8]") "}", 8, HN_FORMAT, "has no name"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("a", "F32", "[2]", "[8,16]") "}", 16, HN_FORMAT,
         "a is there twice"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HN_FORMAT,
         "a tensor's description"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},}", 8, HN_FORMAT, "a name in quotes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} x", 8, HN_FORMAT, "something follows"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}\"b\"", 8, HN_FORMAT, "a comma"},
        {"{\"a\" {}}", 0, HN_FORMAT, "a colon"},
        {"{\"a\":{\"x\":\"}", 0, HN_FORMAT, "an object is expected"},
        {"{\"a\\\"", 0, HN_FORMAT, "a name in quotes"},
        {"{\"\\ud800\":{}}", 0, HN_FORMAT, "a name is malformed"},
        {"{", 0, HN_FORMAT, "a name in quotes"},
        {"[1]", 0, HN_FORMAT, "no JSON object"},
        {"{\"a\"", 0, HN_FORMAT, "no valid JSON"},
        {"", 0, HN_FORMAT, "no JSON object"},
        {"{\"\xff\":1}", 0, HN_FORMAT, "no valid JSON"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        folder_clear();
        header(cases[k].header, cases[k].n_data);
        expect_open(cases[k].status, cases[k].word, ONE);
    }
}

static void bad_lengths(void **state) {
    (void)state;
    static const unsigned char absurd[10] = {0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}'};
    static const unsigned char big[10] = {0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{', '}'}; /* 100,000,001 */
    static const unsigned char longer[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    static const unsigned char empty[10] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    folder_clear();
    folder_write(ONE, absurd, sizeof absurd);
    expect_open(HN_FORMAT, "9223372036854775808", "no safetensors file");
    folder_write(ONE, big, sizeof big);
    expect_open(HN_FORMAT, "100000001", "at most 100000000");
    folder_write(ONE, longer, sizeof longer);
    expect_open(HN_FORMAT, "cut short", ONE);
    for (size_t n = 0; n < 8; n++) {
        folder_write(ONE, empty, n);
        expect_open(HN_FORMAT, "cut short", ONE);
    }
    folder_write(ONE, empty, sizeof empty); /* no tensors at all is well-formed */
    expect_open(HN_OK, NULL, NULL);
    assert_int_equal(hn_tensors_bytes(tensors), 0);
    assert_false(hn_tensors_has(tensors, "a"));
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_tensors_finish(tensors, NULL, 0, NULL, NULL, &err), HN_OK);
    hn_tensors_close(&tensors);
}

static void write_shards(const char *map) {
    char text[1000];
    folder_safetensors("s1.safetensors", "{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 8);
    folder_safetensors("s2.safetensors",
                       "{" TENSOR("b", "F16", "[2]", "[0,4]") "," TENSOR("c", "F16", "[1]", "[4,6]") "}", 6);
    (void)snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":14},\"weight_map\":%s}", map);
    folder_text(INDEX, text);
}

static void shards(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTensor tensor;
    folder_clear();
    write_shards("{\"c\":\"s2.safetensors\",\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}");
    expect_open(HN_OK, NULL, NULL);
    assert_int_equal(hn_tensors_bytes(tensors), 14);
    assert_int_equal(take("a", 1, 2, 0, &tensor, &err), HN_OK);
    assert_int_equal(((const unsigned char *)tensor.bytes)[1], 10);
    assert_int_equal(take("c", 1, 1, 0, &tensor, &err), HN_OK);
    assert_int_equal(((const unsigned char *)tensor.bytes)[0], 4 * 7 + 3);
    folder_expect(hn_tensors_finish(tensors, NULL, 0, NULL, NULL, &err), HN_FORMAT, &err, INDEX, "b", NULL);
    hn_tensors_close(&tensors);
    /* A tensor that the index forgot is there all the same. */
    write_shards("{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}");
    expect_open(HN_OK, NULL, NULL);
    assert_true(hn_tensors_has(tensors, "c"));
    hn_tensors_close(&tensors);
}

static void bad_indices(void **state) {
    (void)state;
    folder_clear();
    static const struct {
        const char *map, *word;
    } cases[] = {
        {"{\"a\":\"s1.safetensors\",\"d\":\"s2.safetensors\"}", "d is in s2.safetensors, where it is not"},
        {"{\"a\":\"s2.safetensors\",\"b\":\"s1.safetensors\"}", "says that a is in s2.safetensors"},
        {"{\"a\":\"s3.safetensors\"}", "not there"},
        {"{\"a\":\"../s1.safetensors\"}", "no name of a file in the same folder"},
        {"{\"a\":\"sub/s1.safetensors\"}", "no name of a file in the same folder"},
        {"{\"a\":\"..\"}", "no name of a file in the same folder"},
        {"{\"a\":\"\"}", "no name of a file in the same folder"},
        {"{\"a\":7}", "no name of a file in the same folder"},
        {"{\"a\":\"s1.safetensors\",\"a\":\"s2.safetensors\"}", "duplicate object key"},
        {"[]", "no \"weight_map\""},
        {"{}", "no \"weight_map\""},
        {"null", "no \"weight_map\""},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        write_shards(cases[k].map);
        expect_open(HN_FORMAT, cases[k].word, INDEX);
    }
    folder_text(INDEX, "{");
    expect_open(HN_FORMAT, "no valid JSON", INDEX);
    write_shards("{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}");
    folder_safetensors("s2.safetensors",
                       "{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F16", "[2]", "[8,12]") "}", 12);
    expect_open(HN_FORMAT, "the tensor a is there twice", "s2.safetensors");
}

static void other_formats(void **state) {
    (void)state;
    static const char *const names[][2] = {{"pytorch_model.bin", "pickled"},
                                           {"pytorch_model-00001-of-00002.bin", "pickled"},
                                           {"model-q4_0.gguf", "GGUF"},
                                           {"adapter_model.safetensors", "adapter"},
                                           {"consolidated.safetensors", "own layout"},
                                           {"consolidated.00.pth", "pickled"},
                                           {"tf_model.h5", "TensorFlow"}};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        folder_clear();
        folder_text(names[k][0], "x");
        expect_open(HN_UNSUPPORTED, names[k][0], names[k][1]);
    }
    folder_clear();
    expect_open(HN_IO, "neither model.safetensors", NULL);
    HnError err = HN_ERROR_INIT;
    folder_expect(hn_tensors_open(folder_path("absent"), &tensors, &err), HN_IO, &err, "absent", NULL);
    assert_null(tensors);
}

static void failing_allocations(void **state) {
    (void)state;
    folder_clear();
    write_shards("{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}");
    uint64_t live = hn_alloc_live_blocks(), n = 0;
    HnStatus status = HN_MEMORY;
    for (n = 1; status == HN_MEMORY; n++) {
        HnError err = HN_ERROR_INIT;
        char *leftovers = NULL;
        static const char *const known[] = {"a", "b", "c"};
        hn_alloc_fail_at(n);
        status = hn_tensors_open(folder_path(""), &tensors, &err);
        status = status == HN_OK ? hn_tensors_finish(tensors, known, 3, NULL, &leftovers, &err) : status;
        hn_alloc_fail_at(0);
        hn_free(leftovers);
        hn_tensors_close(&tensors);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    assert_int_equal(status, HN_OK);
    assert_true(n > 8);
}

static void tiny_real_file(void **state) {
    (void)state;
    const char *path = folder_shared_or_skip("tiny-safetensors");
    HnError err = HN_ERROR_INIT;
    HnTensor tensor;
    assert_int_equal(hn_tensors_open(path, &tensors, &err), HN_OK);
    assert_int_equal(hn_tensors_bytes(tensors), 800);
    assert_int_equal(take("model.embed_tokens.weight", 2, 32, 8, &tensor, &err), HN_OK);
    assert_int_equal(tensor.type, HN_ELEMENT_F16);
    assert_int_equal(take("model.layers.1.self_attn.q_proj.weight", 2, 8, 8, &tensor, &err), HN_OK);
    assert_int_equal(take("model.layers.0.input_layernorm.weight", 1, 8, 0, &tensor, &err), HN_OK);
    folder_expect(hn_tensors_finish(tensors, NULL, 0, NULL, NULL, &err), HN_FORMAT, &err, "2 of the tensors", NULL);
    hn_tensors_close(&tensors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_file),    cmocka_unit_test(tied_heads),
        cmocka_unit_test(bad_headers),    cmocka_unit_test(bad_lengths),
        cmocka_unit_test(shards),         cmocka_unit_test(bad_indices),
        cmocka_unit_test(other_formats),  cmocka_unit_test(failing_allocations),
        cmocka_unit_test(tiny_real_file),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
