/* The one door between our .cu files and a device: launch, dynamic shared memory, and the runtime calls they may use.
 *
 * The same .cu compiles with nvcc for a GPU, and with g++ for the block emulator of tests/gpu (HN_EMULATE), which runs
 * it on the CPU under sanitizers. What makes that work:
 *   - kernels are launched through HN_LAUNCH, and use dynamic shared memory, through HN_DYN_SHARED, and no other;
 *   - warp calls are the *_sync ones, with the mask of the lanes that really come; no lockstep is relied upon;
 *   - every thread of a block reaches every __syncthreads, or the condition around it is the same for the whole block;
 *   - no cooperative groups, CUB, Thrust, textures, dynamic parallelism;
 *   - sums of floats are chains in a given order, by __fadd_rn and __fmul_rn, which no compiler contracts; no float
 *     atomics.
 * Runtime calls in use: cudaMalloc cudaFree cudaMemcpy cudaMemsetAsync cudaStreamSynchronize cudaGetLastError
 * cudaGetDeviceCount cudaGetErrorString.
 */
#ifndef HN_KERNEL_DEVICE_H
#define HN_KERNEL_DEVICE_H

#if defined(HN_EMULATE)
#include "emulator.h"
#elif defined(__CUDACC__)
#include <cuda_runtime.h>

/* HN_LAUNCH((kernel<T>), grid, block, shared_bytes, stream, arguments...): a failure shows in cudaGetLastError. */
#define HN_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
    kernel<<<(grid), (block), (shared_bytes), (cudaStream_t)(stream)>>>(__VA_ARGS__)

/* HN_DYN_SHARED(float, tile): the block's dynamic shared memory as `float *tile`, 16-byte aligned. Its contents are
 * undefined at the start of a block. */
#define HN_DYN_SHARED(type, name)                                            \
    extern __shared__ __align__(16) unsigned char hn_dynamic_shared_bytes[]; \
    type *name = reinterpret_cast<type *>(hn_dynamic_shared_bytes)
#endif

#endif
