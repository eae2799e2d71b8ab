/* What a store contains, as SHA-256: per field over its name, type, sizes and little-endian values, whatever the file's
 * layout; per store over the lines "<digest>  <field>\n" in path order, so that `hnlmrec digest --fields FILE` can be
 * checked with sha256sum. Streamed by blocks.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "hdf5_access.h"

enum { BLOCK_BYTES = 4 << 20, STRING_ROWS = 4096 };

static void put_u64(HnSha256 *hash, uint64_t value) {
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
    hn_sha256_update(hash, bytes, sizeof bytes);
}

static const char *type_name(HnType type) {
    static const char *const names[] = {"u8", "i32", "u32", "i64", "u64", "f16", "f32", "f64", "strings"};
    return names[type];
}

static HnStatus digest_numbers(const HnColumn *column, const HnShape *shape, const char *path, const HnFault *fault,
                               HnSha256 *hash, HnError *err) {
    uint64_t row_bytes = hn_column_row_bytes(column), total = column->extent.dims[0];
    if (row_bytes == 0 || total == 0) {
        return HN_OK;
    }
    uint64_t rows = row_bytes >= BLOCK_BYTES ? 1 : BLOCK_BYTES / row_bytes;
    rows = rows < total ? rows : total;
    unsigned char *block = (unsigned char *)hn_alloc((size_t)rows, (size_t)row_bytes, "digest block", err);
    if (block == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    hid_t type = hn_hdf5_file_type(column->field->type); /* as memory type: no conversion, little-endian */
    for (uint64_t row = 0; row < total && status == HN_OK; row += rows) {
        uint64_t n = total - row < rows ? total - row : rows;
        if (type >= 0 &&
            hn_hdf5_transfer(false, column->data, type, shape->n_dims, column->extent.dims, row, n, block)) {
            hn_sha256_update(hash, block, (size_t)(n * row_bytes));
        } else {
            status = hn_hdf5_fail(err, HN_CORRUPT, path, fault, column->field->path);
        }
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    hn_free(block);
    return status;
}

/* Length and bytes of each row, in row order. */
static HnStatus digest_strings(const HnColumn *column, const char *path, const HnFault *fault, HnSha256 *hash,
                               HnError *err) {
    uint64_t total = column->extent.dims[0];
    for (uint64_t row = 0; row < total; row += STRING_ROWS) {
        uint64_t n = total - row < STRING_ROWS ? total - row : STRING_ROWS;
        char *bytes = NULL;
        uint64_t *offsets = NULL;
        HN_TRY(hn_column_read_strings(column, path, fault, row, n, &bytes, &offsets, err));
        for (uint64_t i = 0; i < n; i++) {
            put_u64(hash, offsets[i + 1] - offsets[i]);
            hn_sha256_update(hash, bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
        }
        hn_free(bytes);
        hn_free(offsets);
    }
    return HN_OK;
}

static HnStatus digest_column(const HnColumn *column, const char *path, const HnFault *fault, char hex[65],
                              HnError *err) {
    HnShape shape;
    if (!hn_shape_parse(column->field->shape, &shape)) {
        return hn_fail(err, HN_INTERNAL, "field %s: bad shape", column->field->path);
    }
    HnSha256 *hash = NULL;
    HN_TRY(hn_sha256_start(&hash, err));
    const char *name = column->field->path, *type = type_name(column->field->type);
    hn_sha256_update(hash, name, strlen(name) + 1);
    hn_sha256_update(hash, type, strlen(type) + 1);
    put_u64(hash, (uint64_t)shape.n_dims);
    for (int d = 0; d < shape.n_dims; d++) {
        put_u64(hash, column->extent.dims[d]);
    }
    HnStatus status = column->field->type == HN_STRINGS ? digest_strings(column, path, fault, hash, err)
                                                        : digest_numbers(column, &shape, path, fault, hash, err);
    hn_sha256_finish(&hash, hex);
    return status;
}

/* The next field in path order after `after` (NULL = the first), or -1. */
static int next_in_order(const HnSchema *schema, const char *after) {
    int best = -1;
    for (size_t i = 0; i < schema->n_fields; i++) {
        const char *path = schema->fields[i].path;
        if ((after == NULL || strcmp(path, after) > 0) && (best < 0 || strcmp(path, schema->fields[best].path) < 0)) {
            best = (int)i;
        }
    }
    return best;
}

HnStatus hn_columns_digest(const HnSchema *schema, const HnColumn *columns, const char *path, const HnFault *fault,
                           HnDigestFn *each, void *context, char whole[65], HnError *err) {
    HnSha256 *hash = NULL;
    HN_TRY(hn_sha256_start(&hash, err));
    HnStatus status = HN_OK;
    int i = next_in_order(schema, NULL);
    while (i >= 0 && status == HN_OK) {
        const HnColumn *column = &columns[i];
        if (column->extent.present && (column->field->flags & HN_FIELD_VOLATILE) == 0) {
            char hex[65];
            status = digest_column(column, path, fault, hex, err);
            if (status == HN_OK) {
                hn_sha256_update(hash, hex, 64);
                hn_sha256_update(hash, "  ", 2);
                hn_sha256_update(hash, column->field->path, strlen(column->field->path));
                hn_sha256_update(hash, "\n", 1);
                if (each != NULL) {
                    each(context, column->field->path, hex);
                }
            }
        }
        i = next_in_order(schema, schema->fields[i].path);
    }
    hn_sha256_finish(&hash, whole);
    return status;
}
