#include <stdlib.h>

#include "check.h"

static void test_names(void **state) {
    (void)state;
    assert_string_equal(hn_cpu_path_name(HN_CPU_SCALAR), "scalar");
    assert_string_equal(hn_cpu_path_name(HN_CPU_AVX2), "avx2");
    assert_string_equal(hn_cpu_path_name(HN_CPU_AVX512), "avx512");
    assert_string_equal(hn_cpu_path_name(HN_CPU_AVX512_BF16), "avx512-bf16");
    assert_string_equal(hn_cpu_path_name(HN_CPU_AMX), "amx");
}

/* The environment was set before the first question: see main. */
static void test_environment_caps(void **state) {
    (void)state;
    assert_true(hn_cpu_path() <= HN_CPU_AVX2);
    assert_int_equal(hn_cpu_path(), hn_cpu_level());
}

static void test_cap_lowers_and_never_raises(void **state) {
    (void)state;
    hn_cpu_path_cap(HN_CPU_SCALAR);
    assert_int_equal(hn_cpu_path(), HN_CPU_SCALAR);
    hn_cpu_path_cap(HN_CPU_AMX);
    assert_int_equal(hn_cpu_path(), HN_CPU_SCALAR);
    assert_int_equal(hn_cpu_level(), HN_CPU_SCALAR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_environment_caps),
        cmocka_unit_test(test_cap_lowers_and_never_raises),
    };
    setenv("HNLMREC_CPU", "avx2", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
