#include "host_sum.h"

#include <stdatomic.h>
#include <string.h>

enum { LINE = 64, SLOT_BYTES = 1 << 19, BLOCK_BYTES = 4096, IDLES_BEFORE_LONG = 20 };

size_t hn_host_sum_bytes(int size) {
    return (size_t)size * (LINE + 2 * (size_t)SLOT_BYTES);
}

void hn_host_sum_start_up(HnHostSum *sum, int rank, int size, unsigned char *block) {
    sum->rank = rank;
    sum->size = size;
    sum->block = block;
    sum->block_bytes = hn_host_sum_bytes(size);
}

static _Atomic uint64_t *counter_of(const HnHostSum *sum, int rank) {
    return (_Atomic uint64_t *)(void *)(sum->block + (size_t)rank * LINE);
}

static unsigned char *slot_of(const HnHostSum *sum, int rank) {
    const size_t which = (size_t)(sum->turn & 1) * (size_t)sum->size + (size_t)rank;
    return sum->block + (size_t)sum->size * LINE + which * SLOT_BYTES;
}

/* ---- meetings ---- */

void hn_host_sum_arrive(HnHostSum *sum) {
    sum->arrivals++;
    /* Not a mere release, which writes past the caches (adam_cpu.c) may come after. */
    atomic_store_explicit(counter_of(sum, sum->rank), sum->arrivals, memory_order_seq_cst);
}

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Until all have arrived as often as this rank. */
void hn_host_sum_await(HnHostSum *sum) {
    for (int r = 0; r < sum->size; r++) {
        int polls = 0, idles = 0;
        while (atomic_load_explicit(counter_of(sum, r), memory_order_acquire) < sum->arrivals) {
            pause_briefly();
            if (++polls >= sum->patience) {
                polls = 0;
                idles += idles < IDLES_BEFORE_LONG;
                sum->idle(sum->context, idles == IDLES_BEFORE_LONG);
            }
        }
    }
}

void hn_host_sum_barrier(HnHostSum *sum) {
    hn_host_sum_arrive(sum);
    hn_host_sum_await(sum);
}

/* ---- arithmetic ---- */

#define JOIN(name, type)                                                                                    \
    static void name(type *restrict into, const type *restrict from, size_t n, HnCommReduction reduction) { \
        if (reduction == HN_COMM_SUM) {                                                                     \
            for (size_t i = 0; i < n; i++) {                                                                \
                into[i] += from[i];                                                                         \
            }                                                                                               \
        } else {                                                                                            \
            for (size_t i = 0; i < n; i++) {                                                                \
                into[i] = into[i] < from[i] ? from[i] : into[i];                                            \
            }                                                                                               \
        }                                                                                                   \
    }
JOIN(join_f32, float)
JOIN(join_f64, double)
JOIN(join_i32, int32_t)
JOIN(join_i64, int64_t)

static void join(void *into, const void *from, size_t n, HnCommType type, HnCommReduction reduction) {
    switch (type) {
    case HN_COMM_F32:
        join_f32(into, from, n, reduction);
        return;
    case HN_COMM_F64:
        join_f64(into, from, n, reduction);
        return;
    case HN_COMM_I32:
        join_i32(into, from, n, reduction);
        return;
    case HN_COMM_I64:
        join_i64(into, from, n, reduction);
        return;
    case HN_COMM_BYTE:
        return;
    }
}

/* ---- pieces ---- */

static size_t piece_elements(const HnHostSum *sum) {
    return SLOT_BYTES / hn_comm_type_bytes(sum->type);
}

static size_t piece_now(const HnHostSum *sum) {
    return sum->n < piece_elements(sum) ? sum->n : piece_elements(sum);
}

/* Bytes where rank r's slice of a piece begins; that of rank `size` is the end. */
static size_t slice_begin(const HnHostSum *sum, size_t n, int r) {
    return n * (size_t)r / (size_t)sum->size * hn_comm_type_bytes(sum->type);
}

/* What the others need of the next piece. */
static void lay_out(HnHostSum *sum) {
    const size_t n = piece_now(sum), width = hn_comm_type_bytes(sum->type);
    const size_t begin = slice_begin(sum, n, sum->rank), end = slice_begin(sum, n, sum->rank + 1);
    unsigned char *slot = slot_of(sum, sum->rank);
    memcpy(slot, sum->data, begin);
    memcpy(slot + end, sum->data + end, n * width - end);
    hn_host_sum_arrive(sum);
}

/* This rank's bytes [begin, end) over all ranks, in rank order, block by block in the nearest cache; also to its slot,
 * where the others look for them, unless other hosts have a part in them. */
static void add_up(const HnHostSum *sum, size_t begin, size_t end, bool publish) {
    _Alignas(64) unsigned char own[BLOCK_BYTES];
    unsigned char *slot = slot_of(sum, sum->rank);
    for (size_t at = begin; at < end; at += BLOCK_BYTES) {
        const size_t n_bytes = end - at < BLOCK_BYTES ? end - at : BLOCK_BYTES,
                     n = n_bytes / hn_comm_type_bytes(sum->type);
        unsigned char *into = sum->data + at;
        memcpy(own, into, n_bytes);
        for (int r = 0; r < sum->size; r++) {
            const unsigned char *from = r == sum->rank ? own : slot_of(sum, r) + at;
            if (r == 0) {
                memcpy(into, from, n_bytes);
            } else {
                join(into, from, n, sum->type, sum->reduction);
            }
        }
        if (publish) {
            memcpy(slot + at, into, n_bytes);
        }
    }
}

/* The others' slices of a piece, from their slots. */
static void collect(const HnHostSum *sum, size_t n) {
    for (int r = 0; r < sum->size; r++) {
        const size_t from = slice_begin(sum, n, r), to = slice_begin(sum, n, r + 1);
        if (r != sum->rank) {
            memcpy(sum->data + from, slot_of(sum, r) + from, to - from);
        }
    }
}

static HnStatus finish_piece(HnHostSum *sum, HnError *err) {
    const size_t n = piece_now(sum), width = hn_comm_type_bytes(sum->type);
    HnStatus status = HN_OK;
    const size_t begin = slice_begin(sum, n, sum->rank), end = slice_begin(sum, n, sum->rank + 1);
    hn_host_sum_await(sum);
    add_up(sum, begin, end, sum->across == NULL);
    if (sum->across != NULL) {
        status = sum->across(sum->context, sum->data + begin, (end - begin) / width, sum->type, sum->reduction, err);
        memcpy(slot_of(sum, sum->rank) + begin, sum->data + begin, end - begin);
    }
    hn_host_sum_barrier(sum);
    collect(sum, n);
    sum->turn++;
    sum->data += n * width;
    sum->n -= n;
    return status;
}

void hn_host_sum_start(HnHostSum *sum, void *data, size_t n, HnCommType type, HnCommReduction reduction) {
    sum->data = data;
    sum->n = n;
    sum->type = type;
    sum->reduction = reduction;
    if (n > 0) {
        lay_out(sum);
    }
}

HnStatus hn_host_sum_finish(HnHostSum *sum, HnError *err) {
    HnStatus status = HN_OK;
    while (sum->n > 0) {
        HnStatus one = finish_piece(sum, err);
        status = status == HN_OK ? one : status;
        if (sum->n > 0) {
            lay_out(sum);
        }
    }
    return status;
}
