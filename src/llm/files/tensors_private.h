/* Shared by tensors.c (what is asked of them) and tensors_open.c, tensors_header.c (what is read of the files). */
#ifndef HN_LLM_FILES_TENSORS_PRIVATE_H
#define HN_LLM_FILES_TENSORS_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/alloc.h"
#include "tensors.h"

typedef struct HnTensorEntry {
    HnTensor tensor;
    const char *dtype; /* as the header spells it */
    uint64_t begin;    /* first byte, from the end of the header */
    uint32_t shard;
    bool readable; /* F32, F16, BF16 */
    bool taken;
} HnTensorEntry;

typedef struct HnShard {
    const char *path;
    const unsigned char *bytes; /* the whole file, mapped */
    size_t n_bytes;
} HnShard;

struct HnTensors {
    char *source; /* the one file, or the index */
    HnArena *names;
    HnShard *shards; /* [n_shards] */
    size_t n_shards;
    HnTensorEntry *entries; /* [n_entries], by name once all shards are read */
    size_t n_entries, capacity;
    uint64_t n_bytes;
    json_t *weight_map; /* the index's, or NULL */
};

/* Maps the file and adds its tensors. */
HnStatus hn_tensors_add_shard(HnTensors *tensors, const char *path, HnError *err);
HnStatus hn_tensors_add_index(HnTensors *tensors, const char *folder, const char *index, HnError *err);
/* All that the index names is where it says; entries are sorted by then. */
HnStatus hn_tensors_check_index(const HnTensors *tensors, HnError *err);
/* There is nothing to read: says what there is instead. */
HnStatus hn_tensors_refuse_folder(const char *folder, HnError *err);
void hn_tensors_unmap(HnShard *shard);
const char *hn_tensors_path(const HnTensors *tensors, const HnTensorEntry *entry);
/* Of tensors and of files. */
bool hn_tensors_name_ends(const char *text, const char *ending);

/* Reads the header of shard number `shard`, which is mapped: appends its tensors. */
HnStatus hn_tensors_read_header(HnTensors *tensors, uint32_t shard, HnError *err);

#endif
