#include "merges.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

#define EMPTY UINT64_MAX
#define NO_RANK UINT32_MAX

static inline uint64_t pair_of(uint32_t first, uint32_t second) {
    return (uint64_t)first << 32 | second;
}

static inline HnMerge *find(const HnMerges *merges, uint32_t first, uint32_t second) {
    const uint64_t pair = pair_of(first, second);
    uint64_t at = (pair * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & merges->mask;
    while (merges->slots[at].pair != pair && merges->slots[at].pair != EMPTY) {
        at = (at + 1) & merges->mask;
    }
    return &merges->slots[at];
}

/* rank is NO_RANK in empty slots. */
static inline uint32_t rank_of(const HnMerges *merges, uint32_t first, uint32_t second) {
    return find(merges, first, second)->rank;
}

static HnStatus grow(HnMerges *merges, HnError *err) {
    const HnMerges old = *merges;
    const uint64_t n_slots = old.slots == NULL ? 1024 : 2 * (old.mask + 1);
    merges->slots = hn_alloc(n_slots, sizeof *merges->slots, "the merges of a vocabulary", err);
    if (merges->slots == NULL) {
        *merges = old;
        return HN_MEMORY;
    }
    merges->mask = n_slots - 1;
    for (uint64_t i = 0; i < n_slots; i++) {
        merges->slots[i] = (HnMerge){EMPTY, NO_RANK, 0};
    }
    for (uint64_t i = 0; old.slots != NULL && i <= old.mask; i++) {
        if (old.slots[i].pair != EMPTY) {
            *find(merges, (uint32_t)(old.slots[i].pair >> 32), (uint32_t)old.slots[i].pair) = old.slots[i];
        }
    }
    hn_free(old.slots);
    return HN_OK;
}

HnStatus hn_merges_start(HnMerges *merges, HnError *err) {
    return grow(merges, err);
}

void hn_merges_free(HnMerges *merges) {
    hn_free(merges->slots);
}

HnStatus hn_merges_add(HnMerges *merges, uint32_t first, uint32_t second, uint32_t rank, uint32_t id, HnError *err) {
    if (2 * (merges->n + 1) > merges->mask + 1) {
        HN_TRY(grow(merges, err));
    }
    HnMerge *slot = find(merges, first, second);
    if (slot->pair != EMPTY) {
        return hn_fail(err, HN_FORMAT, "tokens %u and %u are merged by two rules, to %u and to %u", first, second,
                       slot->id, id);
    }
    *slot = (HnMerge){pair_of(first, second), rank, id};
    merges->n++;
    return HN_OK;
}

size_t hn_merges_apply_short(const HnMerges *merges, uint32_t *ids, size_t n) {
    uint32_t ranks[HN_MERGES_SHORT]; /* of ids[i] with ids[i + 1] */
    for (size_t i = 0; i + 1 < n; i++) {
        ranks[i] = rank_of(merges, ids[i], ids[i + 1]);
    }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++) {
            best = ranks[i] < ranks[best] ? i : best;
        }
        if (ranks[best] == NO_RANK) {
            break;
        }
        ids[best] = find(merges, ids[best], ids[best + 1])->id;
        n--;
        for (size_t i = best + 1; i < n; i++) {
            ids[i] = ids[i + 1];
            ranks[i - 1] = ranks[i];
        }
        if (best > 0) {
            ranks[best - 1] = rank_of(merges, ids[best - 1], ids[best]);
        }
        if (best + 1 < n) {
            ranks[best] = rank_of(merges, ids[best], ids[best + 1]);
        }
    }
    return n;
}

/* ---- the long way ---- */

#define NOWHERE UINT32_MAX

/* A linked list of what is left, by places in ids; a heap of pairs that may be merged, some of them gone by the time
 * they come up: then their two ids are no longer those. */
typedef struct Candidate {
    uint32_t rank, at; /* the smallest comes first: by rank, then by place */
    uint32_t first, second;
} Candidate;

typedef struct Long {
    const HnMerges *merges;
    uint32_t *ids;            /* NOWHERE: merged into what stands before */
    uint32_t *before, *after; /* [n] */
    Candidate *heap;
    size_t n_heap;
} Long;

static inline bool comes_first(const Candidate *a, const Candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(Long *word, Candidate candidate) {
    size_t at = word->n_heap++;
    while (at > 0 && comes_first(&candidate, &word->heap[(at - 1) / 2])) {
        word->heap[at] = word->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    word->heap[at] = candidate;
}

static Candidate heap_pop(Long *word) {
    const Candidate top = word->heap[0], last = word->heap[--word->n_heap];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= word->n_heap) {
            break;
        }
        if (child + 1 < word->n_heap && comes_first(&word->heap[child + 1], &word->heap[child])) {
            child++;
        }
        if (!comes_first(&word->heap[child], &last)) {
            break;
        }
        word->heap[at] = word->heap[child];
        at = child;
    }
    word->heap[at] = last;
    return top;
}

static void consider(Long *word, uint32_t at) {
    if (at == NOWHERE || word->after[at] == NOWHERE) {
        return;
    }
    const uint32_t first = word->ids[at], second = word->ids[word->after[at]];
    const uint32_t rank = rank_of(word->merges, first, second);
    if (rank != NO_RANK) {
        heap_push(word, (Candidate){rank, at, first, second});
    }
}

static void merge_all(Long *word) {
    while (word->n_heap > 0) {
        const Candidate pair = heap_pop(word);
        const uint32_t at = pair.at, right = word->after[at];
        if (word->ids[at] != pair.first || right == NOWHERE || word->ids[right] != pair.second) {
            continue;
        }
        word->ids[at] = find(word->merges, pair.first, pair.second)->id;
        word->ids[right] = NOWHERE;
        word->after[at] = word->after[right];
        if (word->after[at] != NOWHERE) {
            word->before[word->after[at]] = at;
        }
        consider(word, word->before[at]);
        consider(word, at);
    }
}

HnStatus hn_merges_apply_long(const HnMerges *merges, uint32_t *ids, size_t n, size_t *n_left, HnError *err) {
    if (n >= NOWHERE / 4) {
        return hn_fail(err, HN_RANGE, "a text of %zu symbols without a place to cut it is too long", n);
    }
    Long word = {.merges = merges, .ids = ids};
    /* Each pair at the start and two for each merge, of which there are fewer than n; one pair leaves for each merge.
     */
    word.heap = hn_alloc(2 * n + 1, sizeof *word.heap, "a word's merges", err);
    word.before = hn_alloc(2 * n + 1, sizeof *word.before, "a word's symbols", err);
    if (word.heap == NULL || word.before == NULL) {
        hn_free(word.before);
        hn_free(word.heap);
        return HN_MEMORY;
    }
    word.after = word.before + n;
    for (size_t i = 0; i < n; i++) {
        word.before[i] = i == 0 ? NOWHERE : (uint32_t)i - 1;
        word.after[i] = i + 1 == n ? NOWHERE : (uint32_t)i + 1;
    }
    for (size_t i = 0; i < n; i++) {
        consider(&word, (uint32_t)i);
    }
    merge_all(&word);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] != NOWHERE) {
            ids[kept++] = ids[i];
        }
    }
    *n_left = kept;
    hn_free(word.before);
    hn_free(word.heap);
    return HN_OK;
}

HnStatus hn_merges_apply(const HnMerges *merges, uint32_t *ids, size_t n, size_t *n_left, HnError *err) {
    if (n > HN_MERGES_SHORT) {
        return hn_merges_apply_long(merges, ids, n, n_left, err);
    }
    *n_left = hn_merges_apply_short(merges, ids, n);
    return HN_OK;
}
