#include <string.h>

#include "app/embed.h"
#include "base/alloc.h"
#include "base/half.h"

/* A record: key = its first line; then lines, width, tokens, computed, cut as u64, and the vectors as f32. */
enum { RECORD_KIND = 1, N_WORDS = 5, HEAD_BYTES = 8 * N_WORDS };

typedef struct Record {
    uint64_t n, dim;
    HnEmbedCounts counts;
    const unsigned char *vectors; /* maybe unaligned */
} Record;

HnStatus hn_embed_journal_add(HnJournal *journal, uint64_t first, uint64_t n, uint64_t dim, const float *vectors,
                              const HnEmbedCounts *counts, HnError *err) {
    const uint64_t words[N_WORDS] = {n, dim, counts->tokens, counts->computed, counts->cut};
    size_t n_bytes = HEAD_BYTES + (size_t)(n * dim) * sizeof(float);
    unsigned char *payload = hn_alloc(n_bytes, 1, "a record of the journal", err);
    if (payload == NULL || n_bytes > UINT32_MAX) {
        hn_free(payload);
        return payload ? hn_fail(err, HN_RANGE, "a batch of %zu bytes is too large; lower --batch", n_bytes)
                       : HN_MEMORY;
    }
    for (size_t i = 0; i < HEAD_BYTES; i++) {
        payload[i] = (unsigned char)(words[i / 8] >> (8 * (i % 8)));
    }
    memcpy(payload + HEAD_BYTES, vectors, n_bytes - HEAD_BYTES);
    HnStatus status = hn_journal_append(journal, first, RECORD_KIND, payload, (uint32_t)n_bytes, err);
    hn_free(payload);
    return status == HN_OK ? hn_journal_flush(journal, err) : status;
}

static HnStatus decode(const void *payload, uint32_t n_bytes, Record *record, HnError *err) {
    const unsigned char *bytes = payload;
    uint64_t words[N_WORDS] = {0};
    for (size_t i = 0; i < HEAD_BYTES && n_bytes >= HEAD_BYTES; i++) {
        words[i / 8] |= (uint64_t)bytes[i] << (8 * (i % 8));
    }
    *record = (Record){words[0], words[1], {words[2], words[3], words[4]}, bytes + HEAD_BYTES};
    if (words[0] == 0 || words[1] == 0 || words[0] > UINT32_MAX || words[1] > UINT32_MAX ||
        n_bytes != HEAD_BYTES + words[0] * words[1] * sizeof(float)) {
        return hn_fail(err, HN_CORRUPT, "a journal holds a record of another form; remove its folder to start anew");
    }
    return HN_OK;
}

/* ---- counting ---- */

typedef struct Count {
    uint64_t n, dim;
    HnEmbedCounts counts;
} Count;

static HnStatus count_record(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                             HnError *err) {
    Count *count = context;
    Record record;
    (void)kind;
    HN_TRY(decode(payload, n_bytes, &record, err));
    if (key != count->n || (count->dim != 0 && record.dim != count->dim)) {
        return hn_fail(err, HN_CORRUPT, "a journal does not go on where it stopped; remove its folder to start anew");
    }
    count->n += record.n;
    count->dim = record.dim;
    count->counts.tokens += record.counts.tokens;
    count->counts.computed += record.counts.computed;
    count->counts.cut += record.counts.cut;
    return HN_OK;
}

HnStatus hn_embed_journal_count(const char *folder, uint64_t *n, uint64_t *dim, HnEmbedCounts *counts, HnError *err) {
    Count count = {0};
    HnJournalStats stats;
    HN_TRY(hn_journal_scan(folder, count_record, &count, &stats, err));
    *n = count.n;
    *dim = count.dim;
    *counts = count.counts;
    return HN_OK;
}

/* ---- copying ---- */

typedef struct Copy {
    HnStoreWriter *writer;
    bool f32;
} Copy;

static HnStatus copy_record(void *context, uint64_t key, uint32_t kind, const void *payload, uint32_t n_bytes,
                            HnError *err) {
    const Copy *copy = context;
    Record record;
    (void)kind;
    HN_TRY(decode(payload, n_bytes, &record, err));
    size_t n = (size_t)(record.n * record.dim);
    float *values = hn_alloc(n, sizeof *values, "vectors to be sealed", err);
    uint16_t *halves = copy->f32 ? NULL : hn_alloc(n, sizeof *halves, "vectors to be sealed", err);
    HnStatus status = values && (copy->f32 || halves) ? HN_OK : HN_MEMORY;
    if (status == HN_OK) {
        memcpy(values, record.vectors, n * sizeof *values);
    }
    if (status == HN_OK && copy->f32) {
        status = hn_store_write_rows(copy->writer, "vector_f32", key, record.n, values, err);
    } else if (status == HN_OK) {
        hn_half_from_floats(values, halves, n);
        status = hn_store_write_rows(copy->writer, "vector", key, record.n, halves, err);
    }
    hn_free(values);
    hn_free(halves);
    return status;
}

HnStatus hn_embed_journal_copy(const char *folder, HnStoreWriter *writer, bool f32, uint64_t n, uint64_t dim,
                               HnError *err) {
    Copy copy = {writer, f32};
    HnJournalStats stats;
    HN_TRY(hn_store_define(writer, f32 ? "vector_f32" : "vector", (const uint64_t[]){n, dim}, err));
    return hn_journal_scan(folder, copy_record, &copy, &stats, err);
}
