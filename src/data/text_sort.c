#include "text_sort.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"

typedef struct Entry {
    uint64_t key, offset; /* offset into the heap: also the order of arrival */
    uint32_t n_bytes;
} Entry;

typedef struct Run {
    FILE *file;
    uint64_t key; /* of the text at the front */
    uint32_t n_bytes;
    HnText text;
    bool over;
} Run;

enum { FIRST_HEAP = 1 << 16, FIRST_ENTRIES = 1024 };

struct HnTextSort {
    char *beside;
    size_t memory_bytes;
    char *heap; /* [heap_capacity] */
    size_t heap_n, heap_capacity;
    Entry *entries; /* [capacity] */
    size_t n, capacity, at;
    Run *runs; /* [n_runs] */
    size_t n_runs;
    Run *front; /* the run whose text was handed out last */
};

HnStatus hn_text_sort_create(const char *beside, size_t memory_bytes, HnTextSort **out, HnError *err) {
    *out = NULL;
    HnTextSort *sort = hn_alloc(1, sizeof *sort, "text sort", err);
    if (sort == NULL) {
        return HN_MEMORY;
    }
    sort->memory_bytes = memory_bytes;
    sort->beside = hn_strdup(beside, err);
    sort->heap_capacity = FIRST_HEAP;
    sort->capacity = FIRST_ENTRIES;
    sort->heap = hn_alloc(sort->heap_capacity, 1, "texts", err);
    sort->entries = hn_alloc(sort->capacity, sizeof *sort->entries, "text index", err);
    if (sort->beside == NULL || sort->heap == NULL || sort->entries == NULL) {
        hn_text_sort_free(&sort);
        return HN_MEMORY;
    }
    *out = sort;
    return HN_OK;
}

void hn_text_sort_free(HnTextSort **address) {
    HnTextSort *sort = *address;
    if (sort == NULL) {
        return;
    }
    for (size_t r = 0; r < sort->n_runs; r++) {
        if (sort->runs[r].file != NULL) {
            (void)fclose(sort->runs[r].file);
        }
        hn_text_free(&sort->runs[r].text);
    }
    hn_free(sort->runs);
    hn_free(sort->entries);
    hn_free(sort->heap);
    hn_free(sort->beside);
    hn_free(sort);
    *address = NULL;
}

static int compare_entries(const void *left, const void *right) {
    const Entry *a = left, *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* A file that nobody sees: unlinked as soon as it is open, so a killed run leaves nothing behind. */
static HnStatus open_run(HnTextSort *sort, FILE **file, HnError *err) {
    char *name = hn_path_printf(err, "%s.run-XXXXXX", sort->beside);
    if (name == NULL) {
        return HN_MEMORY;
    }
    int fd = mkstemp(name);
    HnStatus status = HN_OK;
    *file = fd >= 0 ? fdopen(fd, "w+b") : NULL;
    if (*file == NULL) {
        status = hn_fail_errno(err, errno, "cannot make a temporary file beside %s", sort->beside);
        if (fd >= 0) {
            close(fd);
        }
    }
    if (fd >= 0) {
        (void)unlink(name);
    }
    hn_free(name);
    return status;
}

static HnStatus write_run(HnTextSort *sort, HnError *err) {
    HN_TRY(hn_resize(&sort->runs, sort->n_runs * sizeof *sort->runs, sort->n_runs + 1, sizeof *sort->runs, "text runs",
                     err));
    Run *run = &sort->runs[sort->n_runs];
    memset(run, 0, sizeof *run);
    HN_TRY(open_run(sort, &run->file, err));
    sort->n_runs++;
    qsort(sort->entries, sort->n, sizeof *sort->entries, compare_entries);
    for (size_t e = 0; e < sort->n; e++) {
        const Entry *entry = &sort->entries[e];
        if (fwrite(&entry->key, sizeof entry->key, 1, run->file) != 1 ||
            fwrite(&entry->n_bytes, sizeof entry->n_bytes, 1, run->file) != 1 ||
            fwrite(sort->heap + entry->offset, 1, entry->n_bytes, run->file) != entry->n_bytes) {
            return hn_fail_errno(err, errno, "cannot write a temporary file beside %s", sort->beside);
        }
    }
    if (fflush(run->file) != 0) {
        return hn_fail_errno(err, errno, "cannot write a temporary file beside %s", sort->beside);
    }
    sort->n = sort->heap_n = 0;
    return HN_OK;
}

HnStatus hn_text_sort_add(HnTextSort *sort, uint64_t key, const char *bytes, size_t n_bytes, HnError *err) {
    if (sort->n > 0 && sort->heap_n + n_bytes + sort->n * sizeof *sort->entries > sort->memory_bytes) {
        HN_TRY(write_run(sort, err));
    }
    if (sort->heap_n + n_bytes > sort->heap_capacity) {
        size_t larger = sort->heap_capacity * 2;
        larger = larger < sort->heap_n + n_bytes ? sort->heap_n + n_bytes : larger;
        HN_TRY(hn_resize(&sort->heap, sort->heap_n, larger, 1, "texts", err));
        sort->heap_capacity = larger;
    }
    if (sort->n == sort->capacity) {
        HN_TRY(hn_resize(&sort->entries, sort->n * sizeof *sort->entries, sort->capacity * 2, sizeof *sort->entries,
                         "text index", err));
        sort->capacity *= 2;
    }
    memcpy(sort->heap + sort->heap_n, bytes, n_bytes);
    sort->entries[sort->n++] = (Entry){key, sort->heap_n, (uint32_t)n_bytes};
    sort->heap_n += n_bytes;
    return HN_OK;
}

static HnStatus advance(HnTextSort *sort, Run *run, HnError *err) {
    hn_text_clear(&run->text);
    if (fread(&run->key, sizeof run->key, 1, run->file) != 1) {
        run->over = true;
        return ferror(run->file) ? hn_fail_errno(err, errno, "cannot read a temporary file beside %s", sort->beside)
                                 : HN_OK;
    }
    char block[4096];
    bool ok = fread(&run->n_bytes, sizeof run->n_bytes, 1, run->file) == 1;
    for (size_t left = run->n_bytes; ok && left > 0;) {
        size_t n = left < sizeof block ? left : sizeof block;
        ok = fread(block, 1, n, run->file) == n;
        if (ok) {
            HN_TRY(hn_text_append(&run->text, block, n, err));
        }
        left -= n;
    }
    return ok ? HN_OK : hn_fail_errno(err, errno, "cannot read a temporary file beside %s", sort->beside);
}

HnStatus hn_text_sort_rewind(HnTextSort *sort, HnError *err) {
    if (sort->n_runs > 0 && sort->n > 0) {
        HN_TRY(write_run(sort, err));
    }
    qsort(sort->entries, sort->n, sizeof *sort->entries, compare_entries);
    for (size_t r = 0; r < sort->n_runs; r++) {
        rewind(sort->runs[r].file);
        HN_TRY(advance(sort, &sort->runs[r], err));
    }
    return HN_OK;
}

HnStatus hn_text_sort_next(HnTextSort *sort, uint64_t *key, const char **bytes, size_t *n_bytes, bool *got,
                           HnError *err) {
    *got = false;
    if (sort->n_runs == 0) {
        if (sort->at < sort->n) {
            const Entry *entry = &sort->entries[sort->at++];
            *key = entry->key;
            *bytes = sort->heap + entry->offset;
            *n_bytes = entry->n_bytes;
            *got = true;
        }
        return HN_OK;
    }
    if (sort->front != NULL) {
        HN_TRY(advance(sort, sort->front, err));
        sort->front = NULL;
    }
    for (size_t r = 0; r < sort->n_runs; r++) {
        Run *run = &sort->runs[r];
        if (!run->over && (sort->front == NULL || run->key < sort->front->key)) {
            sort->front = run;
        }
    }
    if (sort->front != NULL) {
        *key = sort->front->key;
        *bytes = hn_text_get(&sort->front->text);
        *n_bytes = sort->front->text.length;
        *got = true;
    }
    return HN_OK;
}

uint64_t hn_text_sort_runs(const HnTextSort *sort) {
    return sort->n_runs;
}
