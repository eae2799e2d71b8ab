/* Which checkpoints a training's folder holds. Names sort by progress: checkpoint-<epochs>-<steps of the next>. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "cf/checkpoint_folder.h"
#include "cf/checkpoint_manifest.h"

static const char prefix[] = "checkpoint-";

char *hn_checkpoint_folder(const char *folder, uint64_t epoch, uint64_t step, HnError *err) {
    return hn_path_printf(err, "%s/%s%07llu-%010llu", folder, prefix, (unsigned long long)epoch,
                          (unsigned long long)step);
}

static bool is_checkpoint(const char *name) {
    return strncmp(name, prefix, sizeof prefix - 1) == 0;
}

static bool is_whole(const char *path) {
    HnError why = HN_ERROR_INIT;
    HnManifest manifest = {0};
    HnStatus status = hn_manifest_read(path, &manifest, &why);
    if (status == HN_OK) {
        status = hn_manifest_check(path, &manifest, &why);
    }
    hn_manifest_free(&manifest);
    if (status != HN_OK) {
        hn_log(HN_LOG_WARN, "%s is not whole and is passed over: %s", path, why.message);
    }
    return status == HN_OK;
}

HnStatus hn_checkpoint_newest(const char *folder, char **newest, HnError *err) {
    char **names = NULL;
    size_t n = 0;
    *newest = NULL;
    HN_TRY(hn_folder_list(folder, &names, &n, err));
    HnStatus status = HN_OK;
    for (size_t i = n; i > 0 && *newest == NULL && status == HN_OK; i--) {
        if (is_checkpoint(names[i - 1])) {
            char *path = hn_path_join(folder, names[i - 1], err);
            status = path == NULL ? HN_MEMORY : HN_OK;
            if (path != NULL && is_whole(path)) {
                *newest = path;
            } else {
                hn_free(path);
            }
        }
    }
    hn_names_free(&names, n);
    return status;
}

void hn_checkpoint_keep(const char *folder, size_t keep) {
    HnError ignored = HN_ERROR_INIT;
    char **names = NULL;
    size_t n = 0, kept = 0;
    if (hn_folder_list(folder, &names, &n, &ignored) != HN_OK) {
        return;
    }
    for (size_t i = n; i > 0; i--) {
        if (is_checkpoint(names[i - 1]) && kept++ >= keep) {
            char *path = hn_path_join(folder, names[i - 1], &ignored);
            if (path == NULL || hn_folder_remove(path, &ignored) != HN_OK) {
                hn_log(HN_LOG_WARN, "an old checkpoint could not be removed: %s", ignored.message);
            }
            hn_error_clear(&ignored);
            hn_free(path);
        }
    }
    hn_names_free(&names, n);
}
