/* A writer that is killed leaves its temporary file. The next writer of the same store removes it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "hdf5_access.h"

enum { FOREIGN_AGE = 3600 }; /* s without a write, after which another host's temporary file counts as left behind */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Names are <store>.<host>.<process>.<number>.tmp (hn_file_temp_name). */
static bool left_behind(const char *path, const char *after_store) {
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    size_t n = strlen(host);
    if (strncmp(after_store, host, n) == 0 && after_store[n] == '.') {
        long process = strtol(after_store + n + 1, NULL, 10);
        return hn_process_is_gone(process);
    }
    struct stat info;
    return stat(path, &info) == 0 && time(NULL) - info.st_mtime > FOREIGN_AGE;
}

HnStatus hn_store_sweep(const char *path, HnError *err) {
    const char *slash = strrchr(path, '/');
    const char *store = slash == NULL ? path : slash + 1;
    char *folder =
        slash == NULL ? hn_strdup(".", err) : hn_strndup(path, slash == path ? 1 : (size_t)(slash - path), err);
    if (folder == NULL) {
        return HN_MEMORY;
    }
    char **names = NULL;
    size_t n_names = 0, n_store = strlen(store);
    HnStatus status = hn_folder_exists(folder) ? hn_folder_list(folder, &names, &n_names, err) : HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        const char *name = names[i];
        if (strncmp(name, store, n_store) != 0 || name[n_store] != '.' || !ends_with(name, ".tmp")) {
            continue;
        }
        char *file = hn_path_join(folder, name, err);
        if (file == NULL) {
            status = HN_MEMORY;
        } else if (left_behind(file, name + n_store + 1)) {
            unlink(file);
        }
        hn_free(file);
    }
    hn_names_free(&names, n_names);
    hn_free(folder);
    return status;
}
