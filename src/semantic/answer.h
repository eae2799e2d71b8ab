/* What a language model answered, checked against the contract of its prompt: one JSON object with the fixed keys.
 *
 * First strictly: the whole answer is the object. Then one repair: the first balanced object inside the answer (behind
 * a code fence or talk), further keys ignored. Nothing else is guessed; what still does not fit is noise, with a
 * reason.
 */
#ifndef HN_SEMANTIC_ANSWER_H
#define HN_SEMANTIC_ANSWER_H

#include <stdbool.h>

#include "base/error.h"
#include "provider.h"

enum { HN_MAX_ITEM_WORDS = 20 }; /* longest name of a hard negative that the contract allows */

typedef struct HnParsed {
    bool good;     /* both keys found, both strings, the first one not empty */
    bool repaired; /* only after the repair */
    bool none;     /* hard negative: "None", null or empty: the model found none */
    char *text;    /* summarization or hard_negative_item, trimmed; NULL unless good */
    char *reasoning;
    char why[160]; /* why it is noise */
} HnParsed;

/* HN_OK also for noise; fails only for lack of memory. Free with hn_parsed_free. */
HnStatus hn_answer_parse(HnTask task, const char *raw, HnParsed *parsed, HnError *err);
void hn_parsed_free(HnParsed *parsed);

#endif
