/* The register tile of the dense product. */
#ifndef HN_KERNEL_PRODUCT_PRIVATE_H
#define HN_KERNEL_PRODUCT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

enum { HN_PRODUCT_TILE_ROWS = 12, HN_PRODUCT_TILE_COLUMNS = 32 }; /* the largest of any path */

/* c [rows][ldc] = (from_c ? c : 0) + chains over k of a [k][rows] and b [k][columns], both packed. rows and columns are
 * multiples of 4. */
typedef struct HnProductTile {
    int rows, columns;
    void (*run)(const float *a, const float *b, int64_t k, bool from_c, float *c, int64_t ldc);
} HnProductTile;

HnProductTile hn_product_tile(void); /* for the current hn_cpu_path */

/* Packing: `count` rows of op(A), or columns of op(B), become strips of `width`; element l of row i of strip s goes to
 * out[s * stride + l * width + i]. Rows that are not there become 0. */
typedef struct HnProductStrips {
    const float *x; /* the first row's first element */
    int64_t ld, count;
    bool across; /* element (i, l) is x[l * ld + i], else x[i * ld + l] */
    int width;
    int64_t stride;
    float *out;
} HnProductStrips;

/* Pieces that may be packed side by side by different threads: strips, or runs of l where rows lie across. */
int64_t hn_product_pack_pieces(const HnProductStrips *strips, int64_t k);
void hn_product_pack(const HnProductStrips *strips, int64_t k, int64_t piece);

#endif
