/* Negatives: who is drawn, and that the vectors are really used. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cf/samplers/plain.h"
#include "cf/vectors.h"
#include "store.h"

static char *folder;
static World world;

static void test_uniform_outside_the_list(void **state) {
    (void)state;
    const int32_t taken[] = {0, 1, 5, 6, 9};
    int counts[10] = {0};
    const int draws = 50000;
    for (int k = 0; k < draws; k++) {
        counts[hn_sample_outside(taken, 5, 10, 3, 1, (uint64_t)k)]++;
    }
    const int free_items[] = {2, 3, 4, 7, 8};
    double chi = 0.0;
    int total = 0;
    for (int j = 0; j < 5; j++) {
        double expected = draws / 5.0, off = counts[free_items[j]] - expected;
        chi += off * off / expected;
        total += counts[free_items[j]];
    }
    assert_int_equal(total, draws); /* a taken item never comes */
    assert_true(chi < 20.0);        /* 4 degrees of freedom: p = 0.0005 */
}

static void test_ends_of_the_list(void **state) {
    (void)state;
    const int32_t all[] = {0, 1, 2}, tail[] = {1, 2, 3}, head[] = {0, 1, 2};
    assert_int_equal(hn_sample_outside(all, 3, 3, 1, 1, 1), -1);
    assert_int_equal(hn_sample_outside(tail, 3, 4, 1, 1, 1), 0);
    assert_int_equal(hn_sample_outside(head, 3, 4, 1, 1, 1), 3);
    assert_int_equal(hn_sample_outside(NULL, 0, 1, 1, 1, 1), 0);
}

static void test_every_pair_once_an_epoch(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = small_config();
    config.train.batch = 13;
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 4);
    uint64_t n = world_count(&world, 1);
    int *seen = calloc(n, sizeof *seen);
    int32_t first_order[13];
    for (int epoch = 0; epoch < 2; epoch++) {
        for (uint64_t step = 0; step < rig.trainer->order.n_batches; step++) {
            HnStepReport report;
            expect_ok(hn_trainer_step(rig.trainer, &report, &err), &err);
            const HnBatch *batch = &rig.trainer->batch;
            for (uint32_t k = 0; k < batch->n; k++) {
                seen[batch->local[k]]++;
                assert_int_equal(batch->position[k], k);
                assert_int_not_equal(
                    world.part[(uint64_t)batch->user[k] * world.n_items + (uint64_t)batch->negative[k]], 1);
            }
            if (step == 0 && epoch == 0) {
                memcpy(first_order, batch->local, sizeof first_order);
            } else if (step == 0) {
                assert_memory_not_equal(first_order, batch->local, sizeof first_order);
            }
        }
        rig.trainer->epoch++, rig.trainer->step_in_epoch = 0, rig.trainer->order_ready = false;
    }
    for (uint64_t p = 0; p < n; p++) {
        assert_int_equal(seen[p], 2);
    }
    free(seen);
    rig_end(&rig);
}

/* Digest of user and item rows alone, and the loss of the first batch. */
static double run(const HnTrainConfig *config, const char *vectors, bool exact, float *rows) {
    HnError err = HN_ERROR_INIT;
    Rig rig;
    HnStepReport report = {0};
    double first = 0.0;
    rig_start(&rig, &world, config, folder, vectors, exact, 21);
    for (int k = 0; k < 12; k++) {
        if (rig.trainer->step_in_epoch == rig.trainer->order.n_batches) {
            rig.trainer->epoch++, rig.trainer->step_in_epoch = 0, rig.trainer->order_ready = false;
        }
        expect_ok(hn_trainer_step(rig.trainer, &report, &err), &err);
        first = k == 0 ? report.loss[HN_LOSS_RANKING] : first;
    }
    size_t n_users = rig.trainer->users.n_rows * 8, n_items = rig.trainer->items.n_rows * 8;
    memcpy(rows, rig.trainer->users.value, n_users * sizeof *rows);
    memcpy(rows + n_users, rig.trainer->items.value, n_items * sizeof *rows);
    rig_end(&rig);
    return first;
}

enum { ROWS = (40 + 30) * 8 };

static void test_alpha_zero_is_random_negatives(void **state) {
    (void)state;
    char *vectors = world_vectors(&world, folder, "a.h5", 10, NULL, NULL, 1);
    for (int exact = 0; exact <= 1; exact++) {
        static float random[ROWS], semantic[ROWS];
        HnTrainConfig config = small_config();
        double random_loss = run(&config, NULL, exact, random);
        config.sampler.name = HN_SAMPLER_SEMANTIC;
        config.semantic.alpha = 0.0;
        config.align.lambda = 0.0;
        double semantic_loss = run(&config, vectors, exact, semantic);
        assert_memory_equal(random, semantic, sizeof random);
        assert_true(random_loss == semantic_loss);
        /* And not by accident: with alpha the rows differ. */
        config.semantic.alpha = 0.1;
        (void)run(&config, vectors, exact, semantic);
        assert_memory_not_equal(random, semantic, sizeof random);
    }
    hn_free(vectors);
}

static void test_vectors_count_from_the_first_batch(void **state) {
    (void)state;
    static float rows[ROWS];
    HnTrainConfig config = small_config();
    config.sampler.name = HN_SAMPLER_SEMANTIC;
    char *a = world_vectors(&world, folder, "a.h5", 10, NULL, NULL, 1);
    char *b = world_vectors(&world, folder, "b.h5", 10, NULL, NULL, 2);
    double with_a = run(&config, a, true, rows), again = run(&config, a, true, rows),
           with_b = run(&config, b, true, rows);
    config.semantic.vectors = HN_VECTORS_RANDOM;
    double with_noise = run(&config, a, true, rows);
    assert_true(with_a == again);
    assert_true(with_a != with_b);
    assert_true(with_a != with_noise);
    hn_free(b);
    hn_free(a);
}

/* Hard negatives are as good as random ones before anything is learnt, and the share is a share. */
static void test_hardness_is_counted(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = small_config();
    config.sampler.name = HN_SAMPLER_SEMANTIC;
    config.train.batch = 4096;
    char *vectors = world_vectors(&world, folder, "a.h5", 10, NULL, NULL, 1);
    Rig rig;
    HnStepReport report;
    rig_start(&rig, &world, &config, folder, vectors, true, 21);
    expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
    const HnBatch *batch = &rig.trainer->batch;
    assert_int_equal(batch->n, world_count(&world, 1));
    assert_true(report.loss[HN_LOSS_HARDER] > 0.2 && report.loss[HN_LOSS_HARDER] < 0.8);
    rig_end(&rig);
    hn_free(vectors);
}

static void test_pairs_without_a_vector(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    static float plain[ROWS], absent[ROWS];
    uint64_t n = world_count(&world, 1);
    uint8_t *none = calloc(n, 1), *some = calloc(n, 1);
    for (uint64_t p = 0; p < n; p++) {
        some[p] = p % 2 == 0;
    }
    char *empty = world_vectors(&world, folder, "none.h5", 10, NULL, none, 1);
    char *half = world_vectors(&world, folder, "half.h5", 10, NULL, some, 1);
    HnTrainConfig config = small_config();
    (void)run(&config, NULL, true, plain);
    config.sampler.name = HN_SAMPLER_SEMANTIC;
    config.align.lambda = 0.5;
    (void)run(&config, empty, true, absent); /* no vectors at all: random negatives, whatever alpha and lambda say */
    assert_memory_equal(plain, absent, sizeof plain);
    Rig rig;
    rig_start(&rig, &world, &config, folder, half, true, 3);
    HnSamplerFacts facts;
    expect_ok(rig.trainer->sampler->facts(rig.trainer->sampler_state, &facts, &err), &err);
    assert_int_equal(facts.pairs_with_vector, (n + 1) / 2);
    assert_int_equal(facts.pairs_without_vector, n / 2);
    rig_end(&rig);
    config.semantic.missing = HN_MISSING_RANDOM_VECTOR;
    (void)run(&config, empty, true, absent);
    assert_memory_not_equal(plain, absent, sizeof plain);
    hn_free(half);
    hn_free(empty);
    free(some);
    free(none);
}

static void test_random_vectors_are_noise_of_unit_length(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = small_config();
    config.semantic.vectors = HN_VECTORS_RANDOM;
    char *path = world_vectors(&world, folder, "wide.h5", 256, NULL, NULL, 1);
    Rig rig;
    HnTrainConfig plain = small_config();
    rig_start(&rig, &world, &plain, folder, NULL, true, 3);
    HnVectors vectors;
    expect_ok(hn_vectors_load(path, &rig.trainer->shards, &config, 3, &vectors, &err), &err);
    double mean_length = 0.0, dot = 0.0;
    for (uint64_t p = 0; p < vectors.n; p++) {
        float a[256], b[256];
        hn_vectors_row(&vectors, p, a);
        hn_vectors_row(&vectors, (p + 1) % vectors.n, b);
        for (int c = 0; c < 256; c++) {
            mean_length += (double)a[c] * (double)a[c] / (double)vectors.n;
            dot += (double)a[c] * (double)b[c] / (double)vectors.n;
        }
    }
    assert_true(fabs(mean_length - 1.0) < 0.05);
    assert_true(fabs(dot) < 0.05);
    hn_vectors_free(&vectors);
    rig_end(&rig);
    hn_free(path);
}

static void refused(const char *path, HnStatus status, const char *words) {
    HnError err = HN_ERROR_INIT;
    Rig rig;
    HnTrainConfig config = small_config();
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    HnVectors vectors;
    assert_int_equal(hn_vectors_load(path, &rig.trainer->shards, &config, 3, &vectors, &err), status);
    if (strstr(err.message, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    }
    rig_end(&rig);
}

static void test_stores_that_do_not_fit(void **state) {
    (void)state;
    World other = world_make(40, 30), shifted = world_make(40, 30);
    world_fill(&other, 5.0, 77);
    uint64_t n = world_count(&world, 1) * 10;
    float *values = calloc(n, sizeof *values);
    memcpy(shifted.part, world.part, 40 * 30);
    for (uint64_t i = 0; i + 1 < 30; i++) { /* move one pair of user 3 to its neighbour: as many pairs, another item */
        if (shifted.part[3 * 30 + i] == 1 && shifted.part[3 * 30 + i + 1] == 0) {
            shifted.part[3 * 30 + i] = 0, shifted.part[3 * 30 + i + 1] = 1;
            break;
        }
    }
    char *path = world_vectors(&other, folder, "other.h5", 10, NULL, NULL, 1);
    refused(path, HN_CONFLICT, "another data set");
    hn_free(path);
    path = world_vectors(&shifted, folder, "shifted.h5", 10, NULL, NULL, 1);
    refused(path, HN_CONFLICT, "another data set");
    hn_free(path);
    values[25] = NAN;
    path = world_vectors(&world, folder, "nan.h5", 10, values, NULL, 1);
    refused(path, HN_INPUT, "pair 2 is not finite");
    hn_free(path);
    refused(NULL, HN_CONFIG, "llm.import_vectors");
    free(values);
    world_free(&shifted);
    world_free(&other);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("samplers");
    world = world_make(40, 30);
    world_fill(&world, 8.0, 6);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    world_free(&world);
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

static double score_of(const HnTrainer *trainer, const float *users, const float *items, int32_t user, int32_t item) {
    double sum = 0.0, apart = 0.0, of_user = 0.0, of_item = 0.0;
    for (int c = 0; c < trainer->dim; c++) {
        const double u = (double)users[user * trainer->dim + c], i = (double)items[item * trainer->dim + c];
        sum += u * i, apart += (u - i) * (u - i), of_user += u * u, of_item += i * i;
    }
    const HnSimilarity rule = trainer->config->sampler.similarity;
    return rule == HN_SIMILAR_PRODUCT ? sum : rule == HN_SIMILAR_COSINE ? sum / sqrt(of_user * of_item) : apart;
}

/* How many candidates are better than the chosen one, by a plain reading of the method's formula. */
static int better_ones(const HnTrainer *trainer, const float *users, const float *items, uint32_t k) {
    const HnTrainConfig *config = trainer->config;
    const HnBatch *batch = &trainer->batch;
    int32_t offered[64];
    const int n = (int)config->sampler.candidates;
    rig_candidates(trainer, k, offered);
    const double positive = score_of(trainer, users, items, batch->user[k], batch->positive[k]);
    const double target =
        config->sampler.ahns_beta * pow(positive + config->sampler.ahns_alpha, (double)config->sampler.ahns_p + 1.0);
    double mine = NAN, worth[64];
    for (int m = 0; m < n; m++) {
        const double score = score_of(trainer, users, items, batch->user[k], offered[m]);
        worth[m] = config->sampler.name == HN_SAMPLER_DNS ? score : -fabs(score - target);
        mine = offered[m] == batch->negative[k] ? worth[m] : mine;
        assert_int_not_equal(world.part[(uint64_t)batch->user[k] * world.n_items + (uint64_t)offered[m]], 1);
    }
    assert_true(mine == mine); /* the chosen one was offered */
    int better = 0;
    for (int m = 0; m < n; m++) {
        better += worth[m] > mine + 1e-7 ? 1 : 0;
    }
    return better;
}

static void test_choice_by_score(void **state) {
    (void)state;
    const struct {
        HnSamplerName name;
        HnBackboneName backbone;
        int64_t pick, p;
        HnSimilarity similarity;
    } cases[] = {{HN_SAMPLER_DNS, HN_BACKBONE_LIGHTGCN, 1, -2, HN_SIMILAR_PRODUCT},
                 {HN_SAMPLER_DNS, HN_BACKBONE_MF, 1, -2, HN_SIMILAR_PRODUCT},
                 {HN_SAMPLER_DNS, HN_BACKBONE_LIGHTGCN, 4, -2, HN_SIMILAR_PRODUCT},
                 {HN_SAMPLER_DNS, HN_BACKBONE_MF, 2, -2, HN_SIMILAR_DISTANCE},
                 {HN_SAMPLER_AHNS, HN_BACKBONE_MF, 1, -2, HN_SIMILAR_COSINE},
                 {HN_SAMPLER_AHNS, HN_BACKBONE_LIGHTGCN, 1, -2, HN_SIMILAR_DISTANCE},
                 {HN_SAMPLER_AHNS, HN_BACKBONE_MF, 1, -2, HN_SIMILAR_PRODUCT},
                 {HN_SAMPLER_AHNS, HN_BACKBONE_LIGHTGCN, 1, 1, HN_SIMILAR_PRODUCT}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = small_config();
        config.model.backbone = cases[c].backbone;
        config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.5;
        config.sampler.name = cases[c].name, config.sampler.candidates = 12, config.sampler.pick = cases[c].pick;
        config.sampler.similarity = cases[c].similarity;
        config.sampler.ahns_alpha = 2.5, config.sampler.ahns_beta = 0.4, config.sampler.ahns_p = cases[c].p;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, false, 21);
        HnTrainer *trainer = rig.trainer;
        int at_rank[12] = {0}, n_pairs = 0;
        for (int step = 0; step < 5; step++) {
            static float users[40 * 8], items[30 * 8];
            HnStepReport report;
            expect_ok(hn_trainer_embed(trainer, &err), &err);
            memcpy(users, trainer->final_users, sizeof users);
            memcpy(items, trainer->final_items, sizeof items);
            expect_ok(hn_trainer_step(trainer, &report, &err), &err);
            for (uint32_t k = 0; k < trainer->batch.n; k++, n_pairs++) {
                at_rank[better_ones(trainer, users, items, k)]++;
            }
        }
        int inside = 0;
        for (int r = 0; r < cases[c].pick; r++) {
            inside += at_rank[r];
            assert_true(at_rank[r] > n_pairs / (int)cases[c].pick / 3); /* each of the best is picked */
        }
        assert_int_equal(inside, n_pairs);
        rig_end(&rig);
    }
}

static void test_one_candidate_is_a_random_negative(void **state) {
    (void)state;
    for (int exact = 0; exact <= 1; exact++) {
        static float random[ROWS], chosen[ROWS];
        HnTrainConfig config = small_config();
        (void)run(&config, NULL, exact, random);
        for (int name = HN_SAMPLER_DNS; name <= HN_SAMPLER_AHNS; name++) {
            config.sampler.name = (HnSamplerName)name;
            config.sampler.candidates = 1;
            (void)run(&config, NULL, exact, chosen);
            assert_memory_equal(random, chosen, sizeof random);
            config.sampler.candidates = 8;
            (void)run(&config, NULL, exact, chosen);
            assert_memory_not_equal(random, chosen, sizeof random);
        }
    }
}

static double weight_of(double degree, double exponent) {
    return exponent < 0.0 ? log(degree + 1.0) : pow(degree, exponent);
}

/* Shares of the draws against weights that are worked out here, user by user. */
static void test_popularity(void **state) {
    (void)state;
    const double exponents[] = {0.0, 0.75, 2.0, -1.0}; /* the last: logarithm */
    for (size_t x = 0; x < sizeof exponents / sizeof exponents[0]; x++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = small_config();
        config.model.backbone = HN_BACKBONE_MF;
        config.sampler.name = HN_SAMPLER_POPULARITY, config.sampler.exponent = fmax(exponents[x], 0.0);
        config.sampler.weight = exponents[x] < 0.0 ? HN_WEIGHT_LOG : HN_WEIGHT_POWER;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, false, 21);
        HnTrainer *trainer = rig.trainer;
        double degree[30] = {0}, expected[30] = {0}, chi = 0.0;
        int counts[30] = {0}, used = 0;
        for (uint64_t u = 0; u < world.n_users; u++) {
            for (uint64_t i = 0; i < world.n_items; i++) {
                degree[i] += world.part[u * world.n_items + i] == 1;
            }
        }
        for (int epoch = 0; epoch < 60; epoch++) {
            for (uint64_t step = 0; step < trainer->order.n_batches; step++) {
                HnStepReport report;
                expect_ok(hn_trainer_step(trainer, &report, &err), &err);
                for (uint32_t k = 0; k < trainer->batch.n; k++) {
                    const uint8_t *part = world.part + (uint64_t)trainer->batch.user[k] * world.n_items;
                    double total = 0.0;
                    for (uint64_t i = 0; i < world.n_items; i++) {
                        total += part[i] == 1 ? 0.0 : weight_of(degree[i], exponents[x]);
                    }
                    for (uint64_t i = 0; i < world.n_items; i++) {
                        expected[i] += part[i] == 1 ? 0.0 : weight_of(degree[i], exponents[x]) / total;
                    }
                    assert_int_not_equal(part[trainer->batch.negative[k]], 1);
                    counts[trainer->batch.negative[k]]++;
                }
            }
            trainer->epoch++, trainer->step_in_epoch = 0, trainer->order_ready = false;
        }
        for (int i = 0; i < 30; i++) {
            if (expected[i] > 0.0) {
                chi += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
                used++;
            } else {
                assert_int_equal(counts[i], 0);
            }
        }
        assert_true(used > 20 && chi < 65.0); /* 29 degrees of freedom at most: p = 0.0001 */
        rig_end(&rig);
    }
}

/* Any item may come, the user's own too, and who took everything has negatives. */
static void test_draws_from_all(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_RNS, HN_SAMPLER_POPULARITY, HN_SAMPLER_DNS, HN_SAMPLER_AHNS,
                                   HN_SAMPLER_MIXGCF};
    World full = world_make(3, 12);
    memset(full.part, 1, 3 * 12);
    for (size_t s = 0; s < sizeof names / sizeof names[0]; s++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = small_config();
        config.sampler.name = names[s], config.sampler.draw_from = HN_DRAW_ALL, config.sampler.candidates = 3;
        config.train.batch = 36;
        Rig rig;
        rig_start(&rig, &full, &config, folder, NULL, true, 21);
        int counts[12] = {0}, kinds = 0;
        for (int epoch = 0; epoch < 20; epoch++) {
            double loss[HN_N_LOSSES];
            expect_ok(hn_trainer_epoch(rig.trainer, loss, &err), &err);
            assert_int_equal(rig.trainer->batch.n_used, 36);
            for (int d = 0; d < 36 * rig.trainer->batch.draws; d++) {
                counts[rig.trainer->batch.negative[d]]++;
            }
        }
        for (int i = 0; i < 12; i++) {
            kinds += counts[i] > 0;
        }
        assert_int_equal(kinds, 12);
        rig_end(&rig);
    }
    world_free(&full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice_by_score),
        cmocka_unit_test(test_one_candidate_is_a_random_negative),
        cmocka_unit_test(test_popularity),
        cmocka_unit_test(test_draws_from_all),
        cmocka_unit_test(test_uniform_outside_the_list),
        cmocka_unit_test(test_ends_of_the_list),
        cmocka_unit_test(test_every_pair_once_an_epoch),
        cmocka_unit_test(test_alpha_zero_is_random_negatives),
        cmocka_unit_test(test_vectors_count_from_the_first_batch),
        cmocka_unit_test(test_hardness_is_counted),
        cmocka_unit_test(test_pairs_without_a_vector),
        cmocka_unit_test(test_random_vectors_are_noise_of_unit_length),
        cmocka_unit_test(test_stores_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
