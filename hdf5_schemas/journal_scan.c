/* Reading journals: every whole record, in the order of writing; what is torn and what is corrupt (journal.h). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "journal.h"

enum { WINDOW_BYTES = 1 << 20 };

/* Part of a file in memory. */
typedef struct Window {
    int descriptor;
    const char *path;
    uint64_t file_bytes;
    unsigned char *bytes;
    uint64_t begin; /* offset of bytes[0] in the file */
    size_t n_bytes, capacity;
} Window;

static uint32_t get_u32(const unsigned char *in) {
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint64_t get_u64(const unsigned char *in) {
    return get_u32(in) | (uint64_t)get_u32(in + 4) << 32;
}

bool hn_frame_read(const unsigned char *bytes, uint64_t n_available, HnFrame *frame, uint64_t *n_needed) {
    *n_needed = HN_FRAME_HEADER;
    if (n_available < HN_FRAME_HEADER) {
        return false;
    }
    frame->n_bytes = get_u32(bytes + 4);
    frame->key = get_u64(bytes + 16);
    frame->kind = get_u32(bytes + 24);
    if (get_u32(bytes) != HN_FRAME_MAGIC || get_u32(bytes + 28) != frame->n_bytes) {
        *n_needed = 0;
        return false;
    }
    *n_needed = HN_FRAME_HEADER + (uint64_t)frame->n_bytes;
    if (n_available < *n_needed) {
        return false;
    }
    bool whole = get_u64(bytes + 8) == hn_checksum64(bytes + 16, (size_t)*n_needed - 16);
    if (!whole) {
        *n_needed = 0;
    }
    return whole;
}

/* Bytes offset .. offset+n_bytes-1 of the file (fewer at its end); *got of them at the result. NULL: *err is set. */
static const unsigned char *look(Window *window, uint64_t offset, uint64_t n_bytes, uint64_t *got, HnError *err) {
    uint64_t left = offset < window->file_bytes ? window->file_bytes - offset : 0;
    *got = n_bytes < left ? n_bytes : left;
    if (offset >= window->begin && offset + *got <= window->begin + window->n_bytes && window->bytes != NULL) {
        return window->bytes + (offset - window->begin);
    }
    size_t wanted = *got > WINDOW_BYTES ? (size_t)*got : WINDOW_BYTES;
    if (wanted > window->capacity) {
        if (hn_resize(&window->bytes, window->capacity, wanted, 1, "journal window", err) != HN_OK) {
            return NULL;
        }
        window->capacity = wanted;
    }
    window->begin = offset;
    window->n_bytes = 0;
    size_t most = left < window->capacity ? (size_t)left : window->capacity;
    while (window->n_bytes < most) {
        ssize_t n = pread(window->descriptor, window->bytes + window->n_bytes, most - window->n_bytes,
                          (off_t)(offset + window->n_bytes));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            hn_fail_errno(err, errno, "%s: cannot read this journal", window->path);
            return NULL;
        }
        if (n == 0) { /* became shorter meanwhile */
            break;
        }
        window->n_bytes += (size_t)n;
    }
    *got = window->n_bytes < *got ? window->n_bytes : *got;
    return window->bytes;
}

/* Offset of the first whole mark at or after `from`; file_bytes = none. */
static HnStatus find_mark(Window *window, uint64_t from, uint64_t *mark, HnError *err) {
    for (uint64_t at = from; at + HN_FRAME_HEADER <= window->file_bytes;) {
        uint64_t got = 0, needed = 0;
        const unsigned char *bytes = look(window, at, WINDOW_BYTES, &got, err);
        if (bytes == NULL) {
            return err == NULL ? HN_IO : err->status;
        }
        if (got < HN_FRAME_HEADER) {
            break;
        }
        for (uint64_t i = 0; i + HN_FRAME_HEADER <= got; i++) {
            HnFrame frame;
            if (get_u32(bytes + i) == HN_FRAME_MAGIC && get_u32(bytes + i + 24) == HN_FRAME_MARK &&
                get_u64(bytes + i + 16) == at + i && hn_frame_read(bytes + i, got - i, &frame, &needed)) {
                *mark = at + i;
                return HN_OK;
            }
        }
        at += got - HN_FRAME_HEADER + 1;
    }
    *mark = window->file_bytes;
    return HN_OK;
}

static HnStatus check_header(Window *window, bool *torn, HnError *err) {
    uint64_t got = 0;
    const unsigned char *head = look(window, 0, HN_JOURNAL_HEADER, &got, err);
    if (head == NULL) {
        return err == NULL ? HN_IO : err->status;
    }
    *torn = got < HN_JOURNAL_HEADER;
    if (memcmp(head, hn_journal_header, (size_t)got) != 0) {
        return hn_fail(err, HN_FORMAT,
                       "%s: this is no journal of hnlmrec, or one of a newer version. Move it elsewhere", window->path);
    }
    return HN_OK;
}

/* Frames from *at on, until one is not whole. */
static HnStatus walk_frames(Window *window, HnJournalFn *each, void *context, uint64_t *at, uint64_t *n_records,
                            HnError *err) {
    for (;;) {
        uint64_t got = 0, needed = 0;
        HnFrame frame;
        const unsigned char *bytes = look(window, *at, HN_FRAME_HEADER, &got, err);
        bool whole = bytes != NULL && hn_frame_read(bytes, got, &frame, &needed);
        if (bytes != NULL && !whole && needed > got && *at + needed <= window->file_bytes) {
            bytes = look(window, *at, needed, &got, err);
            whole = bytes != NULL && hn_frame_read(bytes, got, &frame, &needed);
        }
        if (bytes == NULL) {
            return err == NULL ? HN_IO : err->status;
        }
        if (!whole) {
            return HN_OK;
        }
        if (frame.kind != HN_FRAME_MARK) {
            (*n_records)++;
            if (each != NULL) {
                HN_TRY(each(context, frame.key, frame.kind, bytes + HN_FRAME_HEADER, frame.n_bytes, err));
            }
        }
        *at += needed;
    }
}

HnStatus hn_journal_walk(int descriptor, const char *path, HnJournalFn *each, void *context, uint64_t *n_good,
                         uint64_t *n_records, uint64_t *n_torn, HnError *err) {
    Window window = {.descriptor = descriptor, .path = path};
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        return hn_fail_errno(err, errno, "%s: cannot read this journal", path);
    }
    window.file_bytes = (uint64_t)info.st_size;
    bool torn_header = false;
    uint64_t at = HN_JOURNAL_HEADER, mark = 0;
    HnStatus status = check_header(&window, &torn_header, err);
    if (status == HN_OK && torn_header) {
        at = 0;
    } else if (status == HN_OK) {
        status = walk_frames(&window, each, context, &at, n_records, err);
    }
    if (status == HN_OK && at < window.file_bytes) {
        status = find_mark(&window, at, &mark, err);
        if (status == HN_OK && mark < window.file_bytes) {
            status =
                hn_fail(err, HN_CORRUPT,
                        "%s: damaged at byte %llu of %llu, in front of records that were committed. Restore it from "
                        "a copy, or delete it to do that work again",
                        path, (unsigned long long)at, (unsigned long long)window.file_bytes);
        }
    }
    *n_good = at;
    *n_torn = window.file_bytes - at;
    hn_free(window.bytes);
    return status;
}

static bool is_journal(const char *name) {
    size_t n = strlen(name), m = strlen(".journal");
    return n > m && strcmp(name + n - m, ".journal") == 0;
}

static HnStatus scan_file(const char *path, HnJournalFn *each, void *context, HnJournalStats *stats, HnError *err) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return hn_fail_errno(err, errno, "%s: cannot open this journal", path);
    }
    uint64_t n_good = 0, n_records = 0, n_torn = 0;
    HnStatus status = hn_journal_walk(descriptor, path, each, context, &n_good, &n_records, &n_torn, err);
    close(descriptor);
    stats->n_files++;
    stats->n_records += n_records;
    stats->n_bytes += n_good;
    stats->n_torn_bytes += n_torn;
    return status;
}

HnStatus hn_journal_scan(const char *folder, HnJournalFn *each, void *context, HnJournalStats *stats, HnError *err) {
    HnJournalStats unused;
    stats = stats == NULL ? &unused : stats;
    memset(stats, 0, sizeof *stats);
    if (!hn_folder_exists(folder)) {
        return HN_OK;
    }
    char **names = NULL;
    size_t n_names = 0;
    HN_TRY(hn_folder_list(folder, &names, &n_names, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        if (!is_journal(names[i])) {
            continue;
        }
        char *path = hn_path_join(folder, names[i], err);
        status = path == NULL ? HN_MEMORY : scan_file(path, each, context, stats, err);
        hn_free(path);
    }
    hn_names_free(&names, n_names);
    return status;
}
