/* Lines out of files: ends, limits, encodings, gzip whole and broken. */
#include "data/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/hash.h"
#include "fixture.h"

static HnError err;

static HnInput *open_input(const char *path, unsigned flags) {
    HnInput *input = NULL;
    hn_error_clear(&err);
    assert_int_equal(hn_input_open(path, flags, &input, &err), HN_OK);
    return input;
}

/* Asserts that the file has exactly these lines; "!" stands for one with a fault. */
static void expect_lines(const char *path, ...) {
    HnInput *input = open_input(path, 0);
    HnLine line;
    bool got = false;
    va_list arguments;
    va_start(arguments, path);
    uint64_t number = 0;
    for (const char *expected; (expected = va_arg(arguments, const char *)) != NULL;) {
        assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
        assert_true(got);
        assert_int_equal(line.number, ++number);
        if (strcmp(expected, "!") == 0) {
            assert_non_null(line.fault);
        } else {
            assert_null(line.fault);
            assert_string_equal(line.text, expected);
            assert_int_equal(line.n_bytes, strlen(expected));
        }
    }
    va_end(arguments);
    assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
    assert_false(got);
    assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK); /* the end stays the end */
    assert_false(got);
    hn_input_close(&input);
    assert_null(input);
}

/* Reads to the end or the failure. */
static HnStatus drain(const char *path) {
    HnInput *input = NULL;
    hn_error_clear(&err);
    HnStatus status = hn_input_open(path, 0, &input, &err);
    HnLine line;
    for (bool got = true; status == HN_OK && got;) {
        status = hn_input_next(input, &line, &got, &err);
    }
    hn_input_close(&input);
    return status;
}

static void line_ends(void **state) {
    (void)state;
    expect_lines(fixture_text("empty", ""), NULL);
    expect_lines(fixture_text("one", "a"), "a", NULL);
    expect_lines(fixture_text("lf", "a\nb\n"), "a", "b", NULL);
    expect_lines(fixture_text("open", "a\nb"), "a", "b", NULL);
    expect_lines(fixture_text("crlf", "a\r\nb\r\n\r\nc"), "a", "b", "", "c", NULL);
    expect_lines(fixture_text("blank", "\n\n"), "", "", NULL);
    expect_lines(fixture_text("bom", "\357\273\277a\n\357\273\277b\n"), "a", "\357\273\277b", NULL);
    expect_lines(fixture_text("gz.gz", "a\r\nb"), "a", "b", NULL);
    expect_lines(fixture_text("empty.gz", ""), NULL);
}

static void faulty_lines(void **state) {
    (void)state;
    expect_lines(fixture_write("nul", "a\nb\0c\nd\n", 8), "a", "!", "d", NULL);
    expect_lines(fixture_text("utf8", "gr\303\274n\nbad \377\n\355\240\200 surrogate\nok\n"), "gr\303\274n", "!", "!",
                 "ok", NULL);
    HnInput *input = open_input(fixture_text("latin1", "gr\374n\n"), HN_INPUT_ANY_BYTES);
    HnLine line;
    bool got;
    assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
    assert_null(line.fault);
    assert_string_equal(line.text, "gr\374n");
    hn_input_close(&input);
}

/* A 1 MB line works, the longest allowed works, one byte more is a malformed line; what follows is read on. */
static void long_lines(void **state) {
    (void)state;
    const size_t lengths[] = {1 << 20, HN_LINE_MAX - 1, HN_LINE_MAX, HN_LINE_MAX + 1, HN_LINE_MAX + 2, 3 * HN_LINE_MAX};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        size_t n = lengths[k];
        char *text = test_malloc(n + 16);
        memset(text, 'x', n);
        memcpy(text, "first\n", 6);
        memcpy(text + n, "xxxxxx\nlast\n", 12);
        /* Lines: "first", n - 6 + 6 = n bytes of x, "last". */
        const char *path = fixture_write("long", text, n + 12);
        HnInput *input = open_input(path, 0);
        HnLine line;
        bool got;
        assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
        assert_string_equal(line.text, "first");
        assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
        assert_true(got);
        if (n <= HN_LINE_MAX) {
            assert_null(line.fault);
            assert_int_equal(line.n_bytes, n);
            assert_int_equal(strspn(line.text, "x"), n);
        } else {
            assert_non_null(line.fault);
        }
        assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
        assert_true(got);
        assert_string_equal(line.text, "last");
        assert_int_equal(line.number, 3);
        hn_input_close(&input);
        /* The same line last in the file, without an end. */
        path = fixture_write("long", text, n + 6);
        assert_int_equal(drain(path), HN_OK);
        test_free(text);
    }
}

/* Bytes of a file of the fixture. */
static size_t slurp(const char *path, char *bytes, size_t room) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, room, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

static void gzip_files(void **state) {
    (void)state;
    static char packed[1 << 16], twice[1 << 17];
    char text[20000];
    for (size_t k = 0; k < sizeof text; k++) {
        text[k] = k % 50 == 49 ? '\n' : (char)('a' + (k * k + k / 7) % 26);
    }
    size_t n = slurp(fixture_write("whole.gz", text, sizeof text), packed, sizeof packed);
    assert_int_equal(drain(fixture_path("whole.gz")), HN_OK);
    /* Every proper prefix is an error that names the file and the offset; the empty one is an empty file. */
    for (size_t cut = 1; cut < n; cut += cut < 64 || cut > n - 64 ? 1 : 97) {
        FILE *file = fopen(fixture_path("cut.gz"), "wb");
        assert_int_equal(fwrite(packed, 1, cut, file), cut);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(drain(fixture_path("cut.gz")), HN_INPUT);
        assert_non_null(strstr(err.message, "cut.gz"));
        assert_non_null(strstr(err.message, "fetch it again"));
        if (cut > 20) {
            char offset[32];
            (void)snprintf(offset, sizeof offset, "byte %zu", cut);
            assert_non_null(strstr(err.message, offset));
        }
    }
    /* Two members, and padding behind them, are one file. */
    memcpy(twice, packed, n);
    memcpy(twice + n, packed, n);
    memset(twice + 2 * n, 0, 512);
    FILE *file = fopen(fixture_path("members.gz"), "wb");
    assert_int_equal(fwrite(twice, 1, 2 * n + 512, file), 2 * n + 512);
    assert_int_equal(fclose(file), 0);
    HnInput *input = open_input(fixture_path("members.gz"), HN_INPUT_HASH);
    HnLine line;
    uint64_t n_lines = 0;
    for (bool got = true; got; n_lines += got) {
        assert_int_equal(hn_input_next(input, &line, &got, &err), HN_OK);
    }
    assert_int_equal(n_lines, 2 * sizeof text / 50);
    char hex[65], expected[65];
    hn_input_sha256(input, hex);
    assert_int_equal(hn_sha256_file(fixture_path("members.gz"), expected, &err), HN_OK);
    assert_string_equal(hex, expected);
    assert_int_equal(hn_input_offset(input), 2 * n + 512);
    assert_int_equal(hn_input_size(input), 2 * n + 512);
    hn_input_close(&input);
    /* Damage inside, garbage behind. */
    memcpy(twice, packed, n);
    twice[n / 2] = (char)(twice[n / 2] ^ 0x55);
    file = fopen(fixture_path("damaged.gz"), "wb");
    assert_int_equal(fwrite(twice, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(drain(fixture_path("damaged.gz")), HN_INPUT);
    memcpy(twice, packed, n);
    memcpy(twice + n, "garbage", 7);
    file = fopen(fixture_path("behind.gz"), "wb");
    assert_int_equal(fwrite(twice, 1, n + 7, file), n + 7);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(drain(fixture_path("behind.gz")), HN_INPUT);
    assert_non_null(strstr(err.message, "not gzip data"));
}

static void wrong_files(void **state) {
    (void)state;
    assert_int_equal(drain(fixture_path("absent")), HN_IO);
    assert_non_null(strstr(err.message, "absent"));
    assert_int_equal(drain(fixture_folder()), HN_INPUT);
    assert_non_null(strstr(err.message, "folder"));
    FILE *file = fopen(fixture_path("plain.gz"), "wb");
    assert_true(fputs("1 2\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(drain(fixture_path("plain.gz")), HN_INPUT);
    assert_non_null(strstr(err.message, "not gzip"));
    assert_int_equal(drain(fixture_text("archive.zip", "PK\003\004rest")), HN_UNSUPPORTED);
    assert_non_null(strstr(err.message, "zip"));
    assert_int_equal(drain(fixture_text("new.zst", "\050\265\057\375rest")), HN_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_ends),  cmocka_unit_test(faulty_lines), cmocka_unit_test(long_lines),
        cmocka_unit_test(gzip_files), cmocka_unit_test(wrong_files),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
