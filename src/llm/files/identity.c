#include "identity.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "config.h"

static bool ends_with(const char *name, const char *ending) {
    size_t n = strlen(name), m = strlen(ending);
    return n > m && strcmp(name + n - m, ending) == 0;
}

/* What decides about numbers and texts; not pictures, papers, or the same weights in other formats. */
static bool counts(const char *name) {
    static const char *const endings[] = {".json", ".safetensors", ".jinja", ".model", ".txt", ".bpe"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (ends_with(name, endings[i])) {
            return true;
        }
    }
    return false;
}

static HnStatus add_file(const char *folder, const char *name, HnText *list, HnError *err) {
    char hex[65];
    char *path = hn_path_join(folder, name, err);
    HnStatus status = path ? hn_sha256_file(path, hex, err) : HN_MEMORY;
    hn_free(path);
    HN_TRY(status);
    return hn_text_printf(list, err, "%s  %s\n", hex, name);
}

/* One folder down: sentence-transformers keep their pooling there ("1_Pooling/config.json"). */
static HnStatus add_folder(const char *root, const char *below, HnText *list, HnError *err) {
    char **names = NULL;
    size_t n = 0;
    char *folder = below[0] ? hn_path_join(root, below, err) : hn_strdup(root, err);
    HnStatus status = folder ? hn_folder_list(folder, &names, &n, err) : HN_MEMORY;
    for (size_t i = 0; i < n && status == HN_OK; i++) {
        char *name = below[0] ? hn_path_join(below, names[i], err) : hn_strdup(names[i], err);
        char *path = name ? hn_path_join(root, name, err) : NULL;
        status = path ? HN_OK : HN_MEMORY;
        if (status == HN_OK && hn_folder_exists(path)) {
            status = below[0] ? HN_OK : add_folder(root, name, list, err);
        } else if (status == HN_OK && counts(name)) {
            status = add_file(root, name, list, err);
        }
        hn_free(path);
        hn_free(name);
    }
    hn_names_free(&names, n);
    hn_free(folder);
    return status;
}

HnStatus hn_lm_folder_id(const char *folder, char hex[65], HnError *err) {
    char *resolved = NULL;
    HnText list = {0};
    HN_TRY(hn_lm_folder_resolve(folder, &resolved, err));
    HnStatus status = add_folder(resolved, "", &list, err);
    if (status == HN_OK && list.length == 0) {
        status = hn_fail(err, HN_INPUT, "%s holds no model files", resolved);
    }
    if (status == HN_OK) {
        hn_sha256_bytes(list.data, list.length, hex);
    }
    hn_text_free(&list);
    hn_free(resolved);
    return status;
}
