/* What is known in words about users and items: metadata, profiles, and TRAIN reviews (valid and test reviews are not
 * in the data set). Which reviews speak for an item or a user is a function of the data set alone: those whose pair
 * number draws the smallest random key, shown in pair order.
 */
#ifndef HN_SEMANTIC_EVIDENCE_H
#define HN_SEMANTIC_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "data/dataset.h"

typedef struct HnEvidence HnEvidence;

/* dataset is borrowed. profile stores may be NULL. */
HnStatus hn_evidence_open(const HnDataset *dataset, uint32_t max_reviews, uint32_t max_review_words,
                          const char *item_profiles, const char *user_profiles, HnEvidence **evidence, HnError *err);
void hn_evidence_close(HnEvidence **evidence);
const HnDataset *hn_evidence_dataset(const HnEvidence *evidence);
/* True where items are described by anything beyond their ids. */
bool hn_evidence_has_item_text(const HnEvidence *evidence);

/* Append to *out: */
HnStatus hn_evidence_user_id(HnEvidence *evidence, uint32_t user, HnText *out, HnError *err);
HnStatus hn_evidence_user_profile(HnEvidence *evidence, uint32_t user, HnText *out, HnError *err);
HnStatus hn_evidence_item_id(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err);
HnStatus hn_evidence_item_profile(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err);
/* A metadata field of an item, as it stands. */
HnStatus hn_evidence_item_field(HnEvidence *evidence, HnTextField field, uint32_t item, HnText *out, HnError *err);
/* What the item is called: its title, or its raw id where it has none or a blank one. */
HnStatus hn_evidence_item_name(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err);
/* Its profile where there is one, else its description (cut to max_review_words), else its categories. */
HnStatus hn_evidence_item_summary(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err);
/* The review of a train pair, cut to max_review_words. */
HnStatus hn_evidence_review(HnEvidence *evidence, uint64_t pair, HnText *out, HnError *err);

/* One chosen train pair. */
typedef struct HnWitness {
    uint64_t pair;
    uint32_t user, item;
    bool has_review;
} HnWitness;
/* The pairs that speak for an item: those with a review, at most max_reviews. The array is the evidence's own, valid
 * until the next call. */
HnStatus hn_evidence_for_item(HnEvidence *evidence, uint32_t item, const HnWitness **chosen, size_t *n, HnError *err);
/* The pairs that speak for a user: those with a review first, filled up with others, at most max_reviews. */
HnStatus hn_evidence_for_user(HnEvidence *evidence, uint32_t user, const HnWitness **chosen, size_t *n, HnError *err);

/* Bytes of text up to and with its n-th word (words as separated by white space). */
size_t hn_first_words(const char *text, size_t n_bytes, uint32_t n_words);

#endif
