/* Epochs: which pairs each unit takes, how often, in batches of what; how far training is; what is refused. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/order.h"

static char *folder;

enum { USERS = 17, ITEMS = 23 };

/* Every position of an epoch that the batches name, with its pair; counts pairs by user. */
static void count_epoch(HnTrainer *trainer, uint32_t epoch, int counts[USERS], int *empty) {
    HnOrder *order = &trainer->order;
    HnBatch *batch = &trainer->batch;
    memset(counts, 0, USERS * sizeof *counts);
    *empty = 0;
    hn_order_start_epoch(order, 7, epoch);
    for (uint64_t t = 0; t < order->n_batches; t++) {
        hn_batch_take(batch, order, &trainer->shards, epoch, t);
        *empty += (int)(batch->n_positions - batch->n);
        for (uint32_t k = 0; k < batch->n; k++) {
            assert_true(k == 0 || batch->position[k] > batch->position[k - 1]);
            assert_int_equal(batch->user[k], trainer->shards.pair_user[batch->local[k]]);
            for (uint32_t q = 0; q < k && order->unit == HN_EPOCH_DISTINCT_USERS; q++) {
                assert_int_not_equal(batch->user[k], batch->user[q]);
            }
            counts[batch->user[k]]++;
        }
    }
}

static void test_units_of_an_epoch(void **state) {
    (void)state;
    World world = world_gappy();
    const uint64_t n_train = world_count(&world, 1), per_user = n_train / USERS;
    for (int unit = 0; unit < 4; unit++) {
        HnTrainConfig config = small_config();
        config.train.epoch_unit = (HnEpochUnit)unit;
        config.train.batch = 7;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 5);
        int counts[USERS], total = 0, empty = 0;
        count_epoch(rig.trainer, 3, counts, &empty);
        for (int u = 0; u < USERS; u++) {
            const uint64_t *offsets = rig.trainer->shards.train.offsets + u;
            if (unit == HN_EPOCH_EDGE) {
                assert_int_equal(counts[u], offsets[1] - offsets[0]);
            } else if (unit == HN_EPOCH_USER) {
                assert_int_equal(counts[u], u == 4 ? 0 : per_user);
            }
            total += counts[u];
        }
        assert_int_equal(counts[4], 0);
        const uint64_t positions[] = {n_train, USERS * per_user, n_train, (n_train / 7 + 1) * 7};
        assert_int_equal(total + empty, positions[unit]);
        assert_int_equal(empty > 0, unit != HN_EPOCH_EDGE); /* user 4's positions */
        rig_end(&rig);
    }
    world_free(&world);
}

/* Users are drawn evenly, and each user's pairs too. */
static void test_draws_are_uniform(void **state) {
    (void)state;
    for (int unit = HN_EPOCH_USER_UNIFORM; unit <= HN_EPOCH_DISTINCT_USERS; unit++) {
        World world = world_gappy();
        HnTrainConfig config = small_config();
        config.train.epoch_unit = (HnEpochUnit)unit, config.train.batch = 7;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 5);
        int sums[USERS] = {0}, counts[USERS], empty;
        const int n_train = (int)rig.trainer->order.n_positions, epochs = 400;
        for (int e = 0; e < epochs; e++) {
            count_epoch(rig.trainer, (uint32_t)e, counts, &empty);
            for (int u = 0; u < USERS; u++) {
                sums[u] += counts[u];
            }
        }
        const double expected = (double)n_train * epochs / USERS;
        for (int u = 0; u < USERS; u++) {
            assert_true(u == 4 ? sums[u] == 0 : fabs(sums[u] - expected) < 5.0 * sqrt(expected));
        }
        rig_end(&rig);
        world_free(&world);
    }
}

/* A pair that comes twice in an epoch gets a negative of its own each time. */
static void test_repeated_pairs_draw_anew(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    World world = world_make(1, ITEMS);
    world.part[3] = world.part[8] = world.part[9] = 1, world.part[11] = 3;
    HnTrainConfig config = small_config();
    config.train.epoch_unit = HN_EPOCH_USER_UNIFORM;
    int repeated = 0, equal = 0;
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 5);
    const HnBatch *batch = &rig.trainer->batch;
    for (uint32_t e = 0; e < 200; e++) {
        double loss[HN_N_LOSSES];
        expect_ok(hn_trainer_epoch(rig.trainer, loss, &err), &err);
        assert_int_equal(batch->n, 3);
        repeated += batch->local[0] == batch->local[1];
        equal += batch->local[0] == batch->local[1] && batch->negative[0] == batch->negative[1];
    }
    assert_true(repeated > 40 && equal < repeated / 4); /* 200 / 3 of them, 1 in 20 equal by chance */
    rig_end(&rig);
    world_free(&world);
}

/* ---- how far training is ---- */

/* Progress rises with the steps and ends at the number of pairs, whatever an epoch is and however its last batch is. */
static void test_progress_ends_at_the_total(void **state) {
    (void)state;
    World world = world_gappy();
    const uint64_t n_pairs = world_count(&world, 1);
    assert_true(n_pairs % 13 != 0);
    for (int way = 0; way < 8; way++) {
        HnError err = HN_ERROR_INIT;
        HnTrainConfig config = small_config();
        config.train.batch = 13;
        config.train.epoch_unit = (HnEpochUnit)(way / 2);
        config.train.drop_last = way % 2 == 1;
        Rig rig;
        rig_start(&rig, &world, &config, folder, NULL, true, 5);
        HnTrainer *trainer = rig.trainer;
        HnProgress progress;
        hn_progress_start(&progress, "pairs", 2 * n_pairs, 0);
        trainer->progress = &progress;
        for (uint64_t s = 1; s <= trainer->order.n_batches; s++) {
            HnStepReport report;
            const uint64_t before = hn_trainer_pairs_passed(trainer);
            expect_ok(hn_trainer_step(trainer, &report, &err), &err);
            assert_true(hn_trainer_pairs_passed(trainer) > before);
            assert_int_equal(hn_trainer_pairs_passed(trainer) == n_pairs, s == trainer->order.n_batches);
        }
        double loss[HN_N_LOSSES];
        expect_ok(hn_trainer_epoch(trainer, loss, &err), &err);
        expect_ok(hn_trainer_epoch(trainer, loss, &err), &err);
        assert_int_equal(progress.done, 2 * n_pairs);
        rig_end(&rig);
    }
    world_free(&world);
}

/* ---- what is refused ---- */

static HnStatus order_of(HnEpochUnit unit, uint64_t batch, uint64_t n_users, HnError *err) {
    const HnUserShards shards = {.n_pairs = 40, .n_local_pairs = 40, .n_users = n_users, .user_end = n_users};
    HnOrder order;
    *err = (HnError)HN_ERROR_INIT;
    HnStatus status = hn_order_create(&shards, unit, batch, true, &order, err);
    if (status == HN_OK) {
        hn_order_free(&order);
    }
    return status;
}

/* A batch of more distinct users than there are; a batch of all of them is fine. */
static void test_refusals(void **state) {
    (void)state;
    HnError err;
    expect_ok(order_of(HN_EPOCH_DISTINCT_USERS, 20, 20, &err), &err);
    expect_ok(order_of(HN_EPOCH_USER_UNIFORM, 21, 20, &err), &err);
    assert_int_equal(order_of(HN_EPOCH_DISTINCT_USERS, 21, 20, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "train.epoch_unit distinct_users"));
    assert_non_null(strstr(err.message, "train.batch is 21 and there are 20 users: lower train.batch"));
    assert_int_equal(order_of(HN_EPOCH_EDGE, 41, 20, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "train.drop_last"));
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("order");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_of_an_epoch),
        cmocka_unit_test(test_draws_are_uniform),
        cmocka_unit_test(test_repeated_pairs_draw_anew),
        cmocka_unit_test(test_progress_ends_at_the_total),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
