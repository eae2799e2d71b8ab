/* The tensors of a model folder: model.safetensors, or the shards of model.safetensors.index.json, mapped read-only.
 *
 * Whoever takes a tensor says its shape; what nobody took, and no list of known leftovers names, is an error at the
 * end. Headers are checked before use: length (at most 100 MB), dtype, shape against byte range, ranges inside the
 * file, neither overlapping nor with holes, names once over all shards.
 */
#ifndef HN_LLM_FILES_TENSORS_H
#define HN_LLM_FILES_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "element.h"

enum { HN_TENSOR_MAX_DIMS = 8 };

typedef struct HnTensors HnTensors;

typedef struct HnTensor {
    const char *name; /* lives as long as HnTensors */
    HnElement type;
    int n_dims;
    uint64_t dims[HN_TENSOR_MAX_DIMS];
    const void *bytes; /* in the mapped file, unaligned, row-major */
    uint64_t n_bytes;
} HnTensor;

HnStatus hn_tensors_open(const char *folder, HnTensors **tensors, HnError *err);
void hn_tensors_close(HnTensors **tensors);

bool hn_tensors_has(const HnTensors *tensors, const char *name);
/* Takes a tensor of exactly these dims; absent, taken before, or of another shape: HN_FORMAT, naming file and tensor.
 */
HnStatus hn_tensors_take(HnTensors *tensors, const char *name, int n_dims, const uint64_t *dims, HnTensor *tensor,
                         HnError *err);
/* Reading of these bytes is over: their pages leave the memory of this process. */
void hn_tensors_drop(const HnTensor *tensor);
/* All must be taken but what `known` (n_known name endings) covers; leftovers (may be NULL) becomes their list, "a, b",
 * for hn_free. A tied "lm_head.weight" passes only where its bytes equal the tensor called tied_to (NULL: none). */
HnStatus hn_tensors_finish(HnTensors *tensors, const char *const *known, size_t n_known, const char *tied_to,
                           char **leftovers, HnError *err);
uint64_t hn_tensors_bytes(const HnTensors *tensors); /* of all tensors, as stored */

#endif
