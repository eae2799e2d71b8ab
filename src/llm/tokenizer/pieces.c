/* SentencePiece's pieces: U+2581 for spaces, byte pieces for what has no piece. */
#include <string.h>

#include "tokenizer_private.h"

/* "<0x0A>" */
static int byte_value(const char *text, size_t n) {
    static const char digits[] = "0123456789ABCDEF";
    const char *high = n == 6 && memcmp(text, "<0x", 3) == 0 && text[5] == '>' ? strchr(digits, text[3]) : NULL;
    const char *low = high != NULL && text[4] != '\0' ? strchr(digits, text[4]) : NULL;
    return low == NULL || text[3] == '\0' ? -1 : (int)((high - digits) * 16 + (low - digits));
}

HnStatus hn_tokenizer_add_byte_piece(HnTokenizer *tokenizer, uint32_t id, const char *text, size_t n, HnError *err) {
    const int value = byte_value(text, n);
    if (value < 0) {
        return hn_fail(err, HN_FORMAT, "piece %u is marked as a byte, but is \"%.*s\"", id, hn_token_shown(n), text);
    }
    const char byte = (char)value;
    tokenizer->byte_ids[value] = id + 1; /* 0: none yet */
    return hn_vocabulary_text(&tokenizer->vocabulary, id, &byte, 1, err);
}

HnStatus hn_tokenizer_add_piece(HnTokenizer *tokenizer, uint32_t id, const char *text, size_t n, HnError *err) {
    char spaced[HN_VOCABULARY_MOST_BYTES];
    size_t n_spaced = 0;
    if (n > sizeof spaced || !hn_utf8_valid(text, n, NULL) || n == 0) {
        return hn_fail(err, HN_FORMAT, "piece %u of %zu bytes is empty, too long, or not UTF-8", id, n);
    }
    for (size_t at = 0; at < n; n_spaced++) {
        const bool mark = hn_space_mark_at(text, n, at);
        spaced[n_spaced] = mark ? ' ' : text[at];
        at += mark ? HN_SPACE_MARK_BYTES : 1;
    }
    HN_TRY(hn_vocabulary_text(&tokenizer->vocabulary, id, spaced, n_spaced, err));
    return hn_vocabulary_index(&tokenizer->vocabulary, id, err);
}

/* Bytes' ids were kept plus one. */
HnStatus hn_tokenizer_check_byte_pieces(HnTokenizer *tokenizer, HnError *err) {
    for (int byte = 0; byte < 256; byte++) {
        if (tokenizer->byte_ids[byte] == 0) {
            return hn_fail(err, HN_FORMAT, "the vocabulary has a gap: no piece <0x%02X>", (unsigned)byte);
        }
        tokenizer->byte_ids[byte]--;
    }
    return HN_OK;
}
