#include "faulty.h"

#include <stdint.h>

#include "device.h"

namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void fault_kernel(Fault fault, int *global) {
    HN_DYN_SHARED(int, shared); /* [32] */
    const int t = (int)threadIdx.x;
    unsigned value = 0;
    switch (fault) {
    case FAULT_DIVERGENT_BARRIER:
        if (t < 40) {
            __syncthreads();
        } else {
            value = __shfl_sync(0xffffff00u, value, 8); /* waits as well, and is fine by itself */
        }
        break;
    case FAULT_BARRIER_AFTER_EXIT:
        if (t == 63) {
            return;
        }
        __syncthreads();
        break;
    case FAULT_TWO_BARRIERS:
        if (t < 32) {
            __syncthreads();
        } else {
            __syncthreads();
        }
        break;
    case FAULT_MASKS_DIFFER:
        value = __shfl_sync(t % 2 == 0 ? kAll : 0xaaaaaaabu, value, 1);
        break;
    case FAULT_LANE_EXITED:
        if (t == 5) {
            return;
        }
        value = __shfl_sync(kAll, value, 0);
        break;
    case FAULT_LANE_MISSING:
        if (t != 5) {
            value = __ballot_sync(kAll, 1);
        }
        __syncthreads();
        break;
    case FAULT_CALLER_LEFT_OUT:
        value = __ballot_sync(0xfffffffeu, 1);
        break;
    case FAULT_READS_OUTSIDE_MASK:
        if (t % 32 < 16) {
            value = __shfl_sync(0x0000ffffu, value, 20);
        }
        break;
    case FAULT_WARP_AGAINST_BARRIER:
        if (t % 2 == 0) {
            __syncthreads();
        } else {
            __syncwarp();
        }
        break;
    case FAULT_SHARED_OVERRUN:
        shared[t] = 1; /* 64 threads */
        break;
    case FAULT_GLOBAL_OVERRUN:
        global[t] = 1;
        break;
    case FAULT_NESTED_LAUNCH:
        HN_LAUNCH((fault_kernel), 1, 1, 0, nullptr, FAULT_SHARED_OVERRUN, global);
        break;
    }
    if (value != 0 && global == nullptr) {
        shared[0] = (int)value;
    }
}

__global__ void mirror_kernel(int *out, int with_barrier) {
    HN_DYN_SHARED(int, shared);
    const int t = (int)threadIdx.x, n = (int)blockDim.x;
    shared[t] = t;
    if (with_barrier != 0) {
        __syncthreads();
    }
    out[t] = shared[n - 1 - t];
}

__global__ void warp_calls_kernel(unsigned *out) {
    const unsigned t = threadIdx.x, lane = t % 32;
    out[lane] = __shfl_sync(kAll, lane, 3);
    out[32 + lane] = __shfl_up_sync(kAll, lane, 2);
    out[64 + lane] = __shfl_down_sync(kAll, lane, 2);
    out[96 + lane] = __shfl_xor_sync(kAll, lane, 5);
    out[128 + lane] = __shfl_sync(kAll, lane, 1, 8);
    out[160 + lane] = __ballot_sync(kAll, lane % 3 == 0);
    out[192 + lane] = (unsigned)__any_sync(kAll, lane == 31) + 2 * (unsigned)__all_sync(kAll, lane < 31);
    out[224 + lane] = 0;
    if (lane % 2 == 1) {
        out[224 + lane] = __shfl_down_sync(0xaaaaaaaau, lane, 2);
    }
    __syncwarp();
}

__global__ void count_kernel(unsigned *out) {
    const unsigned block = blockIdx.y * gridDim.x + blockIdx.x;
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    const unsigned number = block * blockDim.x * blockDim.y * blockDim.z + thread;
    atomicAdd(&out[0], number);
    atomicMax(&out[1], number);
}

__global__ void poison_kernel(int *seen) {
    HN_DYN_SHARED(uint32_t, shared);
    if (threadIdx.x == 0 && shared[0] == 0xffffffffu && shared[7] == 0xffffffffu) {
        atomicAdd(seen, 1);
    }
    __syncthreads();
    shared[threadIdx.x] = 5;
}

__global__ void nothing_kernel(int) {}

} // namespace

extern "C" {

void faulty_run(Fault fault) {
    void *global = nullptr;
    if (cudaMalloc(&global, 32 * sizeof(int)) != cudaSuccess) {
        return;
    }
    HN_LAUNCH((fault_kernel), 1, 64, 32 * sizeof(int), nullptr, fault, static_cast<int *>(global));
    cudaStreamSynchronize(nullptr);
    cudaFree(global);
}

void faulty_mirror(int *out, int with_barrier) {
    HN_LAUNCH((mirror_kernel), 1, 256, 256 * sizeof(int), nullptr, out, with_barrier);
}

void faulty_warp_calls(unsigned *out) {
    HN_LAUNCH((warp_calls_kernel), 1, 32, 0, nullptr, out);
}

void faulty_count(unsigned *out) {
    HN_LAUNCH((count_kernel), dim3(3, 2), dim3(4, 3, 2), 0, nullptr, out);
}

int faulty_shared_is_poisoned(void) {
    int seen = 0;
    int *address = &seen;
    HN_LAUNCH((poison_kernel), 4, 8, 8 * sizeof(uint32_t), nullptr, address);
    return seen == 4;
}

int faulty_launch_code(unsigned n_threads, unsigned n_bytes) {
    HN_LAUNCH((nothing_kernel), 1, n_threads, n_bytes, nullptr, 0);
    return (int)cudaGetLastError();
}
}
