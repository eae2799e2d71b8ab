/* WordPiece: words cut at white space and punctuation, then the longest token first. */
#include <string.h>

#include "base/alloc.h"
#include "tokenizer_private.h"

/* The longest token of map that text begins with; its bytes, or 0. hashes[i] is for room of the longest token. */
static size_t longest_token(const HnTokenizer *tokenizer, const HnTokenMap *map, const char *text, size_t n_bytes,
                            uint64_t *hashes, uint32_t *id) {
    const size_t most = n_bytes < tokenizer->vocabulary.longest ? n_bytes : tokenizer->vocabulary.longest;
    uint64_t hash = HN_TOKEN_HASH_START;
    for (size_t i = 0; i < most; i++) {
        hash = hn_token_hash_byte(hash, text[i]);
        hashes[i] = hash;
    }
    for (size_t length = most; length > 0; length--) {
        const bool cuts = length < n_bytes && ((unsigned char)text[length] & 0xc0) == 0x80;
        const int64_t found =
            cuts ? -1 : hn_token_map_find(&tokenizer->vocabulary, map, hashes[length - 1], text, length);
        if (found >= 0) {
            *id = (uint32_t)found;
            return length;
        }
    }
    return 0;
}

static HnStatus encode_word(const HnTokenizer *tokenizer, const char *word, size_t n_bytes, size_t n_chars,
                            uint64_t *hashes, HnTokens *tokens, HnError *err) {
    const size_t n_before = tokens->n;
    const HnTokenMap *map = &tokenizer->vocabulary.map;
    for (size_t at = 0; n_chars <= tokenizer->most_chars && at < n_bytes;) {
        uint32_t id = 0;
        const size_t length = longest_token(tokenizer, map, word + at, n_bytes - at, hashes, &id);
        if (length == 0) {
            tokens->n = n_before;
            break;
        }
        HN_TRY(hn_tokens_push(tokens, id, err));
        at += length;
        map = &tokenizer->vocabulary.inner;
    }
    return tokens->n == n_before ? hn_tokens_push(tokens, (uint32_t)tokenizer->ends.unk, err) : HN_OK;
}

HnStatus hn_encode_words(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                         HnError *err) {
    uint64_t *hashes = hn_alloc(tokenizer->vocabulary.longest, sizeof *hashes, "hashes of a word's beginnings", err);
    if (hashes == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    size_t begin = 0, n_chars = 0; /* of the word so far */
    for (size_t at = 0, length; at < n_bytes && status == HN_OK; at += length) {
        const unsigned flags = hn_char_flags(hn_char_at(text + at, &length));
        const bool ends = (flags & (HN_CHAR_SPACE | HN_CHAR_PUNCTUATION)) != 0;
        n_chars += ends ? 0 : 1;
        if (!ends && at + length < n_bytes) {
            continue;
        }
        const size_t end = ends ? at : at + length;
        if (end > begin) {
            status = encode_word(tokenizer, text + begin, end - begin, n_chars, hashes, tokens, err);
        }
        if (status == HN_OK && (flags & HN_CHAR_PUNCTUATION) != 0) {
            status = encode_word(tokenizer, text + at, length, 1, hashes, tokens, err);
        }
        begin = at + length;
        n_chars = 0;
    }
    hn_free(hashes);
    return status;
}
