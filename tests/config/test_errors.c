/* Every wrong file is refused with its line and a remedy; no secret is accepted or repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "write_file.h"

typedef struct Wrong {
    const char *yaml;
    int line;            /* that the message must name; 0 = none */
    const char *says[3]; /* words that it must hold */
} Wrong;

static void assert_refused(const Wrong *wrong, const char *const *sets) {
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    char place[128];
    if (load_text(wrong->yaml, sets, &experiment, &err) != HN_CONFIG) {
        fail_msg("accepted, or refused otherwise (%s): %s", err.message, wrong->yaml);
    }
    assert_null(experiment);
    snprintf(place, sizeof place, "%s/x.yaml:%d: ", test_folder(), wrong->line);
    if (wrong->line > 0 && strncmp(err.message, place, strlen(place)) != 0) {
        fail_msg("\"%s\" does not begin with \"%s\"", err.message, place);
    }
    for (size_t i = 0; i < 3 && wrong->says[i] != NULL; i++) {
        if (strstr(err.message, wrong->says[i]) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", err.message, wrong->says[i]);
        }
    }
}

static void refuse_all(const Wrong *wrong, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert_refused(&wrong[i], NULL);
    }
}

static void names(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"train:\n  epoch: 5\n", 2, {"\"train.epoch\"", "did you mean train.epochs"}},
        {"alpha: 0.1\n", 1, {"did you mean semantic.alpha"}},
        {"\nmodel: {layers: 2,\n  dmi: 3}\n", 3, {"did you mean model.dim"}},
        {"colour: red\n", 1, {"there is no key \"colour\"", "help config"}},
        {"trian: {epochs: 3}\n", 1, {"\"trian\""}},
        {"train.epochs.x: 3\n", 1, {"train.epochs.x"}},
        {"<<: {a: 1}\n", 1, {"<<"}},
        {"train: {epochs: 3}\ntrain.epochs: 4\n", 2, {"twice", "line 1"}},
        {"train: {epochs: 3}\ntrain: {batch: 3}\ntrain: {batch: 4}\n", 3, {"train.batch is given twice", "line 2"}},
        {"compare: [{name: a}]\ncompare: [{name: b}]\n", 2, {"compare is given twice"}},
    };
    refuse_all(wrong, sizeof wrong / sizeof wrong[0]);
}

static void types_and_ranges(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"train.epochs: many\n", 1, {"\"many\"", "a whole number from 1 to 1000000"}},
        {"train.epochs: 2.5\n", 1, {"2.5"}},
        {"train.epochs: 0\n", 1, {"from 1"}},
        {"train.epochs: 1000001\n", 1, {"1000001"}},
        {"train.epochs: 99999999999999999999\n", 1, {"train.epochs"}},
        {"train.epochs: [3]\n", 1, {"one value, not a list"}},
        {"train.epochs:\n", 1, {"no value", "200"}},
        {"train.epochs: {a: 1}\n", 1, {"not a map"}},
        {"train: 5\n", 1, {"train is a section"}},
        {"reproducible: yes\n", 1, {"true or false"}},
        {"semantic.alpha: 1.5\n", 1, {"a number from 0 to 1"}},
        {"semantic.alpha: .nan\n", 1, {".nan"}},
        {"semantic.alpha: -0.1\n", 1, {"-0.1"}},
        {"model.backbone: lightGCN\n", 1, {"one of mf, lightgcn"}},
        {"model.backbone: light\n", 1, {"one of mf, lightgcn"}},
        {"eval.ks: [10, x]\n", 1, {"\"x\"", "a list, each a whole number"}},
        {"eval.ks: [10, [20]]\n", 1, {"plain value"}},
        {"data.interactions: [\"\"]\n", 1, {"empty path"}},
        {"align.tau: 0\n", 1, {"align.tau"}},
        {"name: \"a\\0b\"\n", 1, {"NUL"}},
    };
    refuse_all(wrong, sizeof wrong / sizeof wrong[0]);
}

static void not_an_experiment(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"a: [1, 2\nb: 3\n", 0, {"not YAML"}},
        {"\ttab: 1\n", 1, {"not YAML"}},
        {"- a\n- b\n", 1, {"a map of keys"}},
        {"just words\n", 1, {"a map of keys"}},
        {"name: a\n---\nname: b\n", 3, {"second document"}},
        {"name: \xff\n", 0, {"not UTF-8"}},
        {"? [a, b]\n: 1\n", 1, {"a key"}},
        {"data: &d {synthetic: *d}\n", 0, {NULL}},
    };
    refuse_all(wrong, sizeof wrong / sizeof wrong[0]);
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    assert_int_equal(hn_experiment_load("/no/such/file.yaml", NULL, 0, &experiment, &err), HN_IO);
    assert_non_null(strstr(err.message, "/no/such/file.yaml"));
}

static void forms_of_loss_and_published_figures(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"sampler: {name: mixgcf, negatives: 65}\nloss.name: softmax\n", 1, {"at most 64", "lower"}},
        {"sampler: {name: rns, negatives: 1024}\ntrain.batch: 9000000\n", 2, {"2^32", "lower"}},
        {"model: {backbone: dgcf, dim: 10}\ndgcf.factors: 4\n", 2, {"dgcf.factors", "divisor of model.dim"}},
        {"model.backbone: ngcf\ntrain.reg_rows: layers\n", 2, {"model.backbone lightgcn", "ego or final"}},
        {"model.layers: 0\ntrain.reg_rows: layer1\n", 2, {"has none", "train.reg_rows: ego"}},
        {"sampler: {name: in_batch, draw_from: all}\n", 1, {"draws none", "sampler.draw_from: outside"}},
        {"sampler.name: in_batch\ntrain.batch: 1\n", 2, {"train.batch to at least 2"}},
        {"train.reg: all_params\ntrain.reg_rows: final\n", 2, {"train.reg_rows: ego", "train.reg: sq_half"}},
        {"model: {backbone: ngcf, pool: sum}\n", 1, {"model.pool is for model.backbone lightgcn"}},
        {"model.pool: concat\n", 1, {"one of mean, sum, final, upper"}},
        {"published: [\"\"]\n", 1, {"empty text"}},
        {"published: [loss]\n", 1, {"\"loss\"", "ROW; FIGURE; EPOCH; VALUE"}},
        {"published: [a; loss; 0; 1]\n", 1, {"no row is called \"a\""}},
        {"compare: [{name: a}]\npublished: [a; loss; best; 1]\n", 2, {"counted from 0"}},
        {"compare: [{name: a}]\npublished: [a; recall@20; -1; 1]\n", 2, {"counted from 0, or it is \"best\""}},
        {"compare: [{name: a}]\npublished: [a; recall@21; best; 1]\n", 2, {"neither loss nor a metric"}},
        {"compare: [{name: a}]\npublished: [a; loss; 0; one]\n", 2, {"\"one\" is no number"}},
        {"compare: [{name: a}]\npublished: [a; loss; 0; 1; within x %]\n", 2, {"within PERCENT %"}},
        {"compare: [{name: a}]\npublished: [a; loss; 0; 1; within 1 %; 2]\n", 2, {"within PERCENT %"}},
    };
    refuse_all(wrong, sizeof wrong / sizeof wrong[0]);
}

static void rows(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"compare: {name: a}\n", 1, {"compare is a list"}},
        {"compare:\n  - a\n", 2, {"a row of compare is a map"}},
        {"compare:\n  - {sampler.name: rns}\n", 2, {"no name"}},
        {"compare:\n  - {name: ''}\n", 2, {"no name"}},
        {"compare:\n  - {name: a, name: b}\n", 2, {"two names"}},
        {"compare:\n  - {name: a}\n  - {name: a}\n", 3, {"row \"a\"", "must differ"}},
        {"compare:\n  - {name: A b}\n  - {name: a-b}\n", 3, {"same folder name \"a-b\""}},
        {"compare:\n  - {name: '***'}\n", 2, {"letters or digits"}},
        {"compare:\n  - {name: '..'}\n", 2, {"letters or digits"}},
        {"compare:\n  - {name: a, data.core_users: 3}\n", 2, {"data.core_users is the same for all rows"}},
        {"compare:\n  - {name: a, llm: {provider: http}}\n", 2, {"llm.provider is the same for all rows"}},
        {"compare:\n  - {name: a,\n     semantic.alfa: 3}\n", 3, {"did you mean semantic.alpha"}},
        {"compare:\n  - {name: a, seed: 3}\n", 2, {"there is no key \"seed\""}},
        {"compare:\n  - {name: a, train.batch: 3, train: {batch: 3}}\n", 2, {"twice"}},
        {"compare:\n  - {name: a, eval.ks: [5]}\n", 2, {"row \"a\"", "recall@20", "eval.ks"}},
    };
    refuse_all(wrong, sizeof wrong / sizeof wrong[0]);
}

static void across_keys(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"name: ''\n", 1, {"name is empty"}},
        {"seeds: []\n", 1, {"seeds is empty"}},
        {"seeds: [1, 2, 1]\n", 1, {"1 twice"}},
        {"\ndata.split_ratio: [0.8, 0.1, 0.2]\n", 2, {"sum to 1"}},
        {"data.split_ratio: [0.8, 0.2]\n", 1, {"three shares"}},
        {"data.split_ratio: [0, 0.5, 0.5]\n", 1, {"train above 0"}},
        {"data.split_ratio: [0.8, 0, 0.2]\n", 0, {"eval.select_on is valid", "no validation part"}},
        {"data: {format: pairs}\n", 1, {"data.interactions is empty", "--set data.interactions="}},
        {"data: {interactions: a.txt}\n", 1, {"data.format is synthetic"}},
        {"data: {split: given}\n", 1, {"needs files"}},
        {"data: {format: pairs, interactions: a, split: given}\n", 1, {"data.test"}},
        {"data: {format: pairs, interactions: a, split: given, test: b}\n", 0, {"no validation part", "data.valid"}},
        {"data: {format: pairs, interactions: a, test: b}\n", 1, {"data.split given only"}},
        {"data: {date_from: 2018-1-1}\n", 1, {"YYYY-MM-DD"}},
        {"data: {date_to: \"2018-02-30\"}\n", 1, {"YYYY-MM-DD"}},
        {"data:\n  date_from: 2018-01-01\n  date_to: 2017-01-01\n", 3, {"before data.date_from"}},
        {"data.synthetic: {users: 10, items: 10, interactions: 60}\n", 1, {"over half"}},
        {"data.dataset: d.h5\ndata.train_share: 0.5\n", 2, {"hnlmrec prepare", "data.train_share"}},
        {"data.dataset: d.h5\ndata.valid_share: 0.1\n", 2, {"hnlmrec prepare", "data.valid_share"}},
        {"data.valid_share: 0.1\n", 1, {"data.valid_share is for data.split given"}},
        {"data: {format: pairs, interactions: a, split: given, test: b, valid: c, valid_share: 0.1}\n",
         1,
         {"data.valid_share", "data.valid names files"}},
        {"data.valid_share: 1\n", 1, {"data.valid_share", "0.99"}},
        {"data.catalogue: to_largest\n", 1, {"data.catalogue", "no numbers", "seen"}},
        {"data.train_share: 0\n", 1, {"data.train_share"}},
        {"eval.activity_bounds: [5, 5]\n", 1, {"must ascend"}},
        {"eval.popularity_shares: [0.8, 0.1]\n", 1, {"sum to 1", "0.9"}},
        {"eval.false_negative_users: -1\n", 1, {"from 0"}},
        {"eval.ks: []\n", 0, {"eval.ks is empty"}},
        {"eval.ks: [20, 10]\n", 1, {"must ascend"}},
        {"eval.ks: [20, 20]\n", 1, {"must ascend"}},
        {"train.stop_metric: recall@7\n", 1, {"\"7\" is none of eval.ks"}},
        {"train.stop_metric: auc@20\n", 1, {"recall, ndcg, precision, hit or mrr"}},
        {"train.stop_metric: recall\n", 1, {"recall@20"}},
        {"train.virtual_shards: 0\n", 1, {"from 1"}},
        {"llm: {provider: http}\n", 1, {"llm.http.url and llm.http.model"}},
        {"llm: {provider: http, http: {url: http://h}}\n", 1, {"llm.http.model"}},
        {"llm: {embedder: http, http: {url: http://h}}\n", 1, {"llm.http.embed_model"}},
        {"llm.http.url: 127.0.0.1:8000\n", 1, {"http://127.0.0.1:8000"}},
        {"llm.http.url: \"http://h:1,127.0.0.1:8000\"\n", 1, {"http://127.0.0.1:8000"}},
        {"llm.http.url: \"http://\"\n", 1, {"http://127.0.0.1:8000"}},
        {"sampler.name: rns\nalign.negatives: batch\n", 1, {"needs sampler.name semantic"}},
        {"model.pool: upper\nmodel.layers: 0\n", 1, {"layers 1 to the last", "model.pool: mean"}},
        {"model: {backbone: ngcf, edge_dropout: 0.1}\n", 1, {"model.backbone lightgcn", "set it to 0"}},
        {"model.edge_dropout: 0.1\nmodel.layers: 0\n", 1, {"at least one layer"}},
        {"model.edge_dropout: 1\n", 1, {"0.99"}},
        {"model.pool: upper\nmodel.backbone: sgl\n", 1, {"sgl", "model.pool: mean"}},
        {"sampler: {name: rns, negatives: 2}\nloss.name: hinge\n", 1, {"loss.name softmax", "set it to 1"}},
        {"sampler: {name: semantic, negatives: 2}\n", 1, {"semantic", "set it to 1"}},
        {"sampler: {name: dns, mn: all, pick: 3, negatives: 2}\n", 1, {"sampler.negatives to 1"}},
    };
    refuse_all(wrong, sizeof wrong / sizeof wrong[0]);
}

static void secrets_are_refused_and_not_repeated(void **state) {
    (void)state;
    const char *const files[] = {
        "llm.http.key: sk-SeCrEt123\n",
        "llm: {http: {api_key: sk-SeCrEt123}}\n",
        "llm.token: sk-SeCrEt123\n",
        "llm.http.key_env: sk-SeCrEt123\n",
        "password: sk-SeCrEt123\n",
        "llm.http.url: https://me:sk-SeCrEt123@host/v1\n",
        "llm.http.url: \"http://h:1, https://me:sk-SeCrEt123@host/v1\"\n",
        "llm.http.url: http://h:1/v1?api_key=sk-SeCrEt123\n",
        "llm.http.embed_url: http://h:1/v1#sk-SeCrEt123\n",
        "compare: [{name: a, key: sk-SeCrEt123}]\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        HnError err = HN_ERROR_INIT;
        HnExperiment *experiment = NULL;
        assert_int_equal(load_text(files[i], NULL, &experiment, &err), HN_CONFIG);
        assert_null(strstr(err.message, "SeCrEt"));
        if (strstr(err.message, "key_env") == NULL) {
            fail_msg("\"%s\" does not name llm.http.key_env", err.message);
        }
    }
    const char *const sets[] = {"llm.http.key=sk-SeCrEt123", NULL};
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    assert_int_equal(load_text("", sets, &experiment, &err), HN_CONFIG);
    assert_null(strstr(err.message, "SeCrEt"));
}

static void wrong_sets(void **state) {
    (void)state;
    const Wrong wrong[] = {
        {"train.epoch=5", 0, {"--set train.epoch: ", "did you mean train.epochs"}},
        {"train.epochs=five", 0, {"--set train.epochs: ", "\"five\""}},
        {"train.epochs=", 0, {"--set train.epochs: "}},
        {"train=5", 0, {"there is no key \"train\""}},
        {"compare=[a]", 0, {"experiment file only"}},
        {"eval.ks=[10,,20]", 0, {"\"\""}},
        {"name=\xff", 0, {"UTF-8"}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *const sets[] = {wrong[i].yaml, NULL};
        const Wrong as_file = {"", 0, {wrong[i].says[0], wrong[i].says[1], NULL}};
        assert_refused(&as_file, sets);
    }
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    assert_int_equal(load_text("", (const char *const[]){"train.epochs", NULL}, &experiment, &err), HN_USAGE);
    assert_non_null(strstr(err.message, "key=value"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(types_and_ranges),
        cmocka_unit_test(not_an_experiment),
        cmocka_unit_test(forms_of_loss_and_published_figures),
        cmocka_unit_test(rows),
        cmocka_unit_test(across_keys),
        cmocka_unit_test(secrets_are_refused_and_not_repeated),
        cmocka_unit_test(wrong_sets),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
