#include "linear_private.h"

#include "cpu.h"

bool hn_linear_pairs(HnWeightType type) {
    return type >= HN_WEIGHT_BF16 && hn_cpu_level() >= HN_CPU_AVX512_BF16;
}

const char *hn_linear_path(HnWeightType type) {
    return hn_linear_pairs(type) ? "avx512-bf16 pairs" : hn_cpu_path_name(hn_cpu_path());
}

size_t hn_linear_scratch_bytes(const HnWeight *weight, int64_t m) {
    const int64_t padded = (weight->k + HN_LINEAR_K_PAD - 1) / HN_LINEAR_K_PAD * HN_LINEAR_K_PAD;
    return (size_t)m * (size_t)padded * sizeof(uint16_t);
}

void hn_linear_cpu(const HnWeight *weight, const float *bias, int64_t m, const float *x, int64_t ldx, bool add,
                   float *y, int64_t ldy, void *scratch) {
    (void)scratch;
    hn_linear_ref(weight, bias, m, x, ldx, add, y, ldy);
}
