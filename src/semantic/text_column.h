/* One string field of a store, read row by row in any order: held in memory where it is small, else read in small
 * blocks on demand. Not for several threads at once.
 */
#ifndef HN_SEMANTIC_TEXT_COLUMN_H
#define HN_SEMANTIC_TEXT_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/dataset.h"
#include "store.h"

typedef struct HnTextColumn HnTextColumn;

/* dataset is borrowed. A field that the data set lacks reads as empty strings. */
HnStatus hn_text_column_of_dataset(const HnDataset *dataset, HnTextField field, HnTextColumn **column, HnError *err);
/* Opens the store at path for this field alone. */
HnStatus hn_text_column_of_store(const char *path, const HnSchema *schema, const char *field, HnTextColumn **column,
                                 HnError *err);
void hn_text_column_close(HnTextColumn **column);
uint64_t hn_text_column_rows(const HnTextColumn *column);
/* *bytes (not NUL-terminated, not owned) is valid until the next call on this column. */
HnStatus hn_text_column_get(HnTextColumn *column, uint64_t row, const char **bytes, size_t *n_bytes, HnError *err);

#endif
