#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

bool hn_folder_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static HnStatus make_one(const char *path, HnError *err) {
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && hn_folder_exists(path))) {
        return HN_OK;
    }
    int cause = errno;
    return hn_fail_errno(err, cause,
                         cause == EEXIST ? "%s is a file where a folder is needed"
                                         : "cannot make folder %s; choose one that can be written (--out)",
                         path);
}

HnStatus hn_folder_make(const char *path, HnError *err) {
    if (hn_folder_exists(path)) {
        return HN_OK;
    }
    char *prefix = hn_strdup(path, err);
    if (prefix == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    for (char *slash = strchr(prefix + (prefix[0] == '/' ? 1 : 0), '/'); slash != NULL && status == HN_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        status = make_one(prefix, err);
        *slash = '/';
    }
    size_t length = strlen(prefix);
    if (status == HN_OK && length > 0 && prefix[length - 1] != '/') {
        status = make_one(prefix, err);
    }
    hn_free(prefix);
    return status;
}

/* Links are removed, never followed. */
HnStatus hn_folder_remove(const char *path, HnError *err) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? HN_OK : hn_fail_errno(err, errno, "cannot look at %s", path);
    }
    if (!S_ISDIR(info.st_mode)) {
        return unlink(path) == 0 || errno == ENOENT ? HN_OK : hn_fail_errno(err, errno, "cannot remove %s", path);
    }
    char **names = NULL;
    size_t n_names = 0;
    HN_TRY(hn_folder_list(path, &names, &n_names, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        char *child = hn_path_join(path, names[i], err);
        status = child == NULL ? HN_MEMORY : hn_folder_remove(child, err);
        hn_free(child);
    }
    hn_names_free(&names, n_names);
    if (status == HN_OK && rmdir(path) != 0 && errno != ENOENT) {
        status = hn_fail_errno(err, errno, "cannot remove folder %s", path);
    }
    return status;
}

HnStatus hn_free_space(const char *path, uint64_t *n_bytes, HnError *err) {
    char *at = hn_strdup(*path == '\0' ? "." : path, err);
    if (at == NULL) {
        return HN_MEMORY;
    }
    struct statvfs info;
    HnStatus status = HN_OK;
    while (statvfs(at, &info) != 0) { /* climb to the nearest parent that exists */
        char *slash = strrchr(at, '/');
        if ((errno != ENOENT && errno != ENOTDIR) || strcmp(at, ".") == 0 || strcmp(at, "/") == 0) {
            status = hn_fail_errno(err, errno, "cannot ask for the free space at %s", path);
            break;
        }
        if (slash == NULL) {
            memcpy(at, ".", 2);
        } else {
            slash[slash == at ? 1 : 0] = '\0';
        }
    }
    if (status == HN_OK) {
        *n_bytes = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
    }
    hn_free(at);
    return status;
}

static int compare_names(const void *a, const void *b) {
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

static HnStatus append_name(char ***names, size_t *n_names, size_t *capacity, const char *name, HnError *err) {
    if (*n_names == *capacity) {
        size_t grown = *capacity == 0 ? 16 : *capacity * 2;
        HN_TRY(hn_resize(names, *n_names * sizeof **names, grown, sizeof **names, "names of a folder", err));
        *capacity = grown;
    }
    char *copy = hn_strdup(name, err);
    if (copy == NULL) {
        return HN_MEMORY;
    }
    (*names)[(*n_names)++] = copy;
    return HN_OK;
}

HnStatus hn_folder_list(const char *path, char ***names, size_t *n_names, HnError *err) {
    *names = NULL;
    *n_names = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return hn_fail_errno(err, errno, "cannot read folder %s", path);
    }
    size_t capacity = 0;
    HnStatus status = HN_OK;
    while (status == HN_OK) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            status = errno == 0 ? HN_OK : hn_fail_errno(err, errno, "cannot read folder %s", path);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            status = append_name(names, n_names, &capacity, entry->d_name, err);
        }
    }
    (void)closedir(folder);
    if (status != HN_OK) {
        hn_names_free(names, *n_names);
        *n_names = 0;
        return status;
    }
    if (*n_names > 1) {
        qsort(*names, *n_names, sizeof **names, compare_names);
    }
    return HN_OK;
}

void hn_names_free(char ***names, size_t n_names) {
    if (names == NULL || *names == NULL) {
        return;
    }
    for (size_t i = 0; i < n_names; i++) {
        hn_free((*names)[i]);
    }
    hn_free(*names);
    *names = NULL;
}
