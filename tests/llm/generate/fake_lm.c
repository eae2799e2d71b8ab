#include "fake_lm.h"

#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "base/mix.h"

enum { PARTS = 4, MOST_TOKENS = 4096, MOST_SEQUENCES = 64 };

struct HnLm {
    HnLmConfig config;
    float eos_bonus;
    uint32_t most_runs, most_tokens;
};

typedef struct Sequence {
    bool used;
    uint32_t n;
    uint32_t tokens[MOST_TOKENS];
    int32_t pages[MOST_TOKENS / HN_KV_PAGE];
} Sequence;

struct HnKv {
    uint32_t n_pages, n_free, n_sequences;
    uint32_t *uses; /* [n_pages] */
    Sequence sequences[MOST_SEQUENCES];
};

HnLm *fake_lm_create(uint32_t n_vocab, uint32_t n_positions, float eos_bonus) {
    HnLm *lm = hn_alloc(1, sizeof *lm, "fake model", NULL);
    lm->config = (HnLmConfig){.causal = true,
                              .has_head = true,
                              .hidden = PARTS,
                              .n_vocab = n_vocab,
                              .n_positions = n_positions,
                              .eos = {1},
                              .n_eos = 1};
    lm->eos_bonus = eos_bonus;
    return lm;
}

void fake_lm_free(HnLm **lm) {
    hn_free(*lm);
    *lm = NULL;
}

void fake_lm_peaks(HnLm *lm, uint32_t *n_runs, uint32_t *n_tokens) {
    *n_runs = lm->most_runs;
    *n_tokens = lm->most_tokens;
    lm->most_runs = lm->most_tokens = 0;
}

static uint64_t hash_of(const uint32_t *tokens, uint32_t n) {
    uint64_t hash = n;
    for (uint32_t i = 0; i < n; i++) {
        hash = hn_mix64(hash ^ tokens[i]);
    }
    return hash;
}

static void logits_of(const HnLm *lm, uint64_t hash, float *logits) {
    for (uint32_t t = 0; t < lm->config.n_vocab; t++) {
        logits[t] = (float)(hn_mix64(hash + t) >> 54) / 128; /* 1024 values: the best ones may be equal */
    }
    logits[1] += lm->eos_bonus;
}

void fake_lm_logits(const HnLm *lm, const uint32_t *tokens, uint32_t n, float *logits) {
    logits_of(lm, hash_of(tokens, n), logits);
}

const HnLmConfig *hn_lm_config(const HnLm *lm) {
    return &lm->config;
}

HnStatus hn_kv_create(const HnLm *lm, uint32_t n_pages, uint32_t n_sequences, HnKv **kv, HnError *err) {
    (void)lm;
    *kv = NULL;
    if (n_sequences > MOST_SEQUENCES) {
        return hn_fail(err, HN_RANGE, "the fake cache has %d sequences", MOST_SEQUENCES);
    }
    HnKv *made = hn_alloc(1, sizeof *made, "fake cache", err);
    if (made) {
        made->n_pages = made->n_free = n_pages;
        made->n_sequences = n_sequences;
        made->uses = hn_alloc(n_pages, sizeof *made->uses, "fake pages", err);
        if (!made->uses) {
            hn_free(made);
            return HN_MEMORY;
        }
    }
    *kv = made;
    return made ? HN_OK : HN_MEMORY;
}

void hn_kv_free(HnKv **kv) {
    if (*kv) {
        hn_free((*kv)->uses);
        hn_free(*kv);
        *kv = NULL;
    }
}

static int32_t take_page(HnKv *kv) {
    for (uint32_t i = 0; i < kv->n_pages; i++) {
        if (kv->uses[i] == 0) {
            kv->uses[i] = 1;
            kv->n_free--;
            return (int32_t)i;
        }
    }
    return -1;
}

int32_t hn_kv_begin(HnKv *kv) {
    for (uint32_t i = 0; i < kv->n_sequences; i++) {
        if (!kv->sequences[i].used) {
            kv->sequences[i].used = true;
            kv->sequences[i].n = 0;
            return (int32_t)i;
        }
    }
    return -1;
}

static Sequence *live(const HnKv *kv, int32_t sequence) {
    const Sequence *s = &kv->sequences[sequence];
    if (sequence < 0 || (uint32_t)sequence >= kv->n_sequences || !s->used) {
        __builtin_trap();
    }
    return (Sequence *)(uintptr_t)s;
}

int32_t hn_kv_fork(HnKv *kv, int32_t parent, uint32_t n_tokens) {
    Sequence *from = live(kv, parent);
    if (n_tokens > from->n) {
        __builtin_trap();
    }
    int32_t child = hn_kv_begin(kv);
    if (child < 0 || (n_tokens % HN_KV_PAGE && kv->n_free == 0)) {
        if (child >= 0) {
            kv->sequences[child].used = false;
        }
        return -1;
    }
    Sequence *to = &kv->sequences[child];
    memcpy(to->tokens, from->tokens, n_tokens * sizeof *to->tokens);
    to->n = n_tokens;
    for (uint32_t page = 0; page < n_tokens / HN_KV_PAGE; page++) {
        to->pages[page] = from->pages[page];
        kv->uses[to->pages[page]]++;
    }
    if (n_tokens % HN_KV_PAGE) {
        to->pages[n_tokens / HN_KV_PAGE] = take_page(kv);
    }
    return child;
}

void hn_kv_end(HnKv *kv, int32_t sequence) {
    Sequence *s = live(kv, sequence);
    for (uint32_t page = 0; page * HN_KV_PAGE < s->n; page++) {
        kv->n_free += --kv->uses[s->pages[page]] == 0;
    }
    s->used = false;
}

uint32_t hn_kv_length(const HnKv *kv, int32_t sequence) {
    return live(kv, sequence)->n;
}

uint32_t hn_kv_free_pages(const HnKv *kv) {
    return kv->n_free;
}

uint32_t hn_kv_pages_for(const HnKv *kv, int32_t sequence, uint32_t n_tokens) {
    uint32_t n = live(kv, sequence)->n;
    return (n + n_tokens + HN_KV_PAGE - 1) / HN_KV_PAGE - (n + HN_KV_PAGE - 1) / HN_KV_PAGE;
}

HnStatus hn_lm_forward(HnLm *lm, HnKv *kv, const HnLmRun *runs, size_t n_runs, HnLmRows rows, float *hidden,
                       HnError *err) {
    uint32_t n_tokens = 0;
    for (size_t i = 0; i < n_runs; i++) {
        Sequence *s = live(kv, runs[i].sequence);
        if (rows != HN_LM_LAST || runs[i].n_tokens == 0 || s->n + runs[i].n_tokens > lm->config.n_positions) {
            return hn_fail(err, HN_RANGE, "a run that no model takes");
        }
        for (uint32_t t = 0; t < runs[i].n_tokens; t++) {
            if (s->n % HN_KV_PAGE == 0) {
                s->pages[s->n / HN_KV_PAGE] = take_page(kv);
                if (s->pages[s->n / HN_KV_PAGE] < 0) {
                    return hn_fail(err, HN_RANGE, "no page is left");
                }
            }
            s->tokens[s->n++] = runs[i].tokens[t];
        }
        uint64_t hash = hash_of(s->tokens, s->n);
        for (int part = 0; part < PARTS; part++) {
            hidden[i * PARTS + (size_t)part] = (float)(hash >> (16 * part) & 0xffff);
        }
        n_tokens += runs[i].n_tokens;
    }
    lm->most_runs = n_runs > lm->most_runs ? (uint32_t)n_runs : lm->most_runs;
    lm->most_tokens = n_tokens > lm->most_tokens ? n_tokens : lm->most_tokens;
    return HN_OK;
}

HnStatus hn_lm_logits(HnLm *lm, int64_t m, const float *hidden, float *logits, HnError *err) {
    (void)err;
    for (int64_t i = 0; i < m; i++) {
        uint64_t hash = 0;
        for (int part = PARTS; part-- > 0;) {
            hash = hash << 16 | (uint64_t)hidden[i * PARTS + part];
        }
        logits_of(lm, hash, logits + i * lm->config.n_vocab);
    }
    return HN_OK;
}
