/* The emulator itself: it does what CUDA promises, and ends a program that relies on more. */
#include "../kernels/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulator.h"
#include "faulty.h"

static const HnEmuOrder orders[] = {HN_EMU_ASCENDING, HN_EMU_DESCENDING, HN_EMU_RANDOM};

static void test_warp_calls(void **state) {
    (void)state;
    for (size_t o = 0; o < 3; o++) {
        unsigned out[256];
        hn_emu_set_order(orders[o], 1);
        faulty_warp_calls(out);
        for (unsigned lane = 0; lane < 32; lane++) {
            assert_int_equal(out[lane], 3);
            assert_int_equal(out[32 + lane], lane < 2 ? lane : lane - 2);
            assert_int_equal(out[64 + lane], lane > 29 ? lane : lane + 2);
            assert_int_equal(out[96 + lane], lane ^ 5);
            assert_int_equal(out[128 + lane], lane / 8 * 8 + 1);
            assert_int_equal(out[160 + lane], 0x49249249u);
            assert_int_equal(out[192 + lane], 1);
            assert_int_equal(out[224 + lane], lane % 2 == 0 ? 0 : lane == 31 ? 31 : lane + 2);
        }
    }
}

static void test_indices_and_atomics(void **state) {
    (void)state;
    for (size_t o = 0; o < 3; o++) {
        unsigned out[2] = {0, 0};
        hn_emu_set_order(orders[o], 2);
        faulty_count(out);
        assert_int_equal(out[0], 143 * 144 / 2);
        assert_int_equal(out[1], 143);
    }
}

static void test_barrier(void **state) {
    (void)state;
    for (size_t o = 0; o < 3; o++) {
        int out[256];
        hn_emu_set_order(orders[o], 3);
        faulty_mirror(out, 1);
        for (int t = 0; t < 256; t++) {
            assert_int_equal(out[t], 255 - t);
        }
    }
}

/* Without its barrier the same kernel reads poison, in every order, and other threads' of them. */
static void test_missing_barrier_shows(void **state) {
    (void)state;
    int out[3][256];
    for (size_t o = 0; o < 3; o++) {
        int n_poison = 0;
        hn_emu_set_order(orders[o], 4);
        faulty_mirror(out[o], 0);
        for (int t = 0; t < 256; t++) {
            n_poison += out[o][t] == -1;
        }
        assert_int_equal(n_poison, 128);
    }
    assert_memory_not_equal(out[0], out[1], sizeof out[0]);
}

static void test_shared_is_poisoned(void **state) {
    (void)state;
    assert_true(faulty_shared_is_poisoned());
}

static void test_launch_limits(void **state) {
    (void)state;
    assert_int_equal(faulty_launch_code(1024, 48 * 1024), 0);
    assert_int_equal(faulty_launch_code(1025, 0), 9); /* cudaErrorInvalidConfiguration */
    assert_int_equal(faulty_launch_code(0, 0), 9);
    assert_int_equal(faulty_launch_code(32, 48 * 1024 + 1), 9);
    assert_int_equal(faulty_launch_code(32, 0), 0); /* an error is told once */
}

/* Runs the fault in a process of its own; its stderr into text. True where the process was ended. */
static bool dies_of(Fault fault, HnEmuOrder order, char *text, size_t n_bytes) {
    int ends[2];
    fflush(NULL);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        hn_emu_set_order(order, 5);
        faulty_run(fault);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while (length + 1 < n_bytes && (n = read(ends[0], text + length, n_bytes - 1 - length)) > 0) {
        length += (size_t)n;
    }
    text[length] = '\0';
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_faults_are_refused(void **state) {
    (void)state;
    const struct {
        Fault fault;
        const char *says; /* in some order or other; the sanitizer's words where it is the one to see */
        const char *or_says;
    } cases[] = {
        {FAULT_DIVERGENT_BARRIER, "for lanes that never come", "divergent barrier"},
        {FAULT_BARRIER_AFTER_EXIT, "divergent barrier: thread", "has exited"},
        {FAULT_TWO_BARRIERS, "divergent barrier: thread", "divergent barrier"},
        {FAULT_MASKS_DIFFER, "warp calls do not match", "leaves itself out"},
        {FAULT_LANE_EXITED, "names lane 5: that lane has exited", "for lanes that never come"},
        {FAULT_LANE_MISSING, "for lanes that never come", "for lanes that never come"},
        {FAULT_CALLER_LEFT_OUT, "leaves itself out", "leaves itself out"},
        {FAULT_READS_OUTSIDE_MASK, "reads lane 20, which is not in mask 0000ffff", "reads lane 20"},
        {FAULT_WARP_AGAINST_BARRIER, "for lanes that never come", "for lanes that never come"},
#if defined(__SANITIZE_ADDRESS__)
        {FAULT_SHARED_OVERRUN, "heap-buffer-overflow", "heap-buffer-overflow"},
        {FAULT_GLOBAL_OVERRUN, "heap-buffer-overflow", "heap-buffer-overflow"},
#endif
        {FAULT_NESTED_LAUNCH, "a kernel launches a kernel", "a kernel launches a kernel"},
    };
    static char text[65536];
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (size_t o = 0; o < 3; o++) {
            if (!dies_of(cases[c].fault, orders[o], text, sizeof text)) {
                fail_msg("fault %d in order %zu went unseen", (int)cases[c].fault, o);
            }
            if (strstr(text, cases[c].says) == NULL && strstr(text, cases[c].or_says) == NULL) {
                fail_msg("fault %d in order %zu: %s", (int)cases[c].fault, o, text);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warp_calls),
        cmocka_unit_test(test_indices_and_atomics),
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_missing_barrier_shows),
        cmocka_unit_test(test_shared_is_poisoned),
        cmocka_unit_test(test_launch_limits),
        cmocka_unit_test(test_faults_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
