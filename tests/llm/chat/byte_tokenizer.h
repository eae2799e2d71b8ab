/* A tokenizer of single bytes: id = byte; special tokens from 256 on. It stands in for tokenizer.c, so that what a chat
 * template writes can be read back byte by byte. */
#ifndef HN_TEST_BYTE_TOKENIZER_H
#define HN_TEST_BYTE_TOKENIZER_H

#include "llm/tokenizer/tokenizer.h"

enum { BYTE_TOKENIZER_SPECIALS = 8, BYTE_TOKENIZER_BEGIN = 300 };

struct HnTokenizer {
    const char *specials[BYTE_TOKENIZER_SPECIALS]; /* NULL: none */
    int32_t bos, eos;                              /* ids, or -1 */
    bool show_begin;                               /* hn_tokenizer_encode puts BYTE_TOKENIZER_BEGIN before its text */
};

/* Special tokens stand between U+E000 and U+E001. */
HnStatus byte_tokenizer_show(const HnTokenizer *tokenizer, const HnTokens *tokens, HnText *text, HnError *err);

#endif
