/* Private to this folder: how a list of names is held. */
#ifndef HN_LLM_GENERATE_NAMES_PRIVATE_H
#define HN_LLM_GENERATE_NAMES_PRIVATE_H

#include "base/text.h"
#include "names.h"

enum { HN_NO_ITEM = -1 };

typedef struct HnNameEntry {
    uint64_t offset;
    uint32_t n_bytes, group;
} HnNameEntry;

/* An item of a group of entries that count as one name; and an entry of an item. */
typedef struct HnNameMember {
    uint64_t key; /* hash of the folded name; the item */
    uint64_t value;
} HnNameMember;

struct HnItemNames {
    HnNameEntry *entries; /* [n], by their bytes */
    uint32_t n, none;
    uint32_t *group_of;         /* [n_groups + 1]: items of a group in group_items */
    int32_t *group_items;       /* ascending inside a group */
    HnNameMember *item_entries; /* [n_item_entries] by item, then entry */
    size_t n_item_entries;
    uint64_t n_left_out, n_bytes;
    HnText text; /* all entries' bytes, in their order */
};

/* The place of the first of n members, by key, that is not below key. */
size_t hn_name_member_place(const HnNameMember *members, size_t n, uint64_t key);

#endif
