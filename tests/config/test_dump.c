/* Dump, identity, difference, reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "config/keys.h"
#include "write_file.h"

static HnExperiment *must_load(const char *yaml, const char *const *sets) {
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    if (load_text(yaml, sets, &experiment, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    return experiment;
}

static const char *const rich =
    "name: \"q\\\"uote \\\\ \\n \xc3\xbc # : x\"\nseeds: [9223372036854775807, 0]\n"
    "train: {learning_rate: 0.1, l2: 1.0e-7}\nsemantic: {alpha: 0.30000000000000004}\n"
    "data: {format: yelp, interactions: [\"a b.gz\", \"c'd.gz\"], split_ratio: [0.7, 0.1, 0.2]}\n"
    "llm: {http: {url: \"http://h:1\", key_env: MY_KEY}}\n"
    "compare:\n  - {name: \"one: \xc3\xa9\", model.backbone: mf}\n"
    "  - {name: two, semantic: {adapter_hidden: [3, 4], alpha: 0.7}}\n";

static void dumps_come_back(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *x = must_load(rich, NULL);
    char *yaml = NULL, *again = NULL, *a = NULL, *b = NULL;
    assert_int_equal(hn_experiment_dump(x, &yaml, &err), HN_OK);
    HnExperiment *y = must_load(yaml, NULL);
    assert_int_equal(hn_experiment_dump(y, &again, &err), HN_OK);
    assert_string_equal(yaml, again);
    assert_null(hn_experiment_difference(x, y, &a, &b, &err));
    assert_string_equal(y->name, "q\"uote \\ \n \xc3\xbc # : x");
    assert_true(y->train.semantic.alpha == 0.30000000000000004);
    assert_true(y->train.train.l2 == 1e-7);
    assert_int_equal(y->seeds.items[0], INT64_MAX);
    assert_int_equal(y->n_variants, 2);
    assert_string_equal(y->variants[0].name, "one: \xc3\xa9");
    assert_int_equal(y->variants[1].train.semantic.adapter_hidden.n, 2);
    assert_null(strstr(yaml, "compare.")); /* rows hold what differs, not everything */
    assert_null(strstr(strstr(yaml, "\"two\""), "train.epochs"));
    hn_free(yaml);
    hn_free(again);
    hn_experiment_free(&x);
    hn_experiment_free(&y);
}

static void defaults_come_back(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *x = must_load("", NULL);
    char *yaml = NULL, *a = NULL, *b = NULL;
    assert_int_equal(hn_experiment_dump(x, &yaml, &err), HN_OK);
    HnExperiment *y = must_load(yaml, NULL);
    assert_null(hn_experiment_difference(x, y, &a, &b, &err));
    assert_string_equal(y->variants[0].name, "lightgcn+semantic");
    for (size_t k = 0; k < hn_n_keys; k++) { /* every key stands in the dump, under its own name */
        const char *part = strrchr(hn_keys[k].name, '.');
        assert_non_null(strstr(yaml, part == NULL ? hn_keys[k].name : part + 1));
    }
    hn_free(yaml);
    hn_experiment_free(&x);
    hn_experiment_free(&y);
}

/* Changing any key for which keys.def says RESULT is a difference under its own name; SPEED is none. */
static void every_key_counts_as_declared(void **state) {
    (void)state;
    HnExperiment *x = must_load("", NULL);
    size_t n_tried = 0;
    for (size_t k = 0; k < hn_n_keys; k++) {
        const HnKey *key = &hn_keys[k];
        char set[256];
        const char *value = key->type == HN_KEY_TEXT || key->type == HN_KEY_PATH || key->type == HN_KEY_PATHS ||
                                    key->type == HN_KEY_TEXTS
                                ? "x"
                            : key->type == HN_KEY_BOOL ? (strcmp(key->default_text, "true") == 0 ? "false" : "true")
                            : key->type == HN_KEY_WORD ? strrchr(key->words, '|') + 1
                                                       : "1";
        if (key->type == HN_KEY_WORD && strcmp(value, key->default_text) == 0) {
            snprintf(set, sizeof set, "%s=%.*s", key->name, (int)strcspn(key->words, "|"), key->words);
        } else if ((key->type == HN_KEY_INT || key->type == HN_KEY_REAL) && strcmp(key->default_text, "1") == 0) {
            snprintf(set, sizeof set, "%s=2", key->name);
        } else {
            snprintf(set, sizeof set, "%s=%s", key->name, value);
        }
        HnError err = HN_ERROR_INIT;
        HnExperiment *y = NULL;
        if (load_text("", (const char *const[]){set, NULL}, &y, &err) != HN_OK) {
            continue; /* at odds with other defaults: a format without files, a date that is none */
        }
        n_tried++;
        char *a = NULL, *b = NULL;
        const char *name = hn_experiment_difference(x, y, &a, &b, &err);
        if (key->changes_results) {
            assert_string_equal(name, key->name);
            assert_string_not_equal(a, b);
        } else if (name != NULL) {
            fail_msg("%s must not count as a difference", key->name);
        }
        hn_free(a);
        hn_free(b);
        hn_experiment_free(&y);
    }
    assert_true(n_tried > hn_n_keys * 3 / 4);
    hn_experiment_free(&x);
}

static void what_does_not_change_results(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *a = NULL, *b = NULL;
    HnExperiment *x = must_load("", NULL);
    HnExperiment *y =
        must_load("name: other\nseeds: [1]\nthreads: 3\nroles: {workers: 1, trainers: 2, seed_groups: 2}\n"
                  "llm.http: {max_in_flight: 2, timeout_s: 1, connect_timeout_s: 1, retries: 0, key_env: K}\n",
                  NULL);
    assert_null(hn_experiment_difference(x, y, &a, &b, &err));
    assert_int_equal(err.status, HN_OK);
    hn_experiment_free(&x);
    hn_experiment_free(&y);
}

static void rows_that_differ(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *a = NULL, *b = NULL;
    HnExperiment *x = must_load("compare: [{name: a}, {name: b, semantic.alpha: 0.5}]\n", NULL);
    HnExperiment *reordered = must_load("compare: [{name: b, semantic.alpha: 0.5}, {name: a}]\n", NULL);
    HnExperiment *other = must_load("compare: [{name: a}, {name: b, semantic.alpha: 0.6}]\n", NULL);
    HnExperiment *more = must_load("compare: [{name: a}, {name: b, semantic.alpha: 0.5}, {name: c}]\n", NULL);
    assert_null(hn_experiment_difference(x, reordered, &a, &b, &err));
    assert_string_equal(hn_experiment_difference(x, other, &a, &b, &err), "semantic.alpha");
    assert_string_equal(a, "0.5 (row \"b\")");
    assert_string_equal(b, "0.6 (row \"b\")");
    hn_free(a);
    hn_free(b);
    assert_string_equal(hn_experiment_difference(x, more, &a, &b, &err), "compare");
    assert_string_equal(a, "a, b");
    assert_string_equal(b, "a, b, c");
    hn_free(a);
    hn_free(b);
    hn_experiment_free(&x);
    hn_experiment_free(&reordered);
    hn_experiment_free(&other);
    hn_experiment_free(&more);
}

static void identities_hold_what_was_asked(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *x = must_load("compare: [{name: a}, {name: b, semantic.alpha: 0.5}]\n", NULL);
    char *own = NULL, *row = NULL, *none = NULL;
    assert_int_equal(
        hn_experiment_identity(x, NULL, (const char *const[]){"semantic.alpha", "align.", NULL}, &own, &err), HN_OK);
    assert_string_equal(own, "semantic.alpha: 0.1\nalign.lambda: 0.001\nalign.tau: 0.2\nalign.negatives: own\n"
                             "align.vector: mixed\n");
    assert_int_equal(
        hn_experiment_identity(x, &x->variants[1], (const char *const[]){"semantic.alpha", NULL}, &row, &err), HN_OK);
    assert_string_equal(row, "semantic.alpha: 0.5\n");
    assert_int_equal(hn_experiment_identity(x, NULL, (const char *const[]){NULL}, &none, &err), HN_OK);
    assert_string_equal(none, "");
    hn_free(own);
    hn_free(row);
    hn_free(none);
    hn_experiment_free(&x);
}

static void the_reference_names_every_key(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    for (int markdown = 0; markdown < 2; markdown++) {
        char *text = NULL;
        assert_int_equal(hn_config_reference(markdown != 0, "", &text, &err), HN_OK);
        for (size_t k = 0; k < hn_n_keys; k++) {
            assert_non_null(strstr(text, hn_keys[k].name));
            assert_non_null(strstr(text, hn_keys[k].about));
        }
        assert_non_null(strstr(text, "compare"));
        assert_non_null(strstr(text, "tune.ranges"));
        hn_free(text);
    }
    char *text = NULL;
    assert_int_equal(hn_config_reference(false, "align", &text, &err), HN_OK);
    assert_non_null(strstr(text, "align.tau"));
    assert_null(strstr(text, "train.epochs"));
    hn_free(text);
    assert_int_equal(hn_config_reference(false, "tune", &text, &err), HN_OK);
    assert_non_null(strstr(text, "\ntune.ranges  "));
    assert_null(strstr(text, "compare  "));
    hn_free(text);
    assert_int_equal(hn_config_reference(false, "aling.tau", &text, &err), HN_USAGE);
    assert_non_null(strstr(err.message, "did you mean align.tau"));
    assert_null(text);
}

static void dumping_without_memory(void **state) {
    (void)state;
    HnExperiment *x = must_load(rich, NULL), *y = must_load(rich, NULL);
    uint64_t before = hn_alloc_live_blocks();
    y->variants[1].train.semantic.alpha = 0.9;
    for (uint64_t n = 1, more = 1; more != 0; n++) {
        HnError err = HN_ERROR_INIT;
        char *yaml = NULL, *a = NULL, *b = NULL;
        hn_alloc_fail_at(n);
        HnStatus status = hn_experiment_dump(x, &yaml, &err);
        hn_alloc_fail_at(0);
        assert_true(status == HN_OK || (status == HN_MEMORY && yaml == NULL));
        more = status != HN_OK;
        hn_error_clear(&err);
        hn_alloc_fail_at(n);
        const char *name = hn_experiment_difference(x, y, &a, &b, &err);
        hn_alloc_fail_at(0);
        assert_true(name != NULL || err.status == HN_MEMORY);
        hn_free(yaml);
        hn_free(a);
        hn_free(b);
        assert_int_equal(hn_alloc_live_blocks(), before);
    }
    hn_experiment_free(&x);
    hn_experiment_free(&y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dumps_come_back),
        cmocka_unit_test(defaults_come_back),
        cmocka_unit_test(every_key_counts_as_declared),
        cmocka_unit_test(what_does_not_change_results),
        cmocka_unit_test(rows_that_differ),
        cmocka_unit_test(identities_hold_what_was_asked),
        cmocka_unit_test(the_reference_names_every_key),
        cmocka_unit_test(dumping_without_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
