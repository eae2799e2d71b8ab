#include "text_column.h"

#include <string.h>

#include "base/alloc.h"

enum {
    LOAD_ROWS = 8192,              /* rows read at once while trying to hold the field */
    BLOCK_ROWS = 64,               /* rows read at once on demand */
    HOLD_BYTES = 128 * 1024 * 1024 /* largest field that is held */
};

struct HnTextColumn {
    const HnDataset *dataset; /* one of dataset and store */
    HnStore *store;
    HnTextField text_field;
    char field[64];
    uint64_t n_rows;
    uint64_t begin, end; /* rows in bytes/offsets; 0 .. n_rows where all is held */
    char *bytes;
    uint64_t *offsets; /* [end - begin + 1], from 0 */
};

static HnStatus read_rows(const HnTextColumn *column, uint64_t begin, uint64_t end, char **bytes, uint64_t **offsets,
                          HnError *err) {
    if (column->dataset) {
        return hn_dataset_text(column->dataset, column->text_field, begin, end, bytes, offsets, err);
    }
    return hn_store_read_strings(column->store, column->field, begin, end - begin, bytes, offsets, err);
}

static void forget(HnTextColumn *column) {
    hn_free(column->bytes);
    hn_free(column->offsets);
    column->bytes = NULL;
    column->offsets = NULL;
    column->begin = column->end = 0;
}

/* Reads the whole field unless it turns out larger than HOLD_BYTES; then nothing is held. */
static HnStatus try_hold(HnTextColumn *column, HnError *err) {
    uint64_t used = 0, room = 0;
    column->offsets = hn_alloc(column->n_rows + 1, sizeof *column->offsets, "offsets of a text field", err);
    if (!column->offsets) {
        return HN_MEMORY;
    }
    for (uint64_t row = 0; row < column->n_rows; row += LOAD_ROWS) {
        uint64_t end = row + LOAD_ROWS < column->n_rows ? row + LOAD_ROWS : column->n_rows, *offsets = NULL;
        char *bytes = NULL;
        HN_TRY(read_rows(column, row, end, &bytes, &offsets, err));
        uint64_t base = offsets[0], n = offsets[end - row] - base;
        HnStatus status = HN_OK;
        if (used + n > room && used + n <= HOLD_BYTES) {
            uint64_t want = room * 2 > used + n ? room * 2 : used + n;
            status = hn_resize(&column->bytes, used, want, 1, "text field", err);
            room = want;
        }
        if (status == HN_OK && used + n <= HOLD_BYTES) {
            if (n > 0) {
                memcpy(column->bytes + used, bytes + base, n);
            }
            for (uint64_t i = row; i <= end; i++) {
                column->offsets[i] = used + (offsets[i - row] - base);
            }
        }
        hn_free(bytes);
        hn_free(offsets);
        HN_TRY(status);
        used += n;
        if (used > HOLD_BYTES) {
            forget(column);
            return HN_OK;
        }
    }
    column->end = column->n_rows;
    return HN_OK;
}

HnStatus hn_text_column_of_dataset(const HnDataset *dataset, HnTextField field, HnTextColumn **column, HnError *err) {
    HnTextColumn *made = hn_alloc(1, sizeof *made, "text column", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->dataset = dataset;
    made->text_field = field;
    made->n_rows = field == HN_TEXT_USER_ID  ? hn_dataset_users(dataset)
                   : field == HN_TEXT_REVIEW ? hn_dataset_count(dataset, HN_PART_TRAIN)
                                             : hn_dataset_items(dataset);
    HnStatus status = try_hold(made, err);
    if (status != HN_OK) {
        hn_text_column_close(&made);
    }
    *column = made;
    return status;
}

HnStatus hn_text_column_of_store(const char *path, const HnSchema *schema, const char *field, HnTextColumn **column,
                                 HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    HnTextColumn *made = hn_alloc(1, sizeof *made, "text column", err);
    if (!made) {
        return HN_MEMORY;
    }
    strncpy(made->field, field, sizeof made->field - 1);
    HnStatus status = hn_store_open(path, schema, &made->store, err);
    if (status == HN_OK) {
        status = hn_store_dims(made->store, field, dims, err);
        made->n_rows = dims[0];
    }
    if (status == HN_OK) {
        status = try_hold(made, err);
    }
    if (status != HN_OK) {
        hn_text_column_close(&made);
    }
    *column = made;
    return status;
}

void hn_text_column_close(HnTextColumn **column) {
    if (*column) {
        forget(*column);
        if ((*column)->store) {
            hn_store_close(&(*column)->store);
        }
        hn_free(*column);
        *column = NULL;
    }
}

uint64_t hn_text_column_rows(const HnTextColumn *column) {
    return column->n_rows;
}

HnStatus hn_text_column_get(HnTextColumn *column, uint64_t row, const char **bytes, size_t *n_bytes, HnError *err) {
    if (row >= column->n_rows) {
        return hn_fail(err, HN_INTERNAL, "text row %llu asked of a field with %llu", (unsigned long long)row,
                       (unsigned long long)column->n_rows);
    }
    if (row < column->begin || row >= column->end) {
        uint64_t begin = row / BLOCK_ROWS * BLOCK_ROWS;
        uint64_t end = begin + BLOCK_ROWS < column->n_rows ? begin + BLOCK_ROWS : column->n_rows;
        forget(column);
        HN_TRY(read_rows(column, begin, end, &column->bytes, &column->offsets, err));
        column->begin = begin;
        column->end = end;
    }
    uint64_t first = column->offsets[row - column->begin];
    *bytes = column->bytes ? column->bytes + first : "";
    *n_bytes = (size_t)(column->offsets[row - column->begin + 1] - first);
    return HN_OK;
}
