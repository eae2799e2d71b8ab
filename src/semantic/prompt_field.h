/* The named fields of prompts: one line each here gives name, tasks that have it, and the file its value. */
#ifndef HN_SEMANTIC_PROMPT_FIELD_H
#define HN_SEMANTIC_PROMPT_FIELD_H

#include "prompt.h"

/* X(enumerator, name in a prompt file, tasks) */
#define HN_PROMPT_FIELDS(X)                                                     \
    X(USER_ID, "user_id", IN_USER_PROFILE | IN_HARD_NEGATIVE)                   \
    X(USER_PROFILE, "user_profile", IN_HARD_NEGATIVE)                           \
    X(PURCHASED, "purchased", IN_USER_PROFILE)                                  \
    X(ITEM_ID, "item_id", IN_ITEM_PROFILE | IN_HARD_NEGATIVE)                   \
    X(ITEM_TITLE, "item_title", IN_ITEM_PROFILE | IN_HARD_NEGATIVE)             \
    X(ITEM_DESCRIPTION, "item_description", IN_ITEM_PROFILE | IN_HARD_NEGATIVE) \
    X(ITEM_CATEGORIES, "item_categories", IN_ITEM_PROFILE | IN_HARD_NEGATIVE)   \
    X(ITEM_ATTRIBUTES, "item_attributes", IN_ITEM_PROFILE | IN_HARD_NEGATIVE)   \
    X(ITEM_PROFILE, "item_profile", IN_HARD_NEGATIVE)                           \
    X(REVIEWS, "reviews", IN_ITEM_PROFILE)                                      \
    X(PROFILE_WORDS, "profile_words", IN_ITEM_PROFILE | IN_USER_PROFILE | IN_HARD_NEGATIVE)

typedef enum HnPromptField {
#define HN_PROMPT_ENUM(name, text, tasks) HN_PROMPT_##name,
    HN_PROMPT_FIELDS(HN_PROMPT_ENUM)
#undef HN_PROMPT_ENUM
        HN_PROMPT_N_FIELDS
} HnPromptField;

/* Appends the field's value as JSON. */
HnStatus hn_prompt_value(HnPromptField field, const HnSubject *subject, HnText *json, HnError *err);

#endif
