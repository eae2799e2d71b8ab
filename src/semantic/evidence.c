#include "evidence.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "store.h"
#include "text_column.h"

enum {
    SCAN_USERS = 4096, /* users read at once when looking for the pairs of items */
    SPARE = 2          /* candidates kept per shown review: some pairs have no review text */
};

/* A pair with its random key. */
typedef struct Candidate {
    uint64_t key, pair;
    uint32_t user, item;
} Candidate;

struct HnEvidence {
    const HnDataset *dataset;
    uint32_t max_reviews, max_review_words;
    HnTextColumn *fields[HN_TEXT_REVIEW + 1];
    HnTextColumn *item_profile, *user_profile;
    Candidate *of_items;  /* [n_items][slots], ascending keys; built when first asked for */
    uint32_t *n_of_items; /* [n_items] */
    uint32_t slots;
    Candidate *of_user; /* scratch */
    size_t of_user_capacity;
    HnWitness *chosen; /* [max_reviews] */
};

HnStatus hn_evidence_open(const HnDataset *dataset, uint32_t max_reviews, uint32_t max_review_words,
                          const char *item_profiles, const char *user_profiles, HnEvidence **evidence, HnError *err) {
    HnEvidence *made = hn_alloc(1, sizeof *made, "evidence", err);
    if (!made) {
        return HN_MEMORY;
    }
    made->dataset = dataset;
    made->max_reviews = max_reviews;
    made->max_review_words = max_review_words;
    HnStatus status = HN_OK;
    for (int field = HN_TEXT_USER_ID; field <= HN_TEXT_REVIEW && status == HN_OK; field++) {
        status = hn_text_column_of_dataset(dataset, (HnTextField)field, &made->fields[field], err);
    }
    if (status == HN_OK && item_profiles) {
        status = hn_text_column_of_store(item_profiles, &HN_SCHEMA_PROFILES, "profile", &made->item_profile, err);
    }
    if (status == HN_OK && user_profiles) {
        status = hn_text_column_of_store(user_profiles, &HN_SCHEMA_PROFILES, "profile", &made->user_profile, err);
    }
    if (status == HN_OK) {
        made->chosen = hn_alloc((size_t)max_reviews + 1, sizeof *made->chosen, "chosen reviews", err);
        status = made->chosen ? HN_OK : HN_MEMORY;
    }
    if (status == HN_OK &&
        ((made->item_profile && hn_text_column_rows(made->item_profile) != hn_dataset_items(dataset)) ||
         (made->user_profile && hn_text_column_rows(made->user_profile) != hn_dataset_users(dataset)))) {
        status = hn_fail(err, HN_CONFLICT,
                         "the profiles (%s, %s) belong to another data set: their row counts differ "
                         "from its items and users; remove them, or use a fresh run folder",
                         item_profiles ? item_profiles : "-", user_profiles ? user_profiles : "-");
    }
    if (status != HN_OK) {
        hn_evidence_close(&made);
    }
    *evidence = made;
    return status;
}

void hn_evidence_close(HnEvidence **evidence) {
    HnEvidence *self = *evidence;
    if (!self) {
        return;
    }
    for (int field = HN_TEXT_USER_ID; field <= HN_TEXT_REVIEW; field++) {
        hn_text_column_close(&self->fields[field]);
    }
    hn_text_column_close(&self->item_profile);
    hn_text_column_close(&self->user_profile);
    hn_free(self->of_items);
    hn_free(self->n_of_items);
    hn_free(self->of_user);
    hn_free(self->chosen);
    hn_free(self);
    *evidence = NULL;
}

const HnDataset *hn_evidence_dataset(const HnEvidence *evidence) {
    return evidence->dataset;
}

bool hn_evidence_has_item_text(const HnEvidence *evidence) {
    const HnDataset *dataset = evidence->dataset;
    return evidence->item_profile || hn_dataset_has_text(dataset, HN_TEXT_TITLE) ||
           hn_dataset_has_text(dataset, HN_TEXT_DESCRIPTION) || hn_dataset_has_text(dataset, HN_TEXT_CATEGORIES) ||
           hn_dataset_has_text(dataset, HN_TEXT_ATTRIBUTES) || hn_dataset_has_text(dataset, HN_TEXT_REVIEW);
}

static HnStatus append(HnTextColumn *column, uint64_t row, uint32_t max_words, HnText *out, HnError *err) {
    const char *bytes = NULL;
    size_t n = 0;
    if (!column) {
        return HN_OK;
    }
    HN_TRY(hn_text_column_get(column, row, &bytes, &n, err));
    return hn_text_append(out, bytes, max_words ? hn_first_words(bytes, n, max_words) : n, err);
}

HnStatus hn_evidence_user_id(HnEvidence *evidence, uint32_t user, HnText *out, HnError *err) {
    return append(evidence->fields[HN_TEXT_USER_ID], user, 0, out, err);
}

HnStatus hn_evidence_user_profile(HnEvidence *evidence, uint32_t user, HnText *out, HnError *err) {
    return append(evidence->user_profile, user, 0, out, err);
}

HnStatus hn_evidence_item_id(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err) {
    return append(evidence->fields[HN_TEXT_ITEM_ID], item, 0, out, err);
}

HnStatus hn_evidence_item_profile(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err) {
    return append(evidence->item_profile, item, 0, out, err);
}

HnStatus hn_evidence_item_field(HnEvidence *evidence, HnTextField field, uint32_t item, HnText *out, HnError *err) {
    return append(evidence->fields[field], item, 0, out, err);
}

/* As the item pool compares names: nothing is left of it when it is folded. */
static HnStatus is_blank(const char *text, size_t n_bytes, bool *blank, HnError *err) {
    HnText folded = {0};
    *blank = false;
    if (n_bytes > 0 && (isgraph((unsigned char)text[0]) || !hn_utf8_valid(text, n_bytes, NULL))) {
        return HN_OK;
    }
    HnStatus status = hn_utf8_fold(text, n_bytes, &folded, err);
    *blank = folded.length == 0;
    hn_text_free(&folded);
    return status;
}

HnStatus hn_evidence_item_name(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err) {
    size_t before = out->length;
    bool blank = false;
    HN_TRY(append(evidence->fields[HN_TEXT_TITLE], item, 0, out, err));
    HN_TRY(is_blank(hn_text_get(out) + before, out->length - before, &blank, err));
    if (!blank) {
        return HN_OK;
    }
    hn_text_cut(out, before);
    return hn_evidence_item_id(evidence, item, out, err);
}

HnStatus hn_evidence_item_summary(HnEvidence *evidence, uint32_t item, HnText *out, HnError *err) {
    size_t before = out->length;
    HN_TRY(append(evidence->item_profile, item, 0, out, err));
    if (out->length == before) {
        HN_TRY(append(evidence->fields[HN_TEXT_DESCRIPTION], item, evidence->max_review_words, out, err));
    }
    if (out->length == before) {
        HN_TRY(append(evidence->fields[HN_TEXT_CATEGORIES], item, evidence->max_review_words, out, err));
    }
    return HN_OK;
}

HnStatus hn_evidence_review(HnEvidence *evidence, uint64_t pair, HnText *out, HnError *err) {
    return append(evidence->fields[HN_TEXT_REVIEW], pair, evidence->max_review_words, out, err);
}

static Candidate candidate(uint64_t pair, uint32_t user, uint32_t item) {
    HnRng rng;
    hn_rng_start(&rng, 0, HN_STREAM_PROVIDER, 1, pair);
    return (Candidate){hn_rng_u64(&rng), pair, user, item};
}

static bool before(const Candidate *a, const Candidate *b) {
    return a->key != b->key ? a->key < b->key : a->pair < b->pair;
}

static int by_key(const void *a, const void *b) {
    return before(a, b) ? -1 : before(b, a);
}

static int by_pair(const void *a, const void *b) {
    const HnWitness *x = a, *y = b;
    return x->pair < y->pair ? -1 : x->pair > y->pair;
}

/* Keeps the `slots` smallest keys of an item, ascending. */
static void keep(HnEvidence *self, Candidate new) {
    Candidate *list = self->of_items + (uint64_t) new.item * self->slots;
    uint32_t n = self->n_of_items[new.item];
    if (n == self->slots) {
        if (!before(&new, &list[n - 1])) {
            return;
        }
        n--;
    }
    while (n > 0 && before(&new, &list[n - 1])) {
        list[n] = list[n - 1];
        n--;
    }
    list[n] = new;
    if (self->n_of_items[new.item] < self->slots) {
        self->n_of_items[new.item]++;
    }
}

/* One pass over all train pairs, whose order is by user, to find the candidates of every item. */
static HnStatus find_item_pairs(HnEvidence *self, HnError *err) {
    uint64_t n_items = hn_dataset_items(self->dataset), n_users = hn_dataset_users(self->dataset);
    self->slots = self->max_reviews * SPARE;
    self->of_items = hn_alloc(n_items * self->slots, sizeof *self->of_items, "pairs that speak for items", err);
    self->n_of_items = hn_alloc(n_items, sizeof *self->n_of_items, "pairs per item", err);
    if (!self->of_items || !self->n_of_items) {
        return HN_MEMORY;
    }
    for (uint64_t begin = 0; begin < n_users && self->slots > 0; begin += SCAN_USERS) {
        uint64_t end = begin + SCAN_USERS < n_users ? begin + SCAN_USERS : n_users;
        HnPairs pairs = {0};
        HN_TRY(hn_dataset_pairs(self->dataset, HN_PART_TRAIN, begin, end, &pairs, err));
        for (uint64_t user = begin; user < end; user++) {
            for (uint64_t p = pairs.offsets[user - begin]; p < pairs.offsets[user - begin + 1]; p++) {
                keep(self, candidate(p, (uint32_t)user, (uint32_t)pairs.items[p - pairs.offsets[0]]));
            }
        }
        hn_pairs_free(&pairs);
    }
    return HN_OK;
}

/* From candidates by ascending key: those with a review, then (fill) those without; sorted by pair. */
static HnStatus choose(HnEvidence *self, const Candidate *list, size_t n_list, bool fill, size_t *n, HnError *err) {
    HnTextColumn *reviews = self->fields[HN_TEXT_REVIEW];
    bool any_review = hn_dataset_has_text(self->dataset, HN_TEXT_REVIEW);
    *n = 0;
    for (int round = 0; round < (fill ? 2 : 1); round++) {
        for (size_t i = 0; i < n_list && *n < self->max_reviews; i++) {
            const char *bytes = NULL;
            size_t n_bytes = 0;
            if (any_review) {
                HN_TRY(hn_text_column_get(reviews, list[i].pair, &bytes, &n_bytes, err));
            }
            if ((n_bytes > 0) == (round == 0)) {
                self->chosen[(*n)++] = (HnWitness){list[i].pair, list[i].user, list[i].item, n_bytes > 0};
            }
        }
    }
    qsort(self->chosen, *n, sizeof *self->chosen, by_pair);
    return HN_OK;
}

HnStatus hn_evidence_for_item(HnEvidence *evidence, uint32_t item, const HnWitness **chosen, size_t *n, HnError *err) {
    if (!evidence->of_items) {
        HN_TRY(find_item_pairs(evidence, err));
    }
    *chosen = evidence->chosen;
    return choose(evidence, evidence->of_items + (uint64_t)item * evidence->slots, evidence->n_of_items[item], false, n,
                  err);
}

HnStatus hn_evidence_for_user(HnEvidence *evidence, uint32_t user, const HnWitness **chosen, size_t *n, HnError *err) {
    HnPairs pairs = {0};
    HN_TRY(hn_dataset_pairs(evidence->dataset, HN_PART_TRAIN, user, (uint64_t)user + 1, &pairs, err));
    size_t count = (size_t)(pairs.offsets[1] - pairs.offsets[0]);
    HnStatus status = HN_OK;
    if (count > evidence->of_user_capacity) {
        status = hn_resize(&evidence->of_user, evidence->of_user_capacity * sizeof *evidence->of_user, count,
                           sizeof *evidence->of_user, "pairs of a user", err);
        evidence->of_user_capacity = status == HN_OK ? count : evidence->of_user_capacity;
    }
    if (status == HN_OK) {
        for (size_t i = 0; i < count; i++) {
            evidence->of_user[i] = candidate(pairs.offsets[0] + i, user, (uint32_t)pairs.items[i]);
        }
        if (count > 0) {
            qsort(evidence->of_user, count, sizeof *evidence->of_user, by_key);
        }
        status = choose(evidence, evidence->of_user, count, true, n, err);
    }
    hn_pairs_free(&pairs);
    *chosen = evidence->chosen;
    return status;
}

size_t hn_first_words(const char *text, size_t n_bytes, uint32_t n_words) {
    size_t at = 0, end = 0;
    for (uint32_t word = 0; word < n_words; word++) {
        while (at < n_bytes && strchr(" \t\r\n\v\f", text[at]) && text[at] != '\0') {
            at++;
        }
        if (at == n_bytes) {
            break;
        }
        while (at < n_bytes && (text[at] == '\0' || !strchr(" \t\r\n\v\f", text[at]))) {
            at++;
        }
        end = at;
    }
    return end;
}
