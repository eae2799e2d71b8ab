/* Values of prompt fields, as JSON, from the evidence. */
#include "json_text.h"
#include "prompt_field.h"

enum { DESCRIPTION_WORDS = 200 }; /* sellers write novels */

typedef HnStatus TextFn(HnEvidence *evidence, uint32_t row, HnText *out, HnError *err);

static HnStatus quote(TextFn *read, const HnSubject *subject, uint32_t row, HnText *json, HnError *err) {
    HnText plain = {0};
    HnStatus status = read(subject->evidence, row, &plain, err);
    if (status == HN_OK) {
        status = hn_json_string(json, hn_text_get(&plain), plain.length, err);
    }
    hn_text_free(&plain);
    return status;
}

static HnStatus quote_field(HnTextField field, const HnSubject *subject, HnText *json, HnError *err) {
    HnText plain = {0};
    HnStatus status = hn_evidence_item_field(subject->evidence, field, subject->item, &plain, err);
    if (status == HN_OK) {
        size_t n = field == HN_TEXT_DESCRIPTION ? hn_first_words(hn_text_get(&plain), plain.length, DESCRIPTION_WORDS)
                                                : plain.length;
        status = hn_json_string(json, hn_text_get(&plain), n, err);
    }
    hn_text_free(&plain);
    return status;
}

static HnStatus quote_review(const HnSubject *subject, uint64_t pair, HnText *json, HnError *err) {
    HnText plain = {0};
    HnStatus status = hn_evidence_review(subject->evidence, pair, &plain, err);
    if (status == HN_OK) {
        status = hn_json_string(json, hn_text_get(&plain), plain.length, err);
    }
    hn_text_free(&plain);
    return status;
}

/* ["...", "..."] */
static HnStatus reviews_of_item(const HnSubject *subject, HnText *json, HnError *err) {
    const HnWitness *chosen = NULL;
    size_t n = 0;
    HN_TRY(hn_evidence_for_item(subject->evidence, subject->item, &chosen, &n, err));
    HN_TRY(hn_text_puts(json, "[", err));
    for (size_t i = 0; i < n; i++) {
        HN_TRY(hn_text_puts(json, i ? ", " : "", err));
        HN_TRY(quote_review(subject, chosen[i].pair, json, err));
    }
    return hn_text_puts(json, "]", err);
}

/* [{"title": ..., "description": ..., "review": ...}, ...] */
static HnStatus purchases_of_user(const HnSubject *subject, HnText *json, HnError *err) {
    const HnWitness *chosen = NULL;
    size_t n = 0;
    HN_TRY(hn_evidence_for_user(subject->evidence, subject->user, &chosen, &n, err));
    HN_TRY(hn_text_puts(json, "[", err));
    for (size_t i = 0; i < n; i++) {
        HN_TRY(hn_text_puts(json, i ? ", {\"title\": " : "{\"title\": ", err));
        HN_TRY(quote(hn_evidence_item_name, subject, chosen[i].item, json, err));
        HN_TRY(hn_text_puts(json, ", \"description\": ", err));
        HN_TRY(quote(hn_evidence_item_summary, subject, chosen[i].item, json, err));
        HN_TRY(hn_text_puts(json, ", \"review\": ", err));
        if (chosen[i].has_review) {
            HN_TRY(quote_review(subject, chosen[i].pair, json, err));
        } else {
            HN_TRY(hn_text_puts(json, "\"\"", err));
        }
        HN_TRY(hn_text_puts(json, "}", err));
    }
    return hn_text_puts(json, "]", err);
}

HnStatus hn_prompt_value(HnPromptField field, const HnSubject *subject, HnText *json, HnError *err) {
    switch (field) {
    case HN_PROMPT_USER_ID:
        return quote(hn_evidence_user_id, subject, subject->user, json, err);
    case HN_PROMPT_USER_PROFILE:
        return quote(hn_evidence_user_profile, subject, subject->user, json, err);
    case HN_PROMPT_PURCHASED:
        return purchases_of_user(subject, json, err);
    case HN_PROMPT_ITEM_ID:
        return quote(hn_evidence_item_id, subject, subject->item, json, err);
    case HN_PROMPT_ITEM_TITLE:
        return quote(hn_evidence_item_name, subject, subject->item, json, err);
    case HN_PROMPT_ITEM_DESCRIPTION:
        return quote_field(HN_TEXT_DESCRIPTION, subject, json, err);
    case HN_PROMPT_ITEM_CATEGORIES:
        return quote_field(HN_TEXT_CATEGORIES, subject, json, err);
    case HN_PROMPT_ITEM_ATTRIBUTES:
        return quote_field(HN_TEXT_ATTRIBUTES, subject, json, err);
    case HN_PROMPT_ITEM_PROFILE:
        return quote(hn_evidence_item_profile, subject, subject->item, json, err);
    case HN_PROMPT_REVIEWS:
        return reviews_of_item(subject, json, err);
    case HN_PROMPT_PROFILE_WORDS:
        return hn_text_printf(json, err, "%lld", (long long)subject->profile_words);
    case HN_PROMPT_N_FIELDS:
        break;
    }
    return hn_fail(err, HN_INTERNAL, "prompt field %d has no value", (int)field);
}
