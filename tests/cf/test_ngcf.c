/* NGCF: every gradient against differences of the loss, the short way to the batch's rows against the whole, and the
 * edges. Its formulas are checked against PyTorch by test_golden.c, its bits over ranks by test_ranks.c. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static char *folder;

static HnTrainConfig ngcf_config(HnNgcfVariant variant, int64_t layers, double dropout) {
    HnTrainConfig config = small_config();
    config.model.backbone = HN_BACKBONE_NGCF;
    config.model.layers = layers;
    config.ngcf.variant = variant;
    config.ngcf.dropout = dropout;
    return config;
}

/* ---- gradients ---- */

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
    HnTrainer *trainer = rig.trainer;
    check_differences(trainer, &given, &trainer->users, 1e-3f, "user");
    check_differences(trainer, &given, &trainer->items, 1e-3f, "item");
    check_differences(trainer, &given, hn_model_parameters(trainer->model, trainer->model_state), 1e-3f, "weight");
    if (semantic) {
        check_differences(trainer, &given, trainer->sampler->parameters(trainer->sampler_state), 1e-3f, "adapter");
    }
    rig_end(&rig);
    hn_free(vectors);
    world_free(&world);
}

static void test_gradients(void **state) {
    (void)state;
    for (int variant = HN_NGCF_PAPER; variant <= HN_NGCF_RECBOLE; variant++) {
        for (int layers = 1; layers <= 3; layers++) {
            HnTrainConfig config = ngcf_config((HnNgcfVariant)variant, layers, layers == 2 ? 0.25 : 0.0);
            config.train.l2 = 0.05;
            config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.4;
            config.sampler.name = layers == 3 ? HN_SAMPLER_SEMANTIC : HN_SAMPLER_RNS;
            check_gradients(&config, layers % 2 == 0);
            config.sampler.name = layers == 1 ? HN_SAMPLER_DINS : HN_SAMPLER_MIXGCF;
            check_gradients(&config, layers % 2 == 1);
        }
    }
}

/* ---- the batch's rows ---- */

static void check_rows(const HnBatch *batch, const HnTrainer *trainer) {
    const size_t width = (size_t)trainer->width;
    assert_int_equal(trainer->width, trainer->dim * (trainer->config->model.layers + 1));
    for (uint32_t r = 0; r < batch->n_users; r++) {
        assert_memory_equal(batch->user_vectors + r * width, trainer->final_users + (size_t)batch->users[r] * width,
                            width * sizeof(float));
    }
    for (uint32_t r = 0; r < batch->n_items; r++) {
        assert_memory_equal(batch->item_vectors + r * width, trainer->final_items + (size_t)batch->items[r] * width,
                            width * sizeof(float));
    }
}

static bool any_differs(const HnBatch *batch, const HnTrainer *trainer) {
    const size_t width = (size_t)trainer->width;
    for (uint32_t r = 0; r < batch->n_users; r++) {
        if (memcmp(batch->user_vectors + r * width, trainer->final_users + (size_t)batch->users[r] * width,
                   width * sizeof(float)) != 0) {
            return true;
        }
    }
    return false;
}

/* Without dropout they are those of the evaluation; with it, those that a sampler that chooses by score has seen. */
static void test_batch_rows_are_rows_of_the_whole(void **state) {
    (void)state;
    World world = world_gappy();
    for (int way = 0; way < 32; way++) {
        HnError err = HN_ERROR_INIT;
        const bool exact = way & 1, looks = way & 2;
        HnTrainConfig config = ngcf_config((HnNgcfVariant)(way / 4 % 4), 1 + way / 16 * 2, looks ? 0.3 : 0.0);
        config.train.batch = 9;
        config.sampler.name = looks ? HN_SAMPLER_DNS : HN_SAMPLER_RNS;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, exact, 12);
        HnStepReport report;
        expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
        if (!looks) {
            expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
        }
        check_rows(&rig.trainer->batch, rig.trainer);
        if (looks) { /* a step's vectors are not those of the evaluation */
            expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
            assert_true(any_differs(&rig.trainer->batch, rig.trainer));
        }
        rig_end(&rig);
    }
    world_free(&world);
}

/* ---- steps ---- */

static void copy_table(const HnTable *table, float *out) {
    const size_t n = table->n_rows * (size_t)table->dim;
    memcpy(out, table->value, n * sizeof *out);
    memcpy(out + n, table->m, n * sizeof *out);
    memcpy(out + 2 * n, table->v, n * sizeof *out);
}

static uint64_t table_floats(const HnTable *table) {
    return 3 * table->n_rows * (uint64_t)table->dim;
}

/* Four steps of one kind: rows updated as the backward pass finishes them, or all after it. Caller frees. */
static float *run_steps(const World *world, const HnTrainConfig *config, bool apart, uint64_t *n) {
    HnError err = HN_ERROR_INIT;
    Rig rig;
    rig_start(&rig, world, config, folder, NULL, true, 14);
    HnTrainer *trainer = rig.trainer;
    for (int step = 0; step < 4; step++) {
        HnStepReport report;
        if (apart) {
            expect_ok(hn_trainer_gradients(trainer, NULL, &report, &err), &err);
            hn_trainer_update(trainer);
            trainer->step_in_epoch++;
        } else {
            expect_ok(hn_trainer_step(trainer, &report, &err), &err);
        }
    }
    const HnTable *weights = hn_model_parameters(trainer->model, trainer->model_state);
    const HnTable *tables[3] = {&trainer->users, &trainer->items, weights};
    *n = 0;
    for (int t = 0; t < 3; t++) {
        *n += table_floats(tables[t]);
    }
    float *all = calloc(*n, sizeof *all), *at = all;
    for (int t = 0; t < 3; t++) {
        copy_table(tables[t], at);
        at += table_floats(tables[t]);
    }
    rig_end(&rig);
    return all;
}

static void test_step_is_gradients_and_update(void **state) {
    (void)state;
    World world = world_gappy();
    for (int variant = HN_NGCF_PAPER; variant <= HN_NGCF_RECBOLE; variant++) {
        uint64_t n[2];
        HnTrainConfig config = ngcf_config((HnNgcfVariant)variant, 1 + variant % 3, 0.1);
        config.train.batch = 7;
        float *at_once = run_steps(&world, &config, false, &n[0]), *apart = run_steps(&world, &config, true, &n[1]);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(at_once, apart, n[0] * sizeof(float));
        assert_true(at_once[n[0] - 1] > 0.0f); /* a second moment of a weight */
        free(at_once), free(apart);
    }
    world_free(&world);
}

static void digest_after(Rig *rig, int epochs, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    double loss[HN_N_LOSSES];
    for (int e = 0; e < epochs; e++) {
        expect_ok(hn_trainer_epoch(rig->trainer, loss, &err), &err);
        assert_true(isfinite(loss[HN_LOSS_TOTAL]));
    }
    expect_ok(hn_trainer_digest(rig->trainer, hex, &err), &err);
}

/* ---- edges ---- */

static void test_no_layers_is_mf(void **state) {
    (void)state;
    World world = world_gappy();
    char hex[2][65];
    for (int mf = 0; mf <= 1; mf++) {
        HnTrainConfig config = ngcf_config(HN_NGCF_AUTHOR, 0, 0.5);
        config.model.backbone = mf ? HN_BACKBONE_MF : HN_BACKBONE_NGCF;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 13);
        assert_null(hn_model_parameters(rig.trainer->model, rig.trainer->model_state));
        digest_after(&rig, 3, hex[mf]);
        rig_end(&rig);
    }
    assert_string_equal(hex[0], hex[1]);
    world_free(&world);
}

/* One column, nearly all of it dropped: rows of zeros have no length to be divided by. */
static void test_rows_of_zeros(void **state) {
    (void)state;
    World world = world_gappy();
    for (int variant = HN_NGCF_PAPER; variant <= HN_NGCF_RECBOLE; variant++) {
        char hex[65];
        HnTrainConfig config = ngcf_config((HnNgcfVariant)variant, 2, 0.99);
        config.model.dim = 1;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, variant % 2 == 0, 13);
        digest_after(&rig, 3, hex);
        rig_end(&rig);
    }
    world_free(&world);
}

static void test_a_user_who_took_everything(void **state) {
    (void)state;
    World world = world_gappy();
    memset(world.part + 3 * world.n_items, 1, world.n_items);
    char hex[65];
    HnTrainConfig config = ngcf_config(HN_NGCF_MIXGCF, 3, 0.1);
    config.train.batch = 1000;                                             /* more than there are pairs */
    config.sampler.name = HN_SAMPLER_DNS, config.sampler.candidates = 100; /* more than there are items */
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 13);
    digest_after(&rig, 3, hex);
    rig_end(&rig);
    world_free(&world);
}

static void test_not_finite(void **state) {
    (void)state;
    World world = world_gappy();
    for (int way = 0; way < 6; way++) {
        HnTrainConfig config = ngcf_config(HN_NGCF_PAPER, 2, 0.1);
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, way % 2 == 0, 13);
        HnTrainer *trainer = rig.trainer;
        HnTable *tables[3] = {&trainer->users, &trainer->items,
                              hn_model_parameters(trainer->model, trainer->model_state)};
        tables[way / 2]->value[3] = way % 2 == 0 ? NAN : INFINITY;
        HnError err = HN_ERROR_INIT;
        double loss[HN_N_LOSSES];
        assert_int_equal(hn_trainer_epoch(trainer, loss, &err), HN_NUMERIC);
        assert_non_null(strstr(err.message, "step 1"));
        rig_end(&rig);
    }
    world_free(&world);
}

/* Within the bound of xavier uniform, and not the numbers of another matrix or seed. */
static void test_initial_weights(void **state) {
    (void)state;
    World world = world_gappy();
    float first[2][64];
    for (int seed = 0; seed <= 1; seed++) {
        HnTrainConfig config = ngcf_config(HN_NGCF_AUTHOR, 2, 0.1);
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, seed);
        const HnTable *weights = hn_model_parameters(rig.trainer->model, rig.trainer->model_state);
        assert_int_equal(weights->n_rows, 2 * (2 * 64 + 2 * 8));
        float largest = 0.0f;
        for (int k = 0; k < 64; k++) {
            largest = fmaxf(largest, fabsf(weights->value[k]));
        }
        assert_true((double)largest <= sqrt(6.0 / 16.0) && (double)largest > 0.9 * sqrt(6.0 / 16.0));
        for (int k = 128; k < 144; k++) {
            assert_true(fabs((double)weights->value[k]) <= sqrt(6.0 / 9.0) && weights->value[k] != 0.0f);
        }
        assert_memory_not_equal(weights->value, weights->value + 64, 64 * sizeof(float));
        assert_memory_not_equal(weights->value, weights->value + 144, 64 * sizeof(float));
        memcpy(first[seed], weights->value, sizeof first[seed]);
        rig_end(&rig);
    }
    assert_memory_not_equal(first[0], first[1], sizeof first[0]);
    world_free(&world);
}

/* Every allocation of a trainer fails once: all others are given back. */
static void test_no_memory(void **state) {
    (void)state;
    HnTrainConfig config = ngcf_config(HN_NGCF_AUTHOR, 2, 0.1);
    check_no_memory(&config, folder);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("ngcf");
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
        cmocka_unit_test(test_batch_rows_are_rows_of_the_whole),
        cmocka_unit_test(test_step_is_gradients_and_update),
        cmocka_unit_test(test_no_layers_is_mf),
        cmocka_unit_test(test_rows_of_zeros),
        cmocka_unit_test(test_a_user_who_took_everything),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_initial_weights),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
