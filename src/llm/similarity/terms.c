#include "terms.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { N_BUCKETS = 1 << 20 };

struct HnTerms {
    uint64_t n_documents, n_words;
    uint32_t *frequency; /* [N_BUCKETS] */
    HnTermCount *counts; /* scratch */
    size_t capacity;
};

HnStatus hn_terms_create(HnTerms **terms, HnError *err) {
    HnTerms *made = hn_alloc(1, sizeof *made, "term statistics", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->frequency = hn_alloc(N_BUCKETS, sizeof *made->frequency, "document frequencies", err);
    if (!made->frequency) {
        hn_free(made);
        return HN_MEMORY;
    }
    *terms = made;
    return HN_OK;
}

void hn_terms_free(HnTerms **terms) {
    if (*terms) {
        hn_free((*terms)->counts);
        hn_free((*terms)->frequency);
        hn_free(*terms);
        *terms = NULL;
    }
}

/* By hash; equal hashes by place, so that the first occurrence stands first. */
static int by_hash(const void *a, const void *b) {
    const HnTermCount *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->word < y->word ? -1 : x->word > y->word;
}

HnStatus hn_terms_count(const HnWords *words, HnTermCount **counts, size_t *capacity, size_t *n, HnError *err) {
    size_t most = words->n * 2;
    if (*capacity < most) {
        HN_TRY(hn_resize(counts, *capacity * sizeof **counts, most, sizeof **counts, "term counts", err));
        *capacity = most;
    }
    HnTermCount *all = *counts;
    size_t n_all = 0;
    for (size_t i = 0; i < words->n; i++) {
        const HnWord *word = &words->words[i];
        all[n_all++] = (HnTermCount){word->hash, 1, (uint32_t)i, 1};
        if (word->follows && i > 0) {
            all[n_all++] =
                (HnTermCount){hn_words_phrase(words->words[i - 1].hash, word->hash), 1, (uint32_t)(i - 1), 2};
        }
    }
    *n = 0;
    if (n_all == 0) {
        return HN_OK;
    }
    qsort(all, n_all, sizeof *all, by_hash);
    for (size_t i = 0; i < n_all; i++) {
        if (*n > 0 && all[*n - 1].hash == all[i].hash) {
            all[*n - 1].count++;
        } else {
            all[(*n)++] = all[i];
        }
    }
    return HN_OK;
}

HnStatus hn_terms_add_document(HnTerms *terms, const HnWords *words, HnError *err) {
    size_t n = 0;
    HN_TRY(hn_terms_count(words, &terms->counts, &terms->capacity, &n, err));
    for (size_t i = 0; i < n; i++) {
        uint32_t *slot = &terms->frequency[terms->counts[i].hash % N_BUCKETS];
        if (*slot < UINT32_MAX) {
            (*slot)++;
        }
    }
    terms->n_documents++;
    terms->n_words += words->n;
    return HN_OK;
}

uint64_t hn_terms_documents(const HnTerms *terms) {
    return terms->n_documents;
}

uint32_t hn_terms_frequency(const HnTerms *terms, uint64_t hash) {
    return terms->frequency[hash % N_BUCKETS];
}

float hn_terms_idf(const HnTerms *terms, uint64_t hash) {
    double df = (double)hn_terms_frequency(terms, hash), n = (double)terms->n_documents;
    /* Two terms of one document may share a bucket, so df can pass n: never below zero. */
    return df >= n ? 0.0F : (float)log((1.0 + n) / (1.0 + df));
}

double hn_terms_expected(const HnTerms *terms, uint64_t hash, uint64_t n_words) {
    double share = (1.0 + (double)hn_terms_frequency(terms, hash)) / (1.0 + (double)terms->n_words);
    return share * (double)n_words;
}
