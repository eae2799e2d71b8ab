#include "draw.h"

/* A number moves up by one for every taken one that is not above it. */
void hn_draw_ref(HnRng *rng, const int32_t *taken, uint64_t n_taken, uint64_t n_all, int n, int32_t *drawn) {
    for (int i = 0; i < n; i++) {
        uint64_t number = hn_rng_below64(rng, n_all - n_taken);
        for (uint64_t j = 0; j < n_taken && (uint64_t)taken[j] <= number; j++) {
            number++;
        }
        drawn[i] = (int32_t)number;
    }
}
