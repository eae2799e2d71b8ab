/* The layers of a transformer over the rows of one step. Every part works on whole rows, and a row's bits depend on its
 * own sequence only (kernels/linear.h, attention.h, block.h). */
#include <math.h>
#include <string.h>

#include "block.h"
#include "lm_private.h"

static void normalise(const HnLmConfig *config, const HnLmNorm *norm, int64_t m, const float *x, float *out) {
    const int64_t n = config->hidden;
    if (config->layer_norm) {
        hn_layer_norm_cpu(m, n, x, n, norm->weight, norm->bias, config->norm_eps, out, n);
    } else {
        hn_rms_norm_cpu(m, n, x, n, norm->weight, config->norm_eps, out, n);
    }
}

/* RMSNorm of every head of the rows: by rows or by heads, whichever makes fewer calls. */
static void normalise_heads(const HnLmConfig *config, const float *weight, int64_t m, int64_t n_heads, float *x,
                            int64_t ldx) {
    const int64_t dim = config->head_dim;
    if (m < n_heads) {
        for (int64_t r = 0; r < m; r++) {
            hn_rms_norm_cpu(n_heads, dim, x + r * ldx, dim, weight, config->norm_eps, x + r * ldx, dim);
        }
    } else {
        for (int64_t h = 0; h < n_heads; h++) {
            hn_rms_norm_cpu(m, dim, x + h * dim, ldx, weight, config->norm_eps, x + h * dim, ldx);
        }
    }
}

/* Moves the wanted rows of x and of the queries to the front; what follows works on them alone. */
static int64_t keep_wanted(const HnLmConfig *config, HnLmStep *step) {
    const size_t hidden = config->hidden, q = (size_t)hn_lm_q_width(config), qkv = (size_t)hn_lm_qkv_width(config);
    for (int64_t i = 0; i < step->n_wanted; i++) {
        const size_t to = (size_t)i, from = (size_t)step->wanted[i];
        if (to != from) { /* rows only move forward, past none that is still to move */
            memcpy(step->x + to * hidden, step->x + from * hidden, hidden * sizeof(float));
            memcpy(step->wide + to * qkv, step->wide + from * qkv, q * sizeof(float));
        }
    }
    return step->n_wanted;
}

/* Queries, keys and values of all rows; keys and values go to the pages. */
static void project(HnLm *lm, const HnLmLayer *layer, const HnAttention *attention, const HnKvPages *pages) {
    const HnLmConfig *config = &lm->config;
    HnLmStep *step = &lm->step;
    const int64_t m = step->n_rows, hidden = config->hidden, q = hn_lm_q_width(config), kv = hn_lm_kv_width(config);
    const int64_t width = hn_lm_qkv_width(config);
    const float *in = step->x;
    if (!config->post_norm) {
        normalise(config, &layer->attention_norm, m, step->x, step->y);
        in = step->y;
    }
    hn_linear_cpu(&layer->qkv, layer->qkv_bias, m, in, hidden, false, step->wide, width, step->scratch);
    if (config->qk_norm) {
        normalise_heads(config, layer->q_norm, m, config->n_heads, step->wide, width);
        normalise_heads(config, layer->k_norm, m, config->n_kv_heads, step->wide + q, width);
    }
    if (!config->learned_positions) { /* query heads, then key heads */
        hn_rope_cpu(m, (int)(config->n_heads + config->n_kv_heads), (int)config->head_dim, (int)config->rope.rotary,
                    config->rope.interleaved, step->rows, step->angles, step->wide, width);
    }
    hn_kv_store(attention, pages, step->segments, step->n_segments, step->wide + q, step->wide + q + kv, width);
}

/* x += block(norm(x)), or x = norm(x + block(x)), for the attention's output and for the feed-forward part. */
static void add_attention(HnLm *lm, const HnLmLayer *layer, int64_t m) {
    const HnLmConfig *config = &lm->config;
    HnLmStep *step = &lm->step;
    hn_linear_cpu(&layer->out, layer->out_bias, m, step->attended, hn_lm_q_width(config), true, step->x, config->hidden,
                  step->scratch);
    if (config->post_norm) {
        normalise(config, &layer->attention_norm, m, step->x, step->x);
    }
}

static void add_ffn(HnLm *lm, const HnLmLayer *layer, int64_t m) {
    const HnLmConfig *config = &lm->config;
    HnLmStep *step = &lm->step;
    const int64_t hidden = config->hidden, width = hn_lm_up_width(config);
    const float *in = step->x;
    if (!config->post_norm) {
        normalise(config, &layer->ffn_norm, m, step->x, step->y);
        in = step->y;
    }
    hn_linear_cpu(&layer->up, layer->up_bias, m, in, hidden, false, step->wide, width, step->scratch);
    hn_gate_cpu(config->activation, config->gated_ffn, m, config->ffn, step->wide, width, step->wide, width);
    hn_linear_cpu(&layer->down, layer->down_bias, m, step->wide, width, true, step->x, hidden, step->scratch);
    if (config->post_norm) {
        normalise(config, &layer->ffn_norm, m, step->x, step->x);
    }
}

void hn_lm_layers(HnLm *lm, const HnKvPages *pages, float *out) {
    const HnLmConfig *config = &lm->config;
    HnLmStep *step = &lm->step;
    HnAttention attention = {.n_heads = (int)config->n_heads,
                             .n_kv_heads = (int)config->n_kv_heads,
                             .head_dim = (int)config->head_dim,
                             .scale = (float)(1.0 / sqrt((double)config->head_dim)),
                             .causal = config->causal};
    int64_t m = step->n_rows;
    for (uint32_t l = 0; l < config->n_layers; l++) {
        const HnLmLayer *layer = &lm->layers[l];
        const HnKvPages *at = pages != NULL ? &pages[l] : &step->own;
        const HnAttentionSegment *segments = step->segments;
        int64_t n_segments = step->n_segments;
        attention.window = config->window > 0 && config->windowed[l] ? (int)config->window : 0;
        project(lm, layer, &attention, at);
        if (l + 1 == config->n_layers && !step->all_wanted) { /* nothing reads the other rows any more */
            m = keep_wanted(config, step);
            segments = step->singles;
            n_segments = m;
        }
        if (m > 0) {
            hn_attention_cpu(&attention, at, segments, n_segments, step->wide, hn_lm_qkv_width(config), step->attended,
                             hn_lm_q_width(config));
            add_attention(lm, layer, m);
            add_ffn(lm, layer, m);
        }
    }
    if (m > 0 && config->post_norm) {
        memcpy(out, step->x, (size_t)m * config->hidden * sizeof(float));
    } else if (m > 0) {
        normalise(config, &lm->final_norm, m, step->x, out);
    }
}
