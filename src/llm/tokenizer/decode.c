/* Ids to text. Bytes that do not make a character yet wait for the next token. */
#include <string.h>

#include "base/alloc.h"
#include "tokenizer_private.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* What waits becomes text as far as it is complete; all of it where no more comes. Ill-formed parts become U+FFFD: one
 * for each byte where pieces stand for bytes, else one for each maximal part, as the reference decodes. */
static HnStatus release(const HnTokenizer *tokenizer, HnTokenizerStream *stream, bool last, HnText *text,
                        HnError *err) {
    size_t at = 0;
    while (at < stream->n_held) {
        size_t n_good = stream->n_held - at;
        (void)hn_utf8_valid(stream->held + at, stream->n_held - at, &n_good);
        HN_TRY(hn_text_append(text, stream->held + at, n_good, err));
        at += n_good;
        if (at == stream->n_held) {
            break;
        }
        bool unfinished = false;
        size_t bad = hn_unicode_bad_length(stream->held + at, stream->n_held - at, &unfinished);
        if (unfinished && !last) {
            break;
        }
        bad = tokenizer->kind == HN_TOKENIZER_PIECES ? 1 : bad;
        HN_TRY(hn_text_append(text, REPLACEMENT, 3, err));
        at += bad;
    }
    memmove(stream->held, stream->held + at, stream->n_held - at);
    stream->n_held -= (unsigned)at;
    return HN_OK;
}

/* Bytes behind those that wait: through the buffer by a few, the middle of a long token directly. */
static HnStatus put_bytes(const HnTokenizer *tokenizer, HnTokenizerStream *stream, const char *bytes, size_t n,
                          HnText *text, HnError *err) {
    while (n > 0) {
        size_t n_good = n;
        if (stream->n_held == 0 && (hn_utf8_valid(bytes, n, &n_good) || n_good > 0)) {
            HN_TRY(hn_text_append(text, bytes, n_good, err));
            bytes += n_good;
            n -= n_good;
            continue;
        }
        stream->held[stream->n_held++] = *bytes++;
        n--;
        HN_TRY(release(tokenizer, stream, false, text, err));
    }
    return HN_OK;
}

/* WordPiece joins words by spaces, but not in front of these. */
static bool closes_up(const HnToken *token) {
    static const char *const ends[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const size_t n = strlen(ends[i]);
        if (token->n_text > n && memcmp(token->text + 1, ends[i], n) == 0) {
            return true;
        }
    }
    return false;
}

/* The space before a text that SentencePiece puts there itself, and spaces that WordPiece has between words.
 * tokenizer.json strips the former whatever it came from, SentencePiece not that of a byte piece. */
static bool drops_space(const HnTokenizer *tokenizer, const HnTokenizerStream *stream, const HnToken *token) {
    switch (tokenizer->kind) {
    case HN_TOKENIZER_PIECES:
        return !stream->begun && (tokenizer->prefix != HN_PREFIX_NONE || tokenizer->trim) &&
               (tokenizer->from == HN_FROM_JSON || (token->flags & HN_TOKEN_BYTE) == 0);
    case HN_TOKENIZER_WORDS:
        return !stream->begun || closes_up(token);
    default:
        return false;
    }
}

HnStatus hn_tokenizer_stream_push(const HnTokenizer *tokenizer, HnTokenizerStream *stream, uint32_t id, HnText *text,
                                  HnError *err) {
    if (id >= tokenizer->vocabulary.size || tokenizer->vocabulary.tokens[id].text == NULL) {
        return HN_OK;
    }
    const HnToken *token = &tokenizer->vocabulary.tokens[id];
    if ((token->flags & HN_TOKEN_SPECIAL) != 0 && !stream->specials) {
        return HN_OK;
    }
    if (tokenizer->kind == HN_TOKENIZER_PIECES && (token->flags & HN_TOKEN_BYTE) == 0) {
        HN_TRY(release(tokenizer, stream, true, text, err));
    }
    const char *bytes = token->text;
    size_t n = token->n_text;
    if (n > 0 && bytes[0] == ' ' && drops_space(tokenizer, stream, token)) {
        bytes++;
        n--;
    } else if (!stream->begun && (token->flags & HN_TOKEN_INNER) != 0) {
        HN_TRY(put_bytes(tokenizer, stream, "##", 2, text, err)); /* continues nothing: as the reference shows it */
    }
    /* Where spaces are trimmed, SentencePiece goes on dropping them until there is some text. */
    stream->begun = stream->begun || !tokenizer->trim || n > 0;
    return put_bytes(tokenizer, stream, bytes, n, text, err);
}

HnStatus hn_tokenizer_stream_finish(const HnTokenizer *tokenizer, HnTokenizerStream *stream, HnText *text,
                                    HnError *err) {
    return release(tokenizer, stream, true, text, err);
}

HnStatus hn_tokenizer_decode(const HnTokenizer *tokenizer, const uint32_t *ids, size_t n, bool specials, HnText *text,
                             HnError *err) {
    HnTokenizerStream stream = {.specials = specials};
    for (size_t i = 0; i < n; i++) {
        HN_TRY(hn_tokenizer_stream_push(tokenizer, &stream, ids[i], text, err));
    }
    return hn_tokenizer_stream_finish(tokenizer, &stream, text, err);
}
