#include <stdlib.h>

#include "base/alloc.h"
#include "base/sorted.h"
#include "names_private.h"

void hn_item_names_free(HnItemNames **names) {
    if (*names) {
        hn_text_free(&(*names)->text);
        hn_free((*names)->item_entries);
        hn_free((*names)->entries);
        hn_free((*names)->group_items);
        hn_free((*names)->group_of);
        hn_free(*names);
        *names = NULL;
    }
}

uint32_t hn_item_names_count(const HnItemNames *names) {
    return names->n;
}

uint64_t hn_item_names_left_out(const HnItemNames *names) {
    return names->n_left_out;
}

uint64_t hn_item_names_bytes(const HnItemNames *names) {
    return names->n_bytes;
}

const unsigned char *hn_item_names_entry(const HnItemNames *names, uint32_t index, uint32_t *n_bytes) {
    *n_bytes = names->entries[index].n_bytes;
    return (const unsigned char *)names->text.data + names->entries[index].offset;
}

uint64_t hn_item_names_offset(const HnItemNames *names, uint32_t index) {
    return names->entries[index].offset;
}

uint32_t hn_item_names_none(const HnItemNames *names) {
    return names->none;
}

size_t hn_name_member_place(const HnNameMember *members, size_t n, uint64_t key) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (members[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool all_taken(const HnItemNames *names, uint32_t group, const int32_t *taken, size_t n_taken) {
    for (uint32_t i = names->group_of[group]; i < names->group_of[group + 1]; i++) {
        if (!hn_sorted_has(taken, n_taken, names->group_items[i])) {
            return false;
        }
    }
    return true;
}

static int by_number(const void *a, const void *b) {
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

HnStatus hn_item_names_exclude(const HnItemNames *names, const int32_t *taken, size_t n_taken, HnNameFilter *filter,
                               HnError *err) {
    size_t most = 0, n = 0;
    hn_name_filter_free(filter);
    for (int pass = 0; pass < 2; pass++) { /* counts, then takes */
        for (size_t t = 0; t < n_taken; t++) {
            uint64_t item = (uint64_t)taken[t];
            size_t at = taken[t] < 0 ? names->n_item_entries
                                     : hn_name_member_place(names->item_entries, names->n_item_entries, item);
            for (; at < names->n_item_entries && names->item_entries[at].key == item; at++) {
                uint32_t entry = (uint32_t)names->item_entries[at].value;
                if (pass == 0) {
                    most++;
                } else if (all_taken(names, names->entries[entry].group, taken, n_taken)) {
                    filter->out[n++] = (int32_t)entry;
                }
            }
        }
        if (pass == 0) {
            filter->out = hn_alloc(most, sizeof *filter->out, "names of a user's own items", err);
            if (!filter->out) {
                return HN_MEMORY;
            }
        }
    }
    qsort(filter->out, n, sizeof *filter->out, by_number);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || filter->out[i] != filter->out[i - 1]) {
            filter->out[filter->n++] = filter->out[i];
        }
    }
    return HN_OK;
}

void hn_name_filter_free(HnNameFilter *filter) {
    hn_free(filter->out);
    *filter = (HnNameFilter){0};
}

uint32_t hn_name_filter_count(const HnNameFilter *filter, uint32_t first, uint32_t end) {
    if (!filter || filter->n == 0 || first >= end) {
        return 0;
    }
    return (uint32_t)(hn_sorted_place(filter->out, filter->n, end) - hn_sorted_place(filter->out, filter->n, first));
}

void hn_item_names_narrow(const HnItemNames *names, uint32_t first, uint32_t end, uint32_t depth, unsigned char byte,
                          uint32_t *next_first, uint32_t *next_end) {
    const unsigned char *text = (const unsigned char *)names->text.data;
    uint32_t edges[2] = {0, 0};
    for (int side = 0; side < 2; side++) { /* the first entry of at least this byte, and of more */
        uint32_t low = side == 0 ? first : edges[0], high = end;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            int next = text[names->entries[middle].offset + depth];
            if (next < byte + side) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        edges[side] = low;
    }
    *next_first = edges[0];
    *next_end = edges[1];
}
