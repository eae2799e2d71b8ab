#include "base/half.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

uint16_t hn_half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) { /* NaN: made quiet, the top of its payload kept, as F16C does */
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    }
    if (magnitude >= 0x47800000u) { /* 65536 and above */
        return (uint16_t)(sign | 0x7c00u);
    }
    uint32_t kept = 0;              /* the half's exponent and mantissa before rounding */
    uint32_t dropped = 0;           /* the bits below it */
    uint32_t middle = 0;            /* half a unit of the last place kept */
    if (magnitude >= 0x38800000u) { /* normal halves: 2^-14 and above */
        kept = (magnitude - 0x38000000u) >> 13;
        dropped = magnitude & 0x1fffu;
        middle = 0x1000u;
    } else if (magnitude >= 0x33000000u) { /* subnormal halves, from half of the smallest one */
        uint32_t shift = 126u - (magnitude >> 23);
        uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
        kept = mantissa >> shift;
        dropped = mantissa & ((UINT32_C(1) << shift) - 1);
        middle = UINT32_C(1) << (shift - 1);
    }
    if (dropped > middle || (dropped == middle && middle != 0 && (kept & 1u) != 0)) {
        kept++; /* may carry into the exponent, up to infinity: that is the right rounding */
    }
    return (uint16_t)(sign | kept);
}

float hn_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 31u;
    uint32_t mantissa = half & 0x3ffu;
    uint32_t bits = sign;
    if (exponent == 31) {
        bits |= 0x7f800000u | mantissa << 13 | (mantissa != 0 ? 0x400000u : 0u);
    } else if (exponent != 0) {
        bits |= (exponent + 112) << 23 | mantissa << 13;
    } else if (mantissa != 0) { /* subnormal: shift the leading one up to the hidden place */
        uint32_t shift = 0;
        while ((mantissa << shift & 0x400u) == 0) {
            shift++;
        }
        bits |= (113 - shift) << 23 | (mantissa << shift & 0x3ffu) << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#if defined(__x86_64__)

__attribute__((target("avx,f16c"))) static size_t from_floats_f16c(const float *in, uint16_t *out, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(void *)(out + i), halves);
    }
    return i;
}

__attribute__((target("avx,f16c"))) static size_t to_floats_f16c(const uint16_t *in, float *out, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(in + i))));
    }
    return i;
}

/* clang 14's __builtin_cpu_supports does not know "f16c"; that of AVX also asks whether the system keeps the registers.
 */
static bool look_for_f16c(void) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __builtin_cpu_supports("avx") && __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

/* Asked once: under a hypervisor CPUID costs tens of microseconds. Threads that race write the same answer. */
static bool has_f16c(void) {
    static atomic_int known; /* 0 = not asked, 1 = no, 2 = yes */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = look_for_f16c() ? 2 : 1;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == 2;
}

#else

static size_t from_floats_f16c(const float *in, uint16_t *out, size_t n) {
    (void)in, (void)out, (void)n;
    return 0;
}

static size_t to_floats_f16c(const uint16_t *in, float *out, size_t n) {
    (void)in, (void)out, (void)n;
    return 0;
}

static bool has_f16c(void) {
    return false;
}

#endif

void hn_half_from_floats(const float *in, uint16_t *out, size_t n) {
    for (size_t i = has_f16c() ? from_floats_f16c(in, out, n) : 0; i < n; i++) {
        out[i] = hn_half_from_float(in[i]);
    }
}

void hn_half_to_floats(const uint16_t *in, float *out, size_t n) {
    for (size_t i = has_f16c() ? to_floats_f16c(in, out, n) : 0; i < n; i++) {
        out[i] = hn_half_to_float(in[i]);
    }
}
