/* LightGCN without a share of the edges: what it is at both ends, and what evaluation sees. Its steps against PyTorch's
 * are in test_golden.c, its gradients against differences in test_model.c. */
#include "fixture.h"

#include <string.h>

#include "base/alloc.h"

static char *folder;

static void trained_with(const World *world, double share, bool rescale, HnEdgeMasks masks, bool exact, char hex[65]) {
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = small_config();
    config.model.layers = 3;
    config.model.edge_dropout = share, config.model.edge_rescale = rescale;
    config.model.edge_masks = masks;
    Rig rig;
    rig_start(&rig, world, &config, folder, NULL, exact, 13);
    double loss[HN_N_LOSSES];
    for (int epoch = 0; epoch < 3; epoch++) {
        expect_ok(hn_trainer_epoch(rig.trainer, loss, &err), &err);
    }
    expect_ok(hn_trainer_digest(rig.trainer, hex, &err), &err);
    rig_end(&rig);
}

/* A share that drops none of these few edges goes over graphs of its own, and ends where no share at all does. */
static void test_nothing_dropped_is_the_whole_graph(void **state) {
    (void)state;
    World world = world_gappy();
    for (int exact = 0; exact <= 1; exact++) {
        char none[65], smallest[65], of_layers[65], half[65], rescaled[65], half_of_layers[65];
        trained_with(&world, 0.0, true, HN_MASKS_OF_STEP, exact, none);
        trained_with(&world, 1.0 / 65536.0, false, HN_MASKS_OF_STEP, exact, smallest);
        trained_with(&world, 1.0 / 65536.0, false, HN_MASKS_OF_LAYER, exact, of_layers);
        trained_with(&world, 0.5, false, HN_MASKS_OF_STEP, exact, half);
        trained_with(&world, 0.5, false, HN_MASKS_OF_LAYER, exact, half_of_layers);
        trained_with(&world, 0.5, true, HN_MASKS_OF_STEP, exact, rescaled);
        assert_string_equal(none, smallest);
        assert_string_equal(none, of_layers);
        assert_string_not_equal(half, half_of_layers);
        assert_string_not_equal(none, half);
        assert_string_not_equal(half, rescaled);
    }
    world_free(&world);
}

static bool any_item_differs(const HnBatch *batch, const float *final_items) {
    for (uint32_t r = 0; r < batch->n_items; r++) {
        if (memcmp(batch->item_vectors + r * 8, final_items + batch->items[r] * 8, 8 * sizeof(float)) != 0) {
            return true;
        }
    }
    return false;
}

/* After a step over some edges, whether it looked at all rows or not, evaluation has the vectors of all edges. */
static void test_evaluation_drops_nothing(void **state) {
    (void)state;
    World world = world_gappy();
    for (int way = 0; way < 16; way++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = small_config();
        config.model.layers = 1 + way / 4;
        config.model.edge_rescale = true;
        config.sampler.name = way & 2 ? HN_SAMPLER_DNS : HN_SAMPLER_RNS;
        float users[17 * 8], items[23 * 8];
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, way & 1, 11);
        expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
        memcpy(users, rig.trainer->final_users, sizeof users);
        memcpy(items, rig.trainer->final_items, sizeof items);
        const uint64_t bytes = hn_trainer_memory_bytes(rig.trainer);
        rig_end(&rig);
        config.model.edge_dropout = 0.5;
        config.model.edge_masks = way / 4 % 2 == 1 ? HN_MASKS_OF_LAYER : HN_MASKS_OF_STEP;
        rig_start(&rig, &world, &config, folder, NULL, way & 1, 11);
        HnStepReport report;
        expect_ok(hn_trainer_gradients(rig.trainer, NULL, &report, &err), &err);
        expect_ok(hn_trainer_embed(rig.trainer, &err), &err);
        assert_memory_equal(rig.trainer->final_users, users, sizeof users);
        assert_memory_equal(rig.trainer->final_items, items, sizeof items);
        assert_true(any_item_differs(&rig.trainer->batch, items));
        assert_true(hn_trainer_memory_bytes(rig.trainer) > bytes);
        rig_end(&rig);
    }
    world_free(&world);
}

static void test_every_allocation_failing(void **state) {
    (void)state;
    HnTrainConfig config = small_config();
    config.model.edge_dropout = 0.3, config.model.edge_rescale = true;
    config.model.edge_masks = HN_MASKS_OF_LAYER;
    check_no_memory(&config, folder);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("edges");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_dropped_is_the_whole_graph),
        cmocka_unit_test(test_evaluation_drops_nothing),
        cmocka_unit_test(test_every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
