/* Sampling: transformers' golden distributions, a plain reference that sorts, and draws that fit them. */
#include "vocabularies.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "llm/generate/sampling.h"

enum { MOST = 2000 };

static HnSampler *make_sampler(uint32_t n_vocab) {
    HnError err = HN_ERROR_INIT;
    HnSampler *sampler = NULL;
    assert_int_equal(hn_sampler_create(n_vocab, &sampler, &err), HN_OK);
    return sampler;
}

/* As tests/peers/make_golden_sampling.py. */
static void golden_logits(uint32_t n_vocab, uint32_t salt, double step, float *logits) {
    for (uint32_t i = 0; i < n_vocab; i++) {
        uint32_t h = i * 2654435761U + salt * 97531U;
        h = (h ^ (h >> 15)) * 2246822519U;
        h ^= h >> 13;
        double x = (double)(h >> 12) / 65536 - 8;
        logits[i] = (float)(step > 0 ? floor(x / step) * step : x);
    }
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static size_t distinct(const json_t *list, uint32_t *ids) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        uint32_t id = (uint32_t)json_integer_value(json_array_get(list, i));
        size_t j = 0;
        while (j < n && ids[j] != id) {
            j++;
        }
        ids[j] = id;
        n += j == n;
    }
    return n;
}

static void check_golden(const json_t *golden) {
    static float logits[MOST];
    uint32_t n_vocab = (uint32_t)number(golden, "n_vocab"), seen[MOST];
    HnSampling sampling = {.temperature = number(golden, "temperature"),
                           .top_k = (uint32_t)number(golden, "top_k"),
                           .top_p = number(golden, "top_p"),
                           .repetition_penalty = number(golden, "penalty")};
    HnSampler *sampler = make_sampler(n_vocab);
    HnError err = HN_ERROR_INIT;
    HnCandidates got;
    golden_logits(n_vocab, (uint32_t)number(golden, "salt"), number(golden, "step"), logits);
    HnChoice choice = {.logits = logits, .seen = seen, .n_seen = distinct(json_object_get(golden, "seen"), seen)};
    assert_int_equal(hn_sampling_check(&sampling, &err), HN_OK);
    assert_int_equal(hn_sampler_candidates(sampler, &sampling, &choice, &got, &err), HN_OK);
    const json_t *ids = json_object_get(golden, "ids"), *wanted = json_object_get(golden, "probabilities");
    assert_int_equal(got.n, json_array_size(ids));
    for (size_t i = 0; i < got.n; i++) {
        double p = json_number_value(json_array_get(wanted, i));
        assert_int_equal(got.ids[i], json_integer_value(json_array_get(ids, i)));
        assert_true(fabs((double)got.mass[i] / got.total - p) <= 1e-5 * p + 1e-12);
    }
    hn_sampler_free(&sampler);
}

static void test_as_transformers(void **state) {
    (void)state;
    json_error_t error;
    json_t *golden = json_load_file(HN_SOURCE_DIR "/tests/fixtures/golden/sampling.json", 0, &error);
    assert_true(json_array_size(golden) >= 16);
    for (size_t i = 0; i < json_array_size(golden); i++) {
        check_golden(json_array_get(golden, i));
    }
    json_decref(golden);
}

typedef struct Ranked {
    float score;
    double mass;
    uint32_t id;
} Ranked;

static int best_first(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->id < y->id ? -1 : 1;
}

/* The same by sorting. Whether each token stays. */
static void reference(const HnSampling *s, uint32_t n, const float *logits, const uint64_t *mask, bool *stays) {
    static Ranked ranked[MOST];
    size_t n_ranked = 0;
    double total = 0, before = 0;
    for (uint32_t t = 0; t < n; t++) {
        stays[t] = false;
        if (mask_has(mask, t) && logits[t] > -INFINITY) {
            ranked[n_ranked++] = (Ranked){logits[t] / (float)s->temperature, 0, t};
        }
    }
    qsort(ranked, n_ranked, sizeof *ranked, best_first);
    if (s->top_k > 0 && s->top_k < n_ranked) {
        size_t k = s->top_k;
        while (k < n_ranked && ranked[k].score == ranked[s->top_k - 1].score) {
            k++;
        }
        n_ranked = k;
    }
    for (size_t i = 0; i < n_ranked; i++) {
        ranked[i].mass = exp((double)ranked[i].score - (double)ranked[0].score);
        total += ranked[i].mass;
    }
    for (size_t i = 0; i < n_ranked; i++) {
        stays[ranked[i].id] = i == 0 || s->top_p >= 1 || before < s->top_p * total;
        before += ranked[i].mass;
    }
}

static void test_as_sorted(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 2, 15, 16, 17, 63, 64, 65, 127, 129, 1000, 1999};
    static float logits[MOST];
    static bool stays[MOST];
    uint32_t n_kept = 0, n_dropped = 0;
    for (uint32_t round = 0; round < 3000; round++) {
        HnRng rng;
        HnError err = HN_ERROR_INIT;
        hn_rng_start(&rng, 1, HN_STREAM_TEST, 7, round);
        uint32_t n = sizes[round % 12];
        uint64_t mask[MOST / 64 + 1];
        /* From all equal over many equal to none equal; wide and narrow. */
        double step = round % 3 == 0 ? 0 : 0.5, width = pow(10, hn_rng_double(&rng) * 4 - 2);
        for (uint32_t t = 0; t < n; t++) {
            double x = hn_rng_normal(&rng);
            logits[t] = (float)(width * (step > 0 ? floor(x / step) * step : x));
            logits[t] = hn_rng_below(&rng, 50) == 0 ? -INFINITY : logits[t];
        }
        for (uint32_t w = 0; w <= n / 64; w++) {
            mask[w] = round % 2 ? UINT64_MAX : hn_rng_u64(&rng) | hn_rng_u64(&rng);
        }
        uint32_t sure = hn_rng_below(&rng, n);
        mask[sure / 64] |= UINT64_C(1) << (sure % 64);
        logits[sure] = 0.25F;
        HnSampling sampling = {.temperature = 0.1 + 2 * hn_rng_double(&rng),
                               .top_k = round % 4 == 0 ? 0 : 1 + hn_rng_below(&rng, n),
                               .top_p = round % 5 == 0 ? 1 : hn_rng_double(&rng),
                               .repetition_penalty = 1};
        reference(&sampling, n, logits, mask, stays);
        HnSampler *sampler = make_sampler(n);
        HnChoice choice = {.logits = logits, .mask = round % 2 ? NULL : mask};
        HnCandidates got;
        assert_int_equal(hn_sampler_candidates(sampler, &sampling, &choice, &got, &err), HN_OK);
        size_t at = 0;
        for (uint32_t t = 0; t < n; t++) {
            bool has = at < got.n && got.ids[at] == t;
            assert_int_equal(has, stays[t]);
            n_kept += has;
            n_dropped += !has;
            at += has;
        }
        assert_int_equal(at, got.n);
        hn_sampler_free(&sampler);
    }
    assert_true(n_kept > 10000 && n_dropped > 10000);
}

static void test_best(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    for (uint32_t n = 1; n < 200; n += n < 40 ? 1 : 17) {
        HnSampler *sampler = make_sampler(n);
        HnSampling sampling = {.temperature = 0, .top_k = 3, .top_p = 0.5, .repetition_penalty = 1};
        for (uint32_t best = 0; best < n; best++) {
            float logits[200];
            uint64_t mask[4] = {0};
            for (uint32_t t = 0; t < n; t++) {
                logits[t] = t == best || t == n - 1 ? 2.0F : t + 1 == best ? NAN : -1.0F; /* two best: the lower wins */
            }
            HnChoice choice = {.logits = logits};
            uint32_t token = n;
            assert_int_equal(hn_sampler_choose(sampler, &sampling, &choice, &token, &err), HN_OK);
            assert_int_equal(token, best);
            mask[best / 64] = UINT64_C(1) << (best % 64);
            logits[best] = -3.0F;
            choice.mask = mask;
            assert_int_equal(hn_sampler_choose(sampler, &sampling, &choice, &token, &err), HN_OK);
            assert_int_equal(token, best);
        }
        hn_sampler_free(&sampler);
    }
}

/* Where p of the mass is reached exactly, nothing more stays; of equals the lower ids do. */
static void test_exact_share(void **state) {
    (void)state;
    enum { N = 512 };
    HnError err = HN_ERROR_INIT;
    HnSampler *sampler = make_sampler(N);
    for (uint32_t eighths = 1; eighths < 8; eighths++) {
        float logits[N];
        for (uint32_t t = 0; t < N; t++) {
            logits[t] = 0.5F;
        }
        HnSampling sampling = {.temperature = 1, .top_p = eighths / 8.0, .repetition_penalty = 1};
        HnChoice choice = {.logits = logits};
        HnCandidates got;
        assert_int_equal(hn_sampler_candidates(sampler, &sampling, &choice, &got, &err), HN_OK);
        assert_int_equal(got.n, N / 8 * eighths);
        assert_int_equal(got.ids[got.n - 1], got.n - 1);
    }
    hn_sampler_free(&sampler);
}

/* Draws of many positions and keys: as often as their masses say, and each a function of its counters alone. */
static void test_draws(void **state) {
    (void)state;
    enum { N = 40, DRAWS = 40000 };
    HnError err = HN_ERROR_INIT;
    HnSampler *sampler = make_sampler(N);
    HnSampling sampling = {.temperature = 1.3, .top_k = 12, .top_p = 1, .repetition_penalty = 1, .seed = 5};
    float row[N], logits[N];
    uint32_t counts[N] = {0}, first[100];
    golden_logits(N, 3, 0, row);
    for (uint32_t i = 0; i < DRAWS + 100; i++) {
        uint32_t at = i % DRAWS, token = N;
        memcpy(logits, row, sizeof row);
        HnChoice choice = {.logits = logits, .key = UINT64_C(1) << 40 | at % 200, .position = at / 200};
        assert_int_equal(hn_sampler_choose(sampler, &sampling, &choice, &token, &err), HN_OK);
        if (i >= DRAWS) {
            assert_int_equal(token, first[at]);
            continue;
        }
        counts[token]++;
        if (i < 100) {
            first[i] = token;
        }
    }
    HnCandidates wanted;
    HnChoice choice = {.logits = row};
    assert_int_equal(hn_sampler_candidates(sampler, &sampling, &choice, &wanted, &err), HN_OK);
    double chi = 0;
    uint32_t n_drawn = 0;
    for (size_t i = 0; i < wanted.n; i++) {
        double expected = (double)wanted.mass[i] / wanted.total * DRAWS;
        chi += pow((double)counts[wanted.ids[i]] - expected, 2) / expected;
        n_drawn += counts[wanted.ids[i]];
    }
    assert_int_equal(n_drawn, DRAWS);
    assert_int_equal(wanted.n, 12);
    assert_true(chi < 31.3); /* 11 degrees of freedom, one in a thousand */
    assert_true(chi > 1.0);
    hn_sampler_free(&sampler);
}

static void test_bad_input(void **state) {
    (void)state;
    const HnSampling good = {.temperature = 1, .top_p = 1, .repetition_penalty = 1};
    const HnSampling bad[] = {{.temperature = -1, .top_p = 1, .repetition_penalty = 1},
                              {.temperature = NAN, .top_p = 1, .repetition_penalty = 1},
                              {.temperature = 1, .top_p = 1.1, .repetition_penalty = 1},
                              {.temperature = 1, .top_p = -0.1, .repetition_penalty = 1},
                              {.temperature = 1, .top_p = 1, .repetition_penalty = 0}};
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_sampling_check(&good, &err), HN_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(hn_sampling_check(&bad[i], &err), HN_RANGE);
        hn_error_clear(&err);
    }
    HnSampler *sampler = make_sampler(3);
    for (double temperature = 0; temperature < 2; temperature++) {
        float none[] = {-INFINITY, NAN, -INFINITY}, infinite[] = {0, INFINITY, 0};
        HnSampling sampling = {.temperature = temperature, .top_p = 0.9, .repetition_penalty = 1};
        uint32_t token;
        HnChoice choice = {.logits = none};
        assert_int_equal(hn_sampler_choose(sampler, &sampling, &choice, &token, &err), HN_NUMERIC);
        hn_error_clear(&err);
        choice.logits = infinite;
        assert_int_equal(hn_sampler_choose(sampler, &sampling, &choice, &token, &err), HN_NUMERIC);
        hn_error_clear(&err);
        choice.mask = (const uint64_t[]){5};
        assert_int_equal(hn_sampler_choose(sampler, &sampling, &choice, &token, &err), HN_OK);
    }
    hn_sampler_free(&sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_transformers), cmocka_unit_test(test_as_sorted), cmocka_unit_test(test_best),
        cmocka_unit_test(test_exact_share),     cmocka_unit_test(test_draws),     cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
