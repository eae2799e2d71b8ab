/* Rows that wait for their optimiser steps: the bits of steps at once, whatever waits, for how long, and who asks. */
#include <stdlib.h>
#include <string.h>

#include "cf/deferred.h"
#include "fixture.h"

enum { USERS = 150, ITEMS = 90, DIM = 8, STEPS = 230 };

static char *folder;

static int set_up(void **state) {
    (void)state;
    folder = folder_make("deferred");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return 0;
}

static HnTrainConfig mf_config(HnSamplerName sampler, HnRegRule reg) {
    HnTrainConfig config = small_config();
    config.model.backbone = HN_BACKBONE_MF;
    config.model.layers = 0;
    config.train.batch = 3;
    config.train.reg = reg;
    config.train.l2 = 1e-3;
    config.sampler.name = sampler;
    config.sampler.candidates = 4;
    return config;
}

/* Values and both moments of both tables, one after the other. */
static float *tables_of(const HnTrainer *trainer) {
    float *all = malloc((size_t)(USERS + ITEMS) * DIM * 3 * sizeof *all), *to = all;
    const HnTable *tables[2] = {&trainer->users, &trainer->items};
    for (int t = 0; t < 2; t++) {
        const float *blocks[3] = {tables[t]->value, tables[t]->m, tables[t]->v};
        for (int b = 0; b < 3; b++, to += tables[t]->n_rows * DIM) {
            memcpy(to, blocks[b], tables[t]->n_rows * DIM * sizeof *to);
        }
    }
    return all;
}

/* STEPS steps, so many at once; 0: gradients of all rows first, and an update of all after. */
static float *train(const World *world, const HnTrainConfig *config, uint64_t at_once, bool wait) {
    HnError err = HN_ERROR_INIT;
    HnStepReport report;
    Rig rig;
    rig_start(&rig, world, config, folder, NULL, true, 5);
    HnTrainer *trainer = rig.trainer;
    assert_false(trainer->users.waits || trainer->items.waits); /* tables that the caches hold */
    if (wait) {
        expect_ok(hn_deferred_create(&trainer->later_users, &trainer->users, &err), &err);
        if (!trainer->sampler->by_score) {
            expect_ok(hn_deferred_create(&trainer->later_items, &trainer->items, &err), &err);
        }
    }
    assert_true(trainer->order.n_batches >= STEPS);
    while (trainer->steps < STEPS && at_once > 0) {
        const uint64_t left = STEPS - trainer->steps;
        expect_ok(hn_trainer_steps(trainer, left < at_once ? left : at_once, &err), &err);
    }
    while (trainer->steps < STEPS) {
        expect_ok(hn_trainer_gradients(trainer, NULL, &report, &err), &err);
        hn_trainer_update(trainer);
        trainer->step_in_epoch++;
    }
    float *all = tables_of(trainer);
    rig_end(&rig);
    return all;
}

static void test_the_same_bits(void **state) {
    (void)state;
    static const HnSamplerName samplers[] = {HN_SAMPLER_RNS, HN_SAMPLER_POPULARITY, HN_SAMPLER_DNS, HN_SAMPLER_AHNS,
                                             HN_SAMPLER_MIXGCF};
    const size_t n_bytes = (size_t)(USERS + ITEMS) * DIM * 3 * sizeof(float);
    World world = world_make(USERS, ITEMS);
    world_fill(&world, 7.0, 3);
    for (size_t s = 0; s < sizeof samplers / sizeof samplers[0]; s++) {
        for (int reg = 0; reg < (s == 0 ? 2 : 1); reg++) {
            const HnTrainConfig config = mf_config(samplers[s], reg == 0 ? HN_REG_SQ_HALF : HN_REG_NORM);
            float *expected = train(&world, &config, 0, false);
            static const uint64_t at_once[] = {STEPS, 1, 7, 0};
            for (int k = 0; k < 4; k++) {
                float *actual = train(&world, &config, at_once[k], true);
                assert_memory_equal(expected, actual, n_bytes);
                free(actual);
            }
            free(expected);
        }
    }
    world_free(&world);
}

/* A row stays as it is until it is asked for, or the sweep comes by, which is never more than MOST steps later. */
static void test_rows_wait(void **state) {
    (void)state;
    enum { ROWS = 10 };
    HnError err = HN_ERROR_INIT;
    HnTable table, plain;
    HnDeferred deferred;
    float zeros[ROWS * DIM] = {0.0f};
    expect_ok(hn_table_create(&table, ROWS, 0, DIM, "table", &err), &err);
    expect_ok(hn_table_create(&plain, ROWS, 0, DIM, "table", &err), &err);
    for (int i = 0; i < ROWS * DIM; i++) {
        table.value[i] = plain.value[i] = 1.0f;
        table.m[i] = plain.m[i] = 0.1f;
        table.v[i] = plain.v[i] = 0.01f;
    }
    expect_ok(hn_deferred_create(&deferred, &table, &err), &err);
    assert_true(table.waits);
    uint64_t waited = 0, longest = 0;
    for (uint64_t t = 1; t <= 3 * HN_DEFER_MOST; t++) {
        const HnAdamStep step = hn_adam_step(0.01, t);
        const int32_t first = 0;
        hn_deferred_rows(&deferred, &first, 1);
        hn_table_adam_rows(&table, &step, 0, 1, zeros);
        hn_deferred_step(&deferred, &step, &first, 1);
        hn_table_adam_rows(&plain, &step, 0, ROWS, zeros);
        assert_memory_equal(table.value, plain.value, DIM * sizeof(float));
        waited = memcmp(table.value + DIM, plain.value + DIM, DIM * sizeof(float)) != 0 ? waited + 1 : 0;
        longest = waited > longest ? waited : longest;
    }
    assert_in_range(longest, 2, HN_DEFER_MOST);
    hn_deferred_all(&deferred);
    assert_memory_equal(table.value, plain.value, ROWS * DIM * sizeof(float));
    assert_memory_equal(table.m, plain.m, ROWS * DIM * sizeof(float));
    assert_memory_equal(table.v, plain.v, ROWS * DIM * sizeof(float));
    hn_deferred_free(&deferred);
    hn_table_free(&plain);
    hn_table_free(&table);
}

/* Tables beyond the caches wait, where only a batch's rows have gradients; not items that a sampler looks at. */
static void test_who_waits(void **state) {
    (void)state;
    static const struct {
        HnBackboneName backbone;
        HnSamplerName sampler;
        HnRegRule reg;
        bool users, items;
    } cases[] = {{HN_BACKBONE_MF, HN_SAMPLER_RNS, HN_REG_SQ_HALF, true, true},
                 {HN_BACKBONE_MF, HN_SAMPLER_RNS, HN_REG_ALL_PARAMS, false, false},
                 {HN_BACKBONE_MF, HN_SAMPLER_DNS, HN_REG_SQ_HALF, true, false},
                 {HN_BACKBONE_LIGHTGCN, HN_SAMPLER_RNS, HN_REG_SQ_HALF, false, false}};
    World world = world_make(USERS, ITEMS);
    world_fill(&world, 7.0, 3);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        HnTrainConfig config = mf_config(cases[c].sampler, cases[c].reg);
        config.model.backbone = cases[c].backbone;
        config.model.dim = 20000; /* 150 users alone: 36 MB with their moments */
        config.model.layers = cases[c].backbone == HN_BACKBONE_MF ? 0 : 1;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, false, 5);
        assert_int_equal(rig.trainer->users.waits, cases[c].users);
        assert_int_equal(rig.trainer->items.waits, cases[c].items);
        rig_end(&rig);
    }
    world_free(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_bits),
        cmocka_unit_test(test_rows_wait),
        cmocka_unit_test(test_who_waits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
