/* Texts that arrive in the order of the dump and leave in the order of their keys, in bounded memory: an external merge
 * sort. What does not fit goes to unlinked temporary files beside the output, as sorted runs. */
#ifndef HN_DATA_TEXT_SORT_H
#define HN_DATA_TEXT_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnTextSort HnTextSort;
/* beside: a path in whose folder the runs may stand; memory_bytes: text held before a run is written. */
HnStatus hn_text_sort_create(const char *beside, size_t memory_bytes, HnTextSort **sort, HnError *err);
/* Keys may come in any order; a key that comes twice keeps both, in the order of arrival. */
HnStatus hn_text_sort_add(HnTextSort *sort, uint64_t key, const char *bytes, size_t n_bytes, HnError *err);
/* Ends the adding; after it, texts come out by ascending key. bytes are valid until the next call. */
HnStatus hn_text_sort_rewind(HnTextSort *sort, HnError *err);
HnStatus hn_text_sort_next(HnTextSort *sort, uint64_t *key, const char **bytes, size_t *n_bytes, bool *got,
                           HnError *err);
uint64_t hn_text_sort_runs(const HnTextSort *sort); /* files used */
void hn_text_sort_free(HnTextSort **sort);

#endif
