/* Metrics: known answers, and the whole ranking against a reference that sorts. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static char *folder;

static void near(double got, double want) {
    if (!(fabs(got - want) < 1e-9)) {
        fail_msg("%.12g is not %.12g", got, want);
    }
}

static void test_known_answers(void **state) {
    (void)state;
    int64_t cuts[] = {1, 3, 5};
    HnIntList ks = {cuts, 3};
    const int32_t top[] = {9, 4, 7, 2, -1}, targets[] = {2, 4};
    double v[15];
    hn_metrics_user(top, 5, targets, 2, &ks, v);
    const double second = 1.0 / log2(3.0), fourth = 1.0 / log2(5.0), ideal = 1.0 + second;
    const double want[15] = {0.0,
                             0.5,
                             1.0, /* recall */
                             0.0,
                             second / ideal,
                             (second + fourth) / ideal, /* ndcg */
                             0.0,
                             1.0 / 3.0,
                             2.0 / 5.0, /* precision */
                             0.0,
                             1.0,
                             1.0, /* hit */
                             0.0,
                             0.5,
                             0.5}; /* mrr */
    for (int i = 0; i < 15; i++) {
        near(v[i], want[i]);
    }
    /* k = 1 with two targets: the ideal has one place only. */
    const int32_t best[] = {4};
    hn_metrics_user(best, 1, targets, 2, &ks, v);
    near(v[3], 1.0);
}

static void test_names(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int64_t cuts[] = {10, 20};
    HnIntList ks = {cuts, 2};
    size_t i = 99;
    expect_ok(hn_metrics_find(&ks, "recall@20", &i, &err), &err);
    assert_int_equal(i, 1);
    expect_ok(hn_metrics_find(&ks, "mrr@10", &i, &err), &err);
    assert_int_equal(i, 8);
    assert_int_equal(hn_metrics_find(&ks, "recall@5", &i, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "eval.ks"));
}

typedef struct Scored {
    double score;
    int32_t item;
} Scored;

static int better(const void *a, const void *b) {
    const Scored *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->item > y->item) - (x->item < y->item);
}

/* One user: all items sorted, then the definitions. Coarse vectors make exact sums and many ties. */
static void reference_user(const World *world, const float *users, const float *items, uint64_t u, bool mask_valid,
                           const HnIntList *ks, double *sums) {
    Scored *list = calloc(world->n_items, sizeof *list);
    uint64_t n = 0, n_targets = 0;
    for (uint64_t i = 0; i < world->n_items; i++) {
        uint8_t part = world->part[u * world->n_items + i];
        n_targets += part == 3;
        if (part == 1 || (part == 2 && mask_valid)) {
            continue;
        }
        double score = 0.0;
        for (int c = 0; c < 8; c++) {
            score += (double)users[u * 8 + (uint64_t)c] * (double)items[i * 8 + (uint64_t)c];
        }
        list[n++] = (Scored){score, (int32_t)i};
    }
    qsort(list, n, sizeof *list, better);
    for (size_t j = 0; j < ks->n; j++) {
        double hits = 0.0, gain = 0.0, ideal = 0.0, first = 0.0;
        for (uint64_t place = 0; place < (uint64_t)ks->items[j] && place < n; place++) {
            if (world->part[u * world->n_items + (uint64_t)list[place].item] == 3) {
                hits += 1.0, gain += 1.0 / log2((double)place + 2.0);
                first = first > 0.0 ? first : 1.0 / (double)(place + 1);
            }
        }
        for (uint64_t place = 0; place < (uint64_t)ks->items[j] && place < n_targets; place++) {
            ideal += 1.0 / log2((double)place + 2.0);
        }
        const double values[] = {hits / (double)n_targets, gain / ideal, hits / (double)ks->items[j],
                                 hits > 0.0 ? 1.0 : 0.0, first};
        for (size_t m = 0; m < 5; m++) {
            sums[m * ks->n + j] += values[m];
        }
    }
    free(list);
}

static void test_against_sorting(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int64_t cuts[] = {1, 5, 20, 200}; /* the last is more than there are items */
    HnIntList ks = {cuts, 4};
    World world = world_make(70, 90);
    world_fill(&world, 15.0, 8);
    memset(world.part + 5 * 90, 0, 90); /* a user without anything */
    Rig rig;
    HnTrainConfig config = small_config();
    rig_start(&rig, &world, &config, folder, NULL, true, 2);
    float *users = rig.trainer->final_users, *items = rig.trainer->final_items;
    for (uint64_t k = 0; k < 70 * 8; k++) {
        users[k] = (float)((int)(k * 2654435761u >> 7 & 7) - 3);
    }
    for (uint64_t k = 0; k < 90 * 8; k++) {
        items[k] = (float)((int)(k * 40503u >> 5 & 7) - 3);
    }
    for (int mask_valid = 0; mask_valid <= 1; mask_valid++) {
        HnEvalSet set;
        double got[20], want[20] = {0};
        expect_ok(hn_eval_set_create(rig.dataset, &rig.trainer->shards, HN_PART_TEST, mask_valid, rig.comm, &set, &err),
                  &err);
        expect_ok(hn_evaluate(&set, users, items, 90, 8, &ks, rig.comm, got, &err), &err);
        uint64_t n = 0;
        for (uint64_t u = 0; u < 70; u++) {
            bool any = false;
            for (uint64_t i = 0; i < 90; i++) {
                any = any || world.part[u * 90 + i] == 3;
            }
            if (any) {
                n++;
                reference_user(&world, users, items, u, mask_valid, &ks, want);
            }
        }
        assert_int_equal(set.n_users_global, n);
        assert_true(n > 30 && n < 70);
        for (int i = 0; i < 20; i++) {
            near(got[i], want[i] / (double)n);
        }
        hn_eval_set_free(&set);
    }
    rig_end(&rig);
    world_free(&world);
}

static int set_up(void **state) {
    (void)state;
    folder = folder_make("metrics");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_against_sorting)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
