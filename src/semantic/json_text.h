/* Writing JSON by hand, for prompts and request bodies: the one thing to get right is a string. */
#ifndef HN_SEMANTIC_JSON_TEXT_H
#define HN_SEMANTIC_JSON_TEXT_H

#include <stddef.h>

#include "base/text.h"

/* Appends bytes as a JSON string with its quotes. Control characters are escaped; bytes that are not UTF-8 become
 * U+FFFD, so that the result is always valid JSON. */
HnStatus hn_json_string(HnText *out, const char *bytes, size_t n_bytes, HnError *err);

#endif
