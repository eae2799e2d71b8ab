/* The forms of ranking loss and L2 that code bases give: each against its formula written out in double precision, and
 * its gradient against differences. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static char *folder;

enum { USERS = 17, ITEMS = 23, BATCH = 20 };

/* ---- the formulas, of a batch that the trainer has taken ---- */

static double dot(const float *a, const float *b, int n) {
    double sum = 0.0;
    for (int c = 0; c < n; c++) {
        sum += (double)a[c] * (double)b[c];
    }
    return sum;
}

static const float *user_of(const HnBatch *batch, uint32_t k) {
    return batch->user_vectors + batch->user_row[k] * batch->width;
}

static const float *positive_of(const HnBatch *batch, uint32_t k) {
    return batch->item_vectors + batch->positive_row[k] * batch->width;
}

static double pair_loss(const HnTrainConfig *config, double positive, double negative) {
    return config->loss.name == HN_LOSS_HINGE ? fmax(0.0, config->loss.margin + negative - positive)
                                              : -log(config->loss.epsilon + 1.0 / (1.0 + exp(negative - positive)));
}

static double cosine(const HnBatch *batch, uint32_t k, uint32_t q) {
    const float *u = user_of(batch, k), *i = positive_of(batch, q);
    return dot(u, i, batch->width) / sqrt(dot(u, u, batch->width) * dot(i, i, batch->width));
}

static double in_batch_loss(const HnTrainConfig *config, const HnBatch *batch, uint32_t k) {
    double sum = 0.0;
    for (uint32_t q = 0; q < batch->n; q++) {
        if (q != k && config->loss.name == HN_LOSS_SOFTMAX) {
            sum += exp(cosine(batch, k, q) / config->loss.tau);
        } else if (q != k) {
            sum += pair_loss(config, dot(user_of(batch, k), positive_of(batch, k), batch->width),
                             dot(user_of(batch, k), positive_of(batch, q), batch->width)) /
                   (batch->n - 1);
        }
    }
    return config->loss.name == HN_LOSS_SOFTMAX ? log(sum) - cosine(batch, k, k) / config->loss.tau : sum;
}

static double softmax_of_drawn(const HnTrainConfig *config, const HnBatch *batch, uint32_t k) {
    const float *user = user_of(batch, k);
    double sum = 0.0;
    for (int m = 0; m < batch->negatives; m++) {
        const float *x =
            batch->negative_vectors + (k * (uint32_t)batch->negatives + (uint32_t)m) * (uint32_t)batch->width;
        sum += exp(dot(user, x, batch->width) / sqrt(dot(user, user, batch->width) * dot(x, x, batch->width)) /
                   config->loss.tau);
    }
    return log(sum) - cosine(batch, k, k) / config->loss.tau;
}

static double ranking_of(const HnTrainConfig *config, const HnBatch *batch) {
    double sum = 0.0;
    for (uint32_t k = 0; k < batch->n; k++) {
        sum +=
            config->sampler.name == HN_SAMPLER_IN_BATCH ? in_batch_loss(config, batch, k)
            : config->loss.name == HN_LOSS_SOFTMAX
                ? softmax_of_drawn(config, batch, k)
                : pair_loss(config, dot(user_of(batch, k), positive_of(batch, k), batch->width),
                            dot(user_of(batch, k), batch->negative_vectors + k * (uint32_t)batch->width, batch->width));
    }
    return config->loss.reduce == HN_REDUCE_SUM ? sum : sum / batch->n;
}

/* L2's rows of pair k: user, positive, negative. */
static void l2_rows(const HnTrainConfig *config, const HnTrainer *trainer, uint32_t k, const float *rows[3], int *n) {
    const HnBatch *batch = &trainer->batch;
    const bool final = config->train.reg_rows == HN_ROWS_FINAL;
    *n = final ? batch->width : batch->dim;
    rows[0] = final ? user_of(batch, k) : trainer->users.value + batch->user[k] * *n;
    rows[1] = final ? positive_of(batch, k) : trainer->items.value + batch->positive[k] * *n;
    rows[2] = final ? batch->negative_vectors + k * (uint32_t)*n : trainer->items.value + batch->negative[k] * *n;
}

static double l2_of(const HnTrainConfig *config, const HnTrainer *trainer) {
    const HnBatch *batch = &trainer->batch;
    const int dim = batch->dim;
    double squares[3] = {0.0}, all = 0.0, norms = 0.0;
    for (uint32_t k = 0; k < batch->n; k++) {
        const float *rows[3];
        int n_row;
        l2_rows(config, trainer, k, rows, &n_row);
        for (int b = 0; b < (config->sampler.name == HN_SAMPLER_IN_BATCH ? 2 : 3); b++) {
            squares[b] += dot(rows[b], rows[b], n_row);
        }
    }
    for (int b = 0; b < 3; b++) {
        all += squares[b], norms += sqrt(squares[b]);
    }
    const double n = batch->n, divisor = config->train.reg_divide == HN_REG_UNDIVIDED  ? 1.0
                                         : config->train.reg_divide == HN_REG_BY_BATCH ? n
                                                                                       : n * BATCH;
    if (config->train.reg == HN_REG_ALL_PARAMS) {
        return config->train.l2 * (dot(trainer->users.value, trainer->users.value, USERS * dim) +
                                   dot(trainer->items.value, trainer->items.value, ITEMS * dim));
    }
    return config->train.l2 * (config->train.reg == HN_REG_NORM ? norms : 0.5 * all) / divisor;
}

/* ---- value and gradient ---- */

static void check(const HnTrainConfig *config, bool exact) {
    HnError err = HN_ERROR_INIT;
    World world = world_gappy();
    Rig rig;
    rig_start(&rig, &world, config, folder, NULL, exact, 14);
    HnTrainer *trainer = rig.trainer;
    HnStepReport report;
    for (int step = 0; step < 3; step++) { /* away from where everything is small */
        expect_ok(hn_trainer_step(trainer, &report, &err), &err);
    }
    uint64_t pairs[BATCH];
    int32_t negatives[BATCH * 3];
    const bool in_batch = config->sampler.name == HN_SAMPLER_IN_BATCH;
    const uint64_t n_train = world_count(&world, 1);
    for (uint64_t k = 0; k < BATCH; k++) {
        pairs[k] = (k * 7) % n_train;
    }
    for (uint64_t k = 0; k < BATCH * 3; k++) {
        negatives[k] = (int32_t)((k * 5) % 22);
    }
    const HnGivenBatch given = {pairs, in_batch ? NULL : negatives, BATCH};
    expect_ok(hn_trainer_gradients(trainer, &given, &report, &err), &err);
    const double ranking = ranking_of(config, &trainer->batch), l2 = l2_of(config, trainer);
    if (fabs(report.loss[HN_LOSS_RANKING] - ranking) > 1e-6 * fabs(ranking) ||
        fabs(report.loss[HN_LOSS_L2] - l2) > 1e-6 * l2) {
        fail_msg("ranking %.9g and L2 %.9g, the formulas say %.9g and %.9g", report.loss[HN_LOSS_RANKING],
                 report.loss[HN_LOSS_L2], ranking, l2);
    }
    check_differences(trainer, &given, &trainer->users, 4e-3f, "user");
    check_differences(trainer, &given, &trainer->items, 4e-3f, "item");
    rig_end(&rig);
    world_free(&world);
}

static void test_forms_of_l2(void **state) {
    (void)state;
    const HnRegRule rules[] = {HN_REG_SQ_HALF, HN_REG_NORM, HN_REG_ALL_PARAMS};
    const HnRegDivisor divisors[] = {HN_REG_UNDIVIDED, HN_REG_BY_BATCH, HN_REG_BY_BATCH_TWICE};
    for (int r = 0; r < 3; r++) {
        for (int d = 0; d < 3; d++) {
            HnTrainConfig config = small_config();
            config.train.batch = BATCH;
            config.model.layers = r == 0 ? 0 : 2;
            config.model.backbone = r == 0 ? HN_BACKBONE_MF : HN_BACKBONE_LIGHTGCN;
            config.train.reg = rules[r], config.train.reg_divide = divisors[d];
            config.train.l2 = 0.02;
            check(&config, (r + d) % 2 == 0);
            if (rules[r] != HN_REG_ALL_PARAMS) {
                config.train.reg_rows = HN_ROWS_FINAL;
                check(&config, (r + d) % 2 == 1);
            }
        }
    }
}

static void test_all_parameters_of_mf(void **state) {
    (void)state;
    HnTrainConfig config = small_config();
    config.model.backbone = HN_BACKBONE_MF;
    config.train.batch = BATCH;
    config.train.reg = HN_REG_ALL_PARAMS;
    config.train.l2 = 0.02;
    check(&config, true);
}

static void test_in_batch(void **state) {
    (void)state;
    const HnLossName losses[] = {HN_LOSS_SOFTMAX, HN_LOSS_BPR, HN_LOSS_HINGE};
    for (int l = 0; l < 3; l++) {
        for (int sum = 0; sum <= 1; sum++) {
            HnTrainConfig config = small_config();
            config.train.batch = BATCH;
            config.model.layers = sum ? 0 : 2;
            config.model.init = HN_INIT_NORMAL; /* margins that neither all hold nor all fail */
            config.sampler.name = HN_SAMPLER_IN_BATCH;
            config.loss.name = losses[l];
            config.loss.tau = 0.4;
            config.loss.reduce = sum ? HN_REDUCE_SUM : HN_REDUCE_MEAN;
            config.train.l2 = 0.02;
            check(&config, sum == 1);
        }
    }
}

static void test_softmax_of_drawn(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_RNS, HN_SAMPLER_POPULARITY, HN_SAMPLER_DNS};
    for (int s = 0; s < 3; s++) {
        HnTrainConfig config = small_config();
        config.train.batch = BATCH;
        config.model.layers = s;
        config.sampler.name = names[s], config.sampler.negatives = 3 - s;
        config.loss.name = HN_LOSS_SOFTMAX, config.loss.tau = 0.4;
        config.train.l2 = 0.0;
        check(&config, s == 1);
    }
}

static void test_epsilon_and_pools(void **state) {
    (void)state;
    const HnPoolRule pools[] = {HN_POOL_MEAN, HN_POOL_SUM, HN_POOL_FINAL};
    for (int p = 0; p < 3; p++) {
        HnTrainConfig config = small_config();
        config.train.batch = BATCH;
        config.model.layers = 3, config.model.pool = pools[p];
        config.loss.epsilon = 0.05;
        config.train.l2 = 0.02;
        check(&config, p == 1);
    }
}

/* Pools of layers, against each other: (L + 1) mean = sum, and the last layer is what a layer more adds to the sum. */
static void test_pools_are_sums_of_layers(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = world_gappy();
    float got[4][ITEMS * 8]; /* mean and sum of 3 layers, sum of 2, the third */
    const HnPoolRule pools[4] = {HN_POOL_MEAN, HN_POOL_SUM, HN_POOL_SUM, HN_POOL_FINAL};
    for (int i = 0; i < 4; i++) {
        HnTrainConfig config = small_config();
        config.model.layers = i == 2 ? 2 : 3, config.model.pool = pools[i];
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 5);
        expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
        memcpy(got[i], rig.trainer->final_items, sizeof got[i]);
        HnStepReport report; /* the batch's rows, by the shorter way */
        expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
        const HnBatch *batch = &rig.trainer->batch;
        for (uint32_t r = 0; r < batch->n_items; r++) {
            assert_memory_equal(batch->item_vectors + r * 8, got[i] + batch->items[r] * 8, 32);
        }
        rig_end(&rig);
    }
    for (int e = 0; e < ITEMS * 8; e++) {
        assert_true(fabsf(4.0f * got[0][e] - got[1][e]) < 1e-6f);
        assert_true(fabsf(got[2][e] + got[3][e] - got[1][e]) < 1e-6f);
    }
    world_free(&world);
}

/* Nothing to compare with: no loss but L2. And NaN ends the training, by name of its step. */
static void test_edges_of_in_batch(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = world_gappy();
    for (int softmax = 0; softmax <= 1; softmax++) {
        HnTrainConfig config = small_config();
        config.sampler.name = HN_SAMPLER_IN_BATCH;
        config.loss.name = softmax ? HN_LOSS_SOFTMAX : HN_LOSS_BPR;
        config.model.dim = 1;
        config.train.l2 = 0.0;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, softmax == 1, 5);
        const uint64_t pair = 3;
        HnStepReport report;
        expect_ok(hn_trainer_gradients(rig.trainer, &(HnGivenBatch){&pair, NULL, 1}, &report, &err), &err);
        assert_true(report.n_pairs == 1 && report.loss[HN_LOSS_TOTAL] == 0.0);
        for (int u = 0; u < USERS; u++) {
            assert_true(rig.trainer->users.gradient[u] == 0.0f);
        }
        rig.trainer->items.value[0] = (float)NAN;
        double loss[HN_N_LOSSES];
        assert_int_equal(hn_trainer_epoch(rig.trainer, loss, &err), HN_NUMERIC);
        assert_non_null(strstr(err.message, "step 1"));
        hn_error_clear(&err);
        rig_end(&rig);
    }
    world_free(&world);
}

/* A user who took every item has no negative under any sampler: its pairs are skipped, and are nobody's negatives. */
static void test_in_batch_skips_who_took_everything(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = world_gappy();
    memset(world.part + 2 * world.n_items, 1, world.n_items);
    HnTrainConfig config = small_config();
    config.sampler.name = HN_SAMPLER_IN_BATCH;
    config.loss.name = HN_LOSS_SOFTMAX;
    config.train.batch = 1000;
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 5);
    HnStepReport report;
    expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
    assert_int_equal(report.n_pairs, world_count(&world, 1) - ITEMS);
    const double ranking = ranking_of(&config, &rig.trainer->batch);
    assert_true(fabs(report.loss[HN_LOSS_RANKING] - ranking) < 1e-6 * ranking);
    rig_end(&rig);
    world_free(&world);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("losses");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_l2),       cmocka_unit_test(test_all_parameters_of_mf),
        cmocka_unit_test(test_in_batch),          cmocka_unit_test(test_softmax_of_drawn),
        cmocka_unit_test(test_epsilon_and_pools), cmocka_unit_test(test_pools_are_sums_of_layers),
        cmocka_unit_test(test_edges_of_in_batch), cmocka_unit_test(test_in_batch_skips_who_took_everything),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
