#include "embed.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

static const float PHRASE_SHARE = 0.5F;

struct HnEmbedder {
    const HnTerms *terms;
    int dim;
    HnWords words;
    HnTermCount *counts;
    size_t capacity;
};

HnStatus hn_embedder_create(const HnTerms *terms, int dim, HnEmbedder **embedder, HnError *err) {
    if (dim < 1) {
        return hn_fail(err, HN_CONFIG, "llm.embed_dim is %d; it must be at least 1", dim);
    }
    HnEmbedder *made = hn_alloc(1, sizeof *made, "text embedder", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->terms = terms;
    made->dim = dim;
    *embedder = made;
    return HN_OK;
}

void hn_embedder_free(HnEmbedder **embedder) {
    if (*embedder) {
        hn_words_free(&(*embedder)->words);
        hn_free((*embedder)->counts);
        hn_free(*embedder);
        *embedder = NULL;
    }
}

/* vector += weight * signs of the term, 32 signs a random word: the sign bit is flipped where the bit is set. */
static void add_signs(float *vector, int dim, uint64_t hash, float weight) {
    HnRng rng;
    hn_rng_start(&rng, 0, HN_STREAM_PROJECTION, 0, hash);
    uint32_t plain;
    memcpy(&plain, &weight, sizeof plain);
    for (int begin = 0; begin < dim; begin += 32) {
        uint32_t bits = hn_rng_u32(&rng);
        int n = dim - begin < 32 ? dim - begin : 32;
        for (int i = 0; i < n; i++) {
            uint32_t flipped = plain ^ (((bits >> i) & 1U) << 31);
            float term;
            memcpy(&term, &flipped, sizeof term);
            vector[begin + i] += term;
        }
    }
}

bool hn_vector_normalise(float *vector, int dim) {
    double sum = 0.0;
    for (int i = 0; i < dim; i++) {
        sum += (double)vector[i] * (double)vector[i];
    }
    if (!(sum > 0.0)) {
        return false;
    }
    double scale = 1.0 / sqrt(sum);
    for (int i = 0; i < dim; i++) {
        vector[i] = (float)((double)vector[i] * scale);
    }
    return true;
}

HnStatus hn_embedder_text(HnEmbedder *embedder, const char *text, size_t n_bytes, float *vector, bool *empty,
                          HnError *err) {
    memset(vector, 0, (size_t)embedder->dim * sizeof *vector);
    HN_TRY(hn_words_split(&embedder->words, text, n_bytes, err));
    size_t n = 0;
    HN_TRY(hn_terms_count(&embedder->words, &embedder->counts, &embedder->capacity, &n, err));
    for (size_t i = 0; i < n; i++) {
        const HnTermCount *term = &embedder->counts[i];
        float weight = (1.0F + (float)log((double)term->count)) * hn_terms_idf(embedder->terms, term->hash);
        if (term->n_words == 2) {
            weight *= PHRASE_SHARE;
        }
        if (weight > 0.0F) {
            add_signs(vector, embedder->dim, term->hash, weight);
        }
    }
    bool some = hn_vector_normalise(vector, embedder->dim);
    if (empty) {
        *empty = !some;
    }
    return HN_OK;
}
