/* Private to src/llm/model: a model in memory, and one step through it.
 *
 * All weights lie in one block, all memory of a step in another; both are laid out by one walk (lm_plan.c), which gives
 * the plan where there is no block yet. What differs between architectures is data: HnLmConfig and the tensors' names.
 */
#ifndef HN_LLM_MODEL_LM_PRIVATE_H
#define HN_LLM_MODEL_LM_PRIVATE_H

#include "attention.h"
#include "llm/files/tensors.h"
#include "llm/model/lm.h"

/* A norm without bias leaves `bias` NULL. */
typedef struct HnLmNorm {
    float *weight, *bias; /* [hidden] */
} HnLmNorm;

typedef struct HnLmLayer {
    HnWeight qkv;                                     /* rows: query heads, key heads, value heads; one product */
    HnWeight out;                                     /* [hidden][n_heads * head_dim] */
    HnWeight up;                                      /* rows: gate, then up, where gated; else up alone */
    HnWeight down;                                    /* [hidden][ffn] */
    float *qkv_bias, *out_bias, *up_bias, *down_bias; /* NULL where there are none */
    HnLmNorm attention_norm, ffn_norm;                /* before their blocks, or after them (post_norm) */
    float *q_norm, *k_norm;                           /* [head_dim] or NULL */
} HnLmLayer;

/* Memory of one step of at most max_rows tokens. f32, row-major. */
typedef struct HnLmStep {
    float *x;    /* [rows][hidden]: the residual stream */
    float *y;    /* [rows][hidden]: its norm, what a block reads */
    float *wide; /* [rows][qkv width], then attended [rows][n_heads * head_dim]; or [rows][up width] */
    float *attended;
    float *angles;                /* [rows][rotary] */
    int32_t *rows;                /* [rows]: 0, 1, 2 ..: each row has angles of its own */
    int32_t *positions;           /* [rows] */
    uint32_t *tokens;             /* [rows] */
    int32_t *wanted;              /* [rows]: rows whose hidden states are asked for, ascending */
    HnAttentionSegment *segments; /* [rows] */
    HnAttentionSegment *singles;  /* [rows]: the wanted rows, each a segment of its own */
    int32_t *page_numbers;        /* encoders: pages of the step's own cache, dealt to its segments in order */
    void *scratch;                /* of the products */
    HnKvPages own;                /* encoders: one layer's keys and values */
    int64_t n_rows, n_segments, n_wanted;
    bool all_wanted; /* wanted is every row; the list is not filled then */
} HnLmStep;

struct HnLm {
    HnLmConfig config;
    HnLmOptions options;
    HnWeightType head_weights;
    HnTensors *tensors;
    char *leftovers;
    char *folder;
    HnLmPlan plan;
    uint32_t max_rows;
    uint32_t own_pages; /* encoders: pages of the step's own cache */
    void *weights, *activations;
    HnLmLayer *layers;
    HnLmNorm embed_norm, final_norm;
    HnWeight head;
    bool embed_packed; /* input embeddings are the head's rows; else they are read from the mapped file */
    HnTensor embed;    /* [n_vocab][hidden] */
    float *added;      /* [n_added][hidden]: what is added by position: learned positions plus token type 0 */
    uint32_t n_added;  /* 0: nothing; 1: the same for every position */
    float *inv_freq;   /* [rotary / 2] */
    HnLmStep step;
};

/* Widths of rows. */
static inline int64_t hn_lm_q_width(const HnLmConfig *config) {
    return (int64_t)config->n_heads * config->head_dim;
}
static inline int64_t hn_lm_kv_width(const HnLmConfig *config) {
    return (int64_t)config->n_kv_heads * config->head_dim;
}
static inline int64_t hn_lm_qkv_width(const HnLmConfig *config) {
    return hn_lm_q_width(config) + 2 * hn_lm_kv_width(config);
}
static inline int64_t hn_lm_up_width(const HnLmConfig *config) {
    return (config->gated_ffn ? 2 : 1) * (int64_t)config->ffn;
}

/* Pages of n tokens. */
static inline uint32_t hn_lm_pages(uint64_t n_tokens) {
    return (uint32_t)((n_tokens + HN_KV_PAGE - 1) / HN_KV_PAGE);
}

/* lm_plan.c. Lay out the blocks that begin at base (NULL: pointers mean nothing) and return their bytes. */
uint64_t hn_lm_place_weights(HnLm *lm, char *base);
uint64_t hn_lm_place_step(HnLm *lm, char *base);
/* Reads the configuration, opens the tensors, fills lm->plan; HN_MEMORY where it does not fit. */
HnStatus hn_lm_prepare(const char *folder, const HnLmOptions *options, HnLm *lm, HnError *err);

/* lm_load.c: fills the placed weights from the files. */
HnStatus hn_lm_load(HnLm *lm, HnError *err);
/* n elements, unaligned, as floats. */
void hn_lm_floats(HnElement type, const void *bytes, size_t n, float *out);

/* lm_rope.c: inv_freq [rotary / 2] as transformers computes it in f32, scaling included; angles [m][rotary]. */
void hn_lm_rope_frequencies(const HnLmConfig *config, float *inv_freq);
void hn_lm_rope_angles(int64_t m, int rotary, const float *inv_freq, const int32_t *positions, float *angles);

/* lm_layers.c: the layers over lm->step; pages of layer l are pages[l], or the step's own for encoders (NULL). The
 * wanted rows' hidden states, in order, go to out [n_wanted][hidden]. */
void hn_lm_layers(HnLm *lm, const HnKvPages *pages, float *out);

/* lm_kv.c */
typedef struct HnKvSequence {
    int32_t *pages;  /* [max_pages] */
    uint32_t length; /* tokens */
    bool used;
    uint64_t mark; /* the last forward call that named it */
} HnKvSequence;

struct HnKv {
    const HnLm *lm;
    HnKvPages *layers; /* [n_layers] */
    uint32_t n_pages, n_sequences, max_pages;
    int32_t *free_pages; /* [n_free]: a stack */
    uint32_t n_free;
    uint32_t *uses; /* [n_pages]: sequences that hold a page */
    HnKvSequence *sequences;
    int32_t *tables; /* [n_sequences][max_pages] */
    void *block;
    uint64_t mark;
};

/* Takes the pages that n_tokens more need; they must be free. The length stays. */
void hn_kv_reserve(HnKv *kv, int32_t sequence, uint32_t n_tokens);

#endif
