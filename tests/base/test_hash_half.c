/* Hashes against published values, halves against their definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/rng.h"

static void hashes_match_their_standards(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char hex[65], again[65];
    hn_sha256_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hn_sha256_bytes("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(hn_checksum64("", 0), UINT64_C(0x2d06800538d394c2));
    HnSha256 *hash = NULL;
    assert_int_equal(hn_sha256_start(&hash, &err), HN_OK);
    hn_sha256_update(hash, "a", 1);
    hn_sha256_update(hash, "", 0);
    hn_sha256_update(hash, "bc", 2);
    hn_sha256_finish(&hash, again);
    assert_null(hash);
    hn_sha256_bytes("abc", 3, hex);
    assert_string_equal(hex, again);
}

static void files_hash_like_their_bytes(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char path[] = "/tmp/hn-hash-XXXXXX", hex[65], expected[65];
    enum { N = 700001 };
    char *bytes = hn_alloc(N, 1, "bytes", &err);
    for (size_t i = 0; i < N; i++) {
        bytes[i] = (char)(i % 251);
    }
    int descriptor = mkstemp(path);
    assert_int_equal(write(descriptor, bytes, N), N);
    close(descriptor);
    assert_int_equal(hn_sha256_file(path, hex, &err), HN_OK);
    hn_sha256_bytes(bytes, N, expected);
    assert_string_equal(hex, expected);
    unlink(path);
    assert_int_equal(hn_sha256_file(path, hex, &err), HN_IO);
    hn_error_clear(&err);
    assert_int_equal(hn_sha256_file("/tmp", hex, &err), HN_IO);
    hn_free(bytes);
    assert_int_equal(hn_alloc_live_blocks(), 0);
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The value of a finite half by IEEE 754's formula. */
static double half_value(uint32_t half) {
    int exponent = (int)(half >> 10 & 31);
    double mantissa = (double)(half & 1023);
    double magnitude = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024.0 + mantissa, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void all_halves_have_their_value(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 65536; half++) {
        float value = hn_half_to_float((uint16_t)half);
        if ((half & 0x7c00) != 0x7c00) {
            assert_true((double)value == half_value(half));
            assert_int_equal(hn_half_from_float(value), half);
        } else if ((half & 0x3ff) == 0) {
            assert_true(isinf(value) && (value < 0) == (half > 0x8000));
            assert_int_equal(hn_half_from_float(value), half);
        } else {
            assert_true(isnan(value));
            assert_int_equal(hn_half_from_float(value), half | 0x200); /* quiet */
        }
    }
}

/* Around every midpoint of two neighbouring halves: below goes down, above goes up, the middle goes to the even one. */
static void rounding_is_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7bff; half++) {
        float middle = (float)((half_value(half) + half_value(half + 1)) / 2.0);
        assert_int_equal(hn_half_from_float(nextafterf(middle, 0.0F)), half);
        assert_int_equal(hn_half_from_float(nextafterf(middle, INFINITY)), half + 1);
        assert_int_equal(hn_half_from_float(middle), half + (half & 1));
        assert_int_equal(hn_half_from_float(-middle), 0x8000 | (half + (half & 1)));
    }
    assert_int_equal(hn_half_from_float(65519.996F), 0x7bff);
    assert_int_equal(hn_half_from_float(65520.0F), 0x7c00);
    assert_int_equal(hn_half_from_float(3e38F), 0x7c00);
    assert_int_equal(hn_half_from_float(1e-45F), 0);
}

static void vectors_have_the_scalar_bits(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    enum { N = 1 << 21 };
    float *floats = hn_alloc(N + 3, sizeof *floats, "floats", &err);
    uint16_t *halves = hn_alloc(N + 3, sizeof *halves, "halves", &err);
    HnRng rng;
    hn_rng_start(&rng, 3, HN_STREAM_TEST, 0, 0);
    for (size_t i = 0; i < N + 3; i++) {
        uint32_t word = hn_rng_u32(&rng);
        /* half of the patterns uniform over all floats, half with exponents where halves live */
        floats[i] = float_of(i % 2 == 0 ? word : (word & 0x807fffff) | (96 + (word >> 23 & 63)) << 23);
    }
    hn_half_from_floats(floats + 1, halves + 1, N + 2); /* unaligned, with a tail */
    for (size_t i = 1; i < N + 3; i++) {
        assert_int_equal(halves[i], hn_half_from_float(floats[i]));
    }
    for (uint32_t half = 0; half < 65536; half++) {
        halves[half] = (uint16_t)half;
    }
    hn_half_to_floats(halves, floats, 65536);
    for (uint32_t half = 0; half < 65536; half++) {
        assert_int_equal(bits_of(floats[half]), bits_of(hn_half_to_float((uint16_t)half)));
    }
    hn_free(floats);
    hn_free(halves);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_their_standards), cmocka_unit_test(files_hash_like_their_bytes),
        cmocka_unit_test(all_halves_have_their_value),  cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(vectors_have_the_scalar_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
