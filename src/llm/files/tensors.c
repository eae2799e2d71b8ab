#include "tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "tensors_private.h"

static int by_name(const void *a, const void *b) {
    return strcmp(((const HnTensorEntry *)a)->tensor.name, ((const HnTensorEntry *)b)->tensor.name);
}

static HnTensorEntry *find(const HnTensors *tensors, const char *name) {
    HnTensorEntry key = {.tensor = {.name = name}};
    return tensors->n_entries == 0
               ? NULL
               : bsearch(&key, tensors->entries, tensors->n_entries, sizeof *tensors->entries, by_name);
}

static HnStatus sort_by_name(HnTensors *tensors, HnError *err) {
    if (tensors->n_entries > 0) {
        qsort(tensors->entries, tensors->n_entries, sizeof *tensors->entries, by_name);
    }
    for (size_t i = 1; i < tensors->n_entries; i++) {
        const HnTensorEntry *one = &tensors->entries[i - 1], *two = &tensors->entries[i];
        if (strcmp(one->tensor.name, two->tensor.name) == 0) {
            return hn_fail(err, HN_FORMAT, "the tensor %s is there twice: in %s and in %s", one->tensor.name,
                           hn_tensors_path(tensors, one), hn_tensors_path(tensors, two));
        }
    }
    return HN_OK;
}

static HnStatus open_all(const char *folder, HnTensors *tensors, HnError *err) {
    HN_TRY(hn_arena_create(1 << 16, &tensors->names, err));
    char *single = hn_path_join(folder, "model.safetensors", err);
    char *index = hn_path_join(folder, "model.safetensors.index.json", err);
    const bool whole = single != NULL && hn_file_exists(single);
    HnStatus status = single == NULL || index == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && whole) {
        status = hn_tensors_add_shard(tensors, single, err);
    } else if (status == HN_OK && hn_file_exists(index)) {
        status = hn_tensors_add_index(tensors, folder, index, err);
    } else if (status == HN_OK) {
        status = hn_tensors_refuse_folder(folder, err);
    }
    tensors->source = whole ? single : index;
    hn_free(whole ? index : single);
    if (status == HN_OK) {
        status = sort_by_name(tensors, err);
    }
    return status == HN_OK ? hn_tensors_check_index(tensors, err) : status;
}

HnStatus hn_tensors_open(const char *folder, HnTensors **tensors, HnError *err) {
    *tensors = hn_alloc(1, sizeof **tensors, "table of tensors", err);
    if (*tensors == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = open_all(folder, *tensors, err);
    if (status != HN_OK) {
        hn_tensors_close(tensors);
    }
    return status;
}

void hn_tensors_close(HnTensors **tensors) {
    if (*tensors == NULL) {
        return;
    }
    for (size_t s = 0; s < (*tensors)->n_shards; s++) {
        hn_tensors_unmap(&(*tensors)->shards[s]);
    }
    json_decref((*tensors)->weight_map);
    hn_free((*tensors)->shards);
    hn_free((*tensors)->entries);
    hn_free((*tensors)->source);
    hn_arena_free(&(*tensors)->names);
    hn_free(*tensors);
    *tensors = NULL;
}

bool hn_tensors_has(const HnTensors *tensors, const char *name) {
    return find(tensors, name) != NULL;
}

uint64_t hn_tensors_bytes(const HnTensors *tensors) {
    return tensors->n_bytes;
}

/* "[4096, 1024]" */
static const char *show_dims(int n_dims, const uint64_t *dims, char buffer[200]) {
    size_t n = 0;
    buffer[n++] = '[';
    for (int d = 0; d < n_dims; d++) {
        n += (size_t)snprintf(buffer + n, 200 - n, "%s%" PRIu64, d > 0 ? ", " : "", dims[d]);
    }
    (void)snprintf(buffer + n, 200 - n, "]");
    return buffer;
}

HnStatus hn_tensors_take(HnTensors *tensors, const char *name, int n_dims, const uint64_t *dims, HnTensor *tensor,
                         HnError *err) {
    HnTensorEntry *entry = find(tensors, name);
    if (entry == NULL) {
        return hn_fail(err, HN_FORMAT, "%s: there is no tensor %s, which config.json's model needs", tensors->source,
                       name);
    }
    const char *path = hn_tensors_path(tensors, entry);
    if (entry->taken) {
        return hn_fail(err, HN_FORMAT, "%s: the tensor %s is asked for twice", path, name);
    }
    bool same = entry->tensor.n_dims == n_dims;
    for (int d = 0; same && d < n_dims; d++) {
        same = entry->tensor.dims[d] == dims[d];
    }
    if (!same) {
        char stored[200], wanted[200];
        return hn_fail(err, HN_FORMAT, "%s: the tensor %s is %s, but by config.json it should be %s", path, name,
                       show_dims(entry->tensor.n_dims, entry->tensor.dims, stored), show_dims(n_dims, dims, wanted));
    }
    if (!entry->readable) {
        return hn_fail(err, HN_UNSUPPORTED, "%s: the tensor %s holds %s; weights are read as F32, F16 or BF16", path,
                       name, entry->dtype);
    }
    entry->taken = true;
    *tensor = entry->tensor;
    return HN_OK;
}

bool hn_tensors_name_ends(const char *text, const char *ending) {
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

/* Whether nobody's missing it is fine; an error where a head that should be tied is not the embedding. */
static HnStatus is_known(const HnTensors *tensors, const HnTensorEntry *entry, const char *const *known, size_t n_known,
                         const char *tied_to, bool *fine, HnError *err) {
    const HnTensor *head = &entry->tensor;
    *fine = false;
    for (size_t k = 0; k < n_known && !*fine; k++) {
        *fine = hn_tensors_name_ends(head->name, known[k]);
    }
    if (tied_to == NULL || !hn_tensors_name_ends(head->name, "lm_head.weight")) {
        return HN_OK;
    }
    const HnTensorEntry *table = find(tensors, tied_to);
    *fine = table != NULL && strcmp(table->dtype, entry->dtype) == 0 && table->tensor.n_dims == head->n_dims &&
            memcmp(table->tensor.dims, head->dims, sizeof head->dims) == 0 &&
            memcmp(table->tensor.bytes, head->bytes, (size_t)head->n_bytes) == 0;
    if (table != NULL) {
        hn_tensors_drop(&table->tensor);
    }
    hn_tensors_drop(head);
    return *fine ? HN_OK
                 : hn_fail(err, HN_FORMAT,
                           "%s: %s differs from %s, though config.json ties them; set \"tie_word_embeddings\" to false "
                           "there if the checkpoint was trained so",
                           hn_tensors_path(tensors, entry), head->name, tied_to);
}

static HnStatus list(HnText *text, size_t *n, const char *name, HnError *err) {
    return hn_text_printf(text, err, "%s%s", (*n)++ > 0 ? ", " : "", name);
}

HnStatus hn_tensors_finish(HnTensors *tensors, const char *const *known, size_t n_known, const char *tied_to,
                           char **leftovers, HnError *err) {
    enum { MOST_NAMED = 8 };
    HnText found = {0}, unknown = {0};
    size_t n_found = 0, n_unknown = 0;
    HnStatus status = HN_OK;
    for (size_t i = 0; i < tensors->n_entries && status == HN_OK; i++) {
        const HnTensorEntry *entry = &tensors->entries[i];
        bool fine = false;
        if (entry->taken) {
            continue;
        }
        status = is_known(tensors, entry, known, n_known, tied_to, &fine, err);
        if (status == HN_OK && fine) {
            status = list(&found, &n_found, entry->tensor.name, err);
        } else if (status == HN_OK && n_unknown < MOST_NAMED) {
            status = list(&unknown, &n_unknown, entry->tensor.name, err);
        } else {
            n_unknown++;
        }
    }
    if (status == HN_OK && n_unknown > 0) {
        status = hn_fail(err, HN_FORMAT,
                         "%s: config.json's model has no place for %zu of the tensors: %s%s; are the two of one model?",
                         tensors->source, n_unknown, hn_text_get(&unknown), n_unknown > MOST_NAMED ? ", ..." : "");
    }
    if (status == HN_OK && leftovers != NULL) {
        *leftovers = hn_strdup(hn_text_get(&found), err);
        status = *leftovers == NULL ? HN_MEMORY : HN_OK;
    }
    hn_text_free(&unknown);
    hn_text_free(&found);
    return status;
}
