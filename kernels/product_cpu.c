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

static int64_t strips(int64_t count, int width) {
    return (count + width - 1) / width;
}

static void pack_a(const Product *p, const Chunk *chunk, int64_t strip) {
    const int width = p->tile.rows;
    const int64_t row = chunk->m0 + strip * width;
    const float *from = p->trans_a ? p->a + chunk->k0 * p->lda + row : p->a + row * p->lda + chunk->k0;
    hn_product_pack(from, p->lda, p->trans_a, least(width, chunk->m1 - row), width, chunk->k1 - chunk->k0,
                    p->packed_a + strip * width * K_BLOCK);
}

static void pack_b(const Product *p, const Chunk *chunk, int64_t strip) {
    const int width = p->tile.columns;
    const int64_t column = chunk->n0 + strip * width;
    const float *from = p->trans_b ? p->b + column * p->ldb + chunk->k0 : p->b + chunk->k0 * p->ldb + column;
    hn_product_pack(from, p->ldb, !p->trans_b, least(width, chunk->n1 - column), width, chunk->k1 - chunk->k0,
                    p->packed_b + strip * width * K_BLOCK);
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
        const float *a = p->packed_a + (row - chunk->m0) * K_BLOCK;
        for (int64_t column = column0; column < column1; column += p->tile.columns) {
            const float *b = p->packed_b + (column - chunk->n0) * K_BLOCK;
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
    const int64_t strips_a = strips(chunk->m1 - chunk->m0, p->tile.rows);
    const int64_t strips_b = strips(chunk->n1 - chunk->n0, p->tile.columns);
#pragma omp for schedule(static) nowait
    for (int64_t s = 0; s < strips_a; s++) {
        pack_a(p, chunk, s);
    }
#pragma omp for schedule(static)
    for (int64_t s = 0; s < strips_b; s++) {
        pack_b(p, chunk, s);
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

static size_t padded(int64_t count, int64_t most, int64_t side) {
    return (size_t)((least(count, most) + side - 1) / side * side);
}

static size_t floats_of_a(int64_t m) {
    return padded(m, CHUNK_ROWS, HN_PRODUCT_TILE_ROWS) * K_BLOCK;
}

size_t hn_product_scratch_bytes(int64_t m, int64_t n, int64_t k) {
    (void)k;
    /* 96 columns: a multiple of every tile's */
    return (floats_of_a(m) + padded(n, CHUNK_COLUMNS, 96) * K_BLOCK) * sizeof(float);
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
                             .tile = hn_product_tile(),
                             .packed_a = memory,
                             .packed_b = memory + floats_of_a(m)};
    product_run(&product);
    if (scratch == NULL) {
        hn_free(memory);
    }
    return HN_OK;
}
