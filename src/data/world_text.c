/* What the synthetic world says: ids, titles, descriptions, reviews. All of it names itself synthetic. */
#include "synthetic_world.h"
#include "vocabulary.h"

enum { TEXT_TITLE = 16, TEXT_DESCRIPTION = 17, TEXT_REVIEW = 18 }; /* `a` of HN_STREAM_SYNTHETIC */
enum { DESCRIPTION_WORDS = 18, SENTENCE_WORDS = 9 };

HnStatus hn_world_user_id(uint64_t user, HnText *out, HnError *err) {
    return hn_text_printf(out, err, "SYN-U%09llu", (unsigned long long)user);
}

HnStatus hn_world_item_id(uint32_t item, HnText *out, HnError *err) {
    return hn_text_printf(out, err, "SYN-I%09lu", (unsigned long)item);
}

static HnStatus put_word(HnText *out, HnWordKind kind, uint32_t group, uint32_t index, HnError *err) {
    char buffer[HN_WORD_BYTES];
    if (out->length > 0 && out->data[out->length - 1] != ' ') {
        HN_TRY(hn_text_append(out, " ", 1, err));
    }
    return hn_text_puts(out, hn_vocabulary_word(kind, group, index, buffer), err);
}

/* A thing of the category, never its name. */
static uint32_t draw_noun(HnRng *rng) {
    return 1 + hn_rng_below(rng, HN_WORDS_A_GROUP - 1);
}

HnStatus hn_world_title(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    HnRng rng;
    hn_rng_start(&rng, world->seed, HN_STREAM_SYNTHETIC, TEXT_TITLE, item);
    HN_TRY(hn_text_puts(out, "Synthetic", err));
    HN_TRY(put_word(out, HN_WORD_FLAVOUR, hn_world_flavour(world, item), hn_rng_u32(&rng), err));
    HN_TRY(put_word(out, HN_WORD_CATEGORY, hn_world_category(world, item), draw_noun(&rng), err));
    return hn_text_printf(out, err, " no. %lu", (unsigned long)item);
}

HnStatus hn_world_description(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    HnRng rng;
    uint32_t category = hn_world_category(world, item), flavour = hn_world_flavour(world, item);
    hn_rng_start(&rng, world->seed, HN_STREAM_SYNTHETIC, TEXT_DESCRIPTION, item);
    HN_TRY(hn_text_puts(out, "A synthetic product:", err));
    for (int w = 0; w < DESCRIPTION_WORDS; w++) {
        uint32_t dice = hn_rng_below(&rng, 10), index = hn_rng_u32(&rng);
        if (dice < 4) {
            HN_TRY(put_word(out, HN_WORD_FLAVOUR, flavour, index, err));
        } else if (dice < 6) {
            HN_TRY(put_word(out, HN_WORD_CATEGORY, category, index, err));
        } else {
            HN_TRY(put_word(out, HN_WORD_COMMON, 0, index, err));
        }
    }
    return hn_text_append(out, ".", 1, err);
}

HnStatus hn_world_categories(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    char buffer[HN_WORD_BYTES];
    HN_TRY(hn_text_puts(out, "Synthetic, ", err));
    return hn_text_puts(out, hn_vocabulary_category(hn_world_category(world, item), buffer), err);
}

HnStatus hn_world_brand(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    char buffer[HN_WORD_BYTES];
    HN_TRY(hn_text_puts(out, hn_vocabulary_word(HN_WORD_FLAVOUR, hn_world_flavour(world, item), 0, buffer), err));
    return hn_text_puts(out, " works", err);
}

static void start_review(const HnWorld *world, uint64_t user, const HnPick *pick, HnRng *rng) {
    hn_rng_start(rng, world->seed, HN_STREAM_SYNTHETIC, TEXT_REVIEW, user << 32 | pick->position);
}

HnStatus hn_world_summary(const HnWorld *world, uint64_t user, const HnPick *pick, HnText *out, HnError *err) {
    HnRng rng;
    start_review(world, user, pick, &rng);
    HN_TRY(hn_text_puts(out, pick->rating >= 4 ? "Loved this" : pick->rating >= 3 ? "Fine" : "Not my taste,", err));
    HN_TRY(put_word(out, HN_WORD_FLAVOUR, pick->cell % world->n_flavours, hn_rng_u32(&rng), err));
    return put_word(out, HN_WORD_CATEGORY, pick->cell / world->n_flavours, draw_noun(&rng), err);
}

/* Four words in ten mean nothing; of the others most are the item's, some the user's own favourite flavour. */
HnStatus hn_world_review(const HnWorld *world, uint64_t user, const HnPick *pick, HnText *out, HnError *err) {
    HnRng rng;
    HnTaste taste;
    uint32_t category = pick->cell / world->n_flavours, flavour = pick->cell % world->n_flavours;
    start_review(world, user, pick, &rng);
    (void)hn_rng_u64(&rng); /* the summary's draws */
    hn_world_taste(world, user, &taste);
    for (uint64_t w = 0; w < world->review_words; w++) {
        uint32_t dice = hn_rng_below(&rng, 10), index = hn_rng_u32(&rng);
        if (w > 0 && w % SENTENCE_WORDS == 0) {
            HN_TRY(hn_text_append(out, ".", 1, err));
        }
        if (dice < 3) {
            HN_TRY(put_word(out, HN_WORD_FLAVOUR, flavour, index, err));
        } else if (dice < 5) {
            HN_TRY(put_word(out, HN_WORD_CATEGORY, category, index, err));
        } else if (dice < 6) {
            HN_TRY(put_word(out, HN_WORD_FLAVOUR, taste.flavour[0], index, err));
        } else {
            HN_TRY(put_word(out, HN_WORD_COMMON, 0, index, err));
        }
    }
    return hn_text_append(out, ".", 1, err);
}
