#include "check.h"

#include "comm_body.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "comm_ops.h"

HnComm *test_world;

/* Small pieces make every count of these tests an "over-large" one. */
static const size_t pieces[] = {0, 1, 7};

static void test_identity(void **state) {
    (void)state;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    assert_true(size >= 1 && rank >= 0 && rank < size);
    assert_string_equal(hn_comm_backend(test_world), test_world->ops->name);
}

static void test_sums(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    enum { N = 23 };
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        test_world->piece_elements = pieces[p];
        float f[N];
        double d[N];
        int32_t i[N];
        int64_t l[N];
        for (int k = 0; k < N; k++) {
            f[k] = (float)(k + rank);
            d[k] = 0.5 * k - rank;
            i[k] = k * (rank + 1);
            l[k] = ((int64_t)1 << 60) / size + k - rank; /* would not survive a double */
        }
        assert_ok(hn_comm_sum_f32(test_world, f, N, &err));
        assert_ok(hn_comm_sum_f64(test_world, d, N, &err));
        assert_ok(hn_comm_sum_i32(test_world, i, N, &err));
        assert_ok(hn_comm_sum_i64(test_world, l, N, &err));
        int ranks_sum = size * (size - 1) / 2;
        for (int k = 0; k < N; k++) {
            assert_true(f[k] == (float)(k * size + ranks_sum));
            assert_true(d[k] == 0.5 * k * size - ranks_sum);
            assert_int_equal(i[k], k * size * (size + 1) / 2);
            assert_int_equal(l[k], ((int64_t)1 << 60) / size * size + (int64_t)k * size - ranks_sum);
        }
    }
    test_world->piece_elements = 0;
}

/* Arrays that go another way than small ones: in several pieces, with what does not divide among the ranks, while a
 * small sum passes between start and wait; and small ones again after them. */
static void test_large_sums(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    const size_t counts[] = {65535, 65536, 65537, 3 * 65536 + 5, 1, 3, 511, 512, 513, 20000};
    const bool crowded = test_world->crowded;
    for (size_t c = 0; c < 2 * sizeof counts / sizeof counts[0]; c++) {
        const size_t n = counts[c / 2];
        test_world->crowded = c % 2 == 1;
        float *f = hn_alloc(n, sizeof *f, "test", &err);
        double *d = hn_alloc(n, sizeof *d, "test", &err);
        int32_t *i = hn_alloc(n, sizeof *i, "test", &err);
        int64_t *l = hn_alloc(n, sizeof *l, "test", &err), *m = hn_alloc(n, sizeof *m, "test", &err);
        assert_true(f && d && i && l && m);
        for (size_t k = 0; k < n; k++) {
            f[k] = (float)(k % 1000) + (float)rank;
            d[k] = 0.5 * (double)k - rank;
            i[k] = (int32_t)k * (rank + 1);
            l[k] = ((int64_t)1 << 60) / size + (int64_t)k - rank;
            m[k] = (int64_t)(k % 7 == (size_t)rank ? k + 1 : 0) - 5;
        }
        int64_t between = rank;
        assert_ok(hn_comm_sum_f32_start(test_world, f, n, &err));
        assert_ok(hn_comm_sum_i64(test_world, &between, 1, &err));
        assert_ok(hn_comm_wait(test_world, &err));
        assert_ok(hn_comm_sum_f64(test_world, d, n, &err));
        assert_ok(hn_comm_sum_i32(test_world, i, n, &err));
        assert_ok(hn_comm_sum_i64_start(test_world, l, n, &err));
        assert_ok(hn_comm_wait(test_world, &err));
        assert_ok(hn_comm_max_i64(test_world, m, n, &err));
        const int ranks_sum = size * (size - 1) / 2;
        assert_int_equal(between, ranks_sum);
        for (size_t k = 0; k < n; k++) {
            assert_true(f[k] == (float)(k % 1000) * (float)size + (float)ranks_sum);
            assert_true(d[k] == 0.5 * (double)k * size - ranks_sum);
            assert_int_equal(i[k], (int32_t)k * (size * (size + 1) / 2));
            assert_int_equal(l[k], ((int64_t)1 << 60) / size * size + (int64_t)k * size - ranks_sum);
            assert_int_equal(m[k], k % 7 < (size_t)size ? (int64_t)k + 1 - 5 : -5);
        }
        hn_free(f), hn_free(d), hn_free(i), hn_free(l), hn_free(m);
    }
    test_world->crowded = crowded;
}

/* Floats are added in rank order wherever they lie, so that all ranks get the same bits. */
static void test_large_sums_of_floats_agree(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    enum { N = 40000 };
    float *mine = hn_alloc(N, sizeof *mine, "test", &err), *all = hn_alloc((size_t)size * N, sizeof *all, "test", &err);
    size_t *n_bytes = hn_alloc((size_t)size, sizeof *n_bytes, "test", &err);
    assert_true(mine && all && n_bytes);
    for (int k = 0; k < N; k++) {
        mine[k] = 1.0f / (float)(3 + k + 17 * rank);
    }
    assert_ok(hn_comm_sum_f32(test_world, mine, N, &err));
    for (int r = 0; r < size; r++) {
        n_bytes[r] = N * sizeof *mine;
    }
    assert_ok(hn_comm_gather_all(test_world, mine, all, n_bytes, &err));
    for (int r = 0; r < size; r++) {
        assert_memory_equal(all + (size_t)r * N, mine, N * sizeof *mine);
    }
    hn_free(mine), hn_free(all), hn_free(n_bytes);
}

/* A sum is added in the same order whatever sums came before it: a job that is taken up again repeats what it would
 * have done. */
static void test_order_does_not_depend_on_the_past(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    enum { SMALL = 1000, LARGE = 50000 };
    HnComm *fresh = NULL;
    float before[SMALL], after[SMALL], *large = hn_alloc(LARGE, sizeof *large, "test", &err);
    assert_non_null(large);
    assert_ok(hn_comm_split(test_world, 0, hn_comm_rank(test_world), &fresh, &err));
    for (int k = 0; k < SMALL; k++) {
        before[k] = after[k] = 1.0f / (float)(3 + k + 17 * hn_comm_rank(test_world));
    }
    assert_ok(hn_comm_sum_f32(fresh, before, SMALL, &err));
    assert_ok(hn_comm_sum_f32(fresh, large, LARGE, &err));
    assert_ok(hn_comm_sum_f32(fresh, after, SMALL, &err));
    assert_memory_equal(before, after, sizeof before);
    hn_free(large);
    hn_comm_free(&fresh);
}

static void test_max(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    float f[4] = {(float)-rank - 1.5f, (float)rank * FLT_MIN, rank == size - 1 ? -0.0f : -FLT_MAX, -INFINITY};
    assert_ok(hn_comm_max_f32(test_world, f, 4, &err));
    assert_true(f[0] == -1.5f);
    assert_true(f[1] == (float)(size - 1) * FLT_MIN);
    assert_true(f[2] == 0.0f);
    assert_true(isinf(f[3]) && f[3] < 0);

    int64_t l[2] = {INT64_MIN + rank, rank == 0 ? INT64_MAX : 0};
    assert_ok(hn_comm_max_i64(test_world, l, 2, &err));
    assert_true(l[0] == INT64_MIN + size - 1);
    assert_true(l[1] == INT64_MAX);
}

/* One rank's NaN must reach every rank, whichever rank it is, whatever its sign, whatever the others hold. */
static void test_max_keeps_nan(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    for (int bad = 0; bad < size; bad++) {
        float f[3] = {rank == bad ? NAN : INFINITY, rank == bad ? -NAN : FLT_MAX, 1.0f};
        assert_ok(hn_comm_max_f32(test_world, f, 3, &err));
        assert_true(isnan(f[0]));
        assert_true(isnan(f[1]));
        assert_true(f[2] == 1.0f);
    }
}

static void test_broadcast(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        test_world->piece_elements = pieces[p];
        for (int root = 0; root < size; root++) {
            unsigned char bytes[41];
            memset(bytes, rank, sizeof bytes);
            if (rank == root) {
                for (size_t k = 0; k < sizeof bytes; k++) {
                    bytes[k] = (unsigned char)(3 * k + (size_t)root);
                }
            }
            assert_ok(hn_comm_broadcast(test_world, bytes, sizeof bytes, root, &err));
            for (size_t k = 0; k < sizeof bytes; k++) {
                assert_int_equal(bytes[k], (unsigned char)(3 * k + (size_t)root));
            }
        }
    }
    test_world->piece_elements = 0;
    char byte = 0;
    assert_int_equal(hn_comm_broadcast(test_world, &byte, 1, size, &err), HN_INTERNAL);
    hn_error_clear(&err);
    assert_int_equal(hn_comm_broadcast(test_world, &byte, 1, -1, &err), HN_INTERNAL);
}

/* Rank r gives 5 r + (r == 2 ? 0 : 3) bytes of value r: some parts differ, one may be empty. */
static size_t part_bytes(int rank) {
    return rank == 1 ? 0 : 5 * (size_t)rank + 3;
}

static void test_gather_all(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    size_t n_bytes[64], total = 0;
    assert_true(size <= 64);
    for (int r = 0; r < size; r++) {
        n_bytes[r] = part_bytes(r);
        total += n_bytes[r];
    }
    unsigned char mine[512];
    memset(mine, rank + 1, sizeof mine);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        test_world->piece_elements = pieces[p];
        unsigned char *all = hn_alloc(total + 1, 1, "gathered", &err);
        assert_non_null(all);
        all[total] = 200;
        assert_ok(hn_comm_gather_all(test_world, mine, all, n_bytes, &err));
        size_t at = 0;
        for (int r = 0; r < size; r++) {
            for (size_t k = 0; k < n_bytes[r]; k++) {
                assert_int_equal(all[at++], r + 1);
            }
        }
        assert_int_equal(all[total], 200);
        hn_free(all);
    }
    test_world->piece_elements = 0;
}

static void test_sum_started(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    enum { N = 1000 };
    float f[N];
    int64_t l[N];
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        test_world->piece_elements = pieces[p] == 0 ? 0 : pieces[p] * 100;
        for (int k = 0; k < N; k++) {
            f[k] = (float)(rank + 1);
            l[k] = k + rank;
        }
        assert_ok(hn_comm_sum_f32_start(test_world, f, N, &err));
        assert_int_equal(hn_comm_sum_i64_start(test_world, l, N, &err), HN_INTERNAL); /* one in flight */
        hn_error_clear(&err);
        assert_ok(hn_comm_wait(test_world, &err));
        assert_ok(hn_comm_sum_i64_start(test_world, l, N, &err));
        assert_ok(hn_comm_wait(test_world, &err));
        for (int k = 0; k < N; k++) {
            assert_true(f[k] == (float)(size * (size + 1) / 2));
            assert_int_equal(l[k], k * size + size * (size - 1) / 2);
        }
    }
    test_world->piece_elements = 0;
    assert_ok(hn_comm_sum_f32_start(test_world, f, 0, &err));
    assert_ok(hn_comm_wait(test_world, &err));
    assert_int_equal(hn_comm_wait(test_world, &err), HN_INTERNAL);
}

static void test_any(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    for (int who = -1; who < size; who++) {
        bool flag = rank == who;
        assert_ok(hn_comm_any(test_world, &flag, &err));
        assert_int_equal(flag, who >= 0);
    }
}

static void test_agree(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    assert_int_equal(hn_comm_agree(test_world, HN_OK, &err), HN_OK);
    assert_int_equal(err.status, HN_OK);
    for (int first = 0; first < size; first++) {
        /* Every rank from `first` on fails, each with its own words; the lowest rank's are what all hear. */
        hn_error_clear(&err);
        HnStatus mine = HN_OK;
        if (rank >= first) {
            mine = hn_fail(&err, rank == first ? HN_FORMAT : HN_SPACE, "rank %d cannot read file %d", rank, first);
        }
        assert_int_equal(hn_comm_agree(test_world, mine, &err), HN_FORMAT);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "rank %d cannot read file %d", first, first);
        assert_string_equal(err.message, expected);
        assert_int_equal(err.status, HN_FORMAT);
    }
    assert_int_equal(hn_comm_agree(test_world, rank == size - 1 ? HN_IO : HN_OK, NULL), HN_IO);
}

static void test_split(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    HnComm *group = NULL;
    /* Even and odd ranks apart, in reverse order. */
    assert_ok(hn_comm_split(test_world, rank % 2, size - rank, &group, &err));
    assert_non_null(group);
    int members = (size + 1 - rank % 2) / 2;
    assert_int_equal(hn_comm_size(group), members);
    assert_int_equal(hn_comm_rank(group), members - 1 - rank / 2);
    int64_t sum = rank;
    assert_ok(hn_comm_sum_i64(group, &sum, 1, &err));
    int64_t expected = 0;
    for (int r = rank % 2; r < size; r += 2) {
        expected += r;
    }
    assert_int_equal(sum, expected);
    hn_comm_free(&group);
    assert_null(group);

    assert_ok(hn_comm_split(test_world, rank == 0 ? -1 : 0, rank, &group, &err));
    assert_int_equal(group != NULL, rank != 0);
    if (group != NULL) {
        assert_int_equal(hn_comm_size(group), size - 1);
        assert_ok(hn_comm_barrier(group, &err));
    }
    hn_comm_free(&group);
    hn_comm_free(&group); /* twice is fine */
}

/* Rounds of meetings: what every rank of the host wrote is there after each, and nobody overtakes. */
static void check_meetings(HnComm *group, const HnCommHost *host) {
    enum { N = 20000, ROUNDS = 20 };
    HnError err = HN_ERROR_INIT;
    HnHostBlock block;
    assert_ok(hn_comm_host_block(group, (size_t)host->size * N * sizeof(int32_t), &block, &err));
    assert_non_null(block.data);
    int32_t *all = block.data;
    for (int k = 0; k < host->size * N; k++) {
        assert_int_equal(all[k], 0);
    }
    const uint64_t before = hn_comm_bytes_moved(group);
    hn_comm_host_arrive(group, 0);
    hn_comm_host_await(group);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int k = 0; k < N; k++) {
            all[host->rank * N + k] = round * (host->rank + 1) + k;
        }
        hn_comm_host_arrive(group, 100);
        hn_comm_host_await(group);
        for (int k = 0; k < host->size * N; k++) {
            assert_int_equal(all[k], round * (k / N + 1) + k % N);
        }
        hn_comm_host_arrive(group, 0);
        hn_comm_host_await(group);
    }
    assert_int_equal(hn_comm_bytes_moved(group) - before, 100 * ROUNDS);
    hn_comm_host_block_free(group, &block);
    assert_null(block.data);
}

static void check_sums_over_hosts(HnComm *group, const HnCommHost *host) {
    enum { N = 1000 };
    HnError err = HN_ERROR_INIT;
    float f[N];
    int64_t l[N];
    const int number = hn_comm_rank(group) / host->size; /* neighbours stand for a host */
    for (int k = 0; k < N; k++) {
        f[k] = (float)(k + host->rank + 10 * number);
        l[k] = (int64_t)k * (number + 1) + host->rank;
    }
    assert_ok(hn_comm_sum_hosts_f32(group, f, N, &err));
    assert_ok(hn_comm_sum_hosts_i64(group, l, N, &err));
    assert_ok(hn_comm_sum_hosts_i64(group, NULL, 0, &err));
    const int n = host->n_hosts;
    for (int k = 0; k < N; k++) {
        assert_true(f[k] == (float)(n * (k + host->rank) + 10 * (n * (n - 1) / 2)));
        assert_int_equal(l[k], (int64_t)k * (n * (n + 1) / 2) + n * host->rank);
    }
}

/* All ranks on one host, or so many neighbours as if on one; sums in between go on as ever. */
static void test_hosts(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    const int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    for (int a = 0; a <= size; a++) {
        const int on_host = a == 0 ? size : a;
        HnComm *group = NULL;
        HnCommHost host;
        assert_ok(hn_comm_split(test_world, 0, rank, &group, &err));
        group->ranks_a_host = a;
        assert_ok(hn_comm_host(group, &host, &err));
        if (on_host > 1 && size % on_host == 0) {
            assert_int_equal(host.size, on_host);
            assert_int_equal(host.rank, rank % on_host);
            assert_int_equal(host.n_hosts, size / on_host);
            check_meetings(group, &host);
            check_sums_over_hosts(group, &host);
            check_meetings(group, &host);
        } else {
            HnHostBlock block;
            assert_int_equal(host.size, 1);
            assert_int_equal(host.rank, 0);
            assert_int_equal(host.n_hosts, size);
            assert_ok(hn_comm_host_block(group, 1000, &block, &err));
            assert_null(block.data);
            hn_comm_host_block_free(group, &block);
        }
        int64_t sum = rank;
        assert_ok(hn_comm_sum_i64(group, &sum, 1, &err));
        assert_int_equal(sum, size * (size - 1) / 2);
        hn_comm_free(&group);
    }
}

static void test_bytes_moved(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int rank = hn_comm_rank(test_world), size = hn_comm_size(test_world);
    HnComm *group = NULL;
    assert_ok(hn_comm_split(test_world, 0, rank, &group, &err));
    assert_int_equal(hn_comm_bytes_moved(group), 0);
    float f[10] = {0};
    double d[3] = {0};
    int64_t l[2] = {0};
    assert_ok(hn_comm_sum_f32(group, f, 10, &err));
    assert_ok(hn_comm_sum_f64(group, d, 3, &err));
    assert_ok(hn_comm_sum_i64_start(group, l, 2, &err));
    assert_ok(hn_comm_wait(group, &err));
    assert_int_equal(hn_comm_bytes_moved(group), 40 + 24 + 16);
    assert_ok(hn_comm_broadcast(group, f, 40, size - 1, &err));
    uint64_t expected = 80 + (rank == size - 1 ? 40 : 0);
    assert_int_equal(hn_comm_bytes_moved(group), expected);
    size_t n_bytes[64];
    char all[64 * 64], mine[64] = {0};
    for (int r = 0; r < size; r++) {
        n_bytes[r] = (size_t)r;
    }
    assert_ok(hn_comm_gather_all(group, mine, all, n_bytes, &err));
    assert_int_equal(hn_comm_bytes_moved(group), expected + (uint64_t)rank);
    hn_comm_free(&group);
}

/* Nothing to send must not hang nor touch the data. */
static void test_empty(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    assert_ok(hn_comm_sum_f32(test_world, NULL, 0, &err));
    assert_ok(hn_comm_max_f32(test_world, NULL, 0, &err));
    assert_ok(hn_comm_broadcast(test_world, NULL, 0, 0, &err));
    size_t n_bytes[64] = {0};
    assert_ok(hn_comm_gather_all(test_world, NULL, NULL, n_bytes, &err));
}

int comm_body_run(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_large_sums),
        cmocka_unit_test(test_large_sums_of_floats_agree),
        cmocka_unit_test(test_order_does_not_depend_on_the_past),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_max_keeps_nan),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_gather_all),
        cmocka_unit_test(test_sum_started),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_bytes_moved),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests_name(hn_comm_backend(test_world), tests, NULL, NULL);
}
