/* The device group: refused with a reason where there is no device, exact where there is one a rank. */
#include "check.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "comm_nccl.h"
#include "world.h"

static HnComm *world;
static int n_devices;

static void test_device_out_of_range(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnNccl *nccl = NULL;
    HnStatus status = hn_nccl_start(world, 4096, &nccl, &err);
    assert_int_not_equal(status, HN_OK);
    assert_null(nccl);
    /* No driver is told in CUDA's own words. */
    assert_true(strstr(err.message, "device 4096 is asked for") != NULL || strstr(err.message, "CUDA failed") != NULL);
}

static void test_sums(void **state) {
    (void)state;
    if (n_devices < hn_comm_size(world)) {
        skip();
    }
    enum { N = 100003 };
    static int64_t host[N];
    HnError err = HN_ERROR_INIT;
    HnNccl *nccl = NULL;
    int rank = hn_comm_rank(world), size = hn_comm_size(world);
    assert_ok(hn_nccl_start(world, rank, &nccl, &err));
    for (int i = 0; i < N; i++) {
        host[i] = ((int64_t)1 << 55) + i + rank;
    }
    void *device = NULL;
    assert_int_equal(cudaMalloc(&device, sizeof host), cudaSuccess);
    assert_int_equal(cudaMemcpy(device, host, sizeof host, cudaMemcpyHostToDevice), cudaSuccess);
    assert_ok(hn_nccl_sum_i64(nccl, device, N, NULL, &err));
    assert_ok(hn_nccl_broadcast(nccl, device, sizeof host, size - 1, NULL, &err));
    assert_ok(hn_nccl_wait(nccl, NULL, 30.0, &err));
    assert_int_equal(cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost), cudaSuccess);
    for (int i = 0; i < N; i++) {
        assert_int_equal(host[i], size * (((int64_t)1 << 55) + i) + size * (size - 1) / 2);
    }
    assert_int_equal(hn_nccl_bytes_moved(nccl), sizeof host * (rank == size - 1 ? 2 : 1));
    cudaFree(device);
    hn_nccl_free(&nccl);
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (hn_world_start(&argc, &argv, &world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (cudaGetDeviceCount(&n_devices) != cudaSuccess) {
        n_devices = 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_device_out_of_range), cmocka_unit_test(test_sums)};
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    bool skipped = n_devices < hn_comm_size(world);
    if (skipped && failures == 0) {
        printf("SKIP: no CUDA device for each of %d ranks\n", hn_comm_size(world));
    }
    hn_world_end(&world);
    failures += hn_alloc_live_blocks() != 0;
    return failures == 0 && skipped ? 77 : failures;
}
