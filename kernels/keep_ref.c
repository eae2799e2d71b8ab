#include <stddef.h>

#include "base/rng.h"
#include "keep.h"

void hn_keep_ref(const HnKeep *keep, uint64_t first, const int32_t *rows, uint64_t n_rows, int dim, uint8_t mark,
                 uint8_t *marks) {
    for (uint64_t r = 0; r < n_rows; r++) {
        const uint32_t node = (uint32_t)(first + (rows != NULL ? (uint64_t)rows[r] : r));
        HnRng rng;
        hn_rng_start(&rng, keep->seed, HN_STREAM_DROPOUT, keep->step, (uint64_t)keep->part << 32 | node);
        uint32_t word = 0;
        for (int c = 0; c < dim; c++) {
            word = c % 2 == 0 ? hn_rng_u32(&rng) : word >> 16;
            marks[r * (uint64_t)dim + (uint64_t)c] = (word & 0xFFFFu) >= keep->threshold ? mark : 0;
        }
    }
}
