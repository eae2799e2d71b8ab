/* A block emulator: runs a .cu file, compiled by g++ with HN_EMULATE, on the CPU. kernels/device.h includes this in
 * place of CUDA's headers, so what a kernel may use is what stands here.
 *
 * Blocks run one after the other. The threads of a block are fibres on one CPU thread, each running until it waits at a
 * barrier or in a warp call, in ascending, descending or seeded random order: a kernel without races gives the same
 * bits in all of them. "Device memory" is host memory of exactly the size asked for, and so is a block's shared memory,
 * so that the address sanitizer sees every access out of bounds; both are poisoned (0xFF: a NaN, or -1) before use.
 *
 * The program is ended with a message where a kernel relies on what CUDA does not promise: a __syncthreads that not all
 * threads of the block reach, or reach at different places; warp calls with masks that do not agree, that name lanes
 * which have exited, or that leave out the caller; a shuffle from a lane outside the mask; waiting for ever.
 *
 * It proves logic, bounds and barriers. It proves nothing of the memory model, of float atomics, nor of speed.
 */
#ifndef HN_GPU_EMULATOR_H
#define HN_GPU_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum HnEmuOrder { HN_EMU_ASCENDING, HN_EMU_DESCENDING, HN_EMU_RANDOM } HnEmuOrder;

/* The order of threads and blocks from now on; seed matters for HN_EMU_RANDOM. */
void hn_emu_set_order(HnEmuOrder order, uint64_t seed);
/* How many blocks, and how many waits (barriers and warp calls) of threads there were so far: a test that means to
 * exercise them can see that it does. */
uint64_t hn_emu_count_blocks(void);
uint64_t hn_emu_count_waits(void);

#ifdef __cplusplus
}

#include <cmath>
#include <cstring>
#include <functional>

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

/* ---- what a thread sees ---------------------------------------------------------------------------------------- */

uint3 hn_emu_thread_index();
uint3 hn_emu_block_index();
dim3 hn_emu_block_size();
dim3 hn_emu_grid_size();
void *hn_emu_shared();
void hn_emu_barrier(const char *file, int line);

#define threadIdx (hn_emu_thread_index())
#define blockIdx (hn_emu_block_index())
#define blockDim (hn_emu_block_size())
#define gridDim (hn_emu_grid_size())
#define warpSize 32
#define __syncthreads() hn_emu_barrier(__FILE__, __LINE__)
#define HN_DYN_SHARED(type, name) type *name = static_cast<type *>(hn_emu_shared())

enum HnEmuWarpCall { HN_EMU_SHUFFLE, HN_EMU_BALLOT, HN_EMU_SYNCWARP };

/* One warp call of this thread: waits for the lanes of mask, then returns the value that lane `from` brought (SHUFFLE;
 * from < 0 = its own), or the lanes whose value is not 0 (BALLOT). */
uint64_t hn_emu_warp(HnEmuWarpCall call, unsigned mask, uint64_t value, int from, const char *file, int line);
int hn_emu_lane();
/* A good place for another thread to cut in; does so now and then in random order. */
void hn_emu_maybe_yield();

/* The lane to read from, as CUDA defines it for the four shuffles; -1 = the thread's own value. */
inline int hn_emu_source(char kind, int delta, int width) {
    int lane = hn_emu_lane(), first = lane / width * width, at = lane - first;
    int source = kind == 'i'   ? ((delta % width) + width) % width
                 : kind == 'u' ? at - delta
                 : kind == 'd' ? at + delta
                               : at ^ delta;
    return source < 0 || source >= width ? -1 : first + source;
}

template <typename T>
T hn_emu_shuffle(char kind, unsigned mask, T value, int delta, const char *file, int line, int width = 32) {
    static_assert(sizeof(T) <= 8, "shuffles move up to 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = hn_emu_warp(HN_EMU_SHUFFLE, mask, bits, hn_emu_source(kind, delta, width), file, line);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

#define __shfl_sync(mask, value, ...) HN_EMU_SHFL('i', mask, value, __VA_ARGS__, 32)
#define __shfl_up_sync(mask, value, ...) HN_EMU_SHFL('u', mask, value, __VA_ARGS__, 32)
#define __shfl_down_sync(mask, value, ...) HN_EMU_SHFL('d', mask, value, __VA_ARGS__, 32)
#define __shfl_xor_sync(mask, value, ...) HN_EMU_SHFL('x', mask, value, __VA_ARGS__, 32)
/* The width, where it is given, comes before the default that the macros above append. */
#define HN_EMU_SHFL(kind, mask, value, delta, ...) \
    hn_emu_shuffle(kind, mask, value, (int)(delta), __FILE__, __LINE__, HN_EMU_FIRST(__VA_ARGS__, 32))
#define HN_EMU_FIRST(first, ...) first
#define __ballot_sync(mask, value) ((unsigned)hn_emu_warp(HN_EMU_BALLOT, mask, (value) ? 1 : 0, -1, __FILE__, __LINE__))
#define __any_sync(mask, value) (__ballot_sync(mask, value) != 0)
#define __all_sync(mask, value) (__ballot_sync(mask, value) == (mask))
#define __syncwarp(...) HN_EMU_SYNCWARP_OF(__VA_ARGS__ __VA_OPT__(, ) 0xffffffffu)
#define HN_EMU_SYNCWARP_OF(...) \
    ((void)hn_emu_warp(HN_EMU_SYNCWARP, HN_EMU_FIRST(__VA_ARGS__, 0), 0, -1, __FILE__, __LINE__))

/* Integer atomics only: sums of floats have an order. */
template <typename T>
T hn_emu_atomic_add(T *address, T value) {
    static_assert(T(1) / 2 == 0, "float atomics are not allowed");
    hn_emu_maybe_yield();
    T old = *address;
    *address = old + value;
    return old;
}

template <typename T>
T hn_emu_atomic_max(T *address, T value) {
    hn_emu_maybe_yield();
    T old = *address;
    *address = old < value ? value : old;
    return old;
}

inline int atomicAdd(int *address, int value) {
    return hn_emu_atomic_add(address, value);
}
inline unsigned atomicAdd(unsigned *address, unsigned value) {
    return hn_emu_atomic_add(address, value);
}
inline unsigned long long atomicAdd(unsigned long long *address, unsigned long long value) {
    return hn_emu_atomic_add(address, value);
}
inline int atomicMax(int *address, int value) {
    return hn_emu_atomic_max(address, value);
}
inline unsigned atomicMax(unsigned *address, unsigned value) {
    return hn_emu_atomic_max(address, value);
}

/* Single roundings; the emulator is compiled with -ffp-contract=off. */
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return std::fmaf(a, b, c);
}
inline int __float2int_rn(float a) {
    return (int)std::nearbyintf(a);
}
inline float __ll2float_rn(long long a) {
    return (float)a;
}
inline unsigned __float_as_uint(float a) {
    unsigned bits;
    std::memcpy(&bits, &a, sizeof bits);
    return bits;
}

/* ---- what the host sees ---------------------------------------------------------------------------------------- */

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
typedef struct HnEmuStream *cudaStream_t;

cudaError_t cudaMalloc(void **address, size_t n_bytes);
cudaError_t cudaFree(void *address);
cudaError_t cudaMemcpy(void *to, const void *from, size_t n_bytes, cudaMemcpyKind kind);
cudaError_t cudaMemsetAsync(void *address, int value, size_t n_bytes, cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int *n_devices);
const char *cudaGetErrorString(cudaError_t error);

/* Runs the body of every thread; refuses what a device would refuse. */
void hn_emu_launch(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body);

#define HN_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
    ((void)(stream), hn_emu_launch((grid), (block), (shared_bytes), [=]() { kernel(__VA_ARGS__); }))

#endif
#endif
