/* Counter-based randomness: every draw is a pure function of (seed, stream, a, b, draw). No hidden state, so a draw
 * does not depend on which rank or thread makes it, nor on what was drawn before.
 *
 * Generator: Philox4x32-10 (Salmon et al., SC'11), from Random123. Counter = (a, b), key = mix(seed, stream).
 */
#ifndef HN_BASE_RNG_H
#define HN_BASE_RNG_H

#include <stdint.h>

/* One stream a purpose: two purposes never share one. Append only: the numbers are part of every result. */
typedef enum HnRngStream {
    HN_STREAM_INIT_USER = 1,     /* initial user embeddings: a = user, b = column / 4 */
    HN_STREAM_INIT_ITEM = 2,     /* initial item embeddings */
    HN_STREAM_INIT_LAYER = 3,    /* initial weights of dense layers: a = layer and matrix, b = index / 4 */
    HN_STREAM_SHUFFLE = 4,       /* order of the training pairs: a = epoch */
    HN_STREAM_NEGATIVE = 5,      /* negative candidates: a = epoch, b = pair */
    HN_STREAM_SPLIT = 6,         /* train/valid/test split: a = user, b = position */
    HN_STREAM_SYNTHETIC = 7,     /* the synthetic world */
    HN_STREAM_PROJECTION = 8,    /* random projection of the extractive embedder */
    HN_STREAM_RANDOM_VECTOR = 9, /* control: random vectors in place of hard-negative vectors */
    HN_STREAM_DROPOUT = 10,
    HN_STREAM_PROVIDER = 11,    /* a provider's own choices, e.g. jitter of retries and sampled text */
    HN_STREAM_AUGMENT = 12,     /* what SGL's views leave out: a = epoch, view and layer */
    HN_STREAM_TRAIN_SHARE = 20, /* train pairs that data.train_share keeps: a = user, b = position */
    HN_STREAM_TUNE = 21,        /* settings of tuning trials: a = trial, b = range */
    HN_STREAM_LOOK = 22,        /* users whose negatives are looked at: a permutation of all */
    HN_STREAM_VALID_SHARE = 23, /* train pairs that data.valid_share takes: a = user, b = place among them */
    HN_STREAM_EPOCH_PAIR = 30,  /* pairs of an epoch that draws them: a = epoch, b = slot */
    HN_STREAM_EPOCH_USER = 31,  /* users of a batch: a permutation of all; a = batches before it, over all epochs */
    HN_STREAM_MIX = 40,         /* mixing negatives with positives: a = epoch, b = pair, or pair, item and hop */
    HN_STREAM_CORRELATION = 50, /* rows that DGCF correlates: a = 2 * step + (0 users, 1 items) */
    HN_STREAM_TOKEN = 60,       /* tokens of the native language model: a = position in the answer, b = request's key */
    HN_STREAM_TEST = 1000       /* tests only */
} HnRngStream;

typedef struct HnRng {
    uint32_t key[2];
    uint32_t counter[4]; /* counter[0] counts blocks of 4 words drawn so far; the rest is (a, b) */
    uint32_t block[4];
    uint32_t used; /* words of block handed out */
} HnRng;

/* Starts the sequence (seed, stream, a, b). a uses 32 bits, b 64 bits. */
void hn_rng_start(HnRng *rng, uint64_t seed, HnRngStream stream, uint32_t a, uint64_t b);

uint32_t hn_rng_u32(HnRng *rng);
uint64_t hn_rng_u64(HnRng *rng);
uint32_t hn_rng_below(HnRng *rng, uint32_t bound); /* uniform on 0 .. bound-1, unbiased; bound > 0 */
uint64_t hn_rng_below64(HnRng *rng, uint64_t bound);
float hn_rng_float(HnRng *rng);   /* uniform on [0, 1), multiples of 2^-24 */
double hn_rng_double(HnRng *rng); /* uniform on [0, 1), multiples of 2^-53 */
double hn_rng_normal(HnRng *rng); /* standard normal (Box-Muller, one of the pair) */

/* A pseudo-random permutation of 0 .. n-1, evaluated point by point with no table (a Feistel network over Philox with
 * cycle walking): hn_permute maps a position to an element, hn_permute_inverse back. Any rank can ask where its own
 * training pairs fall in an epoch without knowing the others'. */
typedef struct HnPermutation {
    uint64_t n;
    uint32_t half_bits;
    uint32_t key[2];
} HnPermutation;

void hn_permutation_start(HnPermutation *permutation, uint64_t n, uint64_t seed, HnRngStream stream, uint32_t a);
uint64_t hn_permute(const HnPermutation *permutation, uint64_t position);
uint64_t hn_permute_inverse(const HnPermutation *permutation, uint64_t element);
/* positions[i] = hn_permute_inverse(first + i) for i < n, several at a time. */
void hn_permute_inverse_run(const HnPermutation *permutation, uint64_t first, uint64_t n, uint64_t *positions);

#endif
