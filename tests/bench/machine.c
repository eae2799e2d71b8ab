/* Two more floors: multiply-adds that never leave the registers, and memory that is only read. */
#include <omp.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bench.h"
#include "cpu.h"
#include "linear_tiles.h"

enum { ROUNDS = 1 << 18, CHAINS = 12, READ_BYTES = 1 << 28, TILE_PART = 16, TILE_DOTS = 4 };

struct BenchFloor {
    void (*run)(BenchFloor *floor);
    double units; /* GB or GFLOP of a run */
    bool narrow;  /* bf16 */
    unsigned char *bytes;
    double sink;
};

#if HN_X86

HN_AVX512 static float spin_avx512(void) {
    __m512 total[CHAINS], step = _mm512_set1_ps(1e-9f);
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
        total[i] = _mm512_set1_ps((float)i);
    }
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            total[i] = _mm512_fmadd_ps(total[i], step, step);
        }
    }
    float sum = 0.0f;
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
        sum += _mm512_reduce_add_ps(total[i]);
    }
    return sum;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static float spin_pairs(void) {
    __m512 total[CHAINS];
    const __m512i step = _mm512_set1_epi16(0x3080); /* about 1e-9 */
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
        total[i] = _mm512_set1_ps((float)i);
    }
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            total[i] = _mm512_dpbf16_ps(total[i], (__m512bh)step, (__m512bh)step);
        }
    }
    float sum = 0.0f;
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
        sum += _mm512_reduce_add_ps(total[i]);
    }
    return sum;
}

#if HN_TILES
/* Four sums of tiles, as many rounds as above of the same work in fewer steps. */
HN_AMX static float spin_tiles(void) {
    HnTileConfig config = {.palette = 1};
    for (int tile = 0; tile < 6; tile++) {
        config.rows[tile] = 16;
        config.row_bytes[tile] = 64;
    }
    HN_TILE_CONFIGURE(&config);
    HN_TILE_ZERO(0);
    HN_TILE_ZERO(1);
    HN_TILE_ZERO(2);
    HN_TILE_ZERO(3);
    HN_TILE_ZERO(4);
    HN_TILE_ZERO(5);
    for (int round = 0; round < ROUNDS / TILE_PART; round++) {
        HN_TILE_DOT(0, 4, 5);
        HN_TILE_DOT(1, 4, 5);
        HN_TILE_DOT(2, 4, 5);
        HN_TILE_DOT(3, 4, 5);
    }
    HN_TILE_RELEASE();
    return 0.0f;
}
#else
static float spin_tiles(void) {
    return 0.0f;
}
#endif

HN_AVX2 static float spin_avx2(void) {
    __m256 total[CHAINS], step = _mm256_set1_ps(1e-9f);
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
        total[i] = _mm256_set1_ps((float)i);
    }
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            total[i] = _mm256_fmadd_ps(total[i], step, step);
        }
    }
    float lanes[8], sum = 0.0f;
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
        _mm256_storeu_ps(lanes, total[i]);
        sum += lanes[0];
    }
    return sum;
}

HN_AVX2 static uint64_t read_range(const unsigned char *bytes, size_t n) {
    __m256i total[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i + 128 <= n; i += 128) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            total[v] = _mm256_xor_si256(total[v], _mm256_load_si256((const void *)(bytes + i + 32 * (size_t)v)));
        }
    }
    const __m256i all = _mm256_xor_si256(_mm256_xor_si256(total[0], total[1]), _mm256_xor_si256(total[2], total[3]));
    return (uint64_t)_mm256_extract_epi64(all, 0);
}
#else
static uint64_t read_range(const unsigned char *bytes, size_t n) {
    uint64_t total = 0;
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        total ^= *(const uint64_t *)(const void *)(bytes + i);
    }
    return total;
}
#endif

/* Multiply-adds of a thread; 0 where there is no such loop. */
static double spin_products(bool narrow) {
    if (narrow && hn_cpu_level() == HN_CPU_AMX) {
        return (double)TILE_DOTS * 16 * 16 * 32 * (ROUNDS / TILE_PART);
    }
    const int width = hn_cpu_path() == HN_CPU_AVX512 ? (narrow ? 32 : 16) : hn_cpu_path() == HN_CPU_AVX2 ? 8 : 0;
    return (double)CHAINS * ROUNDS * width;
}

#if HN_X86
static float spin(bool narrow) {
    return hn_cpu_path() != HN_CPU_AVX512 ? spin_avx2()
           : !narrow                      ? spin_avx512()
           : hn_cpu_level() == HN_CPU_AMX ? spin_tiles()
                                          : spin_pairs();
}
#endif

static void spin_once(BenchFloor *floor) {
    double sink = 0.0;
#pragma omp parallel reduction(+ : sink)
    {
#if HN_X86
        sink += (double)spin(floor->narrow);
#endif
    }
    floor->sink += sink;
}

static void read_once(BenchFloor *floor) {
    uint64_t sink = 0;
#pragma omp parallel reduction(+ : sink)
    {
        const size_t me = (size_t)omp_get_thread_num(), all = (size_t)omp_get_num_threads(), lines = READ_BYTES / 128;
        const size_t first = lines * me / all * 128, end = lines * (me + 1) / all * 128;
        sink += read_range(floor->bytes + first, end - first);
    }
    floor->sink += (double)sink;
}

static BenchFloor *spin_floor(bool narrow) {
    static BenchFloor floor;
    floor = (BenchFloor){.run = spin_once, .narrow = narrow};
    floor.units = 2e-9 * spin_products(narrow) * omp_get_max_threads();
    return &floor;
}

BenchFloor *bench_floor_multiply_adds(void) {
    return spin_floor(false);
}

BenchFloor *bench_floor_narrow(void) {
    return spin_floor(true);
}

BenchFloor *bench_floor_read(void) {
    static BenchFloor floor;
    floor = (BenchFloor){.run = read_once, .units = 1e-9 * READ_BYTES};
    floor.bytes = hn_alloc(READ_BYTES, 1, "stream", NULL);
    for (size_t i = 0; floor.bytes != NULL && i < READ_BYTES; i += 64) { /* untouched memory is one page of zeros */
        floor.bytes[i] = (unsigned char)i;
    }
    return floor.bytes != NULL ? &floor : NULL;
}

double bench_own_seconds(void) {
    struct timespec now;
    if (omp_get_max_threads() > 1 || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) {
        return hn_clock_seconds();
    }
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_floor_run(BenchFloor *floor) {
    const double start = bench_own_seconds();
    if (floor != NULL) {
        floor->run(floor);
    }
    return bench_own_seconds() - start;
}

double bench_floor_units(const BenchFloor *floor) {
    return floor != NULL ? floor->units : 0.0;
}
