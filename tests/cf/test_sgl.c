/* SGL's views: what they leave out, and what they do at the edges. Gradients and steps: test_model.c, test_golden.c. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/models/sgl_private.h"

enum { PAIRS = 400 }; /* most of a world here */

static char *folder;

static HnTrainConfig sgl_config(HnAugmentRule rule, double rho) {
    HnTrainConfig config = small_config();
    config.model.backbone = HN_BACKBONE_SGL;
    config.ssl.augment = rule;
    config.ssl.rho = rho;
    return config;
}

/* ---- what a view leaves out ---- */

static void choose(Rig *rig, uint64_t epoch, int view, int graph, uint8_t *keep) {
    Sgl *sgl = rig->trainer->model_state;
    hn_sgl_choose(sgl, epoch, view, graph);
    memcpy(keep, sgl->keep, rig->trainer->shards.n_local_pairs);
}

static void test_edges_are_exactly_so_many(void **state) {
    (void)state;
    World world = world_gappy();
    const double shares[] = {0.0, 0.1, 0.37, 0.99, 1.0};
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        const HnTrainConfig config = sgl_config(HN_AUGMENT_WALK, shares[s]);
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 3);
        const uint64_t n = rig.trainer->shards.n_pairs, wanted = (uint64_t)((double)n * (1.0 - shares[s]));
        uint8_t first[PAIRS], keep[PAIRS];
        uint32_t differ = 0;
        assert_true(n <= PAIRS);
        choose(&rig, 5, 0, 0, first);
        for (int way = 0; way < 4; way++) { /* another epoch, view or layer, and the same again */
            uint64_t kept = 0;
            choose(&rig, way == 1 ? 6 : 5, way == 2, way == 3, keep);
            for (uint64_t p = 0; p < n; p++) {
                kept += keep[p];
            }
            assert_int_equal(kept, wanted);
            differ |= (uint32_t)(memcmp(first, keep, n) != 0) << way;
        }
        assert_int_equal(differ, wanted == 0 || wanted == n ? 0 : 14);
        rig_end(&rig);
    }
    world_free(&world);
}

/* Nodes lose all their pairs or none that the other side does not lose. */
static void test_nodes_lose_all_their_pairs(void **state) {
    (void)state;
    World world = world_gappy();
    const HnTrainConfig config = sgl_config(HN_AUGMENT_NODE, 0.3);
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    const HnCsr *users = &rig.trainer->graph.users;
    uint8_t keep[PAIRS];
    bool lost_user[17] = {0}, lost_item[23];
    int n_users = 0, n_items = 0;
    choose(&rig, 0, 1, 0, keep);
    memset(lost_item, true, sizeof lost_item);
    for (uint64_t u = 0; u < users->n_rows; u++) {
        lost_user[u] = true;
        for (uint64_t p = users->offsets[u]; p < users->offsets[u + 1]; p++) {
            if (keep[p]) {
                lost_user[u] = lost_item[users->columns[p]] = false;
            }
        }
        n_users += lost_user[u];
    }
    for (uint64_t u = 0; u < users->n_rows; u++) {
        for (uint64_t p = users->offsets[u]; p < users->offsets[u + 1]; p++) {
            assert_int_equal(keep[p], !lost_user[u] && !lost_item[users->columns[p]]);
        }
    }
    for (int i = 0; i < 23; i++) {
        n_items += lost_item[i];
    }
    assert_true(n_users >= 5 && n_users <= 7);  /* 5 of 17, the user without pairs, and perhaps one who lost the rest */
    assert_true(n_items >= 6 && n_items <= 10); /* 6 of 23 */
    rig_end(&rig);
    world_free(&world);
}

static void test_a_view_of_everything_is_the_graph(void **state) {
    (void)state;
    World world = world_gappy();
    const HnTrainConfig config = sgl_config(HN_AUGMENT_EDGE, 0.0);
    Rig rig;
    HnError err = HN_ERROR_INIT;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    Sgl *sgl = rig.trainer->model_state;
    HnStepReport report;
    expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
    const HnGraph *whole = &rig.trainer->graph;
    for (int view = 0; view < HN_SGL_VIEWS; view++) {
        const HnGraph *graph = &sgl->graphs[view][0];
        const uint64_t n = rig.trainer->shards.n_pairs;
        assert_memory_equal(graph->user_offsets, whole->user_offsets, 18 * sizeof(uint64_t));
        assert_memory_equal(graph->item_offsets, whole->item_offsets, 24 * sizeof(uint64_t));
        assert_memory_equal(graph->users.columns, whole->users.columns, n * sizeof(int32_t));
        assert_memory_equal(graph->items.columns, whole->items.columns, n * sizeof(int32_t));
        assert_memory_equal(graph->item_degrees.inv_root, whole->item_degrees.inv_root, 23 * sizeof(float));
    }
    rig_end(&rig);
    world_free(&world);
}

/* ---- the loss ---- */

/* Without layers both views are the table: the loss from its definition, in double. */
static void test_loss_of_the_tables(void **state) {
    (void)state;
    World world = world_gappy();
    HnTrainConfig config = sgl_config(HN_AUGMENT_EDGE, 0.5);
    config.model.layers = 0;
    config.model.dim = 5;
    Rig rig;
    HnError err = HN_ERROR_INIT;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    HnTrainer *trainer = rig.trainer;
    HnStepReport report;
    expect_ok(hn_trainer_gradients(trainer, NULL, &report, &err), &err);
    const HnBatch *batch = &trainer->batch;
    double loss = 0.0;
    for (uint32_t k = 0; k < batch->n; k++) {
        for (int side = 0; side < 2; side++) {
            const HnTable *table = side == 0 ? &trainer->users : &trainer->items;
            const uint64_t own = (uint64_t)(side == 0 ? batch->user[k] : batch->positive[k]);
            double sum = 0.0, scores[32];
            for (uint64_t r = 0; r < table->n_rows; r++) {
                const float *x = table->value + own * 5, *z = table->value + r * 5;
                double dot = 0.0, xx = 0.0, zz = 0.0;
                for (int c = 0; c < 5; c++) {
                    dot += (double)x[c] * (double)z[c];
                    xx += (double)x[c] * (double)x[c], zz += (double)z[c] * (double)z[c];
                }
                scores[r] = dot / sqrt(xx * zz) / 0.2;
                sum += exp(scores[r]);
            }
            loss += log(sum) - scores[own];
        }
    }
    loss *= 0.1 / batch->n;
    assert_true(fabs(report.loss[HN_LOSS_OWN] - loss) < 1e-6 * loss);
    rig_end(&rig);
    world_free(&world);
}

static void digest_of(const World *world, const HnTrainConfig *config, bool exact, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    double loss[HN_N_LOSSES];
    Rig rig;
    rig_start(&rig, world, config, folder, NULL, exact, 4);
    for (int epoch = 0; epoch < 3; epoch++) {
        expect_ok(hn_trainer_epoch(rig.trainer, loss, &err), &err);
        assert_true(isfinite(loss[HN_LOSS_TOTAL]));
        assert_true((loss[HN_LOSS_OWN] > 0.0) == (config->ssl.lambda > 0.0));
    }
    expect_ok(hn_trainer_digest(rig.trainer, hex, &err), &err);
    assert_true(hn_trainer_memory_bytes(rig.trainer) > 0);
    rig_end(&rig);
}

static void test_without_weight_it_is_lightgcn(void **state) {
    (void)state;
    World world = world_gappy();
    for (int exact = 0; exact <= 1; exact++) {
        HnTrainConfig config = sgl_config(HN_AUGMENT_EDGE, 0.1);
        char hex[3][65];
        digest_of(&world, &config, exact, hex[0]);
        config.ssl.lambda = 0.0;
        digest_of(&world, &config, exact, hex[1]);
        config.model.backbone = HN_BACKBONE_LIGHTGCN;
        digest_of(&world, &config, exact, hex[2]);
        assert_string_equal(hex[1], hex[2]);
        assert_string_not_equal(hex[0], hex[1]);
    }
    world_free(&world);
}

/* ---- edges ---- */

/* Views without pairs, users who took everything, items nobody took, one column, fewer pairs than a batch. */
static void test_odd_worlds(void **state) {
    (void)state;
    for (int way = 0; way < 8; way++) {
        World world = world_gappy();
        HnTrainConfig config = sgl_config(way % 3 == 0   ? HN_AUGMENT_EDGE
                                          : way % 3 == 1 ? HN_AUGMENT_NODE
                                                         : HN_AUGMENT_WALK,
                                          way < 4 ? 1.0 : 0.999);
        char hex[2][65];
        config.model.dim = way % 2 == 0 ? 1 : 17;
        config.model.init = HN_INIT_NORMAL;
        config.model.layers = way % 4;
        config.train.batch = way < 2 ? 4096 : 11;
        config.ssl.denominator = way % 2 == 0 ? HN_DENOMINATOR_FULL : HN_DENOMINATOR_BATCH;
        memset(world.part + 2 * world.n_items, 1, world.n_items);
        digest_of(&world, &config, true, hex[0]);
        digest_of(&world, &config, true, hex[1]);
        assert_string_equal(hex[0], hex[1]);
        world_free(&world);
    }
}

/* A row without a direction: no gradient, and no NaN. */
static void test_zero_rows(void **state) {
    (void)state;
    World world = world_gappy();
    HnTrainConfig config = sgl_config(HN_AUGMENT_EDGE, 1.0);
    config.train.l2 = 0.0;
    Rig rig;
    HnError err = HN_ERROR_INIT;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    HnTable *users = &rig.trainer->users;
    HnStepReport report;
    memset(users->value + 4 * 8, 0, 8 * sizeof(float)); /* the user without pairs */
    expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
    assert_true(isfinite(report.loss[HN_LOSS_OWN]));
    for (int c = 0; c < 8; c++) {
        assert_true(users->gradient[4 * 8 + c] == 0.0f);
    }
    rig_end(&rig);
    world_free(&world);
}

static void test_a_value_that_is_no_number(void **state) {
    (void)state;
    World world = world_gappy();
    for (int way = 0; way < 6; way++) {
        HnTrainConfig config = sgl_config(HN_AUGMENT_EDGE, 0.1);
        config.model.layers = way % 3;
        config.train.l2 = 0.0;
        Rig rig;
        HnError err = HN_ERROR_INIT;
        HnStepReport report;
        rig_start(&rig, &world, &config, folder, NULL, way >= 3, 3);
        /* Of the user whom no pair and no ranking loss reaches. */
        rig.trainer->users.value[4 * 8 + 1] = way % 2 == 0 ? NAN : INFINITY;
        assert_int_equal(hn_trainer_gradients(rig.trainer, NULL, &report, &err), HN_NUMERIC);
        assert_non_null(strstr(err.message, "not finite"));
        rig_end(&rig);
    }
    world_free(&world);
}

/* Every allocation of the model may fail; nothing is left behind. */
static void test_memory_may_fail(void **state) {
    (void)state;
    World world = world_gappy();
    HnTrainConfig config = sgl_config(HN_AUGMENT_WALK, 0.1);
    config.ssl.denominator = HN_DENOMINATOR_BATCH;
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 3);
    const HnTrainer *trainer = rig.trainer;
    const HnModelContext context = ((Sgl *)trainer->model_state)->context;
    uint64_t n = 1;
    for (HnStatus status = HN_MEMORY; status != HN_OK; n++) {
        HnError err = HN_ERROR_INIT;
        void *model = NULL;
        const uint64_t before = hn_alloc_live_blocks();
        hn_alloc_fail_at(n);
        status = HN_MODEL_SGL.create(&context, &trainer->batch, &model, &err);
        hn_alloc_fail_at(0);
        assert_true(status == HN_OK || (status == HN_MEMORY && hn_alloc_live_blocks() == before));
        if (status == HN_OK) {
            HN_MODEL_SGL.free(model);
            assert_int_equal(hn_alloc_live_blocks(), before);
        }
    }
    assert_true(n > 60);
    rig_end(&rig);
    world_free(&world);
}

/* The plan's formula against the blocks that are there. */
static void test_memory_is_what_is_planned(void **state) {
    (void)state;
    World world = world_make(120, 90);
    world_fill(&world, 9.0, 5);
    for (int way = 0; way < 4; way++) {
        HnTrainConfig config = sgl_config(way % 2 == 0 ? HN_AUGMENT_EDGE : HN_AUGMENT_WALK, 0.1);
        config.model.dim = way < 2 ? 64 : 3;
        config.ssl.denominator = way < 2 ? HN_DENOMINATOR_FULL : HN_DENOMINATOR_BATCH;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 3);
        const Sgl *sgl = rig.trainer->model_state;
        const HnBatch *batch = &rig.trainer->batch;
        const uint64_t width = config.model.dim == 64 ? 64 : 16, n = 120 + 90, items = 32, queries = 32 + items;
        uint64_t taken = 4 * n * width * 4 + queries * 3 * width * 4; /* side_create */
        taken += queries * (2 * width * 4 + 8 * (width + 1));         /* queries_create */
        taken += way < 2 ? 0 : 2 * queries * width * 4;
        taken += (uint64_t)(2 * sgl->n_graphs) * (20 * n + 8 * rig.trainer->shards.n_pairs);
        const uint64_t with =
            HN_MODEL_SGL.bytes(&config, 120, 90, rig.trainer->shards.n_pairs, batch->max_positions, true);
        config.ssl.lambda = 0.0;
        const uint64_t without =
            HN_MODEL_SGL.bytes(&config, 120, 90, rig.trainer->shards.n_pairs, batch->max_positions, true);
        assert_int_equal(sgl->width, width);
        assert_int_equal(batch->max_positions, 32);
        assert_true((double)(with - without) > 0.95 * (double)taken && (double)(with - without) < 1.4 * (double)taken);
        rig_end(&rig);
    }
    world_free(&world);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("sgl");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_are_exactly_so_many),
        cmocka_unit_test(test_nodes_lose_all_their_pairs),
        cmocka_unit_test(test_a_view_of_everything_is_the_graph),
        cmocka_unit_test(test_loss_of_the_tables),
        cmocka_unit_test(test_without_weight_it_is_lightgcn),
        cmocka_unit_test(test_odd_worlds),
        cmocka_unit_test(test_zero_rows),
        cmocka_unit_test(test_a_value_that_is_no_number),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_memory_is_what_is_planned),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
