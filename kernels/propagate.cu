/* Graph propagation on a device: see propagate.h for what it computes.
 *
 * A block has eight warps and takes eight rows, one a warp, and 32 columns of x, one a lane; so the reads of a row of x
 * are coalesced, and every element is one chain of additions in graph order, made by one thread: the same bits as the
 * twins on the CPU. A chain cannot be cut, but what it waits for can be fetched by others: for a long row (a popular
 * item has 10^5 edges) all warps of the block bring rows of x into shared memory, from where the row's own warp adds
 * them in order. Not tuned: it has not been timed on a device yet.
 */
#include "device.h"
#include "propagate.h"

extern "C" {
#include "fixed_private.h"
}

namespace {

constexpr int kLanes = 32;
constexpr int kWarps = 8;
constexpr int kStagedPerWarp = 8;
constexpr int kStaged = kWarps * kStagedPerWarp; /* edges in shared memory at a time */
constexpr uint64_t kLongRow = 256;               /* edges above which the whole block helps */
constexpr unsigned kAllLanes = 0xffffffffu;

/* Terms are added as floats (a weight of 1 makes the fused multiply-add an addition) or in fixed point. */
struct AddFloat {
    using Total = float;
    __device__ float operator()(float total, float weight, float x) const {
        return __fmaf_rn(weight, x, total);
    }
};

struct AddFixed {
    using Total = int64_t;
    float factor_a, factor_b;
    __device__ int64_t operator()(int64_t total, float weight, float x) const {
        return total + __float2int_rn(__fmul_rn(__fmul_rn(__fmul_rn(weight, x), factor_a), factor_b));
    }
};

__device__ inline float weight_of(const HnCsr &graph, int32_t column) {
    return graph.column_scale != nullptr ? graph.column_scale[column] : 1.0f;
}

__device__ inline void store(float total, const float *row_scale, uint64_t row, uint64_t at, float *y, float *sum) {
    float value = row_scale != nullptr ? __fmul_rn(row_scale[row], total) : total;
    y[at] = value;
    if (sum != nullptr) {
        sum[at] = __fadd_rn(sum[at], value);
    }
}

__device__ inline void store(int64_t total, const float *, uint64_t, uint64_t at, int64_t *y, int64_t *) {
    y[at] = total;
}

/* A warp's sum over the edges [begin, end), for column d of its lane; lanes beyond dim only pass on column numbers. */
template <typename Add>
__device__ typename Add::Total sum_of_edges(const HnCsr &graph, uint64_t begin, uint64_t end, const float *x, int dim,
                                            int d, Add add) {
    const int lane = (int)threadIdx.x;
    typename Add::Total total = 0;
    for (uint64_t e = begin; e < end; e += kLanes) {
        const int n = end - e < kLanes ? (int)(end - e) : kLanes;
        const int32_t mine = lane < n ? graph.columns[e + (uint64_t)lane] : 0;
        const float my_weight = weight_of(graph, mine);
#pragma unroll 8
        for (int k = 0; k < n; k++) {
            const int32_t column = __shfl_sync(kAllLanes, mine, k);
            const float weight = __shfl_sync(kAllLanes, my_weight, k);
            if (d < dim) {
                total = add(total, weight, x[(uint64_t)column * (uint64_t)dim + (uint64_t)d]);
            }
        }
    }
    return total;
}

/* The warps bring rows of x for the n <= kStaged edges from e on into stage[kStaged][kLanes]. */
__device__ void stage_edges(const int32_t *columns, uint64_t e, int n, const float *x, int dim, int d, float *stage) {
    const int lane = (int)threadIdx.x, first = (int)threadIdx.y * kStagedPerWarp;
    const int32_t mine = lane < kStagedPerWarp && first + lane < n ? columns[e + (uint64_t)first + (uint64_t)lane] : 0;
#pragma unroll
    for (int k = 0; k < kStagedPerWarp; k++) {
        const int32_t column = __shfl_sync(kAllLanes, mine, k);
        if (d < dim && first + k < n) {
            stage[(first + k) * kLanes + lane] = x[(uint64_t)column * (uint64_t)dim + (uint64_t)d];
        }
    }
}

/* The whole block's work on one long row; the total is the warp `owner`'s. Every thread of the block comes here. */
template <typename Add>
__device__ typename Add::Total sum_of_long_row(const HnCsr &graph, uint64_t begin, uint64_t end, const float *x,
                                               int dim, int d, int owner, float *stage, Add add) {
    typename Add::Total total = 0;
    for (uint64_t e = begin; e < end; e += kStaged) {
        const int n = end - e < kStaged ? (int)(end - e) : kStaged;
        stage_edges(graph.columns, e, n, x, dim, d, stage);
        __syncthreads(); /* the rows are there */
        if ((int)threadIdx.y == owner && d < dim) {
            for (int k = 0; k < n; k++) {
                total =
                    add(total, weight_of(graph, graph.columns[e + (uint64_t)k]), stage[k * kLanes + (int)threadIdx.x]);
            }
        }
        __syncthreads(); /* and may be overwritten */
    }
    return total;
}

template <typename Add>
__global__ void propagate(HnCsr graph, const float *x, const float *row_scale, typename Add::Total *y,
                          typename Add::Total *sum, int dim, Add add) {
    HN_DYN_SHARED(float, stage);
    const uint64_t first_row = (uint64_t)blockIdx.x * kWarps;
    const int d = (int)blockIdx.y * kLanes + (int)threadIdx.x;

    const uint64_t own = first_row + threadIdx.y;
    if (own < graph.n_rows) {
        const uint64_t begin = graph.offsets[own], end = graph.offsets[own + 1];
        if (end - begin <= kLongRow) {
            const typename Add::Total total = sum_of_edges(graph, begin, end, x, dim, d, add);
            if (d < dim) {
                store(total, row_scale, own, own * (uint64_t)dim + (uint64_t)d, y, sum);
            }
        }
    }
    for (int warp = 0; warp < kWarps; warp++) {
        const uint64_t row = first_row + (uint64_t)warp;
        if (row >= graph.n_rows) {
            break;
        }
        const uint64_t begin = graph.offsets[row], end = graph.offsets[row + 1];
        if (end - begin > kLongRow) {
            const typename Add::Total total = sum_of_long_row(graph, begin, end, x, dim, d, warp, stage, add);
            if ((int)threadIdx.y == warp && d < dim) {
                store(total, row_scale, row, row * (uint64_t)dim + (uint64_t)d, y, sum);
            }
        }
    }
}

template <typename Add>
int launch(const HnCsr *graph, const float *x, const float *row_scale, typename Add::Total *y, typename Add::Total *sum,
           int dim, void *stream, Add add) {
    if (dim < 1 || graph->n_rows > (uint64_t)kWarps * 0x7fffffffu) {
        return (int)cudaErrorInvalidValue;
    }
    if (graph->n_rows == 0) {
        return (int)cudaSuccess;
    }
    const dim3 grid((unsigned)((graph->n_rows + kWarps - 1) / kWarps), (unsigned)((dim + kLanes - 1) / kLanes));
    const dim3 block(kLanes, kWarps);
    HN_LAUNCH((propagate<Add>), grid, block, kStaged * kLanes * sizeof(float), stream, *graph, x, row_scale, y, sum,
              dim, add);
    return (int)cudaGetLastError();
}

} // namespace

extern "C" int hn_propagate_cuda(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum,
                                 int dim, void *stream) {
    return launch(graph, x, row_scale, y, sum, dim, stream, AddFloat{});
}

extern "C" int hn_propagate_fixed_cuda(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim,
                                       void *stream) {
    float factors[2];
    hn_fixed_factors(shift, factors);
    return launch(graph, x, nullptr, y, nullptr, dim, stream, AddFixed{factors[0], factors[1]});
}
