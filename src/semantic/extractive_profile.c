/* Profiles of items and users from categories and from the terms that tell them from the rest. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "extractive.h"

enum { MOST_TERMS = 12, MOST_CATEGORIES = 4, CATEGORY_SLOTS = 64, SHORTEST_WORD = 3, COMMON = 12, SUMMARY_WORDS = 30 };

/* A term and how telling it is. */
typedef struct Telling {
    const HnTermCount *term;
    double score;
} Telling;

/* True where the word may stand for a topic: no number, not short, not in more than one document of COMMON. */
static bool is_topic(const HnExtractive *self, const HnWord *word) {
    uint64_t n = hn_terms_documents(self->terms), df = hn_terms_frequency(self->terms, word->hash);
    bool letters = word->unspaced;
    for (uint32_t at = word->begin; at < word->end; at++) {
        letters = letters || !isdigit((unsigned char)self->words.folded.data[at]);
    }
    return letters && (word->unspaced || word->end - word->begin >= SHORTEST_WORD) && df <= n / COMMON + 1;
}

/* Log-odds against the corpus, weighted by count: count ln(count / expected). 0 for what is no topic, or rare by
 * accident. */
static double tell(const HnExtractive *self, const HnTermCount *term) {
    uint64_t n = hn_terms_documents(self->terms), df = hn_terms_frequency(self->terms, term->hash);
    if ((df < 2 && n > 20) || (term->n_words == 2 && term->count < 2)) {
        return 0.0;
    }
    for (uint32_t i = 0; i < term->n_words; i++) {
        if (!is_topic(self, &self->words.words[term->word + i])) {
            return 0.0;
        }
    }
    double odds = (double)term->count / hn_terms_expected(self->terms, term->hash, self->words.n);
    return odds > 1.0 ? (double)term->count * log(odds) : 0.0;
}

/* Larger scores first; equal ones as they appear in the text. */
static bool better(const Telling *a, const Telling *b) {
    return a->score != b->score ? a->score > b->score : a->term->word < b->term->word;
}

static bool overlaps(const HnTermCount *a, const HnTermCount *b) {
    return a->word < b->word + b->n_words && b->word < a->word + a->n_words;
}

static void insert(Telling *best, size_t *n, Telling new) {
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) { /* "hot dog" or "hot", not both */
        if (overlaps(best[i].term, new.term) && !better(&new, &best[i])) {
            return;
        }
    }
    for (size_t i = 0; i < *n; i++) {
        if (!overlaps(best[i].term, new.term)) {
            best[kept++] = best[i];
        }
    }
    *n = kept;
    size_t at = *n < MOST_TERMS ? (*n)++ : MOST_TERMS;
    if (at == MOST_TERMS) {
        if (!better(&new, &best[MOST_TERMS - 1])) {
            return;
        }
        at--;
    }
    while (at > 0 && better(&new, &best[at - 1])) {
        best[at] = best[at - 1];
        at--;
    }
    best[at] = new;
}

/* Replaces terms_text by the most telling terms of source: "sonoran dog, salsa bar, ..."; *found = how many. */
static HnStatus telling_terms(HnExtractive *self, size_t *found, HnError *err) {
    Telling best[MOST_TERMS];
    size_t n = 0;
    *found = 0;
    hn_text_clear(&self->terms_text);
    HN_TRY(hn_words_split(&self->words, hn_text_get(&self->source), self->source.length, err));
    HN_TRY(hn_terms_count(&self->words, &self->counts, &self->counts_capacity, &n, err));
    for (size_t i = 0; i < n; i++) {
        double score = tell(self, &self->counts[i]);
        if (score > 0.0) {
            insert(best, found, (Telling){&self->counts[i], score});
        }
    }
    for (size_t i = 0; i < *found; i++) {
        const HnWord *first = &self->words.words[best[i].term->word];
        HN_TRY(hn_text_puts(&self->terms_text, i ? ", " : "", err));
        HN_TRY(hn_text_append(&self->terms_text, self->words.folded.data + first->begin,
                              first[best[i].term->n_words - 1].end - first->begin, err));
    }
    return HN_OK;
}

/* ---- items ---- */

/* At most so many of the comma-separated categories. */
static size_t first_categories(const char *text, size_t n, int most) {
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ',' && --most == 0) {
            return i;
        }
    }
    return n;
}

static HnStatus cut_body(HnExtractive *self, HnError *err) {
    (void)err;
    size_t n = hn_first_words(hn_text_get(&self->body), self->body.length, (uint32_t)self->config->profile_words);
    if (n < self->body.length) {
        self->body.length = n;
        self->body.data[n] = '\0';
    }
    return HN_OK;
}

/* source = the item's reviews, or what else is known of it. */
static HnStatus gather_item(HnExtractive *self, uint32_t item, size_t *n_reviews, HnError *err) {
    const HnWitness *chosen = NULL;
    hn_text_clear(&self->source);
    HN_TRY(hn_evidence_for_item(self->evidence, item, &chosen, n_reviews, err));
    for (size_t i = 0; i < *n_reviews; i++) {
        HN_TRY(hn_evidence_review(self->evidence, chosen[i].pair, &self->source, err));
        HN_TRY(hn_text_puts(&self->source, " . ", err));
    }
    return *n_reviews > 0 ? HN_OK : hn_extractive_item_text(self, item, &self->source, err);
}

HnStatus hn_extractive_item_profile(HnExtractive *self, HnExtractiveJob *job, HnError *err) {
    size_t n_reviews = 0, n_terms = 0;
    HnText *body = &self->body, *categories = &self->json; /* json is free until the answer is written */
    HN_TRY(gather_item(self, job->item, &n_reviews, err));
    HN_TRY(telling_terms(self, &n_terms, err));
    hn_text_clear(body);
    hn_text_clear(categories);
    HN_TRY(hn_evidence_item_field(self->evidence, HN_TEXT_CATEGORIES, job->item, categories, err));
    size_t n = first_categories(hn_text_get(categories), categories->length, MOST_CATEGORIES);
    if (n > 0) {
        HN_TRY(hn_text_puts(body, "For users interested in ", err));
        HN_TRY(hn_text_append(body, hn_text_get(categories), n, err));
        HN_TRY(hn_text_puts(body, ". ", err));
    }
    if (n_terms > 0) {
        HN_TRY(hn_text_printf(body, err, "%s %s. ", n_reviews ? "Reviews speak of" : "It stands for",
                              hn_text_get(&self->terms_text)));
    }
    size_t before = body->length;
    HN_TRY(hn_evidence_item_field(self->evidence, HN_TEXT_DESCRIPTION, job->item, body, err));
    if (body->length == before && before == 0) {
        HN_TRY(hn_evidence_item_name(self->evidence, job->item, body, err));
    }
    HN_TRY(cut_body(self, err));
    hn_text_clear(&self->reason);
    HN_TRY(hn_text_printf(&self->reason, err, "%zu terms that tell %zu reviews%s from those of other items.", n_terms,
                          n_reviews, n_reviews ? "" : " (none: metadata instead)"));
    return hn_extractive_answer(self, job, "summarization", err);
}

/* ---- users ---- */

/* How often a category occurs among a user's items. */
typedef struct Category {
    uint64_t hash;
    uint32_t count;
    uint32_t begin, length; /* bytes of the text that all categories were gathered in */
} Category;

static void count_category(Category *slots, size_t *n, const char *all, size_t begin, size_t length) {
    while (length > 0 && all[begin] == ' ') {
        begin++;
        length--;
    }
    uint64_t hash = hn_checksum64(all + begin, length);
    for (size_t i = 0; i < *n; i++) {
        if (slots[i].hash == hash) {
            slots[i].count++;
            return;
        }
    }
    if (*n < CATEGORY_SLOTS && length > 0) {
        slots[(*n)++] = (Category){hash, 1, (uint32_t)begin, (uint32_t)length};
    }
}

/* Appends the categories that occur most often in all (comma-separated), earlier ones first among equals. */
static HnStatus top_categories(const HnText *all, HnText *body, HnError *err) {
    Category slots[CATEGORY_SLOTS];
    size_t n = 0, begin = 0;
    const char *text = hn_text_get(all);
    for (size_t i = 0; i <= all->length; i++) {
        if (i == all->length || text[i] == ',') {
            count_category(slots, &n, text, begin, i - begin);
            begin = i + 1;
        }
    }
    for (int shown = 0; shown < MOST_CATEGORIES; shown++) {
        Category *best = NULL;
        for (size_t i = 0; i < n; i++) {
            best = slots[i].count > (best ? best->count : 0) ? &slots[i] : best;
        }
        if (!best) {
            break;
        }
        HN_TRY(hn_text_puts(body, shown ? ", " : "Likes ", err));
        HN_TRY(hn_text_append(body, text + best->begin, best->length, err));
        best->count = 0;
    }
    return body->length > 0 ? hn_text_puts(body, ". ", err) : HN_OK;
}

/* source = the user's reviews and the items' names, their descriptions where there is no review; json = all their
 * categories. */
static HnStatus gather_user(HnExtractive *self, uint32_t user, size_t *n_items, size_t *n_reviews, HnError *err) {
    const HnWitness *chosen = NULL;
    HnText summary = {0};
    HnStatus status = hn_evidence_for_user(self->evidence, user, &chosen, n_items, err);
    hn_text_clear(&self->source);
    hn_text_clear(&self->json);
    *n_reviews = 0;
    for (size_t i = 0; i < *n_items && status == HN_OK; i++) {
        *n_reviews += chosen[i].has_review;
        status = chosen[i].has_review ? hn_evidence_review(self->evidence, chosen[i].pair, &self->source, err) : HN_OK;
        status = status ? status : hn_text_puts(&self->source, " . ", err);
        status =
            status ? status : hn_evidence_item_field(self->evidence, HN_TEXT_TITLE, chosen[i].item, &self->source, err);
        status = status ? status : hn_text_puts(&self->source, " . ", err);
        hn_text_clear(&summary);
        if (!chosen[i].has_review) { /* the user's own words first */
            status = status
                         ? status
                         : hn_evidence_item_field(self->evidence, HN_TEXT_DESCRIPTION, chosen[i].item, &summary, err);
        }
        size_t n = hn_first_words(hn_text_get(&summary), summary.length, SUMMARY_WORDS);
        status = status ? status : hn_text_append(&self->source, hn_text_get(&summary), n, err);
        status = status ? status : hn_text_puts(&self->source, " . ", err);
        status = status ? status
                        : hn_evidence_item_field(self->evidence, HN_TEXT_CATEGORIES, chosen[i].item, &self->json, err);
        status = status ? status : hn_text_puts(&self->json, ",", err);
    }
    hn_text_free(&summary);
    return status;
}

HnStatus hn_extractive_user_profile(HnExtractive *self, HnExtractiveJob *job, HnError *err) {
    size_t n_items = 0, n_reviews = 0, n_terms = 0;
    HN_TRY(gather_user(self, job->user, &n_items, &n_reviews, err));
    hn_text_clear(&self->body);
    HN_TRY(top_categories(&self->json, &self->body, err));
    HN_TRY(telling_terms(self, &n_terms, err));
    if (n_terms > 0) {
        HN_TRY(hn_text_printf(&self->body, err, "%s %s.", n_reviews ? "Speaks of" : "Takes what stands for",
                              hn_text_get(&self->terms_text)));
    } else if (self->body.length == 0) {
        size_t n = hn_first_words(hn_text_get(&self->source), self->source.length, SUMMARY_WORDS);
        HN_TRY(hn_text_append(&self->body, hn_text_get(&self->source), n, err));
    }
    HN_TRY(cut_body(self, err));
    hn_text_clear(&self->reason);
    HN_TRY(hn_text_printf(&self->reason, err, "%zu telling terms from %zu items, %zu of them reviewed.", n_terms,
                          n_items, n_reviews));
    return hn_extractive_answer(self, job, "summarization", err);
}
