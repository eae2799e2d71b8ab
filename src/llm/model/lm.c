#include "llm/model/lm.h"

#include "base/alloc.h"
#include "lm_private.h"

/* Blocks of the planned sizes, laid out and filled. */
static HnStatus build(HnLm *lm, HnError *err) {
    lm->weights = hn_alloc(lm->plan.weights, 1, "weights of the model", err);
    lm->activations = hn_alloc(lm->plan.activations, 1, "memory of a step", err);
    if (lm->weights == NULL || lm->activations == NULL) {
        return HN_MEMORY;
    }
    (void)hn_lm_place_weights(lm, lm->weights);
    (void)hn_lm_place_step(lm, lm->activations);
    for (uint32_t r = 0; r < lm->max_rows; r++) {
        lm->step.rows[r] = (int32_t)r;
    }
    for (uint32_t p = 0; p < lm->own_pages; p++) {
        lm->step.page_numbers[p] = (int32_t)p;
    }
    return hn_lm_load(lm, err);
}

HnStatus hn_lm_open(const char *folder, const HnLmOptions *options, HnLm **lm, HnError *err) {
    *lm = NULL;
    HnLm *made = hn_alloc(1, sizeof *made, "a language model", err);
    if (made == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = hn_lm_prepare(folder, options, made, err);
    if (status == HN_OK) {
        status = build(made, err);
    }
    if (status != HN_OK) {
        hn_lm_close(&made);
        return status;
    }
    *lm = made;
    return HN_OK;
}

void hn_lm_close(HnLm **lm) {
    if (*lm != NULL) {
        hn_free((*lm)->activations);
        hn_free((*lm)->weights);
        hn_free((*lm)->layers);
        hn_free((*lm)->leftovers);
        hn_tensors_close(&(*lm)->tensors);
        hn_lm_config_free(&(*lm)->config);
        hn_free((*lm)->folder);
        hn_free(*lm);
        *lm = NULL;
    }
}

const char *hn_lm_folder(const HnLm *lm) {
    return lm->folder;
}

const HnLmConfig *hn_lm_config(const HnLm *lm) {
    return &lm->config;
}

uint32_t hn_lm_max_rows(const HnLm *lm) {
    return lm->max_rows;
}

const char *hn_lm_leftovers(const HnLm *lm) {
    return lm->leftovers != NULL ? lm->leftovers : "";
}
