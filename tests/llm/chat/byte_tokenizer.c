#include "byte_tokenizer.h"

#include <string.h>

HnStatus hn_tokenizer_encode_behind(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                                    HnError *err) {
    (void)tokenizer;
    for (size_t i = 0; i < n_bytes; i++) {
        HN_TRY(hn_tokens_push(tokens, (unsigned char)text[i], err));
    }
    return HN_OK;
}

HnStatus hn_tokenizer_encode(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool specials,
                             HnTokens *tokens, HnError *err) {
    if (specials) {
        return hn_fail(err, HN_INTERNAL, "a chat puts its special tokens itself");
    }
    if (tokenizer->show_begin) {
        HN_TRY(hn_tokens_push(tokens, BYTE_TOKENIZER_BEGIN, err));
    }
    return hn_tokenizer_encode_behind(tokenizer, text, n_bytes, tokens, err);
}

int32_t hn_tokenizer_special(const HnTokenizer *tokenizer, const char *text) {
    for (int32_t k = 0; k < BYTE_TOKENIZER_SPECIALS; k++) {
        if (tokenizer->specials[k] != NULL && strcmp(tokenizer->specials[k], text) == 0) {
            return 256 + k;
        }
    }
    return -1;
}

HnTokenizerEnds hn_tokenizer_ends(const HnTokenizer *tokenizer) {
    return (HnTokenizerEnds){tokenizer->bos, tokenizer->eos, -1, -1};
}

HnStatus byte_tokenizer_show(const HnTokenizer *tokenizer, const HnTokens *tokens, HnText *text, HnError *err) {
    for (size_t i = 0; i < tokens->n; i++) {
        uint32_t id = tokens->ids[i];
        char byte = (char)id;
        HN_TRY(id < 256 ? hn_text_append(text, &byte, 1, err)
               : id == BYTE_TOKENIZER_BEGIN
                   ? hn_text_puts(text, "(begin)", err)
                   : hn_text_printf(text, err, "\xee\x80\x80%s\xee\x80\x81", tokenizer->specials[id - 256]));
    }
    return HN_OK;
}
