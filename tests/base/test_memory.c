/* Errors, blocks, arenas: first message wins, faults are reported, nothing leaks. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static void first_message_wins(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_fail(&err, HN_INPUT, "line %d is odd", 3), HN_INPUT);
    assert_int_equal(hn_fail(&err, HN_IO, "later"), HN_INPUT);
    assert_int_equal(hn_fail_errno(&err, ENOSPC, "later still"), HN_INPUT);
    assert_string_equal(err.message, "line 3 is odd");
    hn_error_clear(&err);
    assert_int_equal(err.status, HN_OK);
    assert_string_equal(err.message, "");
    assert_int_equal(hn_fail(NULL, HN_RANGE, "nobody listens"), HN_RANGE);
    assert_int_equal(hn_fail(&err, HN_OK, "a failure is never ok"), HN_INTERNAL);
}

static void errno_becomes_status(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_fail_errno(&err, ENOSPC, "cannot write %s", "x.h5"), HN_SPACE);
    assert_non_null(strstr(err.message, "cannot write x.h5: "));
    assert_non_null(strstr(err.message, "free some space there"));
    hn_error_clear(&err);
    assert_int_equal(hn_fail_errno(&err, EDQUOT, "x"), HN_SPACE);
    assert_non_null(strstr(err.message, "free some space"));
    hn_error_clear(&err);
    assert_int_equal(hn_fail_errno(&err, EACCES, "x"), HN_IO);
    assert_null(strstr(err.message, "free some space"));
    assert_string_equal(hn_status_text(HN_SPACE), "out of disk space");
}

static void long_messages_are_cut_not_overrun(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char long_text[4096];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    hn_fail_errno(&err, EIO, "%s", long_text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void blocks_are_zero_and_aligned(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    uint64_t before = hn_alloc_live_blocks();
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *block = hn_alloc(n, 3, "a test block", &err);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t i = 0; i < 3 * n; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xff, 3 * n);
        hn_free(block);
    }
    hn_free(NULL);
    assert_int_equal(hn_alloc_live_blocks(), before);
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    assert_null(hn_alloc(SIZE_MAX / 2, 3, "too much", &err));
    assert_int_equal(err.status, HN_MEMORY);
    assert_non_null(strstr(err.message, "too much"));
    assert_null(hn_alloc(SIZE_MAX, 1, "too much", NULL));
    assert_null(hn_strndup("x", SIZE_MAX, NULL));
}

static void resize_keeps_and_zeroes(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int *numbers = hn_alloc(4, sizeof *numbers, "numbers", &err);
    for (int i = 0; i < 4; i++) {
        numbers[i] = i + 1;
    }
    assert_int_equal(hn_resize(&numbers, 4 * sizeof *numbers, 100, sizeof *numbers, "numbers", &err), HN_OK);
    assert_int_equal(numbers[3], 4);
    assert_int_equal(numbers[4], 0);
    assert_int_equal(numbers[99], 0);
    hn_alloc_fail_at(1);
    int *before = numbers;
    assert_int_equal(hn_resize(&numbers, 400, 200, sizeof *numbers, "numbers", &err), HN_MEMORY);
    assert_ptr_equal(numbers, before);
    assert_int_equal(numbers[3], 4);
    hn_error_clear(&err);
    assert_int_equal(hn_resize(&numbers, 400, 2, sizeof *numbers, "numbers", &err), HN_OK);
    assert_int_equal(numbers[1], 2);
    hn_free(numbers);
}

static void the_nth_allocation_fails(void **state) {
    (void)state;
    for (uint64_t n = 1; n <= 5; n++) {
        hn_alloc_fail_at(n);
        for (uint64_t i = 1; i <= 6; i++) {
            void *block = hn_alloc(1, 1, "a block", NULL);
            assert_int_equal(block == NULL, i == n);
            hn_free(block);
        }
    }
    hn_alloc_fail_at(3);
    hn_alloc_fail_at(0);
    for (int i = 0; i < 5; i++) {
        void *block = hn_alloc(1, 1, "a block", NULL);
        assert_non_null(block);
        hn_free(block);
    }
}

static void *allocate_much(void *unused) {
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        hn_free(hn_alloc(1, 16, "a block", NULL));
    }
    return NULL;
}

static void threads_keep_the_count(void **state) {
    (void)state;
    uint64_t before = hn_alloc_live_blocks();
    pthread_t threads[4];
    for (int t = 0; t < 4; t++) {
        assert_int_equal(pthread_create(&threads[t], NULL, allocate_much, NULL), 0);
    }
    for (int t = 0; t < 4; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    }
    assert_int_equal(hn_alloc_live_blocks(), before);
}

static void arenas_hold_still(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnArena *arena = NULL;
    uint64_t before = hn_alloc_live_blocks();
    assert_int_equal(hn_arena_create(256, &arena, &err), HN_OK);
    char *texts[200];
    for (int i = 0; i < 200; i++) {
        char text[16] = "abcdefghijklmno";
        text[0] = (char)('A' + i % 26);
        texts[i] = hn_arena_strndup(arena, text, (size_t)(i % 16), &err);
        assert_non_null(texts[i]);
        assert_int_equal((uintptr_t)texts[i] % 16, 0);
    }
    unsigned char *large = hn_arena_alloc(arena, 100000, &err);
    assert_non_null(large);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(large[i], 0);
    }
    for (int i = 1; i < 200; i++) {
        assert_int_equal(strlen(texts[i]), i % 16);
        if (i % 16 > 0) {
            assert_int_equal(texts[i][0], 'A' + i % 26);
        }
    }
    assert_true(hn_arena_bytes(arena) >= 100000);
    assert_ptr_not_equal(hn_arena_alloc(arena, 0, &err), hn_arena_alloc(arena, 0, &err));
    assert_null(hn_arena_alloc(arena, SIZE_MAX - 3, &err));
    hn_error_clear(&err);
    hn_alloc_fail_at(1);
    assert_null(hn_arena_alloc(arena, 1000, &err));
    assert_int_equal(err.status, HN_MEMORY);
    assert_non_null(hn_arena_alloc(arena, 1000, &err));
    hn_arena_free(&arena);
    assert_null(arena);
    hn_arena_free(&arena);
    assert_int_equal(hn_alloc_live_blocks(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_message_wins),
        cmocka_unit_test(errno_becomes_status),
        cmocka_unit_test(long_messages_are_cut_not_overrun),
        cmocka_unit_test(blocks_are_zero_and_aligned),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(resize_keeps_and_zeroes),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(threads_keep_the_count),
        cmocka_unit_test(arenas_hold_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
