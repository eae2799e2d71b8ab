/* What a file says arrives, whichever way it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "write_file.h"

static HnExperiment *must_load(const char *yaml, const char *const *sets) {
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    if (load_text(yaml, sets, &experiment, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    return experiment;
}

static void defaults_are_the_papers(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *x = NULL;
    assert_int_equal(hn_experiment_load(NULL, NULL, 0, &x, &err), HN_OK);
    assert_int_equal(x->seeds.n, 5);
    assert_int_equal(x->seeds.items[4], 2028);
    assert_true(x->reproducible);
    assert_int_equal(x->data.format, HN_FORMAT_SYNTHETIC);
    assert_int_equal(x->data.split_ratio.n, 3);
    assert_true(x->data.split_ratio.items[0] == 0.8 && x->data.max_bad_share == 0.001);
    assert_int_equal(x->train.model.dim, 64);
    assert_int_equal(x->train.model.layers, 3);
    assert_int_equal(x->train.model.backbone, HN_BACKBONE_LIGHTGCN);
    assert_int_equal(x->train.sampler.name, HN_SAMPLER_SEMANTIC);
    assert_true(x->train.semantic.alpha == 0.1 && x->train.align.lambda == 0.001 && x->train.align.tau == 0.2);
    assert_int_equal(x->train.semantic.activation, HN_ACTIVATION_LEAKY_RELU);
    assert_int_equal(x->train.semantic.adapter_hidden.n, 0);
    assert_int_equal(x->train.align.negatives, HN_ALIGN_OWN);
    assert_int_equal(x->train.align.vector, HN_ALIGN_MIXED);
    assert_int_equal(x->train.loss.name, HN_LOSS_BPR);
    assert_true(x->train.train.learning_rate == 1e-3 && x->train.train.l2 == 1e-4);
    assert_int_equal(x->train.train.batch, 2048);
    assert_int_equal(x->train.eval.ks.items[1], 20);
    assert_int_equal(x->llm.vector_type, HN_VECTOR_F16);
    assert_string_equal(x->data.dataset, "");
    assert_int_equal(x->n_variants, 1);
    assert_string_equal(x->variants[0].name, "lightgcn+semantic");
    hn_experiment_free(&x);
    assert_null(x);
}

static void nested_and_dotted_are_one(void **state) {
    (void)state;
    HnExperiment *a = must_load("train:\n  epochs: 7\n  batch: 100\ndata:\n  synthetic: {users: 50, items: 40}\n"
                                "  synthetic.interactions: 300\n",
                                NULL);
    HnExperiment *b = must_load("train.epochs: 7\ntrain: {batch: 1e2}\ndata.synthetic.users: 50\ndata.synthetic:\n"
                                "  items: 40\n  interactions: 300\nllm:\n",
                                NULL);
    char *a_value = NULL, *b_value = NULL;
    HnError err = HN_ERROR_INIT;
    assert_null(hn_experiment_difference(a, b, &a_value, &b_value, &err));
    assert_int_equal(err.status, HN_OK);
    assert_int_equal(b->train.train.epochs, 7);
    assert_int_equal(b->train.train.batch, 100);
    assert_int_equal(b->data.synthetic.interactions, 300);
    hn_experiment_free(&a);
    hn_experiment_free(&b);
}

static void every_type_arrives(void **state) {
    (void)state;
    HnExperiment *x = must_load("name: \"Yelp: \\u00fcber\"\nseeds: 4\nreproducible: false\neval: {ks: [1, 5, 20]}\n"
                                "loss: {name: hinge, margin: 5.0e-1}\nsemantic: {adapter_hidden: [512, 256]}\n"
                                "llm: {http: {timeout_s: 2.5}}\n",
                                NULL);
    assert_string_equal(x->name, "Yelp: \xc3\xbc"
                                 "ber");
    assert_int_equal(x->seeds.n, 1);
    assert_int_equal(x->seeds.items[0], 4);
    assert_false(x->reproducible);
    assert_int_equal(x->train.eval.ks.n, 3);
    assert_int_equal(x->train.loss.name, HN_LOSS_HINGE);
    assert_true(x->train.loss.margin == 0.5 && x->llm.http.timeout_s == 2.5);
    assert_int_equal(x->train.semantic.adapter_hidden.items[1], 256);
    hn_experiment_free(&x);
}

static void an_empty_file_is_all_defaults(void **state) {
    (void)state;
    const char *const texts[] = {"", "# nothing\n", "---\n", "~\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        HnExperiment *x = must_load(texts[i], NULL);
        assert_int_equal(x->train.train.epochs, 200);
        hn_experiment_free(&x);
    }
}

static void sets_replace_and_the_last_counts(void **state) {
    (void)state;
    const char *const sets[] = {"train.epochs=3",
                                "train.epochs=5",
                                "eval.ks=[5, 10]",
                                "train.stop_metric=ndcg@5",
                                "seeds=7",
                                "name=a = b",
                                "llm.http.url=http://127.0.0.1:8000",
                                "data.split_ratio=0.6,0.2,0.2",
                                "semantic.adapter_hidden=[]",
                                NULL};
    HnExperiment *x = must_load("train.epochs: 9\nsemantic.adapter_hidden: [8]\n", sets);
    assert_int_equal(x->train.train.epochs, 5);
    assert_int_equal(x->train.eval.ks.n, 2);
    assert_int_equal(x->train.eval.ks.items[0], 5);
    assert_int_equal(x->seeds.items[0], 7);
    assert_string_equal(x->name, "a = b");
    assert_string_equal(x->llm.http.url, "http://127.0.0.1:8000");
    assert_true(x->data.split_ratio.items[2] == 0.2);
    assert_int_equal(x->train.semantic.adapter_hidden.n, 0);
    hn_experiment_free(&x);
}

static void rows_replace_what_stands_above(void **state) {
    (void)state;
    const char *const sets[] = {"semantic.alpha=0.25", "train.epochs=4", NULL};
    HnExperiment *x = must_load("train: {epochs: 30}\n"
                                "compare:\n"
                                "  - name: MF\n    model: {backbone: mf}\n    sampler.name: rns\n"
                                "  - {name: own alpha, semantic.alpha: 0.5, eval: {ks: [20, 40]}}\n"
                                "  - {name: as above}\n"
                                "model.dim: 16\n", /* below the rows, and yet their beginning */
                                sets);
    assert_int_equal(x->n_variants, 3);
    assert_string_equal(x->variants[0].name, "MF");
    assert_int_equal(x->variants[0].train.model.backbone, HN_BACKBONE_MF);
    assert_int_equal(x->variants[0].train.sampler.name, HN_SAMPLER_RNS);
    assert_int_equal(x->variants[0].train.model.dim, 16);
    assert_int_equal(x->variants[0].train.train.epochs, 4);
    assert_true(x->variants[0].train.semantic.alpha == 0.25);
    assert_true(x->variants[1].train.semantic.alpha == 0.5);
    assert_int_equal(x->variants[1].train.eval.ks.items[1], 40);
    assert_int_equal(x->variants[2].train.eval.ks.items[1], 20);
    assert_int_equal(x->variants[2].train.model.backbone, HN_BACKBONE_LIGHTGCN);
    assert_int_equal(x->train.model.backbone, HN_BACKBONE_LIGHTGCN);
    hn_experiment_free(&x);
}

static void paths_begin_at_their_folder(void **state) {
    (void)state;
    char here[512], expected[1024];
    assert_non_null(getcwd(here, sizeof here));
    const char *const sets[] = {"data.items=[m1.gz, \"m 2,gz\", ./sub/m3.gz]", "llm.prompt_folder=/abs/prompts", NULL};
    HnExperiment *x = must_load("data:\n  format: amazon\n  interactions: [r1.gz, /data/r2.gz, ../r3.gz]\n"
                                "  keep_users: ./users.txt\n",
                                sets);
    snprintf(expected, sizeof expected, "%s/r1.gz", test_folder());
    assert_string_equal(x->data.interactions.items[0], expected);
    assert_string_equal(x->data.interactions.items[1], "/data/r2.gz");
    snprintf(expected, sizeof expected, "%s/../r3.gz", test_folder());
    assert_string_equal(x->data.interactions.items[2], expected);
    snprintf(expected, sizeof expected, "%s/users.txt", test_folder());
    assert_string_equal(x->data.keep_users, expected);
    assert_int_equal(x->data.items.n, 3);
    snprintf(expected, sizeof expected, "%s/m1.gz", here);
    assert_string_equal(x->data.items.items[0], expected);
    snprintf(expected, sizeof expected, "%s/m 2,gz", here);
    assert_string_equal(x->data.items.items[1], expected);
    snprintf(expected, sizeof expected, "%s/sub/m3.gz", here);
    assert_string_equal(x->data.items.items[2], expected);
    assert_string_equal(x->llm.prompt_folder, "/abs/prompts");
    assert_string_equal(x->data.keep_items, "");
    hn_experiment_free(&x);
}

/* A file named without a folder, or by a relative one, is found from the current folder; so are its paths. */
static void relative_files_have_absolute_paths(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char here[512], expected[1024];
    HnExperiment *x = must_load("data: {format: pairs, interactions: a.txt}\n", NULL);
    hn_experiment_free(&x);
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(test_folder()), 0);
    assert_int_equal(hn_experiment_load("x.yaml", NULL, 0, &x, &err), HN_OK);
    snprintf(expected, sizeof expected, "%s/a.txt", test_folder());
    assert_string_equal(x->data.interactions.items[0], expected);
    hn_experiment_free(&x);
    assert_int_equal(chdir("/tmp"), 0);
    char relative[600];
    snprintf(relative, sizeof relative, "%s/x.yaml", strrchr(test_folder(), '/') + 1);
    assert_int_equal(hn_experiment_load(relative, NULL, 0, &x, &err), HN_OK);
    assert_string_equal(x->data.interactions.items[0], expected);
    hn_experiment_free(&x);
    assert_int_equal(chdir(here), 0);
}

static void loading_without_memory(void **state) {
    (void)state;
    const char *const sets[] = {"data.synthetic.users=100", "eval.ks=[20,30]", NULL};
    for (uint64_t n = 1;; n++) {
        HnError err = HN_ERROR_INIT;
        HnExperiment *x = NULL;
        hn_alloc_fail_at(n);
        HnStatus status = load_text("name: a\nseeds: [1, 2]\ncompare:\n  - {name: b, eval.ks: [20]}\n  - {name: c}\n",
                                    sets, &x, &err);
        hn_alloc_fail_at(0);
        if (status == HN_OK) {
            hn_experiment_free(&x);
            assert_true(n > 50);
            break;
        }
        assert_int_equal(status, HN_MEMORY);
        assert_null(x);
        assert_int_equal(hn_alloc_live_blocks(), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(nested_and_dotted_are_one),
        cmocka_unit_test(every_type_arrives),
        cmocka_unit_test(an_empty_file_is_all_defaults),
        cmocka_unit_test(sets_replace_and_the_last_counts),
        cmocka_unit_test(rows_replace_what_stands_above),
        cmocka_unit_test(paths_begin_at_their_folder),
        cmocka_unit_test(relative_files_have_absolute_paths),
        cmocka_unit_test(loading_without_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
