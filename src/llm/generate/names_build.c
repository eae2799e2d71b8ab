#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "names_private.h"

/* One given name, ready to be sorted. */
typedef struct Spelt {
    const unsigned char *bytes;
    uint64_t offset, hash;
    uint32_t n_bytes;
    int32_t item;
} Spelt;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whether a reader of answers takes it for None (src/semantic/answer.h), or for nothing at all. */
static bool says_none(const char *name, size_t n_bytes) {
    char word[5] = {0};
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        if (!strchr("\"'`.<>", name[i])) {
            if (n == sizeof word - 1) {
                return false;
            }
            word[n++] = name[i];
        }
    }
    return n == 0 || strcasecmp(word, "none") == 0;
}

/* Appends the bytes between the quotes and the closing quote. */
static HnStatus spell(const char *name, size_t n_bytes, HnText *text, HnError *err) {
    static const char shorts[] = "btn?fr";
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c == '"' || c == '\\') {
            HN_TRY(hn_text_append(text, "\\", 1, err));
        }
        if (c >= ' ') {
            HN_TRY(hn_text_append(text, &name[i], 1, err));
        } else if (c >= '\b' && c <= '\r' && c != '\v') {
            HN_TRY(hn_text_printf(text, err, "\\%c", shorts[c - '\b']));
        } else {
            HN_TRY(hn_text_printf(text, err, "\\u%04x", c));
        }
    }
    return hn_text_append(text, "\"", 1, err);
}

static void trim(const char **name, size_t *n_bytes) {
    for (; *n_bytes > 0 && is_blank((*name)[0]); ++*name) {
        --*n_bytes;
    }
    while (*n_bytes > 0 && is_blank((*name)[*n_bytes - 1])) {
        --*n_bytes;
    }
}

bool hn_item_name_stands(const char *name, size_t n_bytes) {
    trim(&name, &n_bytes);
    return n_bytes > 0 && n_bytes <= HN_NAME_LONGEST && !memchr(name, 0, n_bytes) &&
           hn_utf8_valid(name, n_bytes, NULL) && !says_none(name, n_bytes);
}

/* Adds one name to spelt; a name that cannot stand in an answer is counted instead. */
static HnStatus take(const HnNamed *given, HnText *text, HnText *folded, Spelt *spelt, size_t *n, uint64_t *n_left_out,
                     HnError *err) {
    const char *name = given->name;
    size_t n_bytes = given->n_bytes;
    trim(&name, &n_bytes);
    hn_text_clear(folded);
    if (given->item == HN_NO_ITEM || hn_item_name_stands(name, n_bytes)) {
        HN_TRY(hn_utf8_fold(name, n_bytes, folded, err));
    }
    if (folded->length == 0) {
        ++*n_left_out;
        return HN_OK;
    }
    uint64_t offset = text->length;
    HN_TRY(spell(name, n_bytes, text, err));
    spelt[(*n)++] = (Spelt){.offset = offset,
                            .hash = given->item == HN_NO_ITEM ? 0 : hn_checksum64(folded->data, folded->length),
                            .n_bytes = (uint32_t)(text->length - offset),
                            .item = given->item};
    return HN_OK;
}

static int by_bytes(const void *a, const void *b) {
    const Spelt *x = a, *y = b;
    uint32_t both = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    int order = memcmp(x->bytes, y->bytes, both);
    if (order == 0) { /* no entry begins another: the quote ends both */
        order = (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
    }
    return order ? order : (x->item > y->item) - (x->item < y->item);
}

static int by_key(const void *a, const void *b) {
    const HnNameMember *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return (x->value > y->value) - (x->value < y->value);
}

/* Items of one folded name, numbered from 0 in the order of the hashes: numbers [n] holds each member's. members [n]
 * are (hash, item), sorted. */
static HnStatus build_groups(HnItemNames *names, const HnNameMember *members, size_t n, uint32_t *numbers,
                             HnError *err) {
    names->group_of = hn_alloc(n + 1, sizeof *names->group_of, "names of several items", err);
    names->group_items = names->group_of ? hn_alloc(n, sizeof *names->group_items, "items by name", err) : NULL;
    if (!names->group_items) {
        return HN_MEMORY;
    }
    uint32_t n_groups = 0, n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool opens = i == 0 || members[i].key != members[i - 1].key;
        if (opens) {
            names->group_of[n_groups++] = n_kept;
        }
        if (opens || members[i].value != members[i - 1].value) {
            names->group_items[n_kept++] = (int32_t)members[i].value;
        }
        numbers[i] = n_groups - 1;
    }
    names->group_of[n_groups] = n_kept;
    return HN_OK;
}

/* spelt [n] is sorted by bytes and ends in memory of `text`; distinct ones become entries. */
static HnStatus build_entries(HnItemNames *names, const Spelt *spelt, size_t n, const HnNameMember *members,
                              const uint32_t *numbers, HnError *err) {
    for (size_t i = 0; i < n; i++) {
        bool repeats = i > 0 && spelt[i].n_bytes == spelt[i - 1].n_bytes &&
                       memcmp(spelt[i].bytes, spelt[i - 1].bytes, spelt[i].n_bytes) == 0;
        if (!repeats) {
            if (spelt[i].item == HN_NO_ITEM) {
                names->none = names->n;
            }
            names->entries[names->n++] =
                (HnNameEntry){.offset = names->text.length,
                              .n_bytes = spelt[i].n_bytes,
                              .group = numbers[hn_name_member_place(members, n, spelt[i].hash)]};
            HN_TRY(hn_text_append(&names->text, (const char *)spelt[i].bytes, spelt[i].n_bytes, err));
        }
        if (spelt[i].item != HN_NO_ITEM) {
            names->item_entries[names->n_item_entries++] = (HnNameMember){(uint64_t)spelt[i].item, names->n - 1};
        }
    }
    qsort(names->item_entries, names->n_item_entries, sizeof *names->item_entries, by_key);
    return HN_OK;
}

static HnStatus assemble(HnItemNames *names, Spelt *spelt, size_t n, HnError *err) {
    HnNameMember *members = hn_alloc(n, sizeof *members, "names by hash", err);
    uint32_t *numbers = members ? hn_alloc(n, sizeof *numbers, "numbers of names", err) : NULL;
    HnStatus status = numbers ? HN_OK : HN_MEMORY;
    for (size_t i = 0; i < n && status == HN_OK; i++) {
        members[i] = (HnNameMember){spelt[i].hash, (uint64_t)(int64_t)spelt[i].item};
    }
    if (status == HN_OK) {
        qsort(spelt, n, sizeof *spelt, by_bytes);
        qsort(members, n, sizeof *members, by_key);
        status = build_groups(names, members, n, numbers, err);
    }
    if (status == HN_OK) {
        names->entries = hn_alloc(n, sizeof *names->entries, "names", err);
        names->item_entries = names->entries ? hn_alloc(n, sizeof *names->item_entries, "names of items", err) : NULL;
        status = names->item_entries ? build_entries(names, spelt, n, members, numbers, err) : HN_MEMORY;
    }
    names->n_bytes = names->text.capacity + n * (sizeof(HnNameEntry) + sizeof(HnNameMember) + 2 * sizeof(uint32_t));
    hn_free(numbers);
    hn_free(members);
    return status;
}

HnStatus hn_item_names_create(const HnNamed *named, size_t n, HnItemNames **names, HnError *err) {
    static const HnNamed none = {"None", 4, HN_NO_ITEM};
    HnText text = {.max_bytes = (size_t)1 << 32}, folded = {0};
    size_t n_spelt = 0;
    *names = NULL;
    if (n >= INT32_MAX) {
        return hn_fail(err, HN_RANGE, "%zu names: more than an item pool can hold", n);
    }
    HnItemNames *made = hn_alloc(1, sizeof *made, "names of the item pool", err);
    Spelt *spelt = made ? hn_alloc(n + 1, sizeof *spelt, "names of the item pool", err) : NULL;
    HnStatus status = spelt ? take(&none, &text, &folded, spelt, &n_spelt, &made->n_left_out, err) : HN_MEMORY;
    for (size_t i = 0; i < n && status == HN_OK; i++) {
        status = named[i].item < 0 ? hn_fail(err, HN_RANGE, "name %zu belongs to no item", i)
                                   : take(&named[i], &text, &folded, spelt, &n_spelt, &made->n_left_out, err);
    }
    for (size_t i = 0; i < n_spelt && status == HN_OK; i++) {
        spelt[i].bytes = (const unsigned char *)text.data + spelt[i].offset;
    }
    if (status == HN_OK) {
        made->text.max_bytes = text.max_bytes;
        status = assemble(made, spelt, n_spelt, err);
    }
    hn_free(spelt);
    hn_text_free(&text);
    hn_text_free(&folded);
    if (status != HN_OK) {
        hn_item_names_free(&made);
    }
    *names = made;
    return status;
}
