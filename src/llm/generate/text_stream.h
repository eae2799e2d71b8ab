/* Private to this folder: the text of an answer as it comes, token by token. What is handed on is well-formed UTF-8
 * that no later token can change: a character that is not whole yet waits, like what may become a stop string. Bytes
 * that are no character are U+FFFD, one for each maximal ill-formed part, as the tokenizers decode them.
 */
#ifndef HN_LLM_GENERATE_TEXT_STREAM_H
#define HN_LLM_GENERATE_TEXT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

typedef struct HnTextStream {
    HnText waiting, text; /* bytes not settled; the text so far */
    char **stops;         /* [n_stops], not empty, owned */
    size_t *stop_bytes;
    size_t n_stops;
} HnTextStream;

/* stops are copied. On failure everything is freed. */
HnStatus hn_text_stream_begin(HnTextStream *stream, const char *const *stops, size_t n_stops, HnError *err);
void hn_text_stream_free(HnTextStream *stream);
/* *stopped: a stop string stands in the bytes; the text ends before the first, and nothing may be pushed any more. */
HnStatus hn_text_stream_push(HnTextStream *stream, const char *bytes, size_t n_bytes, bool *stopped, HnError *err);
/* No more bytes come: what waits is text. */
HnStatus hn_text_stream_end(HnTextStream *stream, HnError *err);

#endif
