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

/* Copies a strip of `width` rows of a matrix, from one of k columns on, to out [k][width]: element (i, l) is x[i * ld +
 * l], or x[l * ld + i] where `across`. Only n_rows of the rows are there, the others become 0. */
void hn_product_pack(const float *x, int64_t ld, bool across, int64_t n_rows, int width, int64_t k, float *out);

#endif
