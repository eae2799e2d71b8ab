/* The corpus: which words and phrases are common and which are telling. */
#include "extractive.h"

enum {
    MOST_ITEMS = 200000,   /* item texts counted; larger sets are sampled evenly */
    MOST_REVIEWS = 200000, /* reviews counted; larger sets: blocks spread evenly */
    REVIEW_BLOCK = 64
};

static HnStatus add_field(HnExtractive *self, HnTextField field, uint32_t item, HnText *out, HnError *err) {
    size_t before = out->length;
    HN_TRY(hn_evidence_item_field(self->evidence, field, item, out, err));
    /* Punctuation keeps phrases from reaching across fields. */
    return out->length > before ? hn_text_puts(out, " . ", err) : HN_OK;
}

HnStatus hn_extractive_item_text(HnExtractive *self, uint32_t item, HnText *out, HnError *err) {
    HN_TRY(add_field(self, HN_TEXT_TITLE, item, out, err));
    HN_TRY(add_field(self, HN_TEXT_CATEGORIES, item, out, err));
    HN_TRY(add_field(self, HN_TEXT_ATTRIBUTES, item, out, err));
    return hn_evidence_item_summary(self->evidence, item, out, err);
}

static HnStatus add_document(HnExtractive *self, HnError *err) {
    HN_TRY(hn_words_split(&self->words, hn_text_get(&self->source), self->source.length, err));
    return self->words.n > 0 ? hn_terms_add_document(self->terms, &self->words, err) : HN_OK;
}

static HnStatus count_items(HnExtractive *self, HnError *err) {
    uint64_t n_items = hn_dataset_items(self->dataset);
    uint64_t step = n_items > MOST_ITEMS ? (n_items + MOST_ITEMS - 1) / MOST_ITEMS : 1;
    for (uint64_t item = 0; item < n_items; item += step) {
        hn_text_clear(&self->source);
        HN_TRY(hn_extractive_item_text(self, (uint32_t)item, &self->source, err));
        HN_TRY(add_document(self, err));
    }
    return HN_OK;
}

static HnStatus count_reviews(HnExtractive *self, HnError *err) {
    uint64_t n = hn_dataset_count(self->dataset, HN_PART_TRAIN);
    uint64_t n_blocks = (n + REVIEW_BLOCK - 1) / REVIEW_BLOCK, most = MOST_REVIEWS / REVIEW_BLOCK;
    uint64_t step = n_blocks > most ? (n_blocks + most - 1) / most : 1;
    for (uint64_t block = 0; block < n_blocks; block += step) {
        uint64_t begin = block * REVIEW_BLOCK, end = begin + REVIEW_BLOCK < n ? begin + REVIEW_BLOCK : n;
        for (uint64_t pair = begin; pair < end; pair++) {
            hn_text_clear(&self->source);
            HN_TRY(hn_evidence_review(self->evidence, pair, &self->source, err));
            HN_TRY(add_document(self, err));
        }
    }
    return HN_OK;
}

HnStatus hn_extractive_count_terms(HnExtractive *self, HnError *err) {
    HN_TRY(hn_terms_create(&self->terms, err));
    HN_TRY(count_items(self, err));
    return hn_dataset_has_text(self->dataset, HN_TEXT_REVIEW) ? count_reviews(self, err) : HN_OK;
}
