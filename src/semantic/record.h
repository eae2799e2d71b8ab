/* One finished piece of work as it is journaled: little-endian, fixed head, then the strings or the vector. */
#ifndef HN_SEMANTIC_RECORD_H
#define HN_SEMANTIC_RECORD_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* HnRecord.status of a profile row; the numbers are those of the profiles store. */
typedef enum HnProfileStatus {
    HN_PROFILE_OK = 0,
    HN_PROFILE_NOISE = 1,
    HN_PROFILE_LOST = 2,
    HN_PROFILE_IMPORTED = 3,
    HN_PROFILE_EMPTY = 4
} HnProfileStatus;

/* HnRecord.status of a hard negative; the numbers are those of the negatives store. */
typedef enum HnNegativeStatus {
    HN_NEGATIVE_OK = 0,
    HN_NEGATIVE_UNPARSABLE = 1,
    HN_NEGATIVE_NOT_IN_POOL = 2,
    HN_NEGATIVE_NONE = 3,
    HN_NEGATIVE_LOST = 4,
    HN_NEGATIVE_ALREADY_TAKEN = 5
} HnNegativeStatus;

/* HnRecord.status of an embedded text. */
typedef enum HnVectorStatus { HN_VECTOR_OK = 0, HN_VECTOR_LOST = 1 } HnVectorStatus;

typedef struct HnRecord {
    uint8_t status;
    uint8_t lost; /* the provider gave up: a later start of the stage tries again */
    int32_t item; /* hard negative: the pool item, -1 = none */
    uint32_t attempts, prompt_tokens, answer_tokens;
    const char *text, *reasoning, *raw; /* borrowed, n_* bytes, not NUL-terminated */
    uint32_t n_text, n_reasoning, n_raw;
    const void *vector; /* [dim] floats, borrowed, maybe unaligned: memcpy them */
    uint32_t dim;
} HnRecord;

/* Replaces *out by the encoded record. */
HnStatus hn_record_encode(const HnRecord *record, HnText *out, HnError *err);
/* Pointers in *record lead into payload. */
HnStatus hn_record_decode(const void *payload, size_t n_bytes, HnRecord *record, HnError *err);

#endif
