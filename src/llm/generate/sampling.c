#include "sampling.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "exp.h"

enum { LANES = 16, DIGITS = 2048, FEW = 256 };

struct HnSampler {
    uint32_t n_vocab;
    uint32_t *ids, *picked; /* [n_vocab] */
    float *scores, *mass;   /* [n_vocab] */
    double sums[DIGITS];
};

HnStatus hn_sampling_check(const HnSampling *s, HnError *err) {
    if (!(s->temperature >= 0 && s->temperature <= 100)) {
        return hn_fail(err, HN_RANGE, "temperature %g: from 0 (the best token) to 100", s->temperature);
    }
    if (!(s->top_p > 0 && s->top_p <= 1)) {
        return hn_fail(err, HN_RANGE, "top_p %g: above 0, to 1 (all tokens)", s->top_p);
    }
    if (!(s->repetition_penalty >= 0.01 && s->repetition_penalty <= 100)) {
        return hn_fail(err, HN_RANGE, "repetition penalty %g: from 0.01 to 100 (1: none)", s->repetition_penalty);
    }
    return HN_OK;
}

HnStatus hn_sampler_create(uint32_t n_vocab, HnSampler **sampler, HnError *err) {
    HnSampler *made = hn_alloc(1, sizeof *made, "sampler", err);
    *sampler = NULL;
    if (!made) {
        return HN_MEMORY;
    }
    made->n_vocab = n_vocab;
    made->ids = hn_alloc(n_vocab, sizeof *made->ids, "tokens to draw from", err);
    made->picked = made->ids ? hn_alloc(n_vocab, sizeof *made->picked, "tokens to draw from", err) : NULL;
    made->scores = made->picked ? hn_alloc(n_vocab, sizeof *made->scores, "logits to draw from", err) : NULL;
    made->mass = made->scores ? hn_alloc(n_vocab, sizeof *made->mass, "masses to draw from", err) : NULL;
    if (!made->mass) {
        hn_sampler_free(&made);
        return HN_MEMORY;
    }
    *sampler = made;
    return HN_OK;
}

void hn_sampler_free(HnSampler **sampler) {
    if (*sampler) {
        hn_free((*sampler)->mass);
        hn_free((*sampler)->scores);
        hn_free((*sampler)->picked);
        hn_free((*sampler)->ids);
        hn_free(*sampler);
        *sampler = NULL;
    }
}

static void penalise(const HnSampling *s, const HnChoice *c) {
    const float penalty = (float)s->repetition_penalty;
    for (size_t i = 0; i < c->n_seen && s->repetition_penalty != 1; i++) {
        float *x = &c->logits[c->seen[i]];
        *x = *x < 0 ? *x * penalty : *x / penalty;
    }
}

/* The allowed tokens with a logit, in the order of their ids. */
static size_t gather(HnSampler *sampler, const HnChoice *c) {
    size_t n = 0;
    for (uint32_t begin = 0; begin < sampler->n_vocab; begin += 64) {
        uint32_t end = sampler->n_vocab - begin < 64 ? sampler->n_vocab : begin + 64;
        uint64_t allowed = c->mask ? c->mask[begin / 64] : UINT64_MAX;
        for (uint32_t t = begin; allowed && t < end; t++) { /* branch-free: overwritten unless kept */
            sampler->ids[n] = t;
            sampler->scores[n] = c->logits[t];
            n += (allowed >> (t - begin) & 1) && c->logits[t] > -INFINITY;
        }
    }
    return n;
}

static float largest(const float *x, size_t n) {
    float lanes[LANES], best = -INFINITY;
    size_t i = 0;
    for (int j = 0; j < LANES; j++) {
        lanes[j] = -INFINITY;
    }
    for (; i + LANES <= n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            lanes[j] = x[i + (size_t)j] > lanes[j] ? x[i + (size_t)j] : lanes[j];
        }
    }
    for (; i < n; i++) {
        best = x[i] > best ? x[i] : best;
    }
    for (int j = 0; j < LANES; j++) {
        best = lanes[j] > best ? lanes[j] : best;
    }
    return best;
}

/* Bits whose order as numbers is that of the floats. */
static uint32_t ordered(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

/* Finds where the weights of scores, summed from the largest down, reach target: the score's ordered bits, and the sum
 * over larger ones. Eleven bits a round, each among those that agree so far. weights NULL: each counts 1. */
static uint32_t find_cut(HnSampler *sampler, size_t n, const float *weights, double target, double *before) {
    static const int shifts[] = {21, 10, 0}, bits[] = {11, 11, 10};
    uint32_t cut = 0;
    size_t n_picked = n;
    *before = 0;
    for (int round = 0; round < 3; round++) {
        const uint32_t digit_mask = (1U << bits[round]) - 1;
        memset(sampler->sums, 0, sizeof sampler->sums);
        size_t n_kept = 0;
        for (size_t i = 0; i < n_picked; i++) {
            size_t at = round == 0 ? i : sampler->picked[i];
            uint32_t key = ordered(sampler->scores[at]);
            if (round > 0 && (key >> shifts[round - 1]) != (cut >> shifts[round - 1])) {
                continue;
            }
            sampler->picked[n_kept++] = (uint32_t)at;
            sampler->sums[key >> shifts[round] & digit_mask] += weights ? (double)weights[at] : 1;
        }
        n_picked = n_kept;
        uint32_t digit = digit_mask + 1, last = 0;
        while (digit-- > 0) {
            if (sampler->sums[digit] > 0) {
                last = digit;
                if (*before + sampler->sums[digit] >= target) {
                    break;
                }
                *before += sampler->sums[digit];
            }
        }
        if (digit == UINT32_MAX) { /* by rounding target was not reached: the smallest score ends it */
            *before -= sampler->sums[last];
        }
        cut |= last << shifts[round];
    }
    return cut;
}

/* Keeps the scores above cut, and those at it while weights before them are less than target (all where target is 0).
 */
static size_t keep(HnSampler *sampler, size_t n, float *weights, uint32_t cut, double before, double target) {
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t key = ordered(sampler->scores[i]);
        bool tied = key == cut;
        if (key < cut || (tied && target > 0 && before >= target)) {
            continue;
        }
        before += tied && weights ? (double)weights[i] : 0;
        sampler->ids[n_kept] = sampler->ids[i];
        sampler->scores[n_kept] = sampler->scores[i];
        if (weights) {
            weights[n_kept] = weights[i];
        }
        n_kept++;
    }
    return n_kept;
}

static double sum(const float *x, size_t n) {
    double lanes[LANES] = {0}, total = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += (double)x[i + j];
        }
    }
    for (; i < n; i++) {
        total += (double)x[i];
    }
    for (int j = 0; j < LANES; j++) {
        total += lanes[j];
    }
    return total;
}

/* The sum of the weights (NULL: 1 each) of scores not below bound. */
static double sum_above(const float *scores, const float *weights, size_t n, float bound) {
    double total = 0;
    for (size_t begin = 0; begin < n; begin += 4096) {
        size_t end = n - begin < 4096 ? n : begin + 4096, i = begin;
        float lanes[LANES] = {0};
        for (; i + LANES <= end; i += LANES) {
            for (size_t j = 0; j < LANES; j++) {
                lanes[j] += scores[i + j] >= bound ? (weights ? weights[i + j] : 1) : 0;
            }
        }
        for (; i < end; i++) {
            lanes[0] += scores[i] >= bound ? (weights ? weights[i] : 1) : 0;
        }
        for (int j = 0; j < LANES; j++) {
            total += (double)lanes[j];
        }
    }
    return total;
}

/* Before a cut is looked for: drops scores so far below the best that those above them have reached target. Logits are
 * bell-shaped, so that few of a large vocabulary are left. */
static size_t drop_low(HnSampler *sampler, size_t n, float *weights, double target, float best) {
    for (float below = 2; below <= 32 && n > FEW; below *= 2) {
        const float bound = best - below;
        if (sum_above(sampler->scores, weights, n, bound) < target * 1.0001) { /* rounding must not decide */
            continue;
        }
        size_t n_kept = 0;
        for (size_t i = 0; i < n; i++) { /* branch-free */
            sampler->ids[n_kept] = sampler->ids[i];
            sampler->scores[n_kept] = sampler->scores[i];
            if (weights) {
                weights[n_kept] = weights[i];
            }
            n_kept += sampler->scores[i] >= bound;
        }
        return n_kept;
    }
    return n;
}

HnStatus hn_sampler_candidates(HnSampler *sampler, const HnSampling *s, const HnChoice *c, HnCandidates *candidates,
                               HnError *err) {
    penalise(s, c);
    size_t n = gather(sampler, c);
    const float temperature = (float)s->temperature, best = largest(sampler->scores, n) / temperature;
    if (n == 0 || !(best < INFINITY)) {
        return hn_fail(err, HN_NUMERIC, n == 0 ? "no token is left to choose from" : "a logit is infinite");
    }
    for (size_t i = 0; i < n; i++) {
        sampler->scores[i] /= temperature;
    }
    double before = 0;
    if (s->top_k > 0 && s->top_k < n) {
        n = drop_low(sampler, n, NULL, (double)s->top_k, best);
        uint32_t cut = find_cut(sampler, n, NULL, (double)s->top_k, &before);
        n = keep(sampler, n, NULL, cut, 0, 0);
    }
    memcpy(sampler->mass, sampler->scores, n * sizeof *sampler->mass);
    hn_exp_cpu(sampler->mass, n, 1, -best);
    if (s->top_p < 1) {
        /* At least the largest: a target above 0 is reached by it or later. */
        double target = fmax(s->top_p * sum(sampler->mass, n), 1e-300);
        n = drop_low(sampler, n, sampler->mass, target, best);
        uint32_t cut = find_cut(sampler, n, sampler->mass, target, &before);
        n = keep(sampler, n, sampler->mass, cut, before, target);
    }
    *candidates = (HnCandidates){sampler->ids, sampler->mass, n, sum(sampler->mass, n)};
    return HN_OK;
}

static HnStatus choose_best(const HnSampler *sampler, const HnChoice *c, uint32_t *token, HnError *err) {
    if (c->mask) {
        for (uint32_t begin = 0; begin < sampler->n_vocab; begin += 64) {
            uint32_t end = sampler->n_vocab - begin < 64 ? sampler->n_vocab : begin + 64;
            for (uint32_t t = begin; ~c->mask[begin / 64] && t < end; t++) {
                c->logits[t] = c->mask[begin / 64] >> (t - begin) & 1 ? c->logits[t] : -INFINITY;
            }
        }
    }
    const float best = largest(c->logits, sampler->n_vocab);
    if (!(best > -INFINITY && best < INFINITY)) {
        return hn_fail(err, HN_NUMERIC, best > 0 ? "a logit is infinite" : "no token is left to choose from");
    }
    *token = 0;
    while (c->logits[*token] != best) {
        ++*token;
    }
    return HN_OK;
}

HnStatus hn_sampler_choose(HnSampler *sampler, const HnSampling *s, const HnChoice *c, uint32_t *token, HnError *err) {
    if (s->temperature <= 0) {
        penalise(s, c);
        return choose_best(sampler, c, token, err);
    }
    HnCandidates from;
    HN_TRY(hn_sampler_candidates(sampler, s, c, &from, err));
    HnRng rng;
    hn_rng_start(&rng, s->seed, HN_STREAM_TOKEN, c->position, c->key);
    double drawn = hn_rng_double(&rng) * from.total, passed = 0;
    size_t at = 0;
    for (; at + 1 < from.n; at++) {
        passed += (double)from.mass[at];
        if (passed > drawn) {
            break;
        }
    }
    *token = from.ids[at];
    return HN_OK;
}
