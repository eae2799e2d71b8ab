#include "record.h"

#include <string.h>

/* status u8, lost u8, zero u16, item i32, then eight u32: attempts, prompt and answer tokens, bytes of text, reasoning
 * and raw, dim, zero. */
enum { HEAD_BYTES = 40 };

static void put32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint32_t get32(const unsigned char *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

HnStatus hn_record_encode(const HnRecord *record, HnText *out, HnError *err) {
    unsigned char head[HEAD_BYTES] = {record->status, record->lost};
    const uint32_t words[] = {(uint32_t)record->item, record->attempts,    record->prompt_tokens, record->answer_tokens,
                              record->n_text,         record->n_reasoning, record->n_raw,         record->dim};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        put32(head + 4 + 4 * i, words[i]);
    }
    hn_text_clear(out);
    HN_TRY(hn_text_append(out, (const char *)head, sizeof head, err));
    HN_TRY(hn_text_append(out, record->text, record->n_text, err));
    HN_TRY(hn_text_append(out, record->reasoning, record->n_reasoning, err));
    HN_TRY(hn_text_append(out, record->raw, record->n_raw, err));
    return hn_text_append(out, record->vector, record->dim * sizeof(float), err);
}

HnStatus hn_record_decode(const void *payload, size_t n_bytes, HnRecord *record, HnError *err) {
    const unsigned char *head = payload;
    const char *at = (const char *)payload + HEAD_BYTES;
    if (n_bytes < HEAD_BYTES) {
        return hn_fail(err, HN_CORRUPT, "a journal record has %zu bytes, fewer than its head", n_bytes);
    }
    *record = (HnRecord){.status = head[0],
                         .lost = head[1],
                         .item = (int32_t)get32(head + 4),
                         .attempts = get32(head + 8),
                         .prompt_tokens = get32(head + 12),
                         .answer_tokens = get32(head + 16),
                         .n_text = get32(head + 20),
                         .n_reasoning = get32(head + 24),
                         .n_raw = get32(head + 28),
                         .dim = get32(head + 32)};
    uint64_t needed = (uint64_t)HEAD_BYTES + record->n_text + record->n_reasoning + record->n_raw +
                      (uint64_t)record->dim * sizeof(float);
    if (needed != n_bytes) {
        return hn_fail(err, HN_CORRUPT, "a journal record has %zu bytes where its head asks for %llu", n_bytes,
                       (unsigned long long)needed);
    }
    record->text = at;
    record->reasoning = record->text + record->n_text;
    record->raw = record->reasoning + record->n_reasoning;
    record->vector = record->raw + record->n_raw;
    return HN_OK;
}
