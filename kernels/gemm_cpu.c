#include <dnnl.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>

#include "cpu.h"
#include "gemm.h"

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static char library_name[64];

static const char *isa_name(dnnl_cpu_isa_t isa) {
    switch (isa) {
    case dnnl_cpu_isa_sse41:
        return "sse41";
    case dnnl_cpu_isa_avx:
        return "avx";
    case dnnl_cpu_isa_avx2:
        return "avx2";
    case dnnl_cpu_isa_avx512_core:
        return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512_core_amx";
    default:
        return "other";
    }
}

/* oneDNN takes a lower instruction set only before its first use, so it follows hn_cpu_path as it stands then. */
static void library_prepare(void) {
    if (hn_cpu_path() == HN_CPU_AVX2) {
        (void)dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
    } else if (hn_cpu_path() == HN_CPU_SCALAR) {
        (void)dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
    }
    const dnnl_version_t *version = dnnl_version();
    snprintf(library_name, sizeof library_name, "oneDNN %d.%d.%d (%s)", version->major, version->minor, version->patch,
             isa_name(dnnl_get_effective_cpu_isa()));
}

const char *hn_gemm_library(void) {
    (void)pthread_once(&library_once, library_prepare);
    return library_name;
}

/* An empty sum: oneDNN leaves C alone then, whatever beta says. */
static void scale_only(int64_t m, int64_t n, float beta, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            c[i * ldc + j] = beta == 0.0f ? 0.0f : beta * c[i * ldc + j];
        }
    }
}

HnStatus hn_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                 const float *b, int64_t ldb, float beta, float *c, int64_t ldc, HnError *err) {
    if (m == 0 || n == 0) {
        return HN_OK;
    }
    if (k == 0) {
        scale_only(m, n, beta, c, ldc);
        return HN_OK;
    }
    (void)pthread_once(&library_once, library_prepare);
    const dnnl_status_t status =
        dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (status != dnnl_success) {
        return hn_fail(err, status == dnnl_out_of_memory ? HN_MEMORY : HN_INTERNAL,
                       "%s refuses the product %lld x %lld x %lld (its status %d)", library_name, (long long)m,
                       (long long)n, (long long)k, (int)status);
    }
    return HN_OK;
}

/* oneDNN asks OpenMP how many threads it may use: inside a parallel region that is one, outside it is lowered to one
 * for this thread alone while the product runs. */
HnStatus hn_gemm_single(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                        int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc, HnError *err) {
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const HnStatus status = hn_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, err);
    omp_set_num_threads(threads);
    return status;
}
