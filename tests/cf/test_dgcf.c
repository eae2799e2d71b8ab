/* DGCF: gradients through all of the routing against differences of the loss, the correlation loss, and the edges. Its
 * formulas are checked against PyTorch by test_golden.c, its bits over ranks by test_ranks.c. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static char *folder;

static HnTrainConfig dgcf_config(int64_t layers, int64_t factors, int64_t iterations, double correlation) {
    HnTrainConfig config = small_config();
    config.model.backbone = HN_BACKBONE_DGCF;
    config.model.layers = layers;
    config.dgcf.factors = factors;
    config.dgcf.iterations = iterations;
    config.dgcf.correlation = correlation;
    return config;
}

static void check_gradients(const HnTrainConfig *config, bool exact) {
    const bool semantic = config->sampler.name == HN_SAMPLER_SEMANTIC;
    World world = world_gappy();
    char *vectors = semantic ? world_vectors(&world, folder, "vectors.h5", 12, NULL, NULL, 9) : NULL;
    Rig rig;
    rig_start(&rig, &world, config, folder, vectors, exact, 14);
    uint64_t pairs[20];
    int32_t negatives[20 * 4]; /* one a hop, where the sampler works by hop */
    const uint64_t n_train = world_count(&world, 1);
    for (uint64_t k = 0; k < 80; k++) {
        pairs[k % 20] = (k % 20 * 7) % n_train;
        negatives[k] = (int32_t)((k * 5) % 22);
    }
    HnGivenBatch given = {pairs, negatives, 20};
    check_differences(rig.trainer, &given, &rig.trainer->users, 1e-3f, "user");
    check_differences(rig.trainer, &given, &rig.trainer->items, 1e-3f, "item");
    rig_end(&rig);
    hn_free(vectors);
    world_free(&world);
}

static void test_gradients(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{1, 4, 2}, {1, 1, 1}, {2, 2, 1}, {2, 4, 3}, {3, 8, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        HnTrainConfig config = dgcf_config(shapes[i][0], shapes[i][1], shapes[i][2], i % 2 == 0 ? 0.0 : 0.5);
        config.train.l2 = 0.05;
        config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.4;
        config.sampler.name = i == 0 ? HN_SAMPLER_SEMANTIC : HN_SAMPLER_RNS;
        check_gradients(&config, i % 2 == 0);
        config.sampler.name = i == 0 ? HN_SAMPLER_DINS : HN_SAMPLER_MIXGCF;
        check_gradients(&config, i % 2 == 1);
    }
}

/* Its weight is its share of the loss, and with equal chunks it is as large as it gets. */
static void test_correlation_loss(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = world_gappy();
    double own[3];
    for (int way = 0; way < 3; way++) {
        HnTrainConfig config = dgcf_config(0, 2, 2, way == 0 ? 0.25 : 0.5);
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 13);
        HnTable *tables[2] = {&rig.trainer->users, &rig.trainer->items};
        for (size_t t = 0; way == 2 && t < 2; t++) {
            for (uint64_t r = 0; r < tables[t]->n_rows; r++) {
                memcpy(tables[t]->value + r * 8 + 4, tables[t]->value + r * 8, 4 * sizeof(float));
            }
        }
        HnStepReport report;
        expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
        own[way] = report.loss[HN_LOSS_OWN];
        assert_true(fabs(report.loss[HN_LOSS_TOTAL] - report.loss[HN_LOSS_RANKING] - report.loss[HN_LOSS_L2] -
                         own[way]) < 1e-12);
        rig_end(&rig);
    }
    assert_true(fabs(own[1] - 2.0 * own[0]) < 1e-7 && own[1] > 0.0 && own[1] < own[2]);
    assert_true(fabs(own[2] - 0.5 / 3.0) < 1e-6); /* dCor 1, over F (F + 1) / 2 */
    world_free(&world);
}

/* A sampler that chooses by score looks at the same vectors, and the step goes on from there. */
static void test_batch_rows_are_rows_of_the_whole(void **state) {
    (void)state;
    World world = world_gappy();
    for (int looks = 0; looks <= 1; looks++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = dgcf_config(2, 4, 2, 0.01);
        config.train.batch = 9;
        config.sampler.name = looks ? HN_SAMPLER_DNS : HN_SAMPLER_RNS;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 12);
        const HnBatch *batch = &rig.trainer->batch;
        HnStepReport report;
        expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
        expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
        for (uint32_t r = 0; r < batch->n_users; r++) {
            assert_memory_equal(batch->user_vectors + r * 8, rig.trainer->final_users + batch->users[r] * 8, 32);
        }
        for (uint32_t r = 0; r < batch->n_items; r++) {
            assert_memory_equal(batch->item_vectors + r * 8, rig.trainer->final_items + batch->items[r] * 8, 32);
        }
        rig_end(&rig);
    }
    world_free(&world);
}

static void digest_after(const World *world, const HnTrainConfig *config, bool exact, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    double loss[HN_N_LOSSES];
    Rig rig;
    rig_start(&rig, world, config, folder, NULL, exact, 13);
    for (int e = 0; e < 3; e++) {
        expect_ok(hn_trainer_epoch(rig.trainer, loss, &err), &err);
        assert_true(isfinite(loss[HN_LOSS_TOTAL]));
    }
    expect_ok(hn_trainer_digest(rig.trainer, hex, &err), &err);
    rig_end(&rig);
}

static void test_no_layers_is_mf(void **state) {
    (void)state;
    World world = world_gappy();
    char hex[2][65];
    for (int mf = 0; mf <= 1; mf++) {
        HnTrainConfig config = dgcf_config(0, 4, 2, 0.0);
        config.model.backbone = mf ? HN_BACKBONE_MF : HN_BACKBONE_DGCF;
        digest_after(&world, &config, true, hex[mf]);
    }
    assert_string_equal(hex[0], hex[1]);
    world_free(&world);
}

/* One column a factor, a user who took everything, a batch of everything, more candidates than items. */
static void test_edges(void **state) {
    (void)state;
    char hex[65];
    World world = world_gappy();
    HnTrainConfig config = dgcf_config(2, 1, 1, 0.01);
    config.model.dim = 1;
    digest_after(&world, &config, false, hex);
    config = dgcf_config(1, 8, 4, 0.01);
    memset(world.part + 3 * world.n_items, 1, world.n_items);
    config.train.batch = 1000;
    config.sampler.name = HN_SAMPLER_DNS, config.sampler.candidates = 100;
    digest_after(&world, &config, true, hex);
    world_free(&world);
}

static void test_not_finite(void **state) {
    (void)state;
    World world = world_gappy();
    for (int way = 0; way < 4; way++) {
        HnTrainConfig config = dgcf_config(1, 4, 2, 0.01);
        HnError err = HN_ERROR_INIT;
        double loss[HN_N_LOSSES];
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, way % 2 == 0, 13);
        (way < 2 ? &rig.trainer->users : &rig.trainer->items)->value[3] = way % 2 == 0 ? NAN : INFINITY;
        assert_int_equal(hn_trainer_epoch(rig.trainer, loss, &err), HN_NUMERIC);
        assert_non_null(strstr(err.message, "step 1"));
        rig_end(&rig);
    }
    world_free(&world);
}

/* Every allocation of a trainer fails once: all others are given back. */
static void test_no_memory(void **state) {
    (void)state;
    HnTrainConfig config = dgcf_config(1, 4, 2, 0.01);
    check_no_memory(&config, folder);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("dgcf");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_correlation_loss),
        cmocka_unit_test(test_batch_rows_are_rows_of_the_whole),
        cmocka_unit_test(test_no_layers_is_mf),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
