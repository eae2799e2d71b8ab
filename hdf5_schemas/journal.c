/* Appending to a journal. Frames gather in memory and go out in large writes; commit makes them durable. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

const char hn_journal_header[HN_JOURNAL_HEADER + 1] = "hnlmrec journal v1\n";

enum { FLUSH_BYTES = 256 << 10 };

struct HnJournal {
    char *path;
    int descriptor;
    uint64_t n_written; /* length of the file: whole frames only */
    unsigned char *pending;
    size_t n_pending, capacity;
    bool committed; /* nothing was appended since the last mark */
    int lost;       /* errno of a failure after which nothing more may be appended */
};

static void put_u32(unsigned char *out, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        out[i] = (unsigned char)(value >> (8 * i));
    }
}

static void put_u64(unsigned char *out, uint64_t value) {
    put_u32(out, (uint32_t)value);
    put_u32(out + 4, (uint32_t)(value >> 32));
}

void hn_frame_write(unsigned char *out, const HnFrame *frame, const void *payload) {
    put_u32(out, HN_FRAME_MAGIC);
    put_u32(out + 4, frame->n_bytes);
    put_u64(out + 16, frame->key);
    put_u32(out + 24, frame->kind);
    put_u32(out + 28, frame->n_bytes);
    if (frame->n_bytes > 0) {
        memcpy(out + HN_FRAME_HEADER, payload, frame->n_bytes);
    }
    put_u64(out + 8, hn_checksum64(out + 16, HN_FRAME_HEADER - 16 + (size_t)frame->n_bytes));
}

static HnStatus disk_failed(const HnJournal *journal, int number, const char *what, HnError *err) {
    if (number == ENOSPC || number == EDQUOT) {
        return hn_fail_errno(err, number,
                             "%s: %s: the disk is full or a quota used up. What was committed is safe; free some space "
                             "and run the same command again",
                             journal->path, what);
    }
    return hn_fail_errno(err, number, "%s: %s", journal->path, what);
}

/* All of it, or the file is cut back to whole frames. Returns 0 or an errno. */
static int write_whole(HnJournal *journal, const void *bytes, size_t n_bytes) {
    const char *from = (const char *)bytes;
    uint64_t at = journal->n_written;
    while (n_bytes > 0) {
        ssize_t put = pwrite(journal->descriptor, from, n_bytes, (off_t)at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            int number = put < 0 ? errno : EIO;
            if (ftruncate(journal->descriptor, (off_t)journal->n_written) != 0) {
                journal->lost = number; /* a torn frame stays: nothing may follow it; the next open cuts it off */
            }
            return number;
        }
        from += put;
        at += (uint64_t)put;
        n_bytes -= (size_t)put;
    }
    journal->n_written = at;
    return 0;
}

static HnStatus flush(HnJournal *journal, HnError *err) {
    if (journal->lost != 0) {
        return disk_failed(journal, journal->lost, "an earlier write or sync failed", err);
    }
    int number = write_whole(journal, journal->pending, journal->n_pending);
    if (number != 0) {
        return disk_failed(journal, number, "cannot append", err);
    }
    journal->n_pending = 0;
    return HN_OK;
}

/* The valid part of what is there, or a fresh header. */
static HnStatus recover(HnJournal *journal, const char *folder, HnError *err) {
    uint64_t n_good = 0, n_records = 0, n_torn = 0;
    HN_TRY(hn_journal_walk(journal->descriptor, journal->path, NULL, NULL, &n_good, &n_records, &n_torn, err));
    if (n_torn > 0 && ftruncate(journal->descriptor, (off_t)n_good) != 0) {
        return disk_failed(journal, errno, "cannot cut off a torn record", err);
    }
    journal->n_written = n_good;
    journal->committed = true;
    if (n_good > 0) {
        return HN_OK;
    }
    int number = write_whole(journal, hn_journal_header, HN_JOURNAL_HEADER);
    if (number == 0 && fdatasync(journal->descriptor) != 0) {
        number = errno;
    }
    if (number != 0) {
        return disk_failed(journal, number, "cannot begin this journal", err);
    }
    return hn_folder_sync(folder, err);
}

HnStatus hn_journal_open(const char *folder, const char *name, HnJournal **journal_address, HnError *err) {
    *journal_address = NULL;
    if (name[0] == '\0' || strchr(name, '/') != NULL) {
        return hn_fail(err, HN_INTERNAL, "\"%s\" is no name for a journal", name);
    }
    HN_TRY(hn_folder_make(folder, err));
    HnJournal *journal = (HnJournal *)hn_alloc(1, sizeof *journal, "journal", err);
    if (journal == NULL) {
        return HN_MEMORY;
    }
    journal->descriptor = -1;
    HnStatus status = HN_MEMORY;
    journal->path = hn_path_printf(err, "%s/%s.journal", folder, name);
    if (journal->path == NULL) {
        goto fail;
    }
    journal->descriptor = open(journal->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (journal->descriptor < 0) {
        status = disk_failed(journal, errno, "cannot open this journal", err);
        goto fail;
    }
    status = recover(journal, folder, err);
    if (status == HN_OK) {
        *journal_address = journal;
        return HN_OK;
    }
fail:
    if (journal->descriptor >= 0) {
        close(journal->descriptor);
    }
    hn_free(journal->path);
    hn_free(journal);
    return status;
}

HnStatus hn_journal_append(HnJournal *journal, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                           HnError *err) {
    if (kind == HN_FRAME_MARK) {
        return hn_fail(err, HN_INTERNAL, "%s: kind %u of a record is taken", journal->path, kind);
    }
    if (journal->n_pending >= FLUSH_BYTES) {
        HN_TRY(flush(journal, err));
    }
    size_t needed = journal->n_pending + HN_FRAME_HEADER + (size_t)n_bytes;
    if (needed > journal->capacity) {
        size_t wanted = needed > FLUSH_BYTES ? needed + needed / 2 : FLUSH_BYTES;
        HN_TRY(hn_resize(&journal->pending, journal->capacity, wanted, 1, "journal buffer", err));
        journal->capacity = wanted;
    }
    HnFrame frame = {key, kind, n_bytes};
    hn_frame_write(journal->pending + journal->n_pending, &frame, payload);
    journal->n_pending = needed;
    journal->committed = false;
    return HN_OK;
}

HnStatus hn_journal_flush(HnJournal *journal, HnError *err) {
    return flush(journal, err);
}

HnStatus hn_journal_commit(HnJournal *journal, HnError *err) {
    if (journal->committed) {
        return HN_OK;
    }
    HN_TRY(flush(journal, err));
    if (fdatasync(journal->descriptor) != 0) {
        journal->lost = errno; /* a second fdatasync would say yes without having written */
        return disk_failed(journal, errno, "cannot make records durable", err);
    }
    unsigned char mark[HN_FRAME_HEADER];
    HnFrame frame = {journal->n_written, HN_FRAME_MARK, 0};
    hn_frame_write(mark, &frame, NULL);
    journal->committed = true;
    if (write_whole(journal, mark, sizeof mark) != 0) {
        return HN_OK; /* the records are safe already; a mark that finds no room is not missed */
    }
    return HN_OK;
}

HnStatus hn_journal_close(HnJournal **journal_address, HnError *err) {
    HnJournal *journal = *journal_address;
    if (journal == NULL) {
        return HN_OK;
    }
    HnStatus status = hn_journal_commit(journal, err);
    if (close(journal->descriptor) != 0 && errno != EINTR && status == HN_OK) {
        status = disk_failed(journal, errno, "cannot close this journal", err);
    }
    hn_free(journal->pending);
    hn_free(journal->path);
    hn_free(journal);
    *journal_address = NULL;
    return status;
}
