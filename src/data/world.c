#include "synthetic_world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { LEAST_CELL = 10, TRIES = 8, UNIFORM_TRIES = 64 };
enum { DRAW_TASTE = 1, DRAW_PICKS = 2, PERMUTE_USERS = 3, PERMUTE_ITEMS = 4 }; /* `a` of HN_STREAM_SYNTHETIC */
static const int64_t first_day = 1420070400, start_span = 63072000, active_span = 94608000; /* 2015, 2 years, 3 years */

/* ---- activity ---- */

/* Integral of (x + c)^-3/2 from 0 to x. */
static double tail(double c, double x) {
    return 2 * (1 / sqrt(c) - 1 / sqrt(x + c));
}

/* Interactions above the base of the users at ranks below `rank`. */
static uint64_t extra_below(const HnWorld *world, uint64_t rank) {
    double extra = (double)(world->n_interactions - world->n_users * world->base_degree);
    return (uint64_t)(extra * (tail(world->shift, (double)rank / (double)world->n_users) / tail(world->shift, 1)));
}

static uint64_t degree_at(const HnWorld *world, uint64_t rank) {
    return world->base_degree + extra_below(world, rank + 1) - extra_below(world, rank);
}

uint64_t hn_world_degree(const HnWorld *world, uint64_t user) {
    return degree_at(world, hn_permute(&world->users, user));
}

/* The longest tail whose most active user still has at most half of the items. */
static HnStatus shape_activity(HnWorld *world, HnError *err) {
    uint64_t most = world->n_items / 2;
    world->base_degree = world->n_interactions / world->n_users >= 6 ? 3 : 1;
    if (world->n_interactions < world->n_users) {
        return hn_fail(
            err, HN_CONFIG,
            "data.synthetic.interactions (%llu) must be at least data.synthetic.users (%llu): everybody has one",
            (unsigned long long)world->n_interactions, (unsigned long long)world->n_users);
    }
    world->shift = 0.02;
    while (world->shift < 1e6 && degree_at(world, 0) > most) {
        world->shift *= 2;
    }
    if (world->n_interactions <= world->n_users * most) {
        return HN_OK;
    }
    return hn_fail(err, HN_CONFIG,
                   "data.synthetic.interactions (%llu) is more than half of users x items (%llu x %llu): raise "
                   "data.synthetic.users or data.synthetic.items",
                   (unsigned long long)world->n_interactions, (unsigned long long)world->n_users,
                   (unsigned long long)world->n_items);
}

/* ---- items ---- */

/* Slot s of the permuted items: cell s % n_cells, popularity rank s / n_cells in it. */
static uint32_t cell_of(const HnWorld *world, uint32_t item) {
    return (uint32_t)(hn_permute_inverse(&world->items, item) % world->n_cells);
}

uint32_t hn_world_category(const HnWorld *world, uint32_t item) {
    return cell_of(world, item) / world->n_flavours;
}

uint32_t hn_world_flavour(const HnWorld *world, uint32_t item) {
    return cell_of(world, item) % world->n_flavours;
}

static void shape_cells(const HnDataConfig *config, HnWorld *world) {
    uint64_t categories = world->n_items / LEAST_CELL, flavours;
    categories =
        categories < (uint64_t)config->synthetic.categories ? categories : (uint64_t)config->synthetic.categories;
    categories = categories > 0 ? categories : 1;
    flavours = world->n_items / (LEAST_CELL * categories);
    flavours = flavours < (uint64_t)config->synthetic.latent_dim ? flavours : (uint64_t)config->synthetic.latent_dim;
    world->n_categories = (uint32_t)categories;
    world->n_flavours = (uint32_t)(flavours > 0 ? flavours : 1);
    world->n_cells = world->n_categories * world->n_flavours;
    world->cell_items = (world->n_items + world->n_cells - 1) / world->n_cells;
}

/* Walker's alias method (Vose's construction) over weights rank ^ -exponent. */
static HnStatus build_alias(HnWorld *world, double exponent, HnError *err) {
    uint64_t n = world->cell_items, n_small = 0, n_large = 0;
    world->keep = hn_alloc(n, sizeof *world->keep, "popularity table", err);
    world->other = hn_alloc(n, sizeof *world->other, "popularity table", err);
    uint32_t *stack = hn_alloc(n, sizeof *stack, "popularity table", err); /* small from below, large from above */
    if (world->keep == NULL || world->other == NULL || stack == NULL) {
        hn_free(stack);
        return HN_MEMORY;
    }
    double sum = 0;
    for (uint64_t r = 0; r < n; r++) {
        world->keep[r] = pow((double)(r + 1), -exponent);
        sum += world->keep[r];
    }
    for (uint64_t r = 0; r < n; r++) {
        world->keep[r] *= (double)n / sum;
        world->other[r] = (uint32_t)r;
        stack[world->keep[r] < 1 ? n_small++ : n - ++n_large] = (uint32_t)r;
    }
    while (n_small > 0 && n_large > 0) {
        uint32_t small = stack[--n_small], large = stack[n - n_large];
        world->other[small] = large;
        world->keep[large] -= 1 - world->keep[small];
        if (world->keep[large] < 1) {
            n_large--;
            stack[n_small++] = large;
        }
    }
    while (n_large > 0) {
        world->keep[stack[n - n_large--]] = 1;
    }
    while (n_small > 0) {
        world->keep[stack[--n_small]] = 1;
    }
    hn_free(stack);
    return HN_OK;
}

HnStatus hn_world_found(const HnDataConfig *config, HnWorld *world, HnError *err) {
    memset(world, 0, sizeof *world);
    world->n_users = (uint64_t)config->synthetic.users;
    world->n_items = (uint64_t)config->synthetic.items;
    world->n_interactions = (uint64_t)config->synthetic.interactions;
    world->seed = (uint64_t)config->synthetic.seed;
    world->review_words = (uint64_t)config->synthetic.review_words;
    if (world->n_users == 0 || world->n_users > UINT32_MAX || world->n_items < 2 || world->n_items > INT32_MAX) {
        return hn_fail(err, HN_CONFIG, "a synthetic world has 1 to 2^32 - 1 users and 2 to 2^31 - 1 items");
    }
    HN_TRY(shape_activity(world, err));
    shape_cells(config, world);
    hn_permutation_start(&world->users, world->n_users, world->seed, HN_STREAM_SYNTHETIC, PERMUTE_USERS);
    hn_permutation_start(&world->items, world->n_items, world->seed, HN_STREAM_SYNTHETIC, PERMUTE_ITEMS);
    HnStatus status = build_alias(world, config->synthetic.popularity_exponent, err);
    if (status != HN_OK) {
        hn_world_free(world);
    }
    return status;
}

void hn_world_free(HnWorld *world) {
    hn_free(world->keep);
    hn_free(world->other);
    world->keep = NULL;
    world->other = NULL;
}

/* ---- taste and interactions ---- */

/* 0 .. n-1, the first ones more often: a fifth of the groups draws 45 % of the people. */
static uint32_t draw_group(HnRng *rng, uint32_t n) {
    double r = hn_rng_double(rng);
    return (uint32_t)(r * r * n);
}

void hn_world_taste(const HnWorld *world, uint64_t user, HnTaste *taste) {
    HnRng rng;
    hn_rng_start(&rng, world->seed, HN_STREAM_SYNTHETIC, DRAW_TASTE, user);
    for (int k = 0; k < 3; k++) {
        taste->category[k] = draw_group(&rng, world->n_categories);
    }
    for (int k = 0; k < 2; k++) {
        taste->flavour[k] = draw_group(&rng, world->n_flavours);
    }
}

static uint32_t draw_item(const HnWorld *world, const HnTaste *taste, HnRng *rng, uint32_t *in_cell) {
    float c = hn_rng_float(rng), f = hn_rng_float(rng);
    uint32_t category = c < 0.5F   ? taste->category[0]
                        : c < 0.8F ? taste->category[1]
                        : c < 0.9F ? taste->category[2]
                                   : hn_rng_below(rng, world->n_categories);
    uint32_t flavour = f < 0.6F    ? taste->flavour[0]
                       : f < 0.85F ? taste->flavour[1]
                                   : hn_rng_below(rng, world->n_flavours);
    uint64_t cell = (uint64_t)category * world->n_flavours + flavour;
    *in_cell = (uint32_t)cell;
    uint64_t n_here = (world->n_items - cell + world->n_cells - 1) / world->n_cells;
    uint64_t rank = hn_rng_below64(rng, world->cell_items);
    rank = hn_rng_double(rng) < world->keep[rank] ? rank : world->other[rank];
    rank = rank < n_here ? rank : 0; /* cells differ by one item at most */
    return (uint32_t)hn_permute(&world->items, rank * world->n_cells + cell);
}

static bool take(HnPicks *picks, uint32_t item) {
    uint64_t mask = picks->n_taken - 1;
    for (uint64_t at = (item * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & mask;; at = (at + 1) & mask) {
        if (picks->taken[at] == item + 1) {
            return false;
        }
        if (picks->taken[at] == 0) {
            picks->taken[at] = item + 1;
            return true;
        }
    }
}

/* An item that the user does not have: by taste; where taste is used up, any; in the end, the next free one. */
static uint32_t pick_item(const HnWorld *world, const HnTaste *taste, HnPicks *picks, HnRng *rng, uint32_t *cell) {
    uint32_t item = 0;
    for (int k = 0; k < TRIES; k++) {
        item = draw_item(world, taste, rng, cell);
        if (take(picks, item)) {
            return item;
        }
    }
    bool taken = false;
    for (int k = 0; k < UNIFORM_TRIES && !taken; k++) {
        item = (uint32_t)hn_rng_below64(rng, world->n_items);
        taken = take(picks, item);
    }
    while (!taken) {
        item = (uint32_t)((item + 1) % world->n_items);
        taken = take(picks, item);
    }
    *cell = cell_of(world, item);
    return item;
}

static float draw_rating(const HnWorld *world, const HnTaste *taste, uint32_t cell, HnRng *rng) {
    uint32_t category = cell / world->n_flavours, flavour = cell % world->n_flavours;
    bool flavoured = flavour == taste->flavour[0] || flavour == taste->flavour[1];
    bool fits = category == taste->category[0] || category == taste->category[1] || category == taste->category[2];
    float best = flavoured && fits ? 5 : flavoured ? 4 : fits ? 3 : 2;
    return hn_rng_float(rng) < 0.7F ? best : best - 1;
}

static HnStatus make_room(HnPicks *picks, uint64_t n, HnError *err) {
    if (n > picks->capacity) {
        uint64_t n_taken = 16;
        while (n_taken < 2 * n) {
            n_taken *= 2;
        }
        hn_picks_free(picks);
        picks->picks = hn_alloc(n, sizeof *picks->picks, "picks of a user", err);
        picks->taken = hn_alloc(n_taken, sizeof *picks->taken, "items of a user", err);
        if (picks->picks == NULL || picks->taken == NULL) {
            hn_picks_free(picks);
            return HN_MEMORY;
        }
        picks->capacity = n;
        picks->n_taken = n_taken;
    }
    memset(picks->taken, 0, picks->n_taken * sizeof *picks->taken);
    picks->n = n;
    return HN_OK;
}

void hn_picks_free(HnPicks *picks) {
    hn_free(picks->picks);
    hn_free(picks->taken);
    memset(picks, 0, sizeof *picks);
}

HnStatus hn_world_picks(const HnWorld *world, uint64_t user, HnPicks *picks, HnError *err) {
    uint64_t n = hn_world_degree(world, user);
    HN_TRY(make_room(picks, n, err));
    HnTaste taste;
    HnRng rng;
    hn_world_taste(world, user, &taste);
    hn_rng_start(&rng, world->seed, HN_STREAM_SYNTHETIC, DRAW_PICKS, user);
    int64_t time = first_day + (int64_t)hn_rng_below64(&rng, (uint64_t)start_span);
    for (uint64_t p = 0; p < n; p++) {
        HnPick *pick = &picks->picks[p];
        pick->item = pick_item(world, &taste, picks, &rng, &pick->cell);
        pick->position = (uint32_t)p;
        time += 1 + (int64_t)hn_rng_below64(&rng, (uint64_t)active_span / n + 1);
        pick->time = time;
        pick->rating = draw_rating(world, &taste, pick->cell, &rng);
    }
    return HN_OK;
}
