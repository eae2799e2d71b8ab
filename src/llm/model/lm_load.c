/* The tensors of a folder into the placed weights: taken by name and shape, packed, their pages dropped. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/half.h"
#include "lm_names.h"
#include "lm_private.h"

/* A tensor is packed in parts of about this many bytes, and each part's pages dropped behind. */
#define PART_BYTES ((uint64_t)32 << 20)

typedef struct Loader {
    HnLm *lm;
    const HnLmNames *names;
    const char *prefix;
    char layer[64]; /* "layers.7.", or "" */
    HnError *err;
} Loader;

void hn_lm_floats(HnElement type, const void *bytes, size_t n, float *out) {
    const unsigned char *in = bytes;
    if (type == HN_ELEMENT_F32) {
        memcpy(out, in, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t word;
        memcpy(&word, in + i * sizeof word, sizeof word);
        if (type == HN_ELEMENT_F16) {
            out[i] = hn_half_to_float(word);
        } else {
            const uint32_t bits = (uint32_t)word << 16;
            memcpy(&out[i], &bits, sizeof bits);
        }
    }
}

static void full_name(const Loader *loader, const char *part, const char *kind, char out[256]) {
    (void)snprintf(out, 256, "%s%s%s%s", loader->prefix, loader->layer, part, kind);
}

/* Takes "<prefix><layer><part><kind>"; n_rows 0: a vector of k. */
static HnStatus take(const Loader *loader, const char *part, const char *kind, uint64_t n_rows, uint64_t k,
                     HnTensor *tensor) {
    char name[256];
    full_name(loader, part, kind, name);
    const uint64_t dims[2] = {n_rows > 0 ? n_rows : k, k};
    return hn_tensors_take(loader->lm->tensors, name, n_rows > 0 ? 2 : 1, dims, tensor, loader->err);
}

/* Rows row0 .. of a weight from a tensor [n_rows][k]. */
static HnStatus load_rows(const Loader *loader, const char *part, HnWeight *weight, int64_t row0, int64_t n_rows) {
    HnTensor tensor;
    HN_TRY(take(loader, part, ".weight", (uint64_t)n_rows, (uint64_t)weight->k, &tensor));
    const uint64_t row_bytes = tensor.n_bytes / (uint64_t)n_rows;
    const int64_t step = row_bytes < PART_BYTES ? (int64_t)(PART_BYTES / row_bytes) : 1;
    for (int64_t done = 0; done < n_rows; done += step) {
        HnTensor piece = tensor;
        const int64_t n = n_rows - done < step ? n_rows - done : step;
        piece.bytes = (const char *)tensor.bytes + (uint64_t)done * row_bytes;
        piece.n_bytes = (uint64_t)n * row_bytes;
        hn_weight_pack(weight, tensor.type, piece.bytes, row0 + done, n);
        hn_tensors_drop(&piece);
    }
    return HN_OK;
}

static HnStatus load_floats(const Loader *loader, const char *part, const char *kind, uint64_t n_rows, uint64_t k,
                            float *out) {
    HnTensor tensor;
    HN_TRY(take(loader, part, kind, n_rows, k, &tensor));
    hn_lm_floats(tensor.type, tensor.bytes, (n_rows > 0 ? n_rows : 1) * k, out);
    hn_tensors_drop(&tensor);
    return HN_OK;
}

/* The first BERT checkpoints call a norm's weight gamma and its bias beta. */
static HnStatus load_norm(const Loader *loader, const char *part, const HnLmNorm *norm) {
    char name[256];
    full_name(loader, part, ".gamma", name);
    const bool old = hn_tensors_has(loader->lm->tensors, name);
    const uint64_t n = loader->lm->config.hidden;
    HN_TRY(load_floats(loader, part, old ? ".gamma" : ".weight", 0, n, norm->weight));
    return norm->bias == NULL ? HN_OK : load_floats(loader, part, old ? ".beta" : ".bias", 0, n, norm->bias);
}

/* One part of a weight of several, with its bias. */
static HnStatus load_part(const Loader *loader, const char *part, HnWeight *weight, float *bias, int64_t row0,
                          int64_t n_rows) {
    HN_TRY(load_rows(loader, part, weight, row0, n_rows));
    return bias == NULL ? HN_OK : load_floats(loader, part, ".bias", 0, (uint64_t)n_rows, bias + row0);
}

static HnStatus load_attention(const Loader *loader, HnLmLayer *layer) {
    const HnLmConfig *config = &loader->lm->config;
    const HnLmNames *names = loader->names;
    const int64_t q = hn_lm_q_width(config), kv = hn_lm_kv_width(config);
    if (names->qkv != NULL) {
        HN_TRY(load_part(loader, names->qkv, &layer->qkv, layer->qkv_bias, 0, q + 2 * kv));
    } else {
        HN_TRY(load_part(loader, names->q, &layer->qkv, layer->qkv_bias, 0, q));
        HN_TRY(load_part(loader, names->k, &layer->qkv, layer->qkv_bias, q, kv));
        HN_TRY(load_part(loader, names->v, &layer->qkv, layer->qkv_bias, q + kv, kv));
    }
    if (config->qk_norm) {
        HN_TRY(load_floats(loader, names->q_norm, ".weight", 0, config->head_dim, layer->q_norm));
        HN_TRY(load_floats(loader, names->k_norm, ".weight", 0, config->head_dim, layer->k_norm));
    }
    return load_part(loader, names->out, &layer->out, layer->out_bias, 0, config->hidden);
}

static HnStatus load_layer(const Loader *loader, HnLmLayer *layer) {
    const HnLmConfig *config = &loader->lm->config;
    const HnLmNames *names = loader->names;
    const int64_t ffn = config->ffn;
    HN_TRY(load_attention(loader, layer));
    if (config->gated_ffn) {
        HN_TRY(load_part(loader, names->gate, &layer->up, layer->up_bias, 0, ffn));
    }
    HN_TRY(load_part(loader, names->up, &layer->up, layer->up_bias, config->gated_ffn ? ffn : 0, ffn));
    HN_TRY(load_part(loader, names->down, &layer->down, layer->down_bias, 0, config->hidden));
    HN_TRY(load_norm(loader, names->attention_norm, &layer->attention_norm));
    return load_norm(loader, names->ffn_norm, &layer->ffn_norm);
}

/* Learned positions plus token type 0, which every token of a single text has. */
static HnStatus load_added(const Loader *loader) {
    HnLm *lm = loader->lm;
    const HnLmConfig *config = &lm->config;
    const uint64_t hidden = config->hidden;
    if (config->learned_positions) {
        HN_TRY(load_floats(loader, loader->names->positions, ".weight", config->n_positions, hidden, lm->added));
    }
    if (config->n_types == 0) {
        return HN_OK;
    }
    HnTensor types;
    HN_TRY(take(loader, loader->names->types, ".weight", config->n_types, hidden, &types));
    float *first = hn_alloc(hidden, sizeof *first, "a token type", loader->err);
    if (first == NULL) {
        return HN_MEMORY;
    }
    hn_lm_floats(types.type, types.bytes, hidden, first);
    for (uint64_t i = 0; i < lm->n_added * hidden; i++) {
        lm->added[i] += first[i % hidden];
    }
    hn_free(first);
    hn_tensors_drop(&types);
    return HN_OK;
}

/* Input embeddings and the head. An embedding that is not the packed head stays in the mapped file: a step reads the
 * rows of its own tokens only, exact as stored, and the system may drop their pages whenever memory is short. */
static HnStatus load_ends(Loader *loader) {
    HnLm *lm = loader->lm;
    const HnLmConfig *config = &lm->config;
    const uint64_t n_vocab = config->n_vocab, hidden = config->hidden;
    if (lm->embed_packed) {
        HN_TRY(load_rows(loader, loader->names->embed, &lm->head, 0, (int64_t)n_vocab));
    } else {
        HN_TRY(take(loader, loader->names->embed, ".weight", n_vocab, hidden, &lm->embed));
    }
    HN_TRY(load_added(loader));
    HN_TRY(config->post_norm ? load_norm(loader, loader->names->embed_norm, &lm->embed_norm)
                             : load_norm(loader, loader->names->final_norm, &lm->final_norm));
    loader->prefix = ""; /* the head stands outside the model that it reads from */
    const bool stored = config->has_head && !config->tied_head;
    HnTensor unused;
    if (stored && lm->options.head) {
        HN_TRY(load_rows(loader, "lm_head", &lm->head, 0, (int64_t)n_vocab));
    } else if (stored && hn_tensors_has(lm->tensors, "lm_head.weight")) {
        HN_TRY(take(loader, "lm_head", ".weight", n_vocab, hidden, &unused));
    }
    return HN_OK;
}

HnStatus hn_lm_load(HnLm *lm, HnError *err) {
    Loader loader = {.lm = lm, .err = err};
    HN_TRY(hn_lm_names(lm, &loader.names, &loader.prefix, err));
    char embed[256];
    full_name(&loader, loader.names->embed, ".weight", embed);
    for (uint32_t l = 0; l < lm->config.n_layers; l++) {
        (void)snprintf(loader.layer, sizeof loader.layer, "%s%u.", loader.names->layers, l);
        HN_TRY(load_layer(&loader, &lm->layers[l]));
    }
    loader.layer[0] = '\0';
    HN_TRY(load_ends(&loader));
    if (!lm->config.learned_positions) {
        hn_lm_rope_frequencies(&lm->config, lm->inv_freq);
    }
    return hn_tensors_finish(lm->tensors, hn_lm_known_leftovers, hn_lm_n_known_leftovers,
                             lm->config.tied_head ? embed : NULL, &lm->leftovers, err);
}
