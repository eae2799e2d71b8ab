/* Where a model's files lie: the folder itself, or a snapshot in a hub cache's models--org--name. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config.h"

enum { MAX_REF_BYTES = 256 };

/* The snapshot that the cache calls main. refs/main: a hash, and maybe a line's end. */
static HnStatus main_snapshot(const char *folder, char **name, HnError *err) {
    char *ref = hn_path_join(folder, "refs/main", err);
    size_t n_bytes = 0;
    if (ref == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    if (hn_file_exists(ref)) {
        status = hn_file_read(ref, MAX_REF_BYTES, name, &n_bytes, err);
    }
    if (status == HN_OK && *name != NULL) {
        (*name)[strcspn(*name, "\r\n")] = '\0';
        if ((*name)[0] == '\0' || (*name)[0] == '.' || strchr(*name, '/') != NULL) {
            status = hn_fail(err, HN_FORMAT, "%s names no snapshot: \"%s\"", ref, *name);
        }
    }
    hn_free(ref);
    return status;
}

/* Without refs/main: the one snapshot there is. */
static HnStatus only_snapshot(const char *snapshots, char **name, HnError *err) {
    char **names = NULL;
    size_t n_names = 0;
    HN_TRY(hn_folder_list(snapshots, &names, &n_names, err));
    HnStatus status = HN_OK;
    if (n_names != 1) {
        status = hn_fail(err, HN_INPUT, "%s holds %zu snapshots and no refs/main beside it says which one: name one",
                         snapshots, n_names);
    } else {
        *name = hn_strdup(names[0], err);
        status = *name == NULL ? HN_MEMORY : HN_OK;
    }
    hn_names_free(&names, n_names);
    return status;
}

static HnStatus resolve_cache(const char *folder, const char *snapshots, char **resolved, HnError *err) {
    char *name = NULL;
    HnStatus status = main_snapshot(folder, &name, err);
    if (status == HN_OK && name == NULL) {
        status = only_snapshot(snapshots, &name, err);
    }
    if (status == HN_OK) {
        *resolved = hn_path_join(snapshots, name, err);
        status = *resolved == NULL ? HN_MEMORY : HN_OK;
    }
    hn_free(name);
    if (status == HN_OK && !hn_folder_exists(*resolved)) {
        status = hn_fail(err, HN_INPUT, "%s says that its snapshot is %s, which is not there; fetch the model again",
                         folder, *resolved);
        hn_free(*resolved);
        *resolved = NULL;
    }
    return status;
}

static bool has_file(const char *folder, const char *name, HnError *err) {
    char *path = hn_path_join(folder, name, err);
    bool has = path != NULL && hn_file_exists(path);
    hn_free(path);
    return has;
}

/* What a folder without config.json is instead. */
static HnStatus refuse(const char *folder, HnError *err) {
    size_t n = strlen(folder);
    if (!hn_folder_exists(folder)) {
        bool gguf = n > 5 && strcmp(folder + n - 5, ".gguf") == 0;
        return hn_file_exists(folder)
                   ? hn_fail(err, HN_UNSUPPORTED,
                             "%s is a file%s; name the folder of a Hugging Face checkpoint: "
                             "config.json, model.safetensors, tokenizer.json",
                             folder, gguf ? " in GGUF, which is not read" : "")
                   : hn_fail(err, HN_INPUT,
                             "there is no folder %s; name the one that holds the model's config.json, "
                             "safetensors and tokenizer files (--model, llm.native.model)",
                             folder);
    }
    if (has_file(folder, "params.json", err)) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "%s has params.json and no config.json: weights in the maker's own layout; take the checkpoint "
                       "in Hugging Face's layout",
                       folder);
    }
    if (has_file(folder, "adapter_config.json", err)) {
        return hn_fail(err, HN_UNSUPPORTED, "%s holds an adapter, no model; merge it into its base model first",
                       folder);
    }
    return hn_fail(err, HN_INPUT, "%s has no config.json: it is no model folder of Hugging Face's layout", folder);
}

HnStatus hn_lm_folder_resolve(const char *folder, char **resolved, HnError *err) {
    *resolved = NULL;
    char *snapshots = hn_path_join(folder, "snapshots", err);
    if (snapshots == NULL) {
        return HN_MEMORY;
    }
    HnStatus status;
    if (has_file(folder, "config.json", err)) {
        *resolved = hn_strdup(folder, err);
        status = *resolved == NULL ? HN_MEMORY : HN_OK;
    } else if (hn_folder_exists(snapshots)) {
        status = resolve_cache(folder, snapshots, resolved, err);
    } else {
        status = refuse(folder, err);
    }
    hn_free(snapshots);
    if (status == HN_OK && !has_file(*resolved, "config.json", err)) {
        status = refuse(*resolved, err);
        hn_free(*resolved);
        *resolved = NULL;
    }
    return status;
}
