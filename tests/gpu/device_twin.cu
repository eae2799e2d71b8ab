/* The device versions over host memory: what a test body calls. */
#include "device.h"
#include "fixed.h"
#include "twin.h"

namespace {

/* A copy of a host array on the device, of exactly its size; back() brings the contents home. */
template <typename T>
class Copy {
  public:
    Copy(const T *host, uint64_t n) : n_bytes_((size_t)n * sizeof(T)) {
        if (host == nullptr) {
            return;
        }
        error_ = cudaMalloc((void **)&device_, n_bytes_ > 0 ? n_bytes_ : 1);
        if (error_ == cudaSuccess && n_bytes_ > 0) {
            error_ = cudaMemcpy(device_, host, n_bytes_, cudaMemcpyHostToDevice);
        }
    }
    ~Copy() {
        cudaFree(device_);
    }
    Copy(const Copy &) = delete;
    Copy &operator=(const Copy &) = delete;

    T *get() const {
        return device_;
    }
    int error() const {
        return (int)error_;
    }
    int back(T *host) const {
        if (host == nullptr || n_bytes_ == 0) {
            return 0;
        }
        return (int)cudaMemcpy(host, device_, n_bytes_, cudaMemcpyDeviceToHost);
    }

  private:
    T *device_ = nullptr;
    size_t n_bytes_;
    cudaError_t error_ = cudaSuccess;
};

int first_of(int a, int b) {
    return a != 0 ? a : b;
}

template <typename... Rest>
int first_of(int a, int b, Rest... rest) {
    return first_of(first_of(a, b), rest...);
}

int propagate_sum(const HnCsr *graph, const float *x, const float *row_scale, float *y, float *sum, int dim) {
    const uint64_t n_y = graph->n_rows * (uint64_t)dim;
    Copy<uint64_t> offsets(graph->offsets, graph->n_rows + 1);
    Copy<int32_t> columns(graph->columns, graph->offsets[graph->n_rows]);
    Copy<float> d_x(x, graph->n_cols * (uint64_t)dim), d_scale(row_scale, graph->n_rows), d_y(y, n_y), d_sum(sum, n_y);
    Copy<float> weights(graph->column_scale, graph->n_cols);
    int error = first_of(offsets.error(), columns.error(), d_x.error(), d_scale.error(), d_y.error(), d_sum.error(),
                         weights.error());
    if (error != 0) {
        return error;
    }
    const HnCsr on_device = {graph->n_rows, graph->n_cols, offsets.get(), columns.get(), weights.get()};
    error = hn_propagate_cuda(&on_device, d_x.get(), d_scale.get(), d_y.get(), d_sum.get(), dim, nullptr);
    return first_of(error, (int)cudaStreamSynchronize(nullptr), d_y.back(y), d_sum.back(sum));
}

int propagate_fixed(const HnCsr *graph, const float *x, int shift, int64_t *y, int dim) {
    Copy<uint64_t> offsets(graph->offsets, graph->n_rows + 1);
    Copy<int32_t> columns(graph->columns, graph->offsets[graph->n_rows]);
    Copy<float> d_x(x, graph->n_cols * (uint64_t)dim), weights(graph->column_scale, graph->n_cols);
    Copy<int64_t> d_y(y, graph->n_rows * (uint64_t)dim);
    int error = first_of(offsets.error(), columns.error(), d_x.error(), weights.error(), d_y.error());
    if (error != 0) {
        return error;
    }
    const HnCsr on_device = {graph->n_rows, graph->n_cols, offsets.get(), columns.get(), weights.get()};
    error = hn_propagate_fixed_cuda(&on_device, d_x.get(), shift, d_y.get(), dim, nullptr);
    return first_of(error, (int)cudaStreamSynchronize(nullptr), d_y.back(y));
}

int max_magnitude(const float *x, uint64_t n, float *result) {
    Copy<float> d_x(x, n), d_result(result, 1);
    int error = first_of(d_x.error(), d_result.error());
    if (error != 0) {
        return error;
    }
    error = hn_max_magnitude_cuda(d_x.get(), n, d_result.get(), nullptr);
    return first_of(error, (int)cudaStreamSynchronize(nullptr), d_result.back(result));
}

int fixed_from_float(const float *x, int shift, int32_t *q, uint64_t n) {
    Copy<float> d_x(x, n);
    Copy<int32_t> d_q(q, n);
    int error = first_of(d_x.error(), d_q.error());
    if (error != 0) {
        return error;
    }
    error = hn_fixed_from_float_cuda(d_x.get(), shift, d_q.get(), n, nullptr);
    return first_of(error, (int)cudaStreamSynchronize(nullptr), d_q.back(q));
}

int fixed_to_float(const int64_t *s, int shift, const float *row_scale, float *y, float *sum, uint64_t n_rows,
                   int dim) {
    const uint64_t n = n_rows * (uint64_t)dim;
    Copy<int64_t> d_s(s, n);
    Copy<float> d_scale(row_scale, n_rows), d_y(y, n), d_sum(sum, n);
    int error = first_of(d_s.error(), d_scale.error(), d_y.error(), d_sum.error());
    if (error != 0) {
        return error;
    }
    error = hn_fixed_to_float_cuda(d_s.get(), shift, d_scale.get(), d_y.get(), d_sum.get(), n_rows, dim, nullptr);
    return first_of(error, (int)cudaStreamSynchronize(nullptr), d_y.back(y), d_sum.back(sum));
}

} // namespace

extern "C" {

const PropagateTwin twin_propagate_device = {propagate_sum, propagate_fixed};
const FixedTwin twin_fixed_device = {max_magnitude, fixed_from_float, fixed_to_float};

int twin_count_devices(void) {
    int n_devices = 0; /* without a driver the call below does not write it */
    return cudaGetDeviceCount(&n_devices) == cudaSuccess ? n_devices : 0;
}
}
