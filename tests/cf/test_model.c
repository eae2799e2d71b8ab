/* Backbones and losses: against a dense matrix reference, against each other, and every gradient against differences of
 * the loss. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static char *folder;

/* Ahat^l E summed over l = 0..L, over L+1, in double, from the dense normalised adjacency. */
static void dense_reference(const World *world, const HnTrainer *trainer, int layers, double *users, double *items) {
    uint64_t n_users = world->n_users, n = n_users + world->n_items;
    int dim = trainer->dim;
    double *a = calloc(n * n, sizeof *a), *now = calloc(n * (size_t)dim, sizeof *now);
    double *next = calloc(n * (size_t)dim, sizeof *next), *sum = calloc(n * (size_t)dim, sizeof *sum);
    double *degree = calloc(n, sizeof *degree);
    for (uint64_t u = 0; u < n_users; u++) {
        for (uint64_t i = 0; i < world->n_items; i++) {
            if (world->part[u * world->n_items + i] == 1) {
                degree[u] += 1.0, degree[n_users + i] += 1.0;
                a[u * n + n_users + i] = a[(n_users + i) * n + u] = 1.0;
            }
        }
    }
    for (uint64_t k = 0; k < n * n; k++) {
        a[k] = a[k] > 0.0 ? 1.0 / sqrt(degree[k / n] * degree[k % n]) : 0.0;
    }
    for (uint64_t k = 0; k < n * (uint64_t)dim; k++) {
        uint64_t split = n_users * (uint64_t)dim;
        now[k] = sum[k] = k < split ? (double)trainer->users.value[k] : (double)trainer->items.value[k - split];
    }
    for (int l = 0; l < layers; l++) {
        memset(next, 0, n * (size_t)dim * sizeof *next);
        for (uint64_t r = 0; r < n; r++) {
            for (uint64_t k = 0; k < n; k++) {
                for (int c = 0; c < dim && a[r * n + k] > 0.0; c++) {
                    next[r * (uint64_t)dim + (uint64_t)c] += a[r * n + k] * now[k * (uint64_t)dim + (uint64_t)c];
                }
            }
        }
        memcpy(now, next, n * (size_t)dim * sizeof *now);
        for (uint64_t k = 0; k < n * (uint64_t)dim; k++) {
            sum[k] += now[k];
        }
    }
    for (uint64_t k = 0; k < n * (uint64_t)dim; k++) {
        uint64_t split = n_users * (uint64_t)dim;
        *(k < split ? &users[k] : &items[k - split]) = sum[k] / (layers + 1);
    }
    free(degree), free(sum), free(next), free(now), free(a);
}

static double largest_difference(const float *got, const double *want, uint64_t n) {
    double worst = 0.0;
    for (uint64_t k = 0; k < n; k++) {
        worst = fmax(worst, fabs((double)got[k] - want[k]));
    }
    return worst;
}

static void test_propagation_is_the_matrix(void **state) {
    (void)state;
    World world = world_gappy();
    for (int layers = 0; layers <= 4; layers++) {
        for (int exact = 0; exact <= 1; exact++) {
            HnError err = HN_ERROR_INIT;
            HnTrainConfig config = small_config();
            config.model.layers = layers;
            Rig rig;
            rig_start(&rig, &world, &config, folder, NULL, exact, 11);
            double users[17 * 8], items[23 * 8];
            dense_reference(&world, rig.trainer, layers, users, items);
            expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
            assert_true(largest_difference(rig.trainer->final_users, users, 17 * 8) < 2e-7);
            assert_true(largest_difference(rig.trainer->final_items, items, 23 * 8) < 2e-7);
            rig_end(&rig);
        }
    }
    world_free(&world);
}

/* The batch's rows come out of a shorter computation, with the same bits. */
static void test_batch_rows_are_rows_of_the_whole(void **state) {
    (void)state;
    World world = world_gappy();
    for (int exact = 0; exact <= 1; exact++) {
        for (int layers = 0; layers <= 6; layers++) {
            HnError err = HN_ERROR_INIT;
            HnTrainConfig config = small_config();
            config.model.layers = layers;
            config.train.batch = 9;
            Rig rig;
            rig_start(&rig, &world, &config, folder, NULL, exact, 12);
            HnStepReport report;
            expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
            expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
            const HnBatch *batch = &rig.trainer->batch;
            assert_int_equal(batch->n, 9);
            for (uint32_t r = 0; r < batch->n_users; r++) {
                assert_memory_equal(batch->user_vectors + r * 8, rig.trainer->final_users + batch->users[r] * 8, 32);
            }
            for (uint32_t r = 0; r < batch->n_items; r++) {
                assert_memory_equal(batch->item_vectors + r * 8, rig.trainer->final_items + batch->items[r] * 8, 32);
            }
            rig_end(&rig);
        }
    }
    world_free(&world);
}

/* Steps of both kinds: rows updated as the backward pass finishes them, or gradients first and one update after. */
static void run_steps(const World *world, const HnTrainConfig *config, bool exact, bool apart, float *tables[6]) {
    HnError err = HN_ERROR_INIT;
    Rig rig;
    rig_start(&rig, world, config, folder, NULL, exact, 14);
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
    assert_int_equal(trainer->steps, 4);
    const HnTable *sides[2] = {&trainer->users, &trainer->items};
    for (int side = 0; side < 2; side++) {
        const size_t bytes = sides[side]->n_rows * (size_t)trainer->dim * sizeof(float);
        const float *blocks[3] = {sides[side]->value, sides[side]->m, sides[side]->v};
        for (int b = 0; b < 3; b++) {
            memcpy(tables[3 * side + b], blocks[b], bytes);
        }
    }
    rig_end(&rig);
}

static void test_step_is_gradients_and_update(void **state) {
    (void)state;
    enum { FLOATS = 23 * 8 };
    World world = world_gappy();
    for (int backbone = 0; backbone <= 2; backbone++) {
        for (int layers = 0; layers <= 4; layers++) {
            for (int exact = 0; exact <= 1; exact++) {
                HnTrainConfig config = small_config();
                config.model.backbone = backbone == 0   ? HN_BACKBONE_MF
                                        : backbone == 1 ? HN_BACKBONE_LIGHTGCN
                                                        : HN_BACKBONE_SGL;
                config.model.layers = layers;
                config.train.batch = 7;
                float *tables[2][6];
                for (int i = 0; i < 12; i++) {
                    tables[i / 6][i % 6] = calloc(FLOATS, sizeof(float));
                }
                run_steps(&world, &config, exact, false, tables[0]);
                run_steps(&world, &config, exact, true, tables[1]);
                for (int i = 0; i < 6; i++) {
                    assert_memory_equal(tables[0][i], tables[1][i], FLOATS * sizeof(float));
                    assert_true(tables[0][i][3] != 0.0f);
                    free(tables[0][i]), free(tables[1][i]);
                }
            }
        }
    }
    world_free(&world);
}

static void digest_after(HnTrainer *trainer, int epochs, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    double loss[HN_N_LOSSES];
    for (int e = 0; e < epochs; e++) {
        expect_ok(hn_trainer_epoch(trainer, loss, &err), &err);
    }
    expect_ok(hn_trainer_digest(trainer, hex, &err), &err);
}

static void test_mf_is_lightgcn_without_layers(void **state) {
    (void)state;
    World world = world_gappy();
    for (int exact = 0; exact <= 1; exact++) {
        char hex[2][65];
        for (int mf = 0; mf <= 1; mf++) {
            HnTrainConfig config = small_config();
            config.model.backbone = mf ? HN_BACKBONE_MF : HN_BACKBONE_LIGHTGCN;
            config.model.layers = mf ? 3 : 0; /* MF has none, whatever is configured */
            Rig rig;
            rig_start(&rig, &world, &config, folder, NULL, exact, 13);
            digest_after(rig.trainer, 5, hex[mf]);
            rig_end(&rig);
        }
        assert_string_equal(hex[0], hex[1]);
    }
    world_free(&world);
}

/* ---- differences ---- */

static void check_gradients(const HnTrainConfig *config, bool semantic, bool exact) {
    World world = world_gappy();
    char *vectors = semantic ? world_vectors(&world, folder, "vectors.h5", 12, NULL, NULL, 9) : NULL;
    Rig rig;
    rig_start(&rig, &world, config, folder, vectors, exact, 14);
    uint64_t pairs[20];
    int32_t negatives[20 * 4];
    const uint64_t n_train = world_count(&world, 1), draws = (uint64_t)rig.trainer->batch.draws;
    for (uint64_t k = 0; k < 20; k++) {
        pairs[k] = (k * 7) % n_train;
        for (uint64_t d = 0; d < draws; d++) {
            negatives[k * draws + d] = (int32_t)((k * 5 + d * 3) % 22);
        }
    }
    HnGivenBatch given = {pairs, negatives, 20};
    check_differences(rig.trainer, &given, &rig.trainer->users, 4e-3f, "user");
    check_differences(rig.trainer, &given, &rig.trainer->items, 4e-3f, "item");
    HnTable *own = rig.trainer->sampler->parameters(rig.trainer->sampler_state);
    assert_true((own != NULL) == semantic);
    if (own != NULL) {
        check_differences(rig.trainer, &given, own, 4e-3f, "adapter");
    }
    rig_end(&rig);
    hn_free(vectors);
    world_free(&world);
}

static void test_gradients_of_random_negatives(void **state) {
    (void)state;
    for (int layers = 0; layers <= 2; layers++) {
        for (int hinge = 0; hinge <= 1; hinge++) {
            HnTrainConfig config = small_config();
            config.model.layers = layers;
            config.model.backbone = layers == 0 ? HN_BACKBONE_MF : HN_BACKBONE_LIGHTGCN;
            config.loss.name = hinge ? HN_LOSS_HINGE : HN_LOSS_BPR;
            config.train.l2 = 0.05;
            check_gradients(&config, false, hinge == 1);
        }
    }
}

static void test_gradients_with_dropped_edges(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_RNS, HN_SAMPLER_MIXGCF, HN_SAMPLER_DINS};
    for (int way = 0; way < 9; way++) {
        HnTrainConfig config = small_config();
        config.model.layers = 1 + way % 3;
        config.model.edge_dropout = 0.4, config.model.edge_rescale = way % 2 == 0;
        config.model.edge_masks = way % 3 == 2 ? HN_MASKS_OF_LAYER : HN_MASKS_OF_STEP;
        config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.4;
        config.sampler.name = names[way / 3];
        config.train.l2 = 0.05;
        check_gradients(&config, false, way / 2 % 2 == 0);
    }
}

static void test_gradients_of_views(void **state) {
    (void)state;
    const HnAugmentRule rules[] = {HN_AUGMENT_EDGE, HN_AUGMENT_NODE, HN_AUGMENT_WALK};
    for (int way = 0; way < 12; way++) {
        HnTrainConfig config = small_config();
        config.model.backbone = HN_BACKBONE_SGL;
        config.model.layers = way / 3;
        config.ssl.augment = rules[way % 3];
        config.ssl.rho = 0.3;
        config.ssl.tau = 0.5;
        config.ssl.lambda = way % 2 == 0 ? 0.5 : 0.01;
        config.ssl.reduce = way % 2 == 0 ? HN_SSL_MEAN : HN_SSL_SUM;
        config.ssl.denominator = way / 2 % 2 == 0 ? HN_DENOMINATOR_FULL : HN_DENOMINATOR_BATCH;
        config.train.l2 = 0.05;
        check_gradients(&config, false, way % 4 < 2);
    }
}

static void test_gradients_of_semantic_negatives(void **state) {
    (void)state;
    static int64_t widths[] = {9, 6};
    for (int way = 0; way < 8; way++) {
        HnTrainConfig config = small_config();
        config.sampler.name = HN_SAMPLER_SEMANTIC;
        config.semantic.alpha = 0.4;
        config.semantic.adapter_hidden = way & 1 ? (HnIntList){widths, 2} : (HnIntList){NULL, 0};
        config.align.lambda = 0.5;
        config.align.tau = 0.5;
        config.align.negatives = way & 2 ? HN_ALIGN_BATCH : HN_ALIGN_OWN;
        config.align.vector = way & 4 ? HN_ALIGN_ADAPTED : HN_ALIGN_MIXED;
        config.train.l2 = 0.05;
        check_gradients(&config, true, way % 3 == 0);
    }
}

static void test_gradients_by_hop(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        for (int layers = 0; layers <= 3; layers++) {
            HnTrainConfig config = small_config();
            config.model.layers = layers;
            config.model.backbone = layers == 0 && way != 1 ? HN_BACKBONE_MF : HN_BACKBONE_LIGHTGCN;
            config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.4;
            config.sampler.name = way == 2 ? HN_SAMPLER_DINS : HN_SAMPLER_MIXGCF;
            config.sampler.mix_per = way == 1 ? HN_MIX_PER_ELEMENT : HN_MIX_PER_HOP;
            config.train.l2 = 0.05;
            check_gradients(&config, false, (way + layers) % 2 == 0);
        }
    }
}

/* The other ways of pooling, and backbones whose hops stand side by side or that have more to do. */
static void test_gradients_by_hop_of_all_backbones(void **state) {
    (void)state;
    const struct {
        HnBackboneName backbone;
        HnPoolRule pool;
    } cases[] = {{HN_BACKBONE_LIGHTGCN, HN_POOL_SUM},
                 {HN_BACKBONE_LIGHTGCN, HN_POOL_FINAL},
                 {HN_BACKBONE_LIGHTGCN, HN_POOL_UPPER},
                 {HN_BACKBONE_NGCF, HN_POOL_MEAN},
                 {HN_BACKBONE_SGL, HN_POOL_MEAN}};
    for (size_t c = 0; c < 2 * sizeof cases / sizeof cases[0]; c++) {
        HnTrainConfig config = small_config();
        config.model.backbone = cases[c / 2].backbone, config.model.pool = cases[c / 2].pool;
        config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.4;
        config.sampler.name = c % 2 == 0 ? HN_SAMPLER_MIXGCF : HN_SAMPLER_DINS;
        config.train.l2 = 0.05;
        check_gradients(&config, false, c % 3 == 0);
    }
}

/* Several negatives a pair, of every sampler that can have them, with one loss or each its own. */
static void test_gradients_of_several_negatives(void **state) {
    (void)state;
    const HnSamplerName names[] = {HN_SAMPLER_RNS,    HN_SAMPLER_POPULARITY, HN_SAMPLER_DNS, HN_SAMPLER_AHNS,
                                   HN_SAMPLER_MIXGCF, HN_SAMPLER_DINS,       HN_SAMPLER_DNS};
    for (int way = 0; way < 14; way++) {
        HnTrainConfig config = small_config();
        const bool all = way % 7 == 6;
        config.model.layers = 1;
        config.model.backbone = way < 7 ? HN_BACKBONE_LIGHTGCN : HN_BACKBONE_NGCF;
        config.model.init = HN_INIT_NORMAL, config.model.init_std = 0.4;
        config.sampler.name = names[way % 7];
        config.sampler.negatives = all ? 1 : 2;
        config.sampler.mn = all ? HN_DNS_ALL : HN_DNS_PICK, config.sampler.pick = all ? 4 : 1;
        config.train.l2 = 0.05;
        check_gradients(&config, false, way % 2 == 0);
    }
}

/* ---- tables ---- */

static void test_initial_rows_do_not_depend_on_the_cut(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTable whole, part;
    expect_ok(hn_table_create(&whole, 50, 0, 7, "whole", &err), &err);
    expect_ok(hn_table_create(&part, 9, 31, 7, "part", &err), &err);
    const HnInitRule rules[] = {HN_INIT_XAVIER_UNIFORM, HN_INIT_XAVIER_NORMAL, HN_INIT_NORMAL};
    for (size_t r = 0; r < 3; r++) {
        hn_table_init(&whole, rules[r], 0.1, 50, 5, HN_STREAM_INIT_USER);
        hn_table_init(&part, rules[r], 0.1, 50, 5, HN_STREAM_INIT_USER);
        assert_memory_equal(part.value, whole.value + 31 * 7, 9 * 7 * sizeof(float));
        double bound = sqrt(6.0 / 57.0), squares = 0.0;
        for (int k = 0; k < 350; k++) {
            squares += (double)whole.value[k] * (double)whole.value[k];
            assert_true(r > 0 || fabs((double)whole.value[k]) <= bound);
        }
        double std = r == 2 ? 0.1 : sqrt(2.0 / 57.0); /* of the uniform too: bound / sqrt(3) */
        assert_true(fabs(sqrt(squares / 350.0) / std - 1.0) < 0.1);
    }
    hn_table_free(&part);
    hn_table_free(&whole);
}

/* What a sampler looks at before it chooses: embed's vectors, of all items and of the batch's users; and the step's own
 * vectors are these rows. */
static void test_look_is_embed(void **state) {
    (void)state;
    static const HnPoolRule pools[] = {HN_POOL_MEAN, HN_POOL_SUM, HN_POOL_FINAL, HN_POOL_UPPER};
    for (int64_t layers = 1; layers <= 4; layers++) {
        for (int way = 0; way < 16; way++) {
            HnError err = HN_ERROR_INIT;
            HnStepReport report;
            World world = world_gappy();
            HnTrainConfig config = small_config();
            Rig rig;
            config.model.layers = layers;
            config.model.pool = pools[way % 4];
            config.sampler.name = way < 8 ? HN_SAMPLER_MIXGCF : HN_SAMPLER_DNS;
            rig_start(&rig, &world, &config, folder, NULL, way / 4 % 2 == 1, 5);
            HnTrainer *trainer = rig.trainer;
            HnBatch *batch = &trainer->batch;
            const size_t row = 8 * sizeof(float), hops = (size_t)(layers + 1);
            expect_ok(hn_trainer_gradients(trainer, NULL, &report, &err), &err);
            float *users = calloc(17 * 8, sizeof *users), *items = calloc(23 * 8, sizeof *items);
            float *item_hops = batch->item_hops != NULL ? calloc(23 * 8 * hops, sizeof *item_hops) : NULL;
            expect_ok(trainer->model->embed(trainer->model_state, users, items, item_hops, &err), &err);
            assert_memory_equal(trainer->final_items, items, 23 * row);
            for (uint32_t u = 0; u < batch->n_users; u++) {
                assert_memory_equal(trainer->final_users + batch->users[u] * 8, users + batch->users[u] * 8, row);
                assert_memory_equal(batch->user_vectors + u * 8, users + batch->users[u] * 8, row);
            }
            for (uint32_t i = 0; i < batch->n_items; i++) {
                assert_memory_equal(batch->item_vectors + i * 8, items + batch->items[i] * 8, row);
            }
            if (item_hops != NULL) {
                assert_memory_equal(trainer->item_hops, item_hops, 23 * row * hops);
            }
            free(item_hops), free(items), free(users);
            rig_end(&rig);
            world_free(&world);
        }
    }
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("model");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_propagation_is_the_matrix),
        cmocka_unit_test(test_batch_rows_are_rows_of_the_whole),
        cmocka_unit_test(test_look_is_embed),
        cmocka_unit_test(test_step_is_gradients_and_update),
        cmocka_unit_test(test_mf_is_lightgcn_without_layers),
        cmocka_unit_test(test_gradients_of_random_negatives),
        cmocka_unit_test(test_gradients_of_views),
        cmocka_unit_test(test_gradients_with_dropped_edges),
        cmocka_unit_test(test_gradients_of_semantic_negatives),
        cmocka_unit_test(test_gradients_by_hop),
        cmocka_unit_test(test_gradients_by_hop_of_all_backbones),
        cmocka_unit_test(test_gradients_of_several_negatives),
        cmocka_unit_test(test_initial_rows_do_not_depend_on_the_cut),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
