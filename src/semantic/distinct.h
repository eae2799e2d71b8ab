/* The distinct texts among the hard negatives: pool items repeat, and each text is embedded (and paid for) once. */
#ifndef HN_SEMANTIC_DISTINCT_H
#define HN_SEMANTIC_DISTINCT_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum { HN_NO_TEXT = UINT32_MAX };

typedef struct HnDistinct HnDistinct;

/* Reads a sealed negatives store. What is embedded is the negative's text, followed on a line of its own by the profile
 * of the pool item that it names, where item_profiles (may be NULL) holds one. */
HnStatus hn_distinct_open(const char *negatives, const char *item_profiles, HnDistinct **distinct, HnError *err);
void hn_distinct_close(HnDistinct **distinct);
uint64_t hn_distinct_count(const HnDistinct *distinct);
uint64_t hn_distinct_pairs(const HnDistinct *distinct);
uint64_t hn_distinct_samples(const HnDistinct *distinct);
/* Numbers of the texts of a pair's samples ([samples], HN_NO_TEXT = no text), in order of first appearance. */
const uint32_t *hn_distinct_of_pair(const HnDistinct *distinct, uint64_t pair);
/* Replaces *out by text number `number`. */
HnStatus hn_distinct_text(HnDistinct *distinct, uint32_t number, HnText *out, HnError *err);

#endif
