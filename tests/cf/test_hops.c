/* Samplers that make a negative hop by hop: whom they choose, against a plain reading of the formula; what they are
 * without layers; and the edges. Gradients are in test_model.c, values in test_golden.c, ranks in test_ranks.c. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/rng.h"

static char *folder;
static World world;

static HnTrainConfig hop_config(HnSamplerName name, HnMixRule mix, int64_t layers) {
    HnTrainConfig config = small_config();
    config.model.layers = layers;
    config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.5;
    config.sampler.name = name, config.sampler.mix_per = mix, config.sampler.candidates = 12;
    return config;
}

/* All vectors before a step. */
typedef struct Before {
    float users[40 * 8], items[30 * 8], hops[30 * 4 * 8];
} Before;

static void look(HnTrainer *trainer, Before *before) {
    HnError err = HN_ERROR_INIT;
    expect_ok(trainer->model->embed(trainer->model_state, before->users, before->items, before->hops, &err), &err);
}

/* Score of a candidate at a hop, mixed where that decides. */
static double score_of(const HnTrainer *trainer, const Before *before, uint32_t k, int32_t item, int hop) {
    const HnBatch *batch = &trainer->batch;
    const size_t hops = (size_t)batch->hops, at = (size_t)hop * 8;
    const float *user = before->users + batch->user[k] * 8;
    const float *candidate = before->hops + (size_t)item * hops * 8 + at;
    const float *positive = before->hops + (size_t)batch->positive[k] * hops * 8 + at;
    const bool by_element = trainer->config->sampler.mix_per == HN_MIX_PER_ELEMENT;
    HnRng rng;
    hn_rng_start(&rng, 21, HN_STREAM_MIX, batch->epoch, (batch->local[k] * 30 + (uint64_t)item) * hops + (uint64_t)hop);
    double sum = 0.0;
    for (int c = 0; c < 8; c++) {
        const double a = by_element ? (double)hn_rng_float(&rng) : 0.0;
        sum += (double)user[c] * (a * (double)positive[c] + (1.0 - a) * (double)candidate[c]);
    }
    return sum;
}

/* The draw is offered, and none that is offered scores higher. */
static void check_draw(const HnTrainer *trainer, const Before *before, uint32_t k, int hop, const int32_t *offered) {
    const HnBatch *batch = &trainer->batch;
    const int32_t drawn = batch->negative[k * (uint32_t)batch->draws + (uint32_t)hop];
    const double mine = score_of(trainer, before, k, drawn, hop);
    bool found = false;
    for (int m = 0; m < (int)trainer->config->sampler.candidates; m++) {
        found = found || offered[m] == drawn;
        assert_true(score_of(trainer, before, k, offered[m], hop) <= mine + 1e-6);
    }
    assert_true(found);
    assert_int_not_equal(world.part[(uint64_t)batch->user[k] * world.n_items + (uint64_t)drawn], 1);
}

static void check_choices(const HnTrainConfig *config) {
    HnError err = HN_ERROR_INIT;
    Rig rig;
    rig_start(&rig, &world, config, folder, NULL, true, 21);
    HnTrainer *trainer = rig.trainer;
    int differ = 0;
    for (int step = 0; step < 4; step++) {
        static Before before;
        HnStepReport report;
        look(trainer, &before);
        expect_ok(hn_trainer_step(trainer, &report, &err), &err);
        const uint32_t draws = (uint32_t)trainer->batch.draws;
        for (uint32_t k = 0; k < trainer->batch.n; k++) {
            int32_t offered[12];
            rig_candidates(trainer, k, offered);
            for (uint32_t l = 0; l < draws; l++) {
                check_draw(trainer, &before, k, (int)l, offered);
                differ += trainer->batch.negative[k * draws + l] != trainer->batch.negative[k * draws];
            }
        }
    }
    assert_true(trainer->batch.draws == 1 || differ > 10); /* hops really differ in whom they choose */
    rig_end(&rig);
}

static void test_choice_of_each_hop(void **state) {
    (void)state;
    for (int layers = 0; layers <= 3; layers++) {
        const HnTrainConfig configs[] = {hop_config(HN_SAMPLER_MIXGCF, HN_MIX_PER_HOP, layers),
                                         hop_config(HN_SAMPLER_MIXGCF, HN_MIX_PER_ELEMENT, layers),
                                         hop_config(HN_SAMPLER_DINS, HN_MIX_PER_HOP, layers)};
        for (int c = 0; c < 3; c++) {
            check_choices(&configs[c]);
        }
    }
}

/* The hops that the forward pass of a batch gives are those of the whole, and their mean is the final vector. */
static void test_hops_of_the_batch_are_hops_of_the_whole(void **state) {
    (void)state;
    for (int layers = 0; layers <= 3; layers++) {
        HnError err = HN_ERROR_INIT;
        const HnTrainConfig config = hop_config(HN_SAMPLER_MIXGCF, HN_MIX_PER_HOP, layers);
        const uint64_t pairs[] = {0, 3, 17, 40};
        static Before all;
        int32_t negatives[4 * 4];
        HnStepReport report;
        Rig rig;
        for (int k = 0; k < 16; k++) {
            negatives[k] = (k * 7) % 30;
        }
        rig_start(&rig, &world, &config, folder, NULL, true, 21);
        expect_ok(hn_trainer_gradients(rig.trainer, &(HnGivenBatch){pairs, negatives, 4}, &report, &err), &err);
        look(rig.trainer, &all);
        const HnBatch *batch = &rig.trainer->batch;
        const size_t row = ((size_t)layers + 1) * 8;
        for (uint32_t i = 0; i < batch->n_items; i++) {
            const float *hops = batch->item_hops + i * row;
            assert_memory_equal(hops, all.hops + (size_t)batch->items[i] * row, row * sizeof(float));
            for (size_t c = 0; c < 8; c++) {
                double mean = 0.0;
                for (size_t l = 0; l <= (size_t)layers; l++) {
                    mean += (double)hops[l * 8 + c] / (layers + 1);
                }
                assert_true(fabs(mean - (double)batch->item_vectors[i * 8 + c]) < 1e-6);
            }
        }
        rig_end(&rig);
    }
}

static void digest_of(const World *of, const HnTrainConfig *config, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    double loss[HN_N_LOSSES];
    Rig rig;
    rig_start(&rig, of, config, folder, NULL, true, 21);
    for (int e = 0; e < 3; e++) {
        expect_ok(hn_trainer_epoch(rig.trainer, loss, &err), &err);
        assert_true(isfinite(loss[HN_LOSS_TOTAL]));
    }
    expect_ok(hn_trainer_digest(rig.trainer, hex, &err), &err);
    rig_end(&rig);
}

/* MF has one hop, as LightGCN has without layers; and not by accident: alpha and the pool matter. */
static void test_mf_has_one_hop(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_MIXGCF, HN_SAMPLER_DINS};
    for (int n = 0; n < 2; n++) {
        char hex[3][65];
        for (int way = 0; way < 3; way++) {
            HnTrainConfig config = hop_config(names[n], HN_MIX_PER_HOP, way == 0 ? 3 : 0);
            config.model.backbone = way == 1 ? HN_BACKBONE_LIGHTGCN : HN_BACKBONE_MF;
            config.sampler.candidates = way == 2 ? 3 : 12;
            digest_of(&world, &config, hex[way]);
        }
        assert_string_equal(hex[0], hex[1]);
        assert_string_not_equal(hex[0], hex[2]);
    }
}

/* A pool larger than the catalogue, one of one, dimension 1, an item without users, a user without a negative. */
static void test_edges(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_MIXGCF, HN_SAMPLER_DINS};
    const int64_t pools[] = {1, 4096}, dims[] = {1, 8};
    World small = world_make(9, 6);
    world_fill(&small, 2.0, 8);
    memset(small.part + 3 * 6, 1, 6); /* user 3 took everything */
    for (uint64_t u = 0; u < 9; u++) {
        small.part[u * 6 + 5] = u == 3; /* item 5 belongs to that one alone */
    }
    for (int way = 0; way < 16; way++) {
        HnTrainConfig config = hop_config(names[way & 1], way & 2 ? HN_MIX_PER_ELEMENT : HN_MIX_PER_HOP, 2);
        config.sampler.candidates = pools[way >> 2 & 1];
        config.model.dim = dims[way >> 3 & 1];
        char hex[65];
        digest_of(&small, &config, hex);
    }
    world_free(&small);
}

static void test_nan_is_said(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_MIXGCF, HN_SAMPLER_DINS};
    for (int way = 0; way < 4; way++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = hop_config(names[way & 1], HN_MIX_PER_HOP, way & 2 ? 2 : 0);
        HnStepReport report;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, way == 1, 21);
        for (uint64_t e = 0; e < rig.trainer->items.n_rows * 8; e++) {
            rig.trainer->items.value[e] = (float)NAN;
        }
        assert_int_equal(hn_trainer_step(rig.trainer, &report, &err), HN_NUMERIC);
        assert_non_null(strstr(err.message, "step 1"));
        rig_end(&rig);
    }
}

static int set_up(void **state) {
    (void)state;
    hn_log_setup(HN_LOG_ERROR, 0);
    folder = folder_make("hops");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice_of_each_hop), cmocka_unit_test(test_hops_of_the_batch_are_hops_of_the_whole),
        cmocka_unit_test(test_mf_has_one_hop),     cmocka_unit_test(test_edges),
        cmocka_unit_test(test_nan_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
