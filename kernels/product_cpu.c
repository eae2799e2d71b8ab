/* Blocks over k; for each, both operands are packed into strips as wide as the register tile, once, by all threads;
 * then the threads take pieces of C. A strip of A stays in the first-level cache, a group of strips of B in the second.
 */
#include "product.h"

#include <omp.h>
#include <string.h>

#include "base/alloc.h"
#include "product_private.h"

enum {
    K_BLOCK = 256,
    CHUNK_ROWS = 3072,
    CHUNK_COLUMNS = 3072, /* packed at a time: multiples of every tile's sides */
    TASK_ROWS = 96,
    TASK_COLUMNS = 192,    /* one thread's piece: multiples of every tile's sides */
    WORTH_THREADS = 200000 /* multiply-adds */
};

typedef struct Product {
    bool trans_a, trans_b, accumulate;
    int64_t m, n, k, lda, ldb, ldc;
    const float *a, *b;
    float *c;
    HnProductTile tile;
    float *packed_a, *packed_b; /* [strips][K_BLOCK][tile side] */
} Product;

/* One chunk: rows m0 .. m1-1, columns n0 .. n1-1, k0 .. k1-1. */
typedef struct Chunk {
    int64_t m0, m1, n0, n1, k0, k1;
} Chunk;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* From one packed strip to the next: one cache line more than the strip, so that strips do not share cache sets. */
static int64_t strip_stride(int width) {
    return (int64_t)width * K_BLOCK + 16;
}

static HnProductStrips strips_of_a(const Product *p, const Chunk *chunk) {
    return (HnProductStrips){.x = p->a + (p->trans_a ? chunk->k0 * p->lda + chunk->m0 : chunk->m0 * p->lda + chunk->k0),
                             .ld = p->lda,
                             .count = chunk->m1 - chunk->m0,
                             .across = p->trans_a,
                             .width = p->tile.rows,
                             .stride = strip_stride(p->tile.rows),
                             .out = p->packed_a};
}

static HnProductStrips strips_of_b(const Product *p, const Chunk *chunk) {
    return (HnProductStrips){.x = p->b + (p->trans_b ? chunk->n0 * p->ldb + chunk->k0 : chunk->k0 * p->ldb + chunk->n0),
                             .ld = p->ldb,
                             .count = chunk->n1 - chunk->n0,
                             .across = !p->trans_b,
                             .width = p->tile.columns,
                             .stride = strip_stride(p->tile.columns),
                             .out = p->packed_b};
}

/* A tile that sticks out of C is computed in a buffer. */
static void edge_tile(const Product *p, const float *a, const float *b, int64_t k, bool from_c, float *c, int64_t rows,
                      int64_t columns) {
    float buffer[HN_PRODUCT_TILE_ROWS * HN_PRODUCT_TILE_COLUMNS] = {0};
    const int64_t width = p->tile.columns;
    for (int64_t i = 0; from_c && i < rows; i++) {
        memcpy(buffer + i * width, c + i * p->ldc, (size_t)columns * sizeof *c);
    }
    p->tile.run(a, b, k, from_c, buffer, width);
    for (int64_t i = 0; i < rows; i++) {
        memcpy(c + i * p->ldc, buffer + i * width, (size_t)columns * sizeof *c);
    }
}

/* One thread's piece of C for one block of k. */
static void piece(const Product *p, const Chunk *chunk, int64_t row0, int64_t column0) {
    const int64_t k = chunk->k1 - chunk->k0;
    const int64_t row1 = least(row0 + TASK_ROWS, chunk->m1), column1 = least(column0 + TASK_COLUMNS, chunk->n1);
    const bool from_c = chunk->k0 > 0 || p->accumulate;
    for (int64_t row = row0; row < row1; row += p->tile.rows) {
        const float *a = p->packed_a + (row - chunk->m0) / p->tile.rows * strip_stride(p->tile.rows);
        for (int64_t column = column0; column < column1; column += p->tile.columns) {
            const float *b = p->packed_b + (column - chunk->n0) / p->tile.columns * strip_stride(p->tile.columns);
            float *c = p->c + row * p->ldc + column;
            if (row + p->tile.rows <= row1 && column + p->tile.columns <= column1) {
                p->tile.run(a, b, k, from_c, c, p->ldc);
            } else {
                edge_tile(p, a, b, k, from_c, c, least(p->tile.rows, row1 - row),
                          least(p->tile.columns, column1 - column));
            }
        }
    }
}

/* Called by all threads of a team. */
static void chunk_run(const Product *p, const Chunk *chunk) {
    const int64_t k = chunk->k1 - chunk->k0;
    const HnProductStrips a = strips_of_a(p, chunk), b = strips_of_b(p, chunk);
    const int64_t pieces_a = hn_product_pack_pieces(&a, k), pieces_b = hn_product_pack_pieces(&b, k);
#pragma omp for schedule(static) nowait
    for (int64_t s = 0; s < pieces_a; s++) {
        hn_product_pack(&a, k, s);
    }
#pragma omp for schedule(static)
    for (int64_t s = 0; s < pieces_b; s++) {
        hn_product_pack(&b, k, s);
    }
#pragma omp for collapse(2) schedule(dynamic, 1)
    for (int64_t row = chunk->m0; row < chunk->m1; row += TASK_ROWS) {
        for (int64_t column = chunk->n0; column < chunk->n1; column += TASK_COLUMNS) {
            piece(p, chunk, row, column);
        }
    }
}

static void product_run(const Product *p) {
#pragma omp parallel if ((double)p->m * (double)p->n * (double)p->k > WORTH_THREADS)
    for (int64_t m = 0; m < p->m; m += CHUNK_ROWS) {
        for (int64_t n = 0; n < p->n; n += CHUNK_COLUMNS) {
            for (int64_t k = 0; k < p->k; k += K_BLOCK) {
                const Chunk chunk = {m, least(m + CHUNK_ROWS, p->m), n, least(n + CHUNK_COLUMNS, p->n),
                                     k, least(k + K_BLOCK, p->k)};
                chunk_run(p, &chunk);
            }
        }
    }
}

/* Floats of all strips of one operand. */
static size_t packed_floats(int64_t count, int64_t most, int width) {
    return (size_t)((least(count, most) + width - 1) / width * strip_stride(width));
}

/* Enough for the tiles of every path, since the path may be capped between this call and the product's. */
size_t hn_product_scratch_bytes(int64_t m, int64_t n, int64_t k) {
    const int narrowest_rows = 4, narrowest_columns = 8; /* these have the most strips, hence the most padding */
    (void)k;
    return sizeof(float) *
           (packed_floats(m + HN_PRODUCT_TILE_ROWS, CHUNK_ROWS + HN_PRODUCT_TILE_ROWS, narrowest_rows) +
            packed_floats(n + HN_PRODUCT_TILE_COLUMNS, CHUNK_COLUMNS + HN_PRODUCT_TILE_COLUMNS, narrowest_columns));
}

HnStatus hn_product_cpu(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                        const float *b, int64_t ldb, bool accumulate, float *c, int64_t ldc, void *scratch,
                        HnError *err) {
    for (int64_t i = 0; k == 0 && !accumulate && i < m; i++) {
        memset(c + i * ldc, 0, (size_t)n * sizeof *c);
    }
    if (m == 0 || n == 0 || k == 0) {
        return HN_OK;
    }
    float *memory = scratch != NULL ? scratch : hn_alloc(hn_product_scratch_bytes(m, n, k), 1, "packed product", err);
    if (memory == NULL) {
        return HN_MEMORY;
    }
    const HnProductTile tile = hn_product_tile();
    const Product product = {.trans_a = trans_a,
                             .trans_b = trans_b,
                             .accumulate = accumulate,
                             .m = m,
                             .n = n,
                             .k = k,
                             .lda = lda,
                             .ldb = ldb,
                             .ldc = ldc,
                             .a = a,
                             .b = b,
                             .c = c,
                             .tile = tile,
                             .packed_a = memory,
                             .packed_b = memory + packed_floats(m, CHUNK_ROWS, tile.rows)};
    product_run(&product);
    if (scratch == NULL) {
        hn_free(memory);
    }
    return HN_OK;
}
