/* Metrics: known answers, and the whole ranking against a reference that sorts. */
#include "fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cf/groups.h"

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

static void fill_vectors(float *users, uint64_t n_users, float *items, uint64_t n_items) {
    for (uint64_t k = 0; k < n_users * 8; k++) {
        users[k] = (float)((int)(k * 2654435761u >> 7 & 7) - 3);
    }
    for (uint64_t k = 0; k < n_items * 8; k++) {
        items[k] = (float)((int)(k * 40503u >> 5 & 7) - 3);
    }
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
    fill_vectors(users, 70, items, 90);
    for (int mask_valid = 0; mask_valid <= 1; mask_valid++) {
        HnEvalSet set;
        double got[20], want[20] = {0};
        expect_ok(hn_eval_set_create(rig.dataset, &rig.trainer->shards, HN_PART_TEST, mask_valid, rig.comm, &set, &err),
                  &err);
        expect_ok(hn_evaluate(&set, users, items, 90, 8, &ks, NULL, rig.comm, got, &err), &err);
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

/* ---- groups ---- */

static uint64_t pairs_of_user(const World *world, uint64_t u) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < world->n_items; i++) {
        n += world->part[u * world->n_items + i] == 1;
    }
    return n;
}

static uint64_t pairs_of_item(const World *world, uint64_t i) {
    uint64_t n = 0;
    for (uint64_t u = 0; u < world->n_users; u++) {
        n += world->part[u * world->n_items + i] == 1;
    }
    return n;
}

/* Items that are less popular than item i, or as popular and before it. */
static uint64_t place_of_item(const World *world, uint64_t item) {
    uint64_t mine = pairs_of_item(world, item), place = 0;
    for (uint64_t i = 0; i < world->n_items; i++) {
        uint64_t other = pairs_of_item(world, i);
        place += other < mine || (other == mine && i < item);
    }
    return place;
}

/* Metrics of the users or test items that are members, by the reference above on a world without the other targets
 * (which stay in the ranking: they become items that nobody took). */
static uint64_t reference_group(const World *world, const float *users, const float *items, const bool *user_in,
                                const bool *item_in, const HnIntList *ks, double *means) {
    World cut = world_make(world->n_users, world->n_items);
    uint64_t n = 0;
    memset(means, 0, 5 * ks->n * sizeof *means);
    for (uint64_t u = 0; u < world->n_users; u++) {
        bool any = false;
        for (uint64_t i = 0; i < world->n_items; i++) {
            uint8_t part = world->part[u * world->n_items + i];
            cut.part[u * world->n_items + i] = part == 3 && !item_in[i] ? 0 : part;
            any = any || (part == 3 && item_in[i]);
        }
        if (any && user_in[u]) {
            n++;
            reference_user(&cut, users, items, u, false, ks, means);
        }
    }
    for (size_t i = 0; i < 5 * ks->n && n > 0; i++) {
        means[i] /= (double)n;
    }
    world_free(&cut);
    return n;
}

static void check_group(const World *world, const HnGroups *groups, size_t g, const float *users, const float *items,
                        const bool *user_in, const bool *item_in, const HnIntList *ks) {
    double want[20];
    uint64_t n = reference_group(world, users, items, user_in, item_in, ks, want);
    assert_int_equal(groups->groups[g].users, n);
    for (size_t i = 0; i < 5 * ks->n; i++) {
        near(groups->metric[g * 5 * ks->n + i], want[i]);
    }
}

static void check_shares(const HnGroups *groups, size_t first, size_t last, const double *recall) {
    for (size_t j = 0; j < groups->n_ks; j++) {
        double sum = 0.0;
        for (size_t g = first; g < last; g++) {
            sum += groups->recall_share[g * groups->n_ks + j];
        }
        near(sum, recall[j]);
    }
}

/* Every group against the reference; shares of recall sum to recall over each kind. */
static void check_groups(const World *world, const HnTrainConfig *config, const int64_t *bounds, size_t n_activity) {
    HnError err = HN_ERROR_INIT;
    Rig rig;
    HnEvalSet set;
    HnGroups groups;
    double got[20];
    const HnIntList *ks = &config->eval.ks;
    const double shares[] = {0.8, 0.95, 1.0};
    rig_start(&rig, world, config, folder, NULL, true, 2);
    float *users = rig.trainer->final_users, *items = rig.trainer->final_items;
    fill_vectors(users, world->n_users, items, world->n_items);
    expect_ok(hn_eval_set_create(rig.dataset, &rig.trainer->shards, HN_PART_TEST, false, rig.comm, &set, &err), &err);
    expect_ok(hn_groups_create(config, &rig.trainer->shards, &set, rig.comm, &groups, &err), &err);
    expect_ok(hn_evaluate(&set, users, items, world->n_items, 8, ks, &groups, rig.comm, got, &err), &err);
    assert_int_equal(groups.n_activity, n_activity);
    assert_int_equal(groups.n_popularity, 3);
    bool *user_in = calloc(world->n_users, 1), *item_in = calloc(world->n_items, 1);
    memset(item_in, 1, world->n_items);
    for (size_t g = 0; g < n_activity; g++) {
        for (uint64_t u = 0; u < world->n_users; u++) {
            int64_t n = (int64_t)pairs_of_user(world, u);
            user_in[u] = (g == 0 || n > bounds[g - 1]) && (g + 1 == n_activity || n <= bounds[g]);
        }
        check_group(world, &groups, g, users, items, user_in, item_in, ks);
        assert_int_equal(groups.groups[g].members, groups.groups[g].users);
    }
    memset(user_in, 1, world->n_users);
    for (size_t g = 0; g < 3; g++) {
        for (uint64_t i = 0; i < world->n_items; i++) {
            uint64_t place = place_of_item(world, i);
            uint64_t n = world->n_items;
            item_in[i] = (g == 0 || place >= (uint64_t)llround(shares[g - 1] * (double)n)) &&
                         place < (uint64_t)llround(shares[g] * (double)n);
        }
        check_group(world, &groups, n_activity + g, users, items, user_in, item_in, ks);
    }
    check_shares(&groups, 0, n_activity, got);
    check_shares(&groups, n_activity, groups.n, got);
    free(user_in);
    free(item_in);
    hn_groups_free(&groups);
    hn_eval_set_free(&set);
    rig_end(&rig);
}

static void test_groups(void **state) {
    (void)state;
    static int64_t declared[] = {6, 9, 12, 40};
    static double shares[] = {0.8, 0.15, 0.05};
    HnTrainConfig config = small_config();
    World world = world_make(70, 90);
    world_fill(&world, 15.0, 8);
    memset(world.part + 5 * 90, 0, 90);
    config.eval.activity_bounds = (HnIntList){declared, 4}; /* the last group has no user */
    config.eval.popularity_shares = (HnDoubleList){shares, 3};
    check_groups(&world, &config, declared, 5);
    world_free(&world);
}

/* Quantiles: 8 users with 1, 1, 1, 2, 2, 3, 4, 9 train pairs and one test item each. Halves end after the first
 * user count at which half of the users are reached: 2 pairs. More groups than distinct counts: one for each count. */
static void test_quantiles(void **state) {
    (void)state;
    static const uint64_t pairs[8] = {1, 9, 1, 2, 3, 2, 4, 1};
    static int64_t halves[] = {2, INT64_MAX}, each[] = {1, 2, 3, 4, 9};
    static double shares[] = {0.8, 0.15, 0.05};
    HnTrainConfig config = small_config();
    World world = world_make(8, 12);
    for (uint64_t u = 0; u < 8; u++) {
        memset(world.part + u * 12, 1, pairs[u]);
        world.part[u * 12 + 11] = 3;
    }
    config.eval.popularity_shares = (HnDoubleList){shares, 3};
    config.eval.activity_groups = 2;
    check_groups(&world, &config, halves, 2);
    config.eval.activity_groups = 1000;
    check_groups(&world, &config, each, 5);
    config.eval.activity_groups = 1;
    check_groups(&world, &config, each, 1);
    world_free(&world);
}

/* Without test items there are no groups, and nothing is divided by zero. */
static void test_no_groups(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = small_config();
    static double one[] = {1.0};
    World world = world_make(3, 4);
    memset(world.part, 1, 6);
    config.eval.activity_groups = 3;
    config.eval.popularity_shares = (HnDoubleList){one, 1};
    Rig rig;
    HnEvalSet set;
    HnGroups groups;
    double got[10];
    rig_start(&rig, &world, &config, folder, NULL, true, 2);
    expect_ok(hn_eval_set_create(rig.dataset, &rig.trainer->shards, HN_PART_TEST, false, rig.comm, &set, &err), &err);
    expect_ok(hn_groups_create(&config, &rig.trainer->shards, &set, rig.comm, &groups, &err), &err);
    assert_int_equal(groups.n, 0);
    expect_ok(hn_evaluate(&set, rig.trainer->final_users, rig.trainer->final_items, 4, 8, &config.eval.ks, &groups,
                          rig.comm, got, &err),
              &err);
    near(got[0], 0.0);
    hn_groups_free(&groups);
    hn_eval_set_free(&set);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_answers),   cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_against_sorting), cmocka_unit_test(test_groups),
                                       cmocka_unit_test(test_quantiles),       cmocka_unit_test(test_no_groups)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
