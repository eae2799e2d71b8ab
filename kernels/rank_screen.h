/* Exact ranking with fewer products in floats: byte products bound every score, and only items whose bound reaches what
 * is certain of the k best so far are scored in full. rank_screen.c ranks; rank_quant.c makes bytes and bounds,
 * rank_screen_items.c packs the items, rank_screen_tile.c multiplies, rank_screen_list.c keeps who may still be among
 * the best.
 *
 * Why no item is lost. A row x is x' + r with x' = scale * q, q in -127 .. 127; scale is a user's own, and common to
 * the 32 items of a panel. Then
 *     |u.i - u'.i'| = |r_u.i + u'.r_i| <= |r_u| |i| + |u'| |r_i|                                   (Cauchy-Schwarz)
 * and the score c, a chain of dim fused multiply-adds in floats, is within gamma |u| |i| + dim 2^-149 of u.i, where
 * gamma = dim e / (1 - dim e), e = 2^-24. With U >= |u|, |u'| and, over a panel, N >= |i|, |i'| and R >= |r_i|,
 *     |c - scale_u scale_i q_u.q_i| <= (|r_u| + gamma U) N + U R + dim 2^-149.
 * The code evaluates the right side, and everything that it compares with it, in floats: fewer than 20 roundings, each
 * at most e times a quantity that is at most 2 U N, which is less than 2^-18 U N altogether. So a user carries
 *     norm = U (1 + 2^-18 + 2 dim e) and error = |r_u| + U (2^-18 + 2 dim e),
 * and a pair's error is error N + norm R + 2^-100. The same slack makes norm N + 2^-100 no less than any score in
 * the panel. Norms are sums in floats, rounded up (rank_quant.c). Rows with magnitudes above 2^40, infinities or NaN
 * are not screened; below 2^-40 a scale does not go, so that no quotient leaves the range of normal floats.
 */
#ifndef HN_KERNEL_RANK_SCREEN_H
#define HN_KERNEL_RANK_SCREEN_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rank_private.h"

enum {
    HN_SCREEN_USERS = 12, /* of a tile */
    HN_SCREEN_LANES = 16, /* of a vector: those above the tile's users are idle */
    HN_SCREEN_ITEMS = 32, /* of a panel */
    HN_SCREEN_MOST_DIM = 16384
};

/* Whether the processor can, and the task is of a shape that gains. Looks at no value. */
bool hn_rank_screen_pays(const HnRankTask *task);

/* How a ranking went. */
typedef struct HnRankScreened {
    uint64_t n_screened; /* users ranked this way; the others' rows, or the items', were such that floats had to do */
    uint64_t n_rescored; /* of those users: scores computed in full */
} HnRankScreened;

/* hn_rank_cpu by screening, on a processor with VNNI, of at least one item; users for whom it does not pay or not hold
 * are handed to hn_rank_floats. */
HnStatus hn_rank_screen(const HnRankTask *task, HnRankScreened *screened, HnError *err);

/* ---- rank_quant.c ---- */

/* A row, measured. Norms are upper bounds. */
typedef struct HnScreenRow {
    float peak; /* largest magnitude */
    float norm;
} HnScreenRow;

/* A panel: 32 items of common scale. */
typedef struct HnScreenPanel {
    float scale, inverse; /* inverse of the scale */
    float norm;           /* N */
    float error;          /* R */
} HnScreenPanel;

/* A tile of users. */
typedef struct HnScreenUsers {
    alignas(64) float threshold[HN_SCREEN_LANES]; /* a score that k unmasked items reach; +infinity for idle lanes */
    float norm[HN_SCREEN_LANES], error[HN_SCREEN_LANES], scale[HN_SCREEN_LANES], inverse[HN_SCREEN_LANES];
    int32_t start[HN_SCREEN_LANES]; /* -128 * the sum of the user's bytes: item bytes have 128 added */
} HnScreenUsers;

/* A row is padded with zeros to whole quads of bytes. */
static inline int hn_screen_quads(int dim) {
    return (dim + 3) / 4;
}

/* False where the row cannot be screened. */
bool hn_screen_row_measure(const float *row, int dim, HnScreenRow *measured);
/* Packs the items order[0 .. 31] (-1: none) into out [quads][32][4] bytes with 128 added; measured is by item. */
void hn_screen_panel_pack(const float *items, const HnScreenRow *measured, const int32_t *order, int dim,
                          HnScreenPanel *panel, uint8_t *out);
/* Packs n <= 12 users into out [quads][12][4] bytes, with thresholds of -infinity. False where a row cannot be
 * screened. */
bool hn_screen_users_pack(const float *users, int n, int dim, HnScreenUsers *packed, int8_t *out);

/* ---- rank_screen_items.c ---- */

/* Items by falling norm, nearly. */
typedef struct HnScreenItems {
    bool usable; /* else an item cannot be screened, and nothing is packed */
    uint64_t n_panels;
    size_t panel_bytes;
    HnScreenPanel *panels; /* [n_panels], of norms that do not rise */
    uint8_t *bytes;        /* [n_panels][quads][32][4] */
    int32_t *order;        /* [n_panels * 32] item of a slot, -1 behind the last */
    int32_t *slot;         /* [n_items] its inverse */
} HnScreenItems;

HnStatus hn_screen_items_create(const HnRankTask *task, HnScreenItems *items, HnError *err);
void hn_screen_items_free(HnScreenItems *items); /* after a failed create, too */

/* ---- rank_screen_tile.c ---- */

/* What a tile yields. products are written only where the answer is not 0; the rows are those of users. */
typedef struct HnScreenHits {
    alignas(64) int32_t products[HN_SCREEN_USERS * HN_SCREEN_ITEMS];
    float error[HN_SCREEN_LANES];      /* of the user with this panel */
    uint32_t passing[HN_SCREEN_LANES]; /* bit j: item j may reach the user's threshold, and is not masked */
} HnScreenHits;

/* Bits of the users for whom an item passes; -1 where no item of a panel of this norm can reach any threshold. masked
 * [16]: bit j of masked[u] leaves item j out. */
int hn_screen_tile(const HnScreenUsers *users, const int8_t *user_bytes, const HnScreenPanel *panel,
                   const uint8_t *item_bytes, int n_quads, const uint32_t *masked, HnScreenHits *hits);

/* ---- rank_screen_list.c ---- */

/* A user's items that may be among the k best. low and high enclose the score. */
typedef struct HnScreenList {
    int32_t *low;  /* [capacity] bits of a float, turned so that they order as integers */
    float *high;   /* [capacity] */
    int32_t *slot; /* [capacity] place of the item in the order of visits */
    int count;
} HnScreenList;

/* Room for `most` entries, and for what hn_screen_list_add may write behind them. */
int hn_screen_list_capacity(int most);
/* Adds the passing of a panel's items. */
void hn_screen_list_add(HnScreenList *list, const int32_t *products, uint32_t passing, float scale, float error,
                        int32_t first_slot);
/* The largest value that k of the entries reach for certain, if it is above the threshold; else the threshold. Drops
 * entries that cannot reach it. */
float hn_screen_list_cut(HnScreenList *list, int k, float threshold);

#endif
