#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store.h"

enum { BUFFER_BYTES = 1 << 20 };

/* Where a record lies; n_bytes 0 = there is none (a record is never empty). */
typedef struct Place {
    uint64_t offset;
    uint32_t n_bytes;
    uint32_t lost;
} Place;

struct HnSpool {
    int file;
    Place *places; /* [n_keys] */
    uint64_t n_keys;
    char *buffer; /* the file's tail, not yet written: bytes flushed .. flushed + n_buffered */
    uint64_t flushed;
    size_t n_buffered;
    HnText record; /* the one that hn_spool_get gave out */
};

HnStatus hn_spool_create(const char *folder, uint64_t n_keys, HnSpool **spool, HnError *err) {
    HnSpool *made = hn_alloc(1, sizeof *made, "spool", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->file = -1;
    made->n_keys = n_keys;
    made->places = hn_alloc(n_keys, sizeof *made->places, "index of a stage's answers", err);
    made->buffer = hn_alloc(BUFFER_BYTES, 1, "spool buffer", err);
    char *path = hn_path_printf(err, "%s/seal-%ld.tmp", folder, (long)getpid());
    HnStatus status = made->places && made->buffer && path ? HN_OK : HN_MEMORY;
    if (status == HN_OK) {
        made->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (made->file < 0 || unlink(path) != 0) {
            status = hn_fail_errno(err, errno, "cannot make the temporary file %s", path);
        }
    }
    hn_free(path);
    if (status != HN_OK) {
        hn_spool_free(&made);
    }
    *spool = made;
    return status;
}

void hn_spool_free(HnSpool **spool) {
    if (*spool) {
        if ((*spool)->file >= 0) {
            close((*spool)->file);
        }
        hn_free((*spool)->places);
        hn_free((*spool)->buffer);
        hn_text_free(&(*spool)->record);
        hn_free(*spool);
        *spool = NULL;
    }
}

static HnStatus write_out(HnSpool *spool, const char *bytes, size_t n, HnError *err) {
    while (n > 0) {
        ssize_t written = pwrite(spool->file, bytes, n, (off_t)spool->flushed);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return hn_fail_errno(err, errno,
                                 "cannot write the temporary file of a stage's answers; free space and start again");
        }
        bytes += written;
        n -= (size_t)written;
        spool->flushed += (uint64_t)written;
    }
    return HN_OK;
}

HnStatus hn_spool_add(HnSpool *spool, uint64_t key, const void *payload, uint32_t n_bytes, bool *used, HnError *err) {
    HnRecord record;
    if (key >= spool->n_keys) {
        return hn_fail(err, HN_CORRUPT,
                       "a journal holds item %llu of a stage with %llu; remove the journal folder to "
                       "start the stage afresh",
                       (unsigned long long)key, (unsigned long long)spool->n_keys);
    }
    HN_TRY(hn_record_decode(payload, n_bytes, &record, err));
    Place *place = &spool->places[key];
    *used = place->n_bytes == 0 || (place->lost && !record.lost);
    if (!*used) {
        return HN_OK;
    }
    *place = (Place){spool->flushed + spool->n_buffered, n_bytes, record.lost};
    if (spool->n_buffered + n_bytes > BUFFER_BYTES) {
        HN_TRY(write_out(spool, spool->buffer, spool->n_buffered, err));
        spool->n_buffered = 0;
    }
    if (n_bytes > BUFFER_BYTES) {
        return write_out(spool, payload, n_bytes, err);
    }
    memcpy(spool->buffer + spool->n_buffered, payload, n_bytes);
    spool->n_buffered += n_bytes;
    return HN_OK;
}

static HnStatus add_scanned(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                            HnError *err) {
    bool used = false;
    (void)kind;
    return hn_spool_add(context, key, payload, n_bytes, &used, err);
}

HnStatus hn_spool_add_journals(HnSpool *spool, const char *folder, HnError *err) {
    HnJournalStats stats = {0};
    return hn_journal_scan(folder, add_scanned, spool, &stats, err);
}

bool hn_spool_has(const HnSpool *spool, uint64_t key) {
    return key < spool->n_keys && spool->places[key].n_bytes > 0;
}

HnStatus hn_spool_get(HnSpool *spool, uint64_t key, HnRecord *record, HnError *err) {
    if (!hn_spool_has(spool, key)) {
        return hn_fail(err, HN_CORRUPT,
                       "item %llu of %llu is in no journal although all are done; start the command "
                       "again",
                       (unsigned long long)key, (unsigned long long)spool->n_keys);
    }
    const Place *place = &spool->places[key];
    if (place->offset >= spool->flushed) {
        return hn_record_decode(spool->buffer + (place->offset - spool->flushed), place->n_bytes, record, err);
    }
    if (spool->record.capacity < (size_t)place->n_bytes + 1) {
        size_t want = (size_t)place->n_bytes * 2 + 64;
        HN_TRY(hn_resize(&spool->record.data, 0, want, 1, "one answer", err));
        spool->record.capacity = want;
    }
    for (size_t got = 0; got < place->n_bytes;) {
        ssize_t n = pread(spool->file, spool->record.data + got, place->n_bytes - got, (off_t)(place->offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return hn_fail_errno(err, n < 0 ? errno : EIO, "cannot read back the temporary file of a stage's answers");
        }
        got += (size_t)n;
    }
    return hn_record_decode(spool->record.data, place->n_bytes, record, err);
}
