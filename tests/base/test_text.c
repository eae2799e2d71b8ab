/* Strings, UTF-8, numbers, dates, nearest words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"

static void buffers_grow_to_their_limit(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnText text = {.max_bytes = 1000};
    assert_string_equal(hn_text_get(&text), "");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hn_text_printf(&text, &err, "%09d;", i), HN_OK);
    }
    assert_int_equal(text.length, 1000);
    assert_int_equal(hn_text_puts(&text, "x", &err), HN_RANGE);
    assert_int_equal(text.length, 1000);
    assert_int_equal(strlen(hn_text_get(&text)), 1000);
    hn_text_clear(&text);
    hn_error_clear(&err);
    assert_int_equal(hn_text_append(&text, "a\0b", 3, &err), HN_OK);
    assert_memory_equal(text.data, "a\0b", 4);
    hn_text_free(&text);
    assert_null(text.data);
}

static void failed_growth_leaves_the_text(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnText text = {0};
    assert_int_equal(hn_text_puts(&text, "kept", &err), HN_OK);
    hn_alloc_fail_at(1);
    char large[500];
    memset(large, 'y', sizeof large);
    assert_int_equal(hn_text_append(&text, large, sizeof large, &err), HN_MEMORY);
    assert_string_equal(hn_text_get(&text), "kept");
    hn_text_free(&text);
}

static void utf8_is_judged(void **state) {
    (void)state;
    const struct {
        const char *bytes;
        size_t n, bad;
    } bad[] = {
        {"\x80", 1, 0},
        {"a\xff", 2, 1},
        {"\xc0\x80", 2, 0},
        {"\xc1\xbf", 2, 0},
        {"\xe0\x80\x80", 3, 0},
        {"\xed\xa0\x80", 3, 0},
        {"ab\xf4\x90\x80\x80", 6, 2},
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xe2\x82", 2, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"x\xc3", 2, 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t offset = 99;
        assert_false(hn_utf8_valid(bad[i].bytes, bad[i].n, &offset));
        assert_int_equal(offset, bad[i].bad);
    }
    const char *good[] = {
        "", "plain", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf\xee\x80\x80", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(hn_utf8_valid(good[i], strlen(good[i]), NULL));
    }
    assert_true(hn_utf8_valid("a\0b", 3, NULL));
}

/* Every code point, encoded by the definition, is valid exactly when it is no surrogate. */
static void utf8_all_code_points(void **state) {
    (void)state;
    for (uint32_t point = 0x800; point < 0x10000; point++) {
        char bytes[3] = {(char)(0xe0 | point >> 12), (char)(0x80 | (point >> 6 & 63)), (char)(0x80 | (point & 63))};
        assert_int_equal(hn_utf8_valid(bytes, 3, NULL), point < 0xd800 || point > 0xdfff);
    }
    for (uint32_t point = 0x10000; point < 0x200000; point += 257) {
        char bytes[4] = {(char)(0xf0 | point >> 18), (char)(0x80 | (point >> 12 & 63)),
                         (char)(0x80 | (point >> 6 & 63)), (char)(0x80 | (point & 63))};
        assert_int_equal(hn_utf8_valid(bytes, 4, NULL), point < 0x110000);
    }
}

static void prefixes_cut_no_code_point(void **state) {
    (void)state;
    const char *text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x81z"; /* 1 + 2 + 3 + 4 + 1 bytes */
    const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max = 0; max < sizeof expected / sizeof expected[0]; max++) {
        assert_int_equal(hn_utf8_prefix(text, strlen(text), max), expected[max]);
    }
}

static void assert_folds(const char *from, const char *to) {
    HnError err = HN_ERROR_INIT;
    HnText out = {0};
    assert_int_equal(hn_utf8_fold(from, strlen(from), &out, &err), HN_OK);
    assert_string_equal(hn_text_get(&out), to);
    hn_text_free(&out);
}

static void folding_makes_equals_equal(void **state) {
    (void)state;
    assert_folds("", "");
    assert_folds("  Toys \t&\n Games  ", "toys & games");
    assert_folds("STRASSE", "strasse");
    assert_folds("Stra\xc3\x9f"
                 "e",
                 "strasse");
    assert_folds("Cafe\xcc\x81", "caf\xc3\xa9"); /* combining accent composed */
    assert_folds("\xef\xac\x81ne", "fine");      /* ligature */
    assert_folds("\xef\xbc\xa1\xe3\x80\x80\xc2\xa0"
                 "B",
                 "a b"); /* full-width A, ideographic and no-break space */
    assert_folds("a\xc2\xad"
                 "b",
                 "ab"); /* soft hyphen */
    HnError err = HN_ERROR_INIT;
    HnText out = {0};
    assert_int_equal(hn_utf8_fold("ok\xff", 3, &out, &err), HN_INPUT);
    assert_non_null(strstr(err.message, "byte 2"));
    hn_text_free(&out);
}

static void integers_are_whole_strings(void **state) {
    (void)state;
    int64_t i = 0;
    uint64_t u = 0;
    assert_true(hn_parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(hn_parse_i64("9223372036854775807", &i) && i == INT64_MAX);
    assert_true(hn_parse_i64("+07", &i) && i == 7);
    assert_true(hn_parse_u64("18446744073709551615", &u) && u == UINT64_MAX);
    const char *bad[] = {"",    " 1", "1 ", "1.0", "0x10", "--1", "+-1", "9223372036854775808", "-9223372036854775809",
                         "1e3", "-"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_false(hn_parse_i64(bad[k], &i));
    }
    assert_false(hn_parse_u64("18446744073709551616", &u));
    assert_false(hn_parse_u64("-1", &u));
}

static void reals_are_whole_strings(void **state) {
    (void)state;
    double d = 0.0;
    assert_true(hn_parse_double("-1.5e-3", &d) && d == -1.5e-3);
    assert_true(hn_parse_double(".5", &d) && d == 0.5);
    assert_true(hn_parse_double("5.", &d) && d == 5.0);
    uint64_t n_bytes = 0;
    assert_true(hn_parse_gigabytes("2.5", &n_bytes) && n_bytes == 2500000000u);
    assert_true(!hn_parse_gigabytes("0", &n_bytes) && !hn_parse_gigabytes("1e7", &n_bytes));
    assert_true(!hn_parse_gigabytes("nan", &n_bytes) && !hn_parse_gigabytes("4GB", &n_bytes));
    assert_true(hn_parse_double("0.1", &d) && d == 0.1);
    const char *bad[] = {"",    ".",     "nan", "inf", "-inf", "1e999", "1e",
                         "1e+", "0x1p3", "1,5", " 1",  "1 ",   "1.2.3", "e5"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_false(hn_parse_double(bad[k], &d));
    }
}

static void dates_are_seconds(void **state) {
    (void)state;
    int64_t t = 0;
    assert_true(hn_parse_date("1970-01-01", &t) && t == 0);
    assert_true(hn_parse_date("2000-03-01", &t) && t == 951868800);
    assert_true(hn_parse_date("2018-01-01 12:34:56", &t) && t == 1514810096);
    assert_true(hn_parse_date("2018-01-01T12:34:56Z", &t) && t == 1514810096);
    assert_true(hn_parse_date("1969-12-31", &t) && t == -86400);
    assert_true(hn_parse_date("2016-02-29", &t));
    const char *bad[] = {"2015-02-29",  "1900-02-29",       "2018-13-01", "2018-00-01",
                         "2018-04-31",  "2018-1-1",         "20180101",   "2018-01-01 25:00:00",
                         "2018-01-01x", "2018-01-01 12:34", "",           "2018-01-01T12:34:56Zx"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_false(hn_parse_date(bad[k], &t));
    }
    int64_t day = 0; /* every day of four centuries follows the one before */
    assert_true(hn_parse_date("1800-01-01", &day));
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int year = 1800; year < 2200; year++) {
        for (int month = 1; month <= 12; month++) {
            int leap = month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
            for (int d = 1; d <= days[month - 1] + leap; d++, day += 86400) {
                char text[32];
                snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, d);
                assert_true(hn_parse_date(text, &t));
                assert_int_equal(t, day);
            }
        }
    }
}

static void slips_are_recognised(void **state) {
    (void)state;
    const char *words[] = {"train.epochs", "train.batch", "model.dim", "eval.ks"};
    assert_string_equal(hn_nearest_word("train.epoch", words, 4), "train.epochs");
    assert_string_equal(hn_nearest_word("trian.batch", words, 4), "train.batch");
    assert_string_equal(hn_nearest_word("model.dimm", words, 4), "model.dim");
    assert_null(hn_nearest_word("colour", words, 4));
    assert_null(hn_nearest_word("x", words, 0));
    char long_word[300];
    memset(long_word, 'q', sizeof long_word - 1);
    long_word[299] = '\0';
    (void)hn_nearest_word(long_word, words, 4);
}

static void figures_are_readable(void **state) {
    (void)state;
    char b[32];
    assert_string_equal(hn_format_count(0, b, sizeof b), "0");
    assert_string_equal(hn_format_count(999, b, sizeof b), "999");
    assert_string_equal(hn_format_count(1000, b, sizeof b), "1,000");
    assert_string_equal(hn_format_count(1234567, b, sizeof b), "1,234,567");
    assert_string_equal(hn_format_count(UINT64_MAX, b, sizeof b), "18,446,744,073,709,551,615");
    assert_string_equal(hn_format_bytes(512, b, sizeof b), "512 B");
    assert_string_equal(hn_format_bytes(1536, b, sizeof b), "1.5 KiB");
    assert_string_equal(hn_format_bytes(3.5 * 1024 * 1024 * 1024, b, sizeof b), "3.5 GiB");
    assert_string_equal(hn_format_duration(93.5, b, sizeof b), "1:34");
    assert_string_equal(hn_format_duration(7325, b, sizeof b), "2:02:05");
    assert_string_equal(hn_format_duration(0.25, b, sizeof b), "0.2 s");
    assert_string_equal(hn_format_duration(-1, b, sizeof b), "--:--");
    assert_string_equal(hn_format_count(1234567, b, 4), "1,2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_grow_to_their_limit),
        cmocka_unit_test(failed_growth_leaves_the_text),
        cmocka_unit_test(utf8_is_judged),
        cmocka_unit_test(utf8_all_code_points),
        cmocka_unit_test(prefixes_cut_no_code_point),
        cmocka_unit_test(folding_makes_equals_equal),
        cmocka_unit_test(integers_are_whole_strings),
        cmocka_unit_test(reals_are_whole_strings),
        cmocka_unit_test(dates_are_seconds),
        cmocka_unit_test(slips_are_recognised),
        cmocka_unit_test(figures_are_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
