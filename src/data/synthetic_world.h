/* The synthetic world: every user, item, interaction and word is a pure function of (configuration, seed, number), so
 * that any part can be made anywhere and memory does not grow with the interactions.
 *
 * An item belongs to a category and has a flavour (one of latent_dim); the two make its cell. A user likes up to three
 * categories and two flavours. An interaction draws a category and a flavour by that taste and then an item of the cell
 * by popularity (rank ^ -popularity_exponent, by an alias table: constant time). Titles, descriptions and reviews use
 * words of the category and of the flavour, so that text tells the taste which made the interaction. Activity has a
 * long tail too: the number of interactions of the user at quantile x is proportional to (x + c)^-3/2 above a base.
 * Where a cell would hold fewer than ten items, there are fewer flavours, then fewer categories.
 *
 * Only +, -, *, / and sqrt stand between the seed and a draw, beside pow() in the popularity weights.
 */
#ifndef HN_DATA_WORLD_H
#define HN_DATA_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "config/experiment.h"
#include "data/prepare.h"

typedef struct HnWorld {
    uint64_t n_users, n_items, n_interactions, seed;
    uint32_t n_categories, n_flavours, n_cells;
    uint64_t review_words;
    uint64_t base_degree; /* interactions that every user has */
    double shift;         /* c of the activity's tail */
    HnPermutation users, items;
    uint64_t cell_items; /* items of the largest cell */
    double *keep;        /* [cell_items] alias table over popularity ranks */
    uint32_t *other;     /* [cell_items] */
} HnWorld;

typedef struct HnPick {      /* one interaction */
    uint32_t item, position; /* position: order of the user's picks */
    int64_t time;
    float rating;  /* 1 .. 5 */
    uint32_t cell; /* category * n_flavours + flavour of the item */
} HnPick;

typedef struct HnPicks { /* of one user; room grows and is used again */
    HnPick *picks;       /* [n] */
    uint64_t n, capacity;
    uint32_t *taken; /* [2 * capacity, rounded up to a power of 2] item + 1, open addressing */
    uint64_t n_taken;
} HnPicks;

/* Refuses worlds that cannot be: fewer interactions than users, more than half of all pairs. */
HnStatus hn_world_found(const HnDataConfig *config, HnWorld *world, HnError *err);
void hn_world_free(HnWorld *world);
uint64_t hn_world_degree(const HnWorld *world, uint64_t user); /* interactions; the sum is exactly n_interactions */
/* The user's interactions in order of time; no item twice. */
HnStatus hn_world_picks(const HnWorld *world, uint64_t user, HnPicks *picks, HnError *err);
void hn_picks_free(HnPicks *picks);

uint32_t hn_world_category(const HnWorld *world, uint32_t item);
uint32_t hn_world_flavour(const HnWorld *world, uint32_t item);
typedef struct HnTaste {
    uint32_t category[3], flavour[2]; /* most liked first */
} HnTaste;
void hn_world_taste(const HnWorld *world, uint64_t user, HnTaste *taste);

/* Texts are appended to out. */
HnStatus hn_world_user_id(uint64_t user, HnText *out, HnError *err);
HnStatus hn_world_item_id(uint32_t item, HnText *out, HnError *err);
HnStatus hn_world_title(const HnWorld *world, uint32_t item, HnText *out, HnError *err);
HnStatus hn_world_description(const HnWorld *world, uint32_t item, HnText *out, HnError *err);
HnStatus hn_world_categories(const HnWorld *world, uint32_t item, HnText *out, HnError *err);
HnStatus hn_world_brand(const HnWorld *world, uint32_t item, HnText *out, HnError *err);
HnStatus hn_world_summary(const HnWorld *world, uint64_t user, const HnPick *pick, HnText *out, HnError *err);
HnStatus hn_world_review(const HnWorld *world, uint64_t user, const HnPick *pick, HnText *out, HnError *err);

/* Straight into dataset.h5, split as configured; hn_prepare calls it. */
HnStatus hn_world_prepare(const HnDataConfig *config, const char *config_yaml, const char *out_path,
                          HnPrepareReport *report, HnError *err);

#endif
