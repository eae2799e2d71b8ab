/* Shapes as declared: "[n_users+1]", "[n_pairs][dim]", "[n_pairs*n_samples]"; and whether sizes agree with them. Pure.
 */
#ifndef HN_SHAPE_H
#define HN_SHAPE_H

#include "store.h"

enum { HN_SHAPE_NAME = 24 };

typedef struct HnShape {
    int n_dims;
    struct {
        char name[HN_SHAPE_NAME];
        char times[HN_SHAPE_NAME]; /* second factor, or "" */
        uint64_t plus;
    } dims[HN_MAX_DIMS];
} HnShape;

/* false = not of the form above. */
bool hn_shape_parse(const char *text, HnShape *shape);

/* One field's presence and sizes. */
typedef struct HnExtent {
    bool present;
    uint64_t dims[HN_MAX_DIMS];
} HnExtent;

/* Do the sizes of all present fields agree on the names in their shapes? extents: one a field, in the schema's order,
 * `stride` bytes apart (they may be members of larger structs). `path` is for the message; status is what to fail with.
 */
HnStatus hn_shapes_agree(const HnSchema *schema, const HnExtent *extents, size_t stride, const char *path,
                         HnStatus status, HnError *err);

#endif
