/* Training steps against those that PyTorch computed in double precision (tests/fixtures/golden). Both ways of summing
 * must meet the tolerances. */
#include "fixture.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cf/models/sgl_private.h"

#define GOLDEN HN_SOURCE_DIR "/tests/fixtures/golden/"

static json_t *golden; /* the file at hand */

static int64_t integer(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static double real(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static bool is_word(const json_t *object, const char *key, const char *word) {
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    return strcmp(value, word) == 0;
}

/* All numbers of a nested array, in order. */
static size_t flatten(const json_t *value, float *out, size_t n) {
    if (json_is_array(value)) {
        size_t i;
        json_t *element;
        json_array_foreach(value, i, element) {
            n = flatten(element, out, n);
        }
        return n;
    }
    if (out != NULL) {
        out[n] = json_is_true(value) ? 1.0f : (float)json_number_value(value);
    }
    return n + 1;
}

static float *numbers(const json_t *value, size_t *n) {
    *n = flatten(value, NULL, 0);
    float *out = calloc(*n + 1, sizeof *out);
    (void)flatten(value, out, 0);
    return out;
}

static World world_of(const json_t *one) {
    World world = world_make((uint64_t)integer(golden, "n_users"), (uint64_t)integer(golden, "n_items"));
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(one, "pairs"), i, pair) {
        uint64_t user = (uint64_t)json_integer_value(json_array_get(pair, 0));
        world.part[user * world.n_items + (uint64_t)json_integer_value(json_array_get(pair, 1))] = 1;
    }
    return world;
}

/* The place of a word in a list of enum values' names. */
static int word(const json_t *object, const char *key, const char *const *words) {
    for (int i = 0; words[i] != NULL; i++) {
        if (is_word(object, key, words[i])) {
            return i;
        }
    }
    fail_msg("%s is a word that this test does not know", key);
    return -1;
}

static const char *const pools[] = {"mean", "sum", "final", "upper", NULL};

static const char *const similarities[] = {"product", "cosine", "distance", NULL};

static void take_sampler(const json_t *sampler, HnTrainConfig *config) {
    static const char *const names[] = {"rns",    "semantic", "popularity", "dns", "ahns",
                                        "mixgcf", "dins",     "in_batch",   NULL};
    if (sampler == NULL) {
        return;
    }
    config->sampler.name = (HnSamplerName)word(sampler, "name", names);
    config->sampler.candidates = integer(sampler, "candidates");
    if (json_object_get(sampler, "mix_per") != NULL) {
        config->sampler.mix_per = is_word(sampler, "mix_per", "element") ? HN_MIX_PER_ELEMENT : HN_MIX_PER_HOP;
        config->sampler.dins_alpha = real(sampler, "dins_alpha");
    }
    if (json_object_get(sampler, "mn") != NULL) {
        config->sampler.mn = is_word(sampler, "mn", "all") ? HN_DNS_ALL : HN_DNS_PICK;
    }
    if (json_object_get(sampler, "pick") != NULL) {
        config->sampler.pick = integer(sampler, "pick");
        config->sampler.exponent = real(sampler, "exponent");
    }
    if (json_object_get(sampler, "draw_from") != NULL) {
        config->sampler.draw_from = is_word(sampler, "draw_from", "all") ? HN_DRAW_ALL : HN_DRAW_OUTSIDE;
    }
    if (json_object_get(sampler, "similarity") != NULL) {
        config->sampler.similarity = (HnSimilarity)word(sampler, "similarity", similarities);
    }
    if (json_object_get(sampler, "weight") != NULL) {
        config->sampler.weight = is_word(sampler, "weight", "log") ? HN_WEIGHT_LOG : HN_WEIGHT_POWER;
    }
}

static void take_l2(const json_t *one, HnTrainConfig *config) {
    if (json_object_get(one, "reg") != NULL) {
        config->train.reg = (HnRegRule)word(one, "reg", (const char *const[]){"sq_half", "norm", "all_params", NULL});
    }
    if (json_object_get(one, "reg_rows") != NULL) {
        config->train.reg_rows =
            (HnRegRows)word(one, "reg_rows", (const char *const[]){"ego", "final", "layer1", "layers", NULL});
    }
}

static void take_forms(const json_t *forms, HnTrainConfig *config) {
    if (forms == NULL) {
        return;
    }
    config->model.pool = (HnPoolRule)word(forms, "pool", pools);
    take_l2(forms, config);
    config->train.reg_divide =
        (HnRegDivisor)word(forms, "reg_divide", (const char *const[]){"none", "batch", "batch2", NULL});
    config->loss.reduce = (HnReduceRule)word(forms, "reduce", (const char *const[]){"mean", "sum", NULL});
    config->loss.epsilon = real(forms, "epsilon");
    config->loss.tau = real(forms, "tau");
}

static void read_ssl(const json_t *ssl, HnTrainConfig *config) {
    static const char *const rules[] = {"edge", "node", "walk", NULL}, *const denominators[] = {"full", "batch", NULL};
    static const char *const reductions[] = {"loss", "sum", "mean", NULL};
    config->model.backbone = HN_BACKBONE_SGL;
    config->ssl.augment = (HnAugmentRule)word(ssl, "augment", rules);
    config->ssl.denominator = (HnSslDenominator)word(ssl, "denominator", denominators);
    config->ssl.reduce = (HnSslReduce)word(ssl, "reduce", reductions);
    config->ssl.tau = real(ssl, "tau");
    config->ssl.lambda = real(ssl, "lambda");
    config->loss.reduce = is_word(ssl, "loss_reduce", "sum") ? HN_REDUCE_SUM : HN_REDUCE_MEAN;
}

static HnTrainConfig config_of(const json_t *one) {
    static int64_t hidden[8];
    static const char *const variants[] = {"paper", "author", "mixgcf", "recbole", NULL};
    HnTrainConfig config = small_config();
    const json_t *semantic = json_object_get(one, "semantic"), *ngcf = json_object_get(one, "ngcf");
    config.model.dim = integer(golden, "dim");
    config.model.layers = integer(one, "layers");
    config.model.backbone = config.model.layers == 0 ? HN_BACKBONE_MF : HN_BACKBONE_LIGHTGCN;
    config.loss.name = (HnLossName)word(one, "loss", (const char *const[]){"bpr", "hinge", "softmax", NULL});
    config.loss.margin = real(one, "margin");
    config.train.l2 = real(one, "l2");
    config.train.learning_rate = real(one, "learning_rate");
    config.train.batch = integer(golden, "batch");
    config.train.virtual_shards = 3;
    if (json_object_get(one, "epoch_unit") != NULL) {
        static const char *const units[] = {"edge", "user", "user_uniform", "distinct_users", NULL};
        config.train.epoch_unit = (HnEpochUnit)word(one, "epoch_unit", units);
        config.train.batch = integer(one, "batch");
    }
    if (json_object_get(one, "tau") != NULL) {
        config.loss.tau = real(one, "tau");
    }
    if (json_object_get(one, "pool") != NULL) {
        config.model.pool = (HnPoolRule)word(one, "pool", pools);
        config.sampler.negatives = integer(one, "negatives");
    }
    take_sampler(json_object_get(one, "sampler"), &config);
    take_l2(one, &config);
    take_forms(json_object_get(one, "forms"), &config);
    if (ngcf != NULL) {
        config.model.backbone = HN_BACKBONE_NGCF;
        config.ngcf.variant = (HnNgcfVariant)word(ngcf, "variant", variants);
        config.ngcf.dropout = real(ngcf, "dropout");
    }
    const json_t *dgcf = json_object_get(one, "dgcf"), *edges = json_object_get(one, "edges");
    if (edges != NULL) {
        config.model.edge_dropout = real(edges, "dropout");
        config.model.edge_rescale = json_is_true(json_object_get(edges, "rescale"));
        const bool by_layer = json_object_get(edges, "masks") != NULL && is_word(edges, "masks", "layer");
        config.model.edge_masks = by_layer ? HN_MASKS_OF_LAYER : HN_MASKS_OF_STEP;
    }
    if (dgcf != NULL) {
        config.model.backbone = HN_BACKBONE_DGCF;
        config.dgcf.factors = integer(dgcf, "factors");
        config.dgcf.iterations = integer(dgcf, "iterations");
        config.dgcf.correlation = real(dgcf, "correlation");
    }
    if (json_object_get(one, "ssl") != NULL) {
        read_ssl(json_object_get(one, "ssl"), &config);
    }
    if (!json_is_null(semantic)) {
        size_t n;
        float *widths = numbers(json_object_get(semantic, "hidden"), &n);
        for (size_t i = 0; i < n; i++) {
            hidden[i] = (int64_t)widths[i];
        }
        free(widths);
        config.sampler.name = HN_SAMPLER_SEMANTIC;
        config.semantic.alpha = real(semantic, "alpha");
        config.semantic.adapter_hidden = (HnIntList){hidden, n};
        config.semantic.adapter_last_relu = json_is_true(json_object_get(semantic, "last_relu"));
        config.align.tau = real(semantic, "tau");
        config.align.lambda = real(semantic, "lambda");
        config.align.negatives = is_word(semantic, "align_negatives", "batch") ? HN_ALIGN_BATCH : HN_ALIGN_OWN;
        config.align.vector = is_word(semantic, "align_vector", "adapted") ? HN_ALIGN_ADAPTED : HN_ALIGN_MIXED;
    }
    return config;
}

static char *vectors_of(const json_t *one, const World *world, const char *folder) {
    const json_t *semantic = json_object_get(one, "semantic");
    size_t n, n_present;
    if (json_is_null(semantic)) {
        return NULL;
    }
    float *text = numbers(json_object_get(semantic, "text"), &n);
    float *present = numbers(json_object_get(semantic, "present"), &n_present);
    uint8_t *marks = calloc(n_present, 1);
    for (size_t i = 0; i < n_present; i++) {
        marks[i] = present[i] > 0.5f;
    }
    char *path = world_vectors(world, folder, "vectors.h5", (uint64_t)integer(golden, "text_dim"), text, marks, 0);
    free(marks);
    free(present);
    free(text);
    return path;
}

static void put_initial(HnTable *table, const json_t *values) {
    size_t n;
    float *flat = numbers(values, &n);
    assert_int_equal(n, table->n_rows * (uint64_t)table->dim);
    memcpy(table->value, flat, n * sizeof *flat);
    free(flat);
}

static void near(const char *what, const char *name, const float *got, const json_t *wanted, bool by_norm) {
    size_t n;
    float *want = numbers(wanted, &n);
    double largest = 0.0, worst = 0.0, norm = 0.0, difference = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        largest = fmax(largest, fabs((double)want[i]));
        worst = d > worst || isnan(d) ? d : worst;
        norm += (double)want[i] * (double)want[i];
        difference += d * d;
    }
    bool good = by_norm ? sqrt(difference) <= 1e-5 * sqrt(norm) : worst <= 1e-5 * largest;
    if (!good) {
        fail_msg("%s: %s off by %.3g (largest %.3g), norm %.3g of %.3g", name, what, worst, largest, sqrt(difference),
                 sqrt(norm));
    }
    free(want);
}

static void check_loss(const char *name, const json_t *wanted, const HnStepReport *report, double lambda) {
    const struct {
        const char *key;
        double got;
    } parts[] = {{"ranking", report->loss[HN_LOSS_RANKING]},
                 {"align", lambda > 0.0 ? report->loss[HN_LOSS_ALIGN] / lambda : 0.0},
                 {"l2", report->loss[HN_LOSS_L2]},
                 {"own", report->loss[HN_LOSS_OWN]},
                 {"total", report->loss[HN_LOSS_TOTAL]}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_t *value = json_object_get(wanted, parts[i].key);
        double want = json_is_number(value) ? json_number_value(value) : 0.0;
        if (i == 1 && lambda == 0.0) {
            continue;
        }
        if (!(fabs(parts[i].got - want) <= 1e-6 * fmax(fabs(want), 0.01))) {
            fail_msg("%s: loss %s is %.9g, PyTorch has %.9g", name, parts[i].key, parts[i].got, want);
        }
    }
}

static void check_tables(const char *name, HnTrainer *trainer, const json_t *wanted, bool gradient) {
    HnTable *own = trainer->sampler->parameters(trainer->sampler_state);
    const HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    const HnTable *tables[] = {&trainer->users, &trainer->items, own, of_model};
    const char *const keys[] = {"users", "items", "adapter", "model"};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        if (tables[t] != NULL) {
            near(keys[t], name, gradient ? tables[t]->gradient : tables[t]->value, json_object_get(wanted, keys[t]),
                 !gradient);
        }
    }
}

/* A step's pairs and negatives, [pairs][draws]. Where the case names a sampler, it is to draw those by itself; where it
 * names the unit of an epoch, the pairs too. */
typedef struct Given {
    HnGivenBatch batch;
    uint64_t pairs[64];
    int32_t negatives[64 * 9];
} Given;

static void give(Given *given, const json_t *one, const json_t *step) {
    const json_t *pairs = json_object_get(step, "pairs"), *negatives = json_object_get(step, "negatives");
    const bool drawn = json_object_get(one, "sampler") != NULL;
    given->batch = (HnGivenBatch){given->pairs, drawn ? NULL : given->negatives, json_array_size(pairs)};
    for (size_t k = 0; k < json_array_size(pairs); k++) {
        given->pairs[k] = (uint64_t)json_integer_value(json_array_get(pairs, k));
    }
    for (size_t k = 0; k < json_array_size(negatives); k++) {
        given->negatives[k] = (int32_t)json_integer_value(json_array_get(negatives, k));
    }
}

/* The pairs that the views kept, in place of those of an epoch. */
static void put_views(HnTrainer *trainer, const json_t *ssl) {
    HnError err = HN_ERROR_INIT;
    size_t v, g;
    json_t *view, *graph;
    trainer->order_ready = true;
    json_array_foreach(json_object_get(ssl, "keep"), v, view) {
        json_array_foreach(view, g, graph) {
            uint8_t keep[256];
            const size_t n = json_array_size(graph);
            assert_true(n == trainer->shards.n_pairs && n <= sizeof keep);
            for (size_t p = 0; p < n; p++) {
                keep[p] = (uint8_t)json_integer_value(json_array_get(graph, p));
            }
            expect_ok(hn_sgl_keep(trainer->model_state, (int)v, (int)g, keep, &err), &err);
        }
    }
}

static void check_drawn(const HnBatch *batch, const Given *given) {
    assert_int_equal(batch->n, given->batch.n);
    for (uint32_t k = 0; k < batch->n; k++) {
        assert_int_equal(batch->local[k], given->pairs[k]); /* one rank: all pairs are local */
    }
    assert_memory_equal(batch->negative, given->negatives, batch->n * (size_t)batch->draws * sizeof(int32_t));
}

static void run_case(const json_t *one, bool reproducible, const char *folder) {
    HnError err = HN_ERROR_INIT;
    const char *name = json_string_value(json_object_get(one, "name"));
    World world = world_of(one);
    HnTrainConfig config = config_of(one);
    char *vectors = vectors_of(one, &world, folder);
    Rig rig;
    rig_start(&rig, &world, &config, folder, vectors, reproducible, 1);
    HnTrainer *trainer = rig.trainer;
    const json_t *initial = json_object_get(one, "initial");
    put_initial(&trainer->users, json_object_get(initial, "users"));
    put_initial(&trainer->items, json_object_get(initial, "items"));
    if (vectors != NULL) {
        put_initial(trainer->sampler->parameters(trainer->sampler_state), json_object_get(initial, "adapter"));
    }
    HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    if (of_model != NULL) {
        put_initial(of_model, json_object_get(initial, "model"));
    }
    if (config.model.backbone == HN_BACKBONE_SGL) {
        put_views(trainer, json_object_get(one, "ssl"));
    }
    size_t s;
    json_t *step;
    json_array_foreach(json_object_get(one, "steps"), s, step) {
        Given given;
        HnStepReport report;
        give(&given, one, step);
        const bool drawn = json_object_get(one, "epoch_unit") != NULL;
        trainer->step_in_epoch = s;
        expect_ok(hn_trainer_gradients(trainer, drawn ? NULL : &given.batch, &report, &err), &err);
        check_drawn(&trainer->batch, &given);
        check_loss(name, json_object_get(step, "loss"), &report, vectors == NULL ? 0.0 : config.align.lambda);
        check_tables(name, trainer, json_object_get(step, "gradient"), true);
        hn_trainer_update(trainer);
        if (json_is_object(json_object_get(step, "after"))) {
            check_tables(name, trainer, json_object_get(step, "after"), false);
        }
    }
    rig_end(&rig);
    hn_free(vectors);
    world_free(&world);
}

static void all_cases(const char *file, bool reproducible) {
    json_error_t error;
    char *folder = folder_make("golden");
    golden = json_load_file(file, 0, &error);
    if (golden == NULL) {
        fail_msg("%s: %s", file, error.text);
    }
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(golden, "cases"), i, one) {
        print_message("  %s\n", json_string_value(json_object_get(one, "name")));
        run_case(one, reproducible, folder);
    }
    assert_true(i >= 4);
    json_decref(golden);
    folder_free(&folder);
}

static const char *const files[] = {GOLDEN "steps.json", GOLDEN "steps_hops.json", GOLDEN "steps_forms.json",
                                    GOLDEN "ngcf.json",  GOLDEN "sgl.json",        GOLDEN "dgcf.json"};

static void test_float_sums(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        all_cases(files[f], false);
    }
}

static void test_exact_sums(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        all_cases(files[f], true);
    }
}

static int nothing_left(void **state) {
    (void)state;
    return hn_alloc_live_blocks() == 0 ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_float_sums), cmocka_unit_test(test_exact_sums)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
