#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "base/text.h"
#include "lm_private.h"

enum { ALIGNMENT = 64 };

/* Bytes of the file that may be in memory beside the weights while they are packed, and small change. */
#define SLACK ((uint64_t)64 << 20)

/* Where the next piece of a block lies. */
typedef struct Place {
    char *base;
    uint64_t at;
} Place;

static void *put(Place *place, uint64_t n_bytes) {
    void *piece = place->base != NULL ? place->base + place->at : NULL;
    place->at += (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return piece;
}

static float *put_floats(Place *place, uint64_t n) {
    return put(place, n * sizeof(float));
}

static HnWeight put_weight(Place *place, HnWeightType type, int64_t n, int64_t k) {
    return (HnWeight){.type = type, .n = n, .k = k, .bytes = put(place, hn_weight_bytes(type, n, k))};
}

static HnLmNorm put_norm(Place *place, const HnLmConfig *config) {
    return (HnLmNorm){.weight = put_floats(place, config->hidden),
                      .bias = config->layer_norm ? put_floats(place, config->hidden) : NULL};
}

static void place_layer(const HnLmConfig *config, HnWeightType type, Place *place, HnLmLayer *layer) {
    const int64_t hidden = config->hidden, qkv = hn_lm_qkv_width(config), up = hn_lm_up_width(config);
    layer->qkv = put_weight(place, type, qkv, hidden);
    layer->out = put_weight(place, type, hidden, hn_lm_q_width(config));
    layer->up = put_weight(place, type, up, hidden);
    layer->down = put_weight(place, type, hidden, config->ffn);
    layer->qkv_bias = config->qkv_bias ? put_floats(place, (uint64_t)qkv) : NULL;
    layer->out_bias = config->output_bias ? put_floats(place, (uint64_t)hidden) : NULL;
    layer->up_bias = config->ffn_bias ? put_floats(place, (uint64_t)up) : NULL;
    layer->down_bias = config->ffn_bias ? put_floats(place, (uint64_t)hidden) : NULL;
    layer->attention_norm = put_norm(place, config);
    layer->ffn_norm = put_norm(place, config);
    layer->q_norm = config->qk_norm ? put_floats(place, config->head_dim) : NULL;
    layer->k_norm = config->qk_norm ? put_floats(place, config->head_dim) : NULL;
}

uint64_t hn_lm_place_weights(HnLm *lm, char *base) {
    const HnLmConfig *config = &lm->config;
    Place place = {.base = base};
    for (uint32_t l = 0; l < config->n_layers; l++) {
        place_layer(config, lm->options.weights, &place, &lm->layers[l]);
    }
    if (config->post_norm) {
        lm->embed_norm = put_norm(&place, config);
    } else {
        lm->final_norm = put_norm(&place, config);
    }
    lm->added = put_floats(&place, (uint64_t)lm->n_added * config->hidden);
    lm->inv_freq = put_floats(&place, config->learned_positions ? 0 : config->rope.rotary / 2);
    if (lm->options.head) {
        lm->head = put_weight(&place, lm->head_weights, config->n_vocab, config->hidden);
    }
    return place.at;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* The most that any product of the model wants. */
static uint64_t scratch_bytes(const HnLm *lm) {
    const int64_t rows = lm->max_rows;
    const HnLmLayer *layer = &lm->layers[0];
    uint64_t most = larger(hn_linear_scratch_bytes(&layer->qkv, rows), hn_linear_scratch_bytes(&layer->out, rows));
    most = larger(most, hn_linear_scratch_bytes(&layer->up, rows));
    most = larger(most, hn_linear_scratch_bytes(&layer->down, rows));
    return lm->options.head ? larger(most, hn_linear_scratch_bytes(&lm->head, rows)) : most;
}

uint64_t hn_lm_place_step(HnLm *lm, char *base) {
    const HnLmConfig *config = &lm->config;
    const uint64_t rows = lm->max_rows, hidden = config->hidden;
    const uint64_t qkv = (uint64_t)hn_lm_qkv_width(config), q = (uint64_t)hn_lm_q_width(config);
    HnLmStep *step = &lm->step;
    Place place = {.base = base};
    step->x = put_floats(&place, rows * hidden);
    step->y = put_floats(&place, rows * hidden);
    step->wide = put_floats(&place, rows * larger(qkv + q, (uint64_t)hn_lm_up_width(config)));
    step->attended = base != NULL ? step->wide + rows * qkv : NULL;
    step->angles = put_floats(&place, rows * (config->learned_positions ? 0 : config->rope.rotary));
    step->rows = put(&place, rows * sizeof *step->rows);
    step->positions = put(&place, rows * sizeof *step->positions);
    step->tokens = put(&place, rows * sizeof *step->tokens);
    step->wanted = put(&place, rows * sizeof *step->wanted);
    step->segments = put(&place, rows * sizeof *step->segments);
    step->singles = put(&place, rows * sizeof *step->singles);
    step->page_numbers = put(&place, lm->own_pages * sizeof *step->page_numbers);
    const uint64_t page = (uint64_t)hn_lm_kv_width(config) * HN_KV_PAGE;
    step->own.keys = put_floats(&place, lm->own_pages * page);
    step->own.values = put_floats(&place, lm->own_pages * page);
    step->scratch = put(&place, scratch_bytes(lm));
    return place.at;
}

static HnStatus choose_rows(HnLm *lm, HnError *err) {
    const HnLmConfig *config = &lm->config;
    uint32_t longest = config->max_tokens != 0 ? config->max_tokens : config->n_positions;
    lm->max_rows = lm->options.max_rows != 0 ? lm->options.max_rows : config->causal ? HN_LM_ROWS : longest;
    if (lm->max_rows > INT32_MAX / 2) {
        return hn_fail(err, HN_RANGE, "%s: a step of %u tokens is too long", lm->folder, lm->max_rows);
    }
    /* Twice the pages of one long run: short runs fill theirs badly, and a step is cut where they run out. */
    lm->own_pages = config->causal ? 0 : 2 * hn_lm_pages(lm->max_rows);
    return HN_OK;
}

static HnStatus check_fits(const HnLm *lm, HnError *err) {
    const HnLmPlan *plan = &lm->plan;
    const uint64_t limit = lm->options.memory_limit != 0 ? lm->options.memory_limit : hn_lm_free_memory();
    const uint64_t needed = plan->weights + plan->activations + plan->cache + SLACK;
    if (needed <= limit) {
        return HN_OK;
    }
    char weights[32], activations[32], cache[32], allowed[32];
    return hn_fail(
        err, HN_MEMORY,
        "%s does not fit: weights take %s, a step of %u tokens and %u rows of logits %s, keys and values of %llu "
        "tokens %s, all else %d MiB, "
        "but %s may be used (by default what is free, in a run this rank's share of it); use narrower weights (bf16, "
        "int8, nf4), fewer slots or a shorter context, fewer ranks on a host, a smaller model, or serve it elsewhere "
        "and use the http provider",
        lm->folder, hn_format_bytes((double)plan->weights, weights, sizeof weights), lm->max_rows,
        lm->options.logit_rows, hn_format_bytes((double)plan->activations, activations, sizeof activations),
        (unsigned long long)lm->options.cache_pages * HN_KV_PAGE,
        hn_format_bytes((double)plan->cache, cache, sizeof cache), (int)(SLACK >> 20),
        hn_format_bytes((double)limit, allowed, sizeof allowed));
}

/* Rows of logits, what masks them, and the hidden states they are made from. */
static uint64_t logit_bytes(const HnLm *lm) {
    const uint64_t n_vocab = lm->config.n_vocab;
    return lm->options.logit_rows * ((n_vocab + lm->config.hidden) * sizeof(float) + n_vocab / 8);
}

/* Elements of all tensors that are used. */
static uint64_t count_parameters(const HnLm *lm) {
    const HnLmConfig *config = &lm->config;
    const uint64_t hidden = config->hidden, up = (uint64_t)hn_lm_up_width(config), ffn = config->ffn;
    const uint64_t qkv = (uint64_t)hn_lm_qkv_width(config), q = (uint64_t)hn_lm_q_width(config);
    const uint64_t norm = config->layer_norm ? 2 * hidden : hidden;
    uint64_t layer = qkv * hidden + q * hidden + up * hidden + ffn * hidden + 2 * norm;
    layer += (config->qkv_bias ? qkv : 0) + (config->output_bias ? hidden : 0) + (config->ffn_bias ? up + hidden : 0);
    layer += config->qk_norm ? 2 * (uint64_t)config->head_dim : 0;
    uint64_t n = config->n_layers * layer + (uint64_t)config->n_vocab * hidden + norm;
    n += (config->learned_positions ? config->n_positions : 0) * hidden + config->n_types * hidden;
    return n + (config->has_head && !config->tied_head ? (uint64_t)config->n_vocab * hidden : 0);
}

static HnStatus make_plan(HnLm *lm, HnError *err) {
    const HnLmConfig *config = &lm->config;
    lm->layers = hn_alloc(config->n_layers, sizeof *lm->layers, "layers of a model", err);
    if (lm->layers == NULL) {
        return HN_MEMORY;
    }
    lm->embed_packed = lm->options.head && config->tied_head;
    lm->n_added = config->learned_positions ? config->n_positions : config->n_types > 0 ? 1 : 0;
    lm->plan.weights = hn_lm_place_weights(lm, NULL);
    lm->plan.activations = hn_lm_place_step(lm, NULL) + logit_bytes(lm);
    lm->plan.kv_token = config->causal ? 2 * (uint64_t)hn_lm_kv_width(config) * sizeof(float) * config->n_layers : 0;
    lm->plan.cache = (uint64_t)lm->options.cache_pages * HN_KV_PAGE * lm->plan.kv_token;
    lm->plan.stored = hn_tensors_bytes(lm->tensors);
    lm->plan.n_parameters = count_parameters(lm);
    const uint64_t width = config->stored == HN_ELEMENT_F32 ? sizeof(float) : sizeof(uint16_t);
    lm->plan.mapped = lm->embed_packed ? 0 : (uint64_t)config->n_vocab * config->hidden * width;
    return check_fits(lm, err);
}

HnStatus hn_lm_prepare(const char *folder, const HnLmOptions *options, HnLm *lm, HnError *err) {
    lm->options = *options;
    lm->head_weights = options->head_weights != NULL       ? *options->head_weights
                       : options->weights == HN_WEIGHT_NF4 ? HN_WEIGHT_INT8
                                                           : options->weights;
    lm->options.head_weights = NULL;
    HN_TRY(hn_lm_folder_resolve(folder, &lm->folder, err));
    HN_TRY(hn_lm_config_read(lm->folder, &lm->config, err));
    if (options->head && !lm->config.has_head) {
        return hn_fail(err, HN_UNSUPPORTED, "%s has no output head (%s): it embeds texts and cannot write them", folder,
                       hn_lm_family_name(lm->config.family));
    }
    HN_TRY(choose_rows(lm, err));
    HN_TRY(hn_tensors_open(lm->folder, &lm->tensors, err));
    return make_plan(lm, err);
}

HnStatus hn_lm_plan(const char *folder, const HnLmOptions *options, HnLmPlan *plan, HnError *err) {
    HnLm *lm = hn_alloc(1, sizeof *lm, "a model's plan", err);
    if (lm == NULL) {
        return HN_MEMORY;
    }
    const HnStatus status = hn_lm_prepare(folder, options, lm, err);
    *plan = lm->plan;
    hn_lm_close(&lm);
    return status;
}

HnStatus hn_lm_plan_text(const HnLmPlan *plan, HnWeightType weights, HnText *line, HnError *err) {
    char bytes[32], step[32];
    return hn_text_printf(line, err, "%.3g billion parameters, %s in memory as %s (%s), a step %s",
                          1e-9 * (double)plan->n_parameters,
                          hn_format_bytes((double)plan->weights, bytes, sizeof bytes), hn_weight_type_name(weights),
                          hn_linear_path(weights), hn_format_bytes((double)plan->activations, step, sizeof step));
}
