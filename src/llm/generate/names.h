/* The names that a constrained answer may hold: those of the item pool, and the contract's "None".
 *
 * A name stands as the bytes it has between the quotes of a JSON string, spelt one way: `"` and `\` behind a backslash,
 * control characters as \b \f \n \r \t or \u00xx, all else as it is; the closing quote ends it, so a name that begins
 * another is told from it by that quote. Names are kept sorted; "the names that go on like this" is a range of them,
 * and a user's own items are a short list of entries to leave out: nothing is built or copied per user.
 *
 * Names are the same where their folded forms are (hn_utf8_fold, as the item pool compares them). A name of several
 * items is allowed while one of them is not the user's; which one is then meant, the pool decides. Left out and
 * counted: names that are empty, no UTF-8, longer than HN_NAME_LONGEST bytes, or that a reader takes for None.
 */
#ifndef HN_LLM_GENERATE_NAMES_H
#define HN_LLM_GENERATE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { HN_NAME_LONGEST = 1000 };

typedef struct HnItemNames HnItemNames; /* read-only after it was made */

typedef struct HnNamed {
    const char *name; /* plain text; blanks around it are dropped */
    size_t n_bytes;
    int32_t item;
} HnNamed;

/* Whether a name can stand in an answer: it is not left out (but for one of blanks alone beyond ASCII). */
bool hn_item_name_stands(const char *name, size_t n_bytes);
/* An item may come under several names. */
HnStatus hn_item_names_create(const HnNamed *named, size_t n, HnItemNames **names, HnError *err);
void hn_item_names_free(HnItemNames **names);
uint32_t hn_item_names_count(const HnItemNames *names);    /* distinct spellings, None included */
uint64_t hn_item_names_left_out(const HnItemNames *names); /* of the n given */
uint64_t hn_item_names_bytes(const HnItemNames *names);    /* memory held */

/* Entry `index` of the sorted list: its bytes with the closing quote, n_bytes of them. */
const unsigned char *hn_item_names_entry(const HnItemNames *names, uint32_t index, uint32_t *n_bytes);
uint64_t hn_item_names_offset(const HnItemNames *names, uint32_t index); /* of its bytes among all entries' bytes */
uint32_t hn_item_names_none(const HnItemNames *names);                   /* the index of None */

/* Entries that a request must not write, ascending. Zero-initialise; free with hn_name_filter_free. */
typedef struct HnNameFilter {
    int32_t *out;
    size_t n;
} HnNameFilter;

/* taken [n_taken], ascending: items that may not be named. */
HnStatus hn_item_names_exclude(const HnItemNames *names, const int32_t *taken, size_t n_taken, HnNameFilter *filter,
                               HnError *err);
void hn_name_filter_free(HnNameFilter *filter);
/* How many of the entries first .. end-1 are left out; filter may be NULL. */
uint32_t hn_name_filter_count(const HnNameFilter *filter, uint32_t first, uint32_t end);

/* Entries first .. end-1 of at least depth bytes that share their first depth bytes: those of them whose next byte is
 * `byte`, as the range *next_first .. *next_end-1 (empty where there are none). */
void hn_item_names_narrow(const HnItemNames *names, uint32_t first, uint32_t end, uint32_t depth, unsigned char byte,
                          uint32_t *next_first, uint32_t *next_end);

#endif
