/* Fixed point on a device: see fixed.h. Element-wise but for the maximum, which is an integer one and so has no order.
 */
#include <math.h>

#include "device.h"
#include "fixed.h"

extern "C" {
#include "fixed_private.h"
}

namespace {

constexpr int kThreads = 256;
constexpr int kLanes = 32;
constexpr int kMaxBlocks = 1024; /* threads go on in steps of the grid */
constexpr unsigned kAllLanes = 0xffffffffu;

unsigned blocks_for(uint64_t n) {
    const uint64_t blocks = (n + kThreads - 1) / kThreads;
    return blocks < kMaxBlocks ? (unsigned)blocks : (unsigned)kMaxBlocks;
}

__device__ inline uint64_t first_element() {
    return (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ inline uint64_t elements_step() {
    return (uint64_t)gridDim.x * blockDim.x;
}

__device__ inline unsigned larger(unsigned a, unsigned b) {
    return a < b ? b : a;
}

/* The largest value of a warp; every lane of it must come. */
__device__ inline unsigned warp_max(unsigned value) {
    for (int apart = kLanes / 2; apart > 0; apart /= 2) {
        value = larger(value, __shfl_xor_sync(kAllLanes, value, apart));
    }
    return value;
}

/* Without its sign a float orders as its bits do, NaN above infinity. *largest is 0 before. */
__global__ void max_magnitude(const float *x, uint64_t n, unsigned *largest) {
    HN_DYN_SHARED(unsigned, of_warp); /* [kThreads / kLanes] */
    const unsigned warp = threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
    unsigned mine = 0;
    for (uint64_t i = first_element(); i < n; i += elements_step()) {
        mine = larger(mine, __float_as_uint(x[i]) & 0x7fffffffu);
    }
    mine = warp_max(mine);
    if (lane == 0) {
        of_warp[warp] = mine;
    }
    __syncthreads();
    if (warp == 0) {
        mine = warp_max(lane < kThreads / kLanes ? of_warp[lane] : 0);
        if (lane == 0) {
            atomicMax(largest, mine);
        }
    }
}

__global__ void from_float(const float *x, float factor_a, float factor_b, int32_t *q, uint64_t n) {
    for (uint64_t i = first_element(); i < n; i += elements_step()) {
        q[i] = __float2int_rn(__fmul_rn(__fmul_rn(x[i], factor_a), factor_b));
    }
}

__global__ void to_float(const int64_t *s, float factor_a, float factor_b, const float *row_scale, float *y, float *sum,
                         uint64_t n, int dim) {
    for (uint64_t i = first_element(); i < n; i += elements_step()) {
        const float scale = row_scale != nullptr ? row_scale[i / (uint64_t)dim] : 1.0f;
        const float value = __fmul_rn(scale, __fmul_rn(__fmul_rn(__ll2float_rn(s[i]), factor_a), factor_b));
        y[i] = value;
        if (sum != nullptr) {
            sum[i] = __fadd_rn(sum[i], value);
        }
    }
}

} // namespace

extern "C" int hn_max_magnitude_cuda(const float *x, uint64_t n, float *result, void *stream) {
    const cudaError_t cleared = cudaMemsetAsync(result, 0, sizeof *result, (cudaStream_t)stream);
    if (cleared != cudaSuccess || n == 0) {
        return (int)cleared;
    }
    HN_LAUNCH((max_magnitude), blocks_for(n), kThreads, kThreads / kLanes * sizeof(unsigned), stream, x, n,
              reinterpret_cast<unsigned *>(result));
    return (int)cudaGetLastError();
}

extern "C" int hn_fixed_from_float_cuda(const float *x, int shift, int32_t *q, uint64_t n, void *stream) {
    if (n == 0) {
        return (int)cudaSuccess;
    }
    float factors[2];
    hn_fixed_factors(shift, factors);
    const float a = factors[0], b = factors[1];
    HN_LAUNCH((from_float), blocks_for(n), kThreads, 0, stream, x, a, b, q, n);
    return (int)cudaGetLastError();
}

extern "C" int hn_fixed_to_float_cuda(const int64_t *s, int shift, const float *row_scale, float *y, float *sum,
                                      uint64_t n_rows, int dim, void *stream) {
    const uint64_t n = n_rows * (uint64_t)dim;
    if (n == 0) {
        return (int)cudaSuccess;
    }
    float factors[2];
    hn_fixed_factors(-shift, factors);
    const float a = factors[0], b = factors[1];
    HN_LAUNCH((to_float), blocks_for(n), kThreads, 0, stream, s, a, b, row_scale, y, sum, n, dim);
    return (int)cudaGetLastError();
}
