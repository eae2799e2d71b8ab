/* The share of false negatives: crafted vectors whose answer is known, for items and for mixed vectors; looking changes
 * nothing. */
#include "fixture.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/false_negatives.h"
#include "cf/session.h"

static char *folder;

enum { USERS = 30, ITEMS = 6 };

/* Every user took items 3, 4, 5 for training and has item 0 as test: negatives are 0, 1 or 2. User 7 has no test item,
 * user 8 took every item. */
static World make_world(void) {
    World world = world_make(USERS, ITEMS);
    for (uint64_t u = 0; u < USERS; u++) {
        for (uint64_t i = 3; i < ITEMS; i++) {
            world.part[u * ITEMS + i] = 1;
        }
        world.part[u * ITEMS] = u == 7 ? 0 : 3;
    }
    memset(world.part + (uint64_t)8 * ITEMS, 1, ITEMS);
    return world;
}

/* Items 1 and 2 lie at these cosines to item 0, at other lengths. */
static void set_items(HnTrainer *trainer, double cosine1, double cosine2) {
    float *items = trainer->items.value;
    memset(items, 0, (size_t)(ITEMS * trainer->dim) * sizeof(float));
    items[0] = 1.0f;
    items[trainer->dim] = (float)(3.0 * cosine1),
    items[trainer->dim + 1] = (float)(3.0 * sqrt(1.0 - cosine1 * cosine1));
    items[2 * trainer->dim] = (float)(0.1 * cosine2);
    items[2 * trainer->dim + 2] = (float)(0.1 * sqrt(1.0 - cosine2 * cosine2));
}

/* How often the draws of an epoch give items 0, 1, 2 to the pairs of users with a test item. */
static void count_draws(const Rig *rig, const World *world, uint64_t epoch, double share[3]) {
    uint64_t pair = 0, n = 0, drawn[3] = {0, 0, 0};
    const int32_t taken[] = {3, 4, 5};
    for (uint64_t u = 0; u < USERS; u++) {
        for (uint64_t i = 0; i < ITEMS; i++) {
            if (world->part[u * ITEMS + i] == 1) {
                int32_t item = hn_sample_outside(taken, 3, ITEMS, (uint64_t)rig->job.seed, (uint32_t)epoch, pair++);
                if (u != 7 && u != 8) {
                    n++;
                    drawn[item]++;
                }
            }
        }
    }
    for (int k = 0; k < 3; k++) {
        share[k] = (double)drawn[k] / (double)n;
    }
}

static HnTrainConfig config_of(int64_t users) {
    HnTrainConfig config = small_config();
    config.model.backbone = HN_BACKBONE_MF;
    config.eval.false_negative_users = users;
    return config;
}

static void known_answers(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = make_world();
    HnTrainConfig config = config_of(1000); /* more than there are: all that have both */
    Rig rig;
    HnFalseNegatives look;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    expect_ok(hn_false_negatives_create(rig.trainer, &look, &err), &err);
    assert_int_equal(look.n_pairs, (USERS - 2) * 3);
    const double cosines[][2] = {{0.5, -0.5}, {0.9905, 0.9895}, {-1.0, 0.0}, {1.0, 1.0}};
    for (size_t c = 0; c < sizeof cosines / sizeof *cosines; c++) {
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            double drawn[3], share = -1.0;
            set_items(rig.trainer, cosines[c][0], cosines[c][1]);
            count_draws(&rig, &world, epoch, drawn);
            expect_ok(hn_false_negatives_share(&look, rig.trainer, epoch, &share, &err), &err);
            double want = drawn[0] + (cosines[c][0] > 0.99 ? drawn[1] : 0.0) + (cosines[c][1] > 0.99 ? drawn[2] : 0.0);
            assert_true(fabs(share - want) < 1e-12);
        }
    }
    memset(rig.trainer->items.value, 0, ITEMS * 8 * sizeof(float)); /* no direction, no cosine */
    double share = -1.0;
    expect_ok(hn_false_negatives_share(&look, rig.trainer, 0, &share, &err), &err);
    assert_true(share == 0.0);
    hn_false_negatives_free(&look);
    rig_end(&rig);
    world_free(&world);
}

static void few_users_and_none(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = make_world();
    HnFalseNegatives few, more;
    Rig rig;
    HnTrainConfig config = config_of(4);
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    expect_ok(hn_false_negatives_create(rig.trainer, &few, &err), &err);
    rig.config.eval.false_negative_users = 9;
    expect_ok(hn_false_negatives_create(rig.trainer, &more, &err), &err);
    assert_int_equal(few.n_pairs, 4 * 3);
    assert_int_equal(more.n_pairs, 9 * 3);
    assert_memory_equal(few.pairs, more.pairs, few.n_pairs * sizeof *few.pairs);
    hn_false_negatives_free(&more);
    hn_false_negatives_free(&few);
    rig.config.eval.false_negative_users = 0;
    double share = -1.0;
    expect_ok(hn_false_negatives_create(rig.trainer, &few, &err), &err);
    expect_ok(hn_false_negatives_share(&few, rig.trainer, 0, &share, &err), &err);
    assert_true(few.n_pairs == 0 && share == 0.0);
    hn_false_negatives_free(&few);
    rig_end(&rig);
    memset(world.part, 1, (size_t)USERS * 4); /* some users with a test item are left, and one test item for them */
    for (uint64_t u = 0; u < USERS; u++) {
        world.part[u * ITEMS] = 1;
    }
    config.eval.false_negative_users = 5;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    expect_ok(hn_false_negatives_create(rig.trainer, &few, &err), &err);
    assert_int_equal(few.n_pairs, 0); /* nobody has test items */
    hn_false_negatives_free(&few);
    rig_end(&rig);
    world_free(&world);
}

/* The same training with and without looking; every kind of sampler is looked at. */
static void looking_changes_nothing(void **state) {
    (void)state;
    static const HnSamplerName samplers[] = {HN_SAMPLER_RNS,    HN_SAMPLER_SEMANTIC, HN_SAMPLER_DNS,
                                             HN_SAMPLER_MIXGCF, HN_SAMPLER_DINS,     HN_SAMPLER_IN_BATCH};
    static const HnBackboneName backbones[] = {HN_BACKBONE_MF, HN_BACKBONE_LIGHTGCN};
    World world = world_make(40, 30);
    world_fill(&world, 9.0, 4);
    for (size_t s = 0; s < 2 * sizeof samplers / sizeof *samplers; s++) {
        char digests[2][65];
        double share = 0.0;
        for (int looking = 0; looking <= 1; looking++) {
            HnError err = HN_ERROR_INIT;
            HnTrainConfig config = small_config();
            HnSession session;
            Rig rig;
            config.sampler.name = samplers[s / 2];
            config.model.backbone = backbones[s % 2];
            config.eval.false_negative_users = looking ? 25 : 0;
            char *vectors = world_vectors(&world, folder, "vectors.h5", 20, NULL, NULL, 5);
            rig_start(&rig, &world, &config, folder, samplers[s / 2] == HN_SAMPLER_SEMANTIC ? vectors : NULL, true, 3);
            expect_ok(hn_session_create(&rig.job, rig.comm, &session, &err), &err);
            for (int e = 0; e < 3; e++) {
                expect_ok(hn_session_epoch(&session, &err), &err);
                share += looking ? session.history.loss[e * HN_N_LOSSES + HN_LOSS_FALSE] : 0.0;
            }
            memcpy(digests[looking], session.history.digest[2], 65);
            hn_session_free(&session);
            rig_end(&rig);
            hn_free(vectors);
        }
        assert_string_equal(digests[0], digests[1]);
        assert_true(share >= 0.0 && share < 3.0);
        if (samplers[s / 2] == HN_SAMPLER_RNS || samplers[s / 2] == HN_SAMPLER_DNS) {
            assert_true(share > 0.0); /* a test item is drawn now and then */
        }
    }
    world_free(&world);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("false-negatives");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers), cmocka_unit_test(few_users_and_none),
                                       cmocka_unit_test(looking_changes_nothing)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
