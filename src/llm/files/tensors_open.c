/* Which files hold a model's tensors, and their mapping into memory. */
#define _DEFAULT_SOURCE /* madvise */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "keys.h"
#include "tensors_private.h"

enum { MAX_SHARDS = 4096 };

const char *hn_tensors_path(const HnTensors *tensors, const HnTensorEntry *entry) {
    return tensors->shards[entry->shard].path;
}

static HnStatus map_file(HnShard *shard, HnError *err) {
    int descriptor = open(shard->path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (descriptor < 0) {
        return hn_fail_errno(err, errno, "cannot open %s", shard->path);
    }
    HnStatus status = HN_OK;
    if (fstat(descriptor, &info) != 0) {
        status = hn_fail_errno(err, errno, "cannot look at %s", shard->path);
    } else if (!S_ISREG(info.st_mode)) {
        status = hn_fail(err, HN_FORMAT, "%s is no file", shard->path);
    } else if (info.st_size > 0) { /* an empty file cannot be mapped; the header's check refuses it */
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (bytes == MAP_FAILED) {
            status = hn_fail_errno(err, errno, "cannot map %s into memory", shard->path);
        } else {
            shard->bytes = bytes;
            shard->n_bytes = (size_t)info.st_size;
        }
    }
    (void)close(descriptor); /* the mapping stays; nothing was written */
    return status;
}

void hn_tensors_unmap(HnShard *shard) {
    if (shard->bytes != NULL) {
        (void)munmap((void *)(uintptr_t)shard->bytes, shard->n_bytes);
    }
    shard->bytes = NULL;
}

void hn_tensors_drop(const HnTensor *tensor) {
    /* Whole pages: a neighbour's part of the first and the last comes back from the file when it is read. */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)tensor->bytes;
    uintptr_t begin = at / page * page, end = (at + (uintptr_t)tensor->n_bytes + page - 1) / page * page;
    if (tensor->n_bytes > 0) {
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* a hint: failing costs memory, nothing else */
    }
}

HnStatus hn_tensors_add_shard(HnTensors *tensors, const char *path, HnError *err) {
    if (tensors->n_shards == MAX_SHARDS) {
        return hn_fail(err, HN_FORMAT, "%s: more than %d shards", path, (int)MAX_SHARDS);
    }
    HN_TRY(hn_resize(&tensors->shards, tensors->n_shards * sizeof *tensors->shards, tensors->n_shards + 1,
                     sizeof *tensors->shards, "table of shards", err));
    HnShard *shard = &tensors->shards[tensors->n_shards];
    *shard = (HnShard){.path = hn_arena_strndup(tensors->names, path, strlen(path), err)};
    if (shard->path == NULL) {
        return HN_MEMORY;
    }
    tensors->n_shards++;
    HN_TRY(map_file(shard, err));
    return hn_tensors_read_header(tensors, (uint32_t)(tensors->n_shards - 1), err);
}

/* The file's own name, without the folder. */
static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool have_shard(const HnTensors *tensors, const char *name) {
    for (size_t s = tensors->n_shards; s-- > 0;) { /* neighbours in the map mostly share a file: the newest first */
        if (strcmp(name_of(tensors->shards[s].path), name) == 0) {
            return true;
        }
    }
    return false;
}

static HnStatus add_named(HnTensors *tensors, const char *folder, const char *index, const char *tensor,
                          const char *name, HnError *err) {
    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return hn_fail(err, HN_FORMAT, "%s: the shard of %s is no name of a file in the same folder: \"%s\"", index,
                       tensor, name != NULL ? name : "");
    }
    if (have_shard(tensors, name)) {
        return HN_OK;
    }
    char *path = hn_path_join(folder, name, err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = hn_file_exists(path)
                          ? hn_tensors_add_shard(tensors, path, err)
                          : hn_fail(err, HN_FORMAT, "%s names the shard %s, which is not there; fetch it", index, path);
    hn_free(path);
    return status;
}

HnStatus hn_tensors_add_index(HnTensors *tensors, const char *folder, const char *index, HnError *err) {
    HnKeys keys;
    HN_TRY(hn_keys_open(index, &keys, err));
    tensors->weight_map = json_incref(hn_keys_get(&keys, "weight_map"));
    hn_keys_close(&keys);
    if (!json_is_object(tensors->weight_map) || json_object_size(tensors->weight_map) == 0) {
        return hn_fail(err, HN_FORMAT, "%s has no \"weight_map\" that says which file holds which tensor", index);
    }
    const char *name;
    json_t *shard;
    json_object_foreach(tensors->weight_map, name, shard) {
        HN_TRY(add_named(tensors, folder, index, name, json_string_value(shard), err));
    }
    return HN_OK;
}

HnStatus hn_tensors_check_index(const HnTensors *tensors, HnError *err) {
    size_t n_named = 0;
    for (size_t i = 0; i < tensors->n_entries && tensors->weight_map != NULL; i++) {
        const HnTensorEntry *entry = &tensors->entries[i];
        const char *shard = json_string_value(json_object_get(tensors->weight_map, entry->tensor.name));
        if (shard != NULL && strcmp(shard, name_of(hn_tensors_path(tensors, entry))) != 0) {
            return hn_fail(err, HN_FORMAT, "%s says that %s is in %s, but it is in %s", tensors->source,
                           entry->tensor.name, shard, hn_tensors_path(tensors, entry));
        }
        n_named += shard != NULL;
    }
    if (tensors->weight_map == NULL || n_named == json_object_size(tensors->weight_map)) {
        return HN_OK;
    }
    const char *name;
    json_t *shard;
    json_object_foreach(tensors->weight_map, name, shard) {
        if (!hn_tensors_has(tensors, name)) {
            return hn_fail(err, HN_FORMAT, "%s says that %s is in %s, where it is not", tensors->source, name,
                           json_string_value(shard));
        }
    }
    return HN_OK;
}

HnStatus hn_tensors_refuse_folder(const char *folder, HnError *err) {
    static const struct {
        const char *ending, *what;
    } others[] = {
        {".gguf", "a GGUF file"},
        {"adapter_model.safetensors", "an adapter without its base model"},
        {"consolidated.safetensors", "weights in the maker's own layout"},
        {".safetensors", "safetensors of another name than model.safetensors"},
        {".bin", "pickled weights"},
        {".pth", "pickled weights"},
        {".pt", "pickled weights"},
        {".h5", "TensorFlow weights"},
        {".msgpack", "Flax weights"},
        {".onnx", "an ONNX graph"},
    };
    char **names = NULL;
    size_t n_names = 0;
    HN_TRY(hn_folder_list(folder, &names, &n_names, err));
    HnStatus status = HN_OK;
    for (size_t k = 0; k < sizeof others / sizeof others[0] && status == HN_OK; k++) {
        for (size_t i = 0; i < n_names && status == HN_OK; i++) {
            if (hn_tensors_name_ends(names[i], others[k].ending)) {
                status = hn_fail(err, HN_UNSUPPORTED,
                                 "%s holds %s (%s) and no model.safetensors; take the checkpoint's safetensors, or "
                                 "save it anew with transformers' save_pretrained",
                                 folder, others[k].what, names[i]);
            }
        }
    }
    hn_names_free(&names, n_names);
    return status != HN_OK
               ? status
               : hn_fail(err, HN_IO, "%s has neither model.safetensors nor model.safetensors.index.json", folder);
}
