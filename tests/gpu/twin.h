/* One test body for all versions of a kernel: plain C, fast C, the .cu source in the emulator, the same on a device.
 * The bodies see a version as these functions over host memory; 0 is success.
 */
#ifndef TEST_GPU_TWIN_H
#define TEST_GPU_TWIN_H

#include <stdint.h>

#include "propagate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PropagateTwin {
    int (*sum)(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim);
    int (*fixed)(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim);
} PropagateTwin;

typedef struct FixedTwin {
    int (*max_magnitude)(const float *x, uint64_t n, float *result);
    int (*from_float)(const float *x, int shift, int32_t *q, uint64_t n);
    int (*to_float)(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                    int dim);
} FixedTwin;

/* device_twin.cu: copies to the device, runs, copies back. */
extern const PropagateTwin twin_propagate_device;
extern const FixedTwin twin_fixed_device;

/* 0 where none is here, or no driver. */
int twin_count_devices(void);

/* The bodies: the number of failed tests. */
int propagate_body_run(const PropagateTwin *twin, const char *name);
int fixed_body_run(const FixedTwin *twin, const char *name);

#ifdef __cplusplus
}
#endif
#endif
