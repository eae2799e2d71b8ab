#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

bool hn_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* "a/b/c" -> "a/b"; "c" -> "."; "/c" -> "/". */
static char *parent_of(const char *path, HnError *err) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return hn_strdup(".", err);
    }
    return hn_strndup(path, slash == path ? 1 : (size_t)(slash - path), err);
}

HnStatus hn_file_temp_name(const char *path, char **temp, HnError *err) {
    static atomic_uint counter; /* threads of one process never share a name; processes differ by host and id */
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) != 0) {
        host[0] = '\0';
    }
    *temp = hn_path_printf(err, "%s.%s.%ld.%u.tmp", path, host, (long)getpid(), atomic_fetch_add(&counter, 1u));
    return *temp == NULL ? HN_MEMORY : HN_OK;
}

static HnStatus sync_path(const char *path, int flags, HnError *err) {
    int descriptor = open(path, flags | O_CLOEXEC);
    if (descriptor < 0) {
        return hn_fail_errno(err, errno, "cannot open %s to flush it", path);
    }
    HnStatus status = HN_OK;
    /* Some file systems offer no fsync on a folder and say EINVAL; a rename is all they can promise. */
    if (fsync(descriptor) != 0 && errno != EINVAL) {
        status = hn_fail_errno(err, errno, "cannot flush %s to disk", path);
    }
    if (close(descriptor) != 0 && status == HN_OK) {
        status = hn_fail_errno(err, errno, "cannot close %s", path);
    }
    return status;
}

HnStatus hn_folder_sync(const char *path, HnError *err) {
    return sync_path(path, O_RDONLY | O_DIRECTORY, err);
}

HnStatus hn_file_commit(const char *temp, const char *path, HnError *err) {
    char *folder = parent_of(path, err); /* first: after the rename nothing but the disk may fail */
    if (folder == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = sync_path(temp, O_RDONLY, err);
    if (status == HN_OK && rename(temp, path) != 0) {
        status = hn_fail_errno(err, errno, "cannot rename %s to %s", temp, path);
    }
    if (status == HN_OK) {
        status = hn_folder_sync(folder, err);
    }
    hn_free(folder);
    return status;
}

static HnStatus write_all(const char *path, const void *bytes, size_t n_bytes, HnError *err) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return hn_fail_errno(err, errno, "cannot create %s", path);
    }
    HnStatus status = HN_OK;
    const char *from = bytes;
    while (n_bytes > 0 && status == HN_OK) {
        ssize_t written = write(descriptor, from, n_bytes);
        if (written >= 0) {
            from += written;
            n_bytes -= (size_t)written;
        } else if (errno != EINTR) {
            status = hn_fail_errno(err, errno, "cannot write %s", path);
        }
    }
    if (close(descriptor) != 0 && status == HN_OK) {
        status = hn_fail_errno(err, errno, "cannot write %s", path);
    }
    return status;
}

HnStatus hn_file_write_atomic(const char *path, const void *bytes, size_t n_bytes, HnError *err) {
    char *temp = NULL;
    HN_TRY(hn_file_temp_name(path, &temp, err));
    HnStatus status = write_all(temp, bytes, n_bytes, err);
    if (status == HN_OK) {
        status = hn_file_commit(temp, path, err);
    }
    if (status != HN_OK) {
        (void)unlink(temp); /* the cause is in err; a leftover would only cost space */
    }
    hn_free(temp);
    return status;
}

/* Grows by doubling: the size that stat gives is a hint only (pipes and /proc say 0). */
static HnStatus read_all(FILE *file, const char *path, size_t max_bytes, char **bytes, size_t *n_bytes, HnError *err) {
    size_t capacity = 4096;
    size_t length = 0;
    char *block = hn_alloc(capacity, 1, path, err);
    if (block == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    while (status == HN_OK) {
        errno = 0;
        size_t n_read = fread(block + length, 1, capacity - length - 1, file);
        length += n_read;
        if (n_read == 0) {
            break;
        }
        if (length > max_bytes) {
            status = hn_fail(err, HN_INPUT, "%s has more than %zu bytes, the most that is read of such a file", path,
                             max_bytes);
        } else if (length == capacity - 1) {
            status = hn_resize(&block, length, capacity * 2, 1, path, err);
            capacity *= 2;
        }
    }
    if (status == HN_OK && ferror(file)) {
        status = hn_fail_errno(err, errno, "cannot read %s", path);
    }
    if (status != HN_OK) {
        hn_free(block);
        return status;
    }
    block[length] = '\0';
    *bytes = block;
    *n_bytes = length;
    return HN_OK;
}

HnStatus hn_file_read(const char *path, size_t max_bytes, char **bytes, size_t *n_bytes, HnError *err) {
    *bytes = NULL;
    *n_bytes = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return hn_fail_errno(err, errno, "cannot open %s", path);
    }
    HnStatus status = read_all(file, path, max_bytes, bytes, n_bytes, err);
    (void)fclose(file);
    return status;
}

char *hn_path_join(const char *folder, const char *name, HnError *err) {
    size_t length = strlen(folder);
    return hn_path_printf(err, "%s%s%s", folder, length == 0 || folder[length - 1] == '/' ? "" : "/", name);
}

char *hn_path_printf(HnError *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *path = NULL;
    if (length < 0) {
        hn_fail(err, HN_INTERNAL, "a path cannot be formatted as \"%s\"", format);
    } else {
        path = hn_alloc((size_t)length + 1, 1, "a path", err);
    }
    if (path != NULL) {
        (void)vsnprintf(path, (size_t)length + 1, format, again);
    }
    va_end(again);
    return path;
}
