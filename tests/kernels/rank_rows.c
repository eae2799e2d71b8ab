#include "rank_rows.h"

#include <math.h>

#include "check.h"

void rank_rows_fill(float *rows, uint64_t n, int dim, RankRows kind, uint64_t seed) {
    const size_t width = (size_t)dim;
    uint64_t state = seed;
    check_fill_plain(rows, n * width, seed);
    for (size_t i = 0; i < n * width; i++) {
        const size_t row = i / width, d = i % width;
        const float x = rows[i];
        switch (kind) {
        case EQUAL:
            rows[i] = rows[d];
            break;
        case COARSE:
            rows[i] = roundf(x);
            break;
        case CLOSE:
            rows[i] = 0.5f + (float)(d % 3) + x * 1e-6f;
            break;
        case WIDE:
            rows[i] = ldexpf(x, (int)check_below(&state, 41) - 30);
            break;
        case ZEROS:
            rows[i] = row % 3 == 1 ? (x < 0.0f ? -0.0f : 0.0f) : x;
            break;
        case DENORMAL:
            rows[i] = row % 3 == 1 ? x * 1e-42f : row % 3 == 2 ? x * 1e-15f : x;
            break;
        case SPIKE:
            rows[i] = d == row % width ? x * 1e6f : x;
            break;
        case NORMS:
            rows[i] = x / (float)(1 + (row * 37) % 101);
            break;
        case CANCELLING:
            rows[i] = (d % 2 == 0 ? 1000.0f : -1000.0f) + x;
            break;
        default:
            break;
        }
    }
}
