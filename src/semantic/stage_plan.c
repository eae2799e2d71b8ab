/* How many requests the stages would send: an upper bound, known before anything starts. */
#include "stages.h"

static bool set(const char *text) {
    return text && text[0];
}

HnStatus hn_stage_plan(const HnLlmConfig *config, const HnDataset *dataset, uint64_t *n_profiles, uint64_t *n_negatives,
                       uint64_t *n_embeddings, HnError *err) {
    uint64_t n_pairs = hn_dataset_count(dataset, HN_PART_TRAIN), n_items = hn_dataset_items(dataset);
    uint64_t samples = (uint64_t)config->negatives_per_pair;
    (void)err;
    *n_profiles = *n_negatives = *n_embeddings = 0;
    if (set(config->import_vectors)) {
        return HN_OK;
    }
    *n_profiles = (set(config->import_item_profiles) ? 0 : n_items) +
                  (set(config->import_user_profiles) ? 0 : hn_dataset_users(dataset));
    if (config->vectors_of == HN_VECTORS_OF_PROMPTS) {
        *n_embeddings = n_pairs;
        return HN_OK;
    }
    *n_negatives = n_pairs * samples;
    /* Each text is embedded once, and a valid text names an item of the pool. */
    *n_embeddings = *n_negatives < n_items ? *n_negatives : n_items;
    return HN_OK;
}
