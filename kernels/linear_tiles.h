/* Private to `linear`: the six tile operations that its AMX path is written in. On the processor they are its
 * instructions; tests/kernels/tiles.h puts plain C in their place, and the same source runs anywhere.
 *
 * HN_TILE_DOT(c, a, b) as Intel's manual defines TDPBF16PS: for each row of a and column of b two chains of fused
 * multiply-adds from zero, one over the pairs' first elements, one over their second; then c += first + second. Each
 * step is rounded to nearest even; denormals count as zero, as inputs and as results. So a row of c depends on that row
 * of a, on b and on nothing else. A processor that added up in another order would change bits, not that.
 * VDPBF16PS is another function (one chain, a pair's second element first), so rows cannot change between the two.
 */
#ifndef HN_KERNEL_LINEAR_TILES_H
#define HN_KERNEL_LINEAR_TILES_H

#include <stdint.h>

#include "cpu_target.h"

#if HN_X86 && defined(__x86_64__)
#define HN_TILES 1
#define HN_AMX __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,amx-tile,amx-bf16")))
#else
#define HN_TILES 0
#endif

/* What LDTILECFG reads. */
typedef struct HnTileConfig {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16]; /* at most 64; of tiles 0 .. 7, the rest is 0 */
    uint8_t rows[16];       /* at most 16 */
} HnTileConfig;

/* tile, c, a, b: literals 0 .. 7. Loads and stores: rows `stride` bytes apart. gcc's intrinsic does not say that it
 * reads the whole of the configuration: the empty statement does. */
#define HN_TILE_CONFIGURE(config)                        \
    do {                                                 \
        __asm__ volatile("" : : "r"(config) : "memory"); \
        _tile_loadconfig(config);                        \
    } while (0)
#define HN_TILE_RELEASE() _tile_release()
#define HN_TILE_ZERO(tile) _tile_zero(tile)
#define HN_TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define HN_TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define HN_TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)

#endif
