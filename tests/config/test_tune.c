/* tune: ranges are refused with their line, trials are a pure function of the experiment, the winner's experiment
 * loads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"
#include "config/tune.h"
#include "write_file.h"

static HnExperiment *load(const char *yaml, const char *const *sets) {
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    if (load_text(yaml, sets, &experiment, &err) != HN_OK) {
        fail_msg("%s: %s", err.message, yaml);
    }
    return experiment;
}

static const char *setting(const HnExperiment *experiment, uint64_t trial, size_t range) {
    static char copies[8][64];
    static int next;
    HnError err = HN_ERROR_INIT;
    HnText text = {0};
    assert_int_equal(hn_tune_setting(experiment, trial, range, &text, &err), HN_OK);
    next = (next + 1) % 8;
    snprintf(copies[next], sizeof copies[next], "%s", hn_text_get(&text));
    hn_text_free(&text);
    return copies[next];
}

static void ranges_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *says;
        int line;
    } wrong[] = {
        {"tune: {ranges: {}}\n", "maps keys", 1},
        {"tune: {ranges: [1, 2]}\n", "maps keys", 1},
        {"tune:\n  ranges:\n    train.epocs: [1]\n", "train.epochs", 3},
        {"tune:\n  ranges:\n    train.epochs: []\n", "empty list", 3},
        {"tune:\n  ranges:\n    train.epochs: 3\n", "takes a list of values", 3},
        {"tune:\n  ranges:\n    train.epochs: [3, 0]\n", "from 1 to", 3},
        {"tune:\n  ranges:\n    train.epochs: [3, 3]\n", "holds 3 twice", 3},
        {"tune:\n  ranges:\n    train.epochs: [[3]]\n", "list or map", 3},
        {"tune:\n  ranges:\n    model.dim: [8]\n    model.dim: [9]\n", "given twice", 4},
        {"tune.ranges:\n  loss.name: [bpr, hinges]\n", "one of bpr", 2},
        {"tune.ranges:\n  loss.name: {from: 1, to: 2}\n", "takes no numbers", 2},
        {"tune.ranges:\n  model.dim: {from: 8}\n", "needs from and to", 2},
        {"tune.ranges:\n  model.dim: {from: 8, to: 8}\n", "backwards", 2},
        {"tune.ranges:\n  model.dim: {from: 8, to: 9, by: 1}\n", "\"by\"", 2},
        {"tune.ranges:\n  model.dim: {from: 1, to: 3, steps: 5}\n", "twice", 2},
        {"tune.ranges:\n  model.dim: {from: 1, to: 3, steps: 1}\n", "2 to 1000 steps", 2},
        {"tune.ranges:\n  train.l2: {from: 0, to: 1, log: true}\n", "above 0", 2},
        {"tune.ranges:\n  train.l2: {from: 0, to: 1, log: maybe}\n", "neither true nor false", 2},
        {"tune.ranges:\n  train.l2: {from: 0, to: .nan}\n", "train.l2", 2},
        {"tune.ranges:\n  eval.select_on: [test]\n", "cannot be tuned", 2},
        {"tune.ranges:\n  data.min_rating: [1, 2]\n", "cannot be tuned", 2},
        {"tune.ranges:\n  train.checkpoint_every: [1, 2]\n", "cannot be tuned", 2},
        {"tune.ranges:\n  train.stop_metric: [recall@10, ndcg@10]\n", "cannot be tuned", 2},
        {"tune.ranges:\n  semantic.adapter_hidden: [1, 2]\n", "cannot be tuned", 2},
        {"tune.method: gird\n", "grid", 1},
        {"tune.metod: grid\n", "tune.method", 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        HnError err = HN_ERROR_INIT;
        HnExperiment *experiment = NULL;
        char place[128];
        assert_int_equal(load_text(wrong[i].yaml, NULL, &experiment, &err), HN_CONFIG);
        snprintf(place, sizeof place, "%s/x.yaml:%d: ", test_folder(), wrong[i].line);
        if (strncmp(err.message, place, strlen(place)) != 0 || strstr(err.message, wrong[i].says) == NULL) {
            fail_msg("\"%s\" does not begin with \"%s\" and say \"%s\"", err.message, place, wrong[i].says);
        }
    }
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    const char *sets[] = {"tune.ranges.model.dim=8", NULL};
    assert_int_equal(load_text("", sets, &experiment, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "in the experiment file only"));
}

/* What loads, and cannot be tuned. */
static void blocks_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        {"name: x\n", "nothing to tune"},
        {"tune.ranges: {train.l2: {from: 0, to: 1}}\n", "give it steps"},
        {"tune: {method: random, trials: 5, ranges: {model.dim: [8, 16], model.layers: [1, 2]}}\n",
         "only 4 combinations"},
        {"tune.ranges: {model.dim: {from: 1, to: 1000, steps: 1000}, train.batch: {from: 1, to: 1000, steps: 1000}}\n",
         "1000000 combinations"},
        {"compare: [{name: a}, {name: b}]\ntune.ranges: {model.dim: [8]}\n", "name the one to tune"},
        {"compare: [{name: a}, {name: b}]\ntune: {row: c, ranges: {model.dim: [8]}}\n", "\"c\""},
        {"eval.select_on: test\ntune.ranges: {model.dim: [8]}\n", "tuning on the test part is refused"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        HnError err = HN_ERROR_INIT;
        uint64_t n = 0;
        HnExperiment *experiment = load(wrong[i].yaml, NULL);
        assert_int_equal(hn_tune_count(experiment, &n, &err), HN_CONFIG);
        if (strstr(err.message, wrong[i].says) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", err.message, wrong[i].says);
        }
        hn_experiment_free(&experiment);
    }
    HnError err = HN_ERROR_INIT;
    HnTrainConfig config = {0};
    HnExperiment *experiment =
        load("sampler.name: dns\ntune.ranges: {sampler.candidates: [4, 8], sampler.pick: [2, 6]}\n", NULL);
    assert_int_equal(hn_tune_config(experiment, 1, &config, &err), HN_CONFIG); /* 6 of 4 */
    assert_non_null(strstr(err.message, "trial 2 of tune.ranges (sampler.candidates: 4, sampler.pick: 6)"));
    hn_train_config_free(&config);
    hn_experiment_free(&experiment);
    hn_error_clear(&err);
    experiment = load("tune: {metric: recall@7, ranges: {model.dim: [8]}}\n", NULL);
    assert_int_equal(hn_tune_config(experiment, 0, &config, &err), HN_CONFIG);
    assert_non_null(strstr(err.message, "recall@7"));
    hn_train_config_free(&config);
    hn_experiment_free(&experiment);
}

static void grid_is_every_combination(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    uint64_t n = 0;
    HnExperiment *experiment = load("tune:\n  metric: ndcg@10\n  ranges:\n    loss.name: [bpr, hinge]\n"
                                    "    train.learning_rate: {from: 1e-4, to: 0.01, log: true, steps: 3}\n"
                                    "    model.layers: {from: 1, to: 3, steps: 2}\n",
                                    NULL);
    static const char *const rates[] = {"0.0001", "0.001", "0.01"};
    assert_int_equal(hn_tune_count(experiment, &n, &err), HN_OK);
    assert_int_equal(n, 12);
    for (uint64_t t = 0; t < n; t++) {
        HnTrainConfig config = {0};
        assert_string_equal(setting(experiment, t, 0), t < 6 ? "bpr" : "hinge");
        assert_string_equal(setting(experiment, t, 1), rates[t / 2 % 3]);
        assert_string_equal(setting(experiment, t, 2), t % 2 == 0 ? "1" : "3");
        assert_int_equal(hn_tune_config(experiment, t, &config, &err), HN_OK);
        assert_int_equal(config.loss.name, t < 6 ? HN_LOSS_BPR : HN_LOSS_HINGE);
        assert_true(config.train.learning_rate == strtod(rates[t / 2 % 3], NULL));
        assert_int_equal(config.model.layers, t % 2 == 0 ? 1 : 3);
        assert_string_equal(config.train.stop_metric, "ndcg@10");
        hn_train_config_free(&config);
    }
    hn_experiment_free(&experiment);
}

/* Lists: no combination twice, another seed another order, fewer trials are the first of more. */
static void random_lists_do_not_repeat(void **state) {
    (void)state;
    static const char yaml[] =
        "tune: {method: random, trials: 12, ranges: {model.dim: [4, 8, 16], model.layers: [0, 1, 2, "
        "3]}}\n";
    const char *sets[] = {"tune.seed=2", NULL};
    HnExperiment *experiment = load(yaml, NULL), *other = load(yaml, sets);
    bool seen[64] = {false};
    int differ = 0;
    for (uint64_t t = 0; t < 12; t++) {
        const char *dim = setting(experiment, t, 0), *layers = setting(experiment, t, 1);
        int place = (int)strtol(dim, NULL, 10) / 4 * 10 + (int)strtol(layers, NULL, 10);
        assert_false(seen[place]);
        seen[place] = true;
        differ += strcmp(dim, setting(other, t, 0)) != 0 || strcmp(layers, setting(other, t, 1)) != 0;
    }
    assert_true(differ > 4);
    hn_experiment_free(&other);
    hn_experiment_free(&experiment);
    experiment = load("tune: {method: random, trials: 1, ranges: {model.dim: [4]}}\n", NULL);
    assert_string_equal(setting(experiment, 0, 0), "4");
    hn_experiment_free(&experiment);
}

/* Intervals: within their ends, whole where the key is, spread as asked. */
static void random_intervals(void **state) {
    (void)state;
    enum { N = 4000 };
    HnExperiment *experiment = load("tune:\n  method: random\n  trials: 4000\n  ranges:\n"
                                    "    train.learning_rate: {from: 1e-5, to: 0.1, log: true}\n"
                                    "    train.l2: {from: 0, to: 0.5}\n"
                                    "    model.layers: {from: 1, to: 4}\n"
                                    "    loss.name: [bpr, hinge]\n"
                                    "    model.dim: {from: 1, to: 1024, log: true}\n",
                                    NULL);
    int low_rate = 0, low_l2 = 0, layers[5] = {0}, hinge = 0, small = 0;
    for (uint64_t t = 0; t < N; t++) {
        double rate = strtod(setting(experiment, t, 0), NULL), l2 = strtod(setting(experiment, t, 1), NULL);
        char *end = NULL;
        long n_layers = strtol(setting(experiment, t, 2), &end, 10);
        long dim = strtol(setting(experiment, t, 4), NULL, 10);
        assert_int_equal(*end, '\0');
        assert_true(rate >= 1e-5 && rate <= 0.1 && l2 >= 0.0 && l2 <= 0.5 && n_layers >= 1 && n_layers <= 4);
        assert_true(dim >= 1 && dim <= 1024);
        low_rate += rate < 1e-3, low_l2 += l2 < 0.25, layers[n_layers]++, small += dim < 32;
        hinge += strcmp(setting(experiment, t, 3), "hinge") == 0;
    }
    const int four = (int)(4 * sqrt(N * 0.25)); /* standard deviations of N coins */
    assert_true(abs(low_rate - N / 2) < four && abs(low_l2 - N / 2) < four && abs(hinge - N / 2) < four);
    assert_true(abs(small - N / 2) < four);
    for (int k = 1; k <= 4; k++) {
        assert_true(abs(layers[k] - N / 4) < four);
    }
    hn_experiment_free(&experiment);
}

/* The dump reads back to the same trials; the winner's experiment has none left, and its settings. */
static void dumps_and_winners(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = load("tune:\n  method: random\n  metric: recall@10\n  ranges:\n"
                                    "    train.learning_rate: {from: 1e-5, to: 0.1, log: true}\n"
                                    "    loss.name: [bpr, hinge]\n",
                                    NULL);
    char *yaml = NULL;
    assert_int_equal(hn_experiment_dump(experiment, &yaml, &err), HN_OK);
    HnExperiment *again = load(yaml, NULL);
    for (uint64_t t = 0; t < 20; t++) {
        assert_string_equal(setting(experiment, t, 0), setting(again, t, 0));
        assert_string_equal(setting(experiment, t, 1), setting(again, t, 1));
    }
    hn_free(yaml);
    hn_experiment_free(&experiment);
    const char *const keys[] = {"train.learning_rate", "loss.name"}, *const values[] = {"0.0123", "hinge"};
    assert_int_equal(hn_tune_apply(again, keys, values, 2, "trial 3 of \"x\"", &err), HN_OK);
    assert_int_equal(hn_experiment_dump(again, &yaml, &err), HN_OK);
    assert_null(strstr(yaml, "tune.ranges"));
    experiment = load(yaml, NULL);
    assert_string_equal(experiment->tuned_from, "trial 3 of \"x\"");
    assert_string_equal(experiment->train.train.stop_metric, "recall@10");
    assert_true(experiment->variants[0].train.train.learning_rate == 0.0123);
    assert_int_equal(experiment->variants[0].train.loss.name, HN_LOSS_HINGE);
    assert_int_equal(experiment->tune.n_ranges, 0);
    hn_free(yaml);
    hn_experiment_free(&again);
    hn_experiment_free(&experiment);

    experiment = load(
        "compare:\n  - {name: a}\n  - {name: b, model.dim: 32}\ntune: {row: b, ranges: {loss.margin: [1]}}\n", NULL);
    const char *const margin[] = {"loss.margin"}, *const one[] = {"1"};
    assert_int_equal(hn_tune_apply(experiment, margin, one, 1, "t", &err), HN_OK);
    assert_true(experiment->variants[1].train.loss.margin == 1.0 && experiment->variants[1].train.model.dim == 32);
    assert_true(experiment->variants[0].train.loss.margin != 1.0 && experiment->train.loss.margin != 1.0);
    hn_experiment_free(&experiment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_refused),        cmocka_unit_test(blocks_are_refused),
        cmocka_unit_test(grid_is_every_combination), cmocka_unit_test(random_lists_do_not_repeat),
        cmocka_unit_test(random_intervals),          cmocka_unit_test(dumps_and_winners),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
