/* The body under the versions in C, so that what the device versions must meet is met by those that are in use. */
#include "twin.h"

#include "cpu.h"
#include "fixed.h"

static int sum_ref(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim) {
    hn_propagate_ref(graph, x, row_scale, y, sum, dim);
    return 0;
}

static int fixed_ref(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim) {
    hn_propagate_fixed_ref(graph, x, shift, y, dim);
    return 0;
}

static int sum_cpu(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim) {
    hn_propagate_cpu(graph, x, row_scale, y, sum, dim);
    return 0;
}

static int fixed_cpu(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim) {
    hn_propagate_fixed_cpu(graph, x, shift, y, dim);
    return 0;
}

static int max_ref(const float *x, uint64_t n, float *result) {
    *result = hn_max_magnitude_ref(x, n);
    return 0;
}

static int from_ref(const float *x, int shift, int32_t *q, uint64_t n) {
    hn_fixed_from_float_ref(x, shift, q, n);
    return 0;
}

static int to_ref(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows, int dim) {
    hn_fixed_to_float_ref(s, shift, row_scale, y, sum, n_rows, dim);
    return 0;
}

static int max_cpu(const float *x, uint64_t n, float *result) {
    *result = hn_max_magnitude_cpu(x, n);
    return 0;
}

static int from_cpu(const float *x, int shift, int32_t *q, uint64_t n) {
    hn_fixed_from_float_cpu(x, shift, q, n);
    return 0;
}

static int to_cpu(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows, int dim) {
    hn_fixed_to_float_cpu(s, shift, row_scale, y, sum, n_rows, dim);
    return 0;
}

int main(void) {
    const PropagateTwin propagate[] = {{sum_ref, fixed_ref}, {sum_cpu, fixed_cpu}};
    const FixedTwin fixed[] = {{max_ref, from_ref, to_ref}, {max_cpu, from_cpu, to_cpu}};
    int failures = propagate_body_run(&propagate[0], "propagate_ref") + fixed_body_run(&fixed[0], "fixed_ref");
    for (int path = (int)hn_cpu_path(); path >= HN_CPU_SCALAR; path--) {
        hn_cpu_path_cap((HnCpuPath)path);
        failures += propagate_body_run(&propagate[1], hn_cpu_path_name(hn_cpu_path()));
        failures += fixed_body_run(&fixed[1], hn_cpu_path_name(hn_cpu_path()));
    }
    return failures;
}
