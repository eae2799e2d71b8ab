/* What a tokenizer consists of, for its readers (read_*.c), encoders and decoders. */
#ifndef HN_LLM_TOKENIZER_TOKENIZER_PRIVATE_H
#define HN_LLM_TOKENIZER_TOKENIZER_PRIVATE_H

#include <string.h>

#include "added.h"
#include "merges.h"
#include "split.h"
#include "tokenizer.h"
#include "unicode.h"
#include "vocabulary.h"

typedef enum HnTokenizerKind { HN_TOKENIZER_BYTES, HN_TOKENIZER_PIECES, HN_TOKENIZER_WORDS } HnTokenizerKind;

/* SentencePiece's stand-in for a space, U+2581. */
#define HN_SPACE_MARK "\xE2\x96\x81"
enum { HN_SPACE_MARK_BYTES = 3 };
/* Whether text[at .. n_bytes) begins with one. */
static inline bool hn_space_mark_at(const char *text, size_t n_bytes, size_t at) {
    return n_bytes - at >= HN_SPACE_MARK_BYTES && memcmp(text + at, HN_SPACE_MARK, HN_SPACE_MARK_BYTES) == 0;
}

/* The size of a file that is read whole: larger ones are no tokenizer's. */
enum { HN_TOKENIZER_MOST_FILE_BYTES = 256 << 20 };

typedef enum HnPrefix {
    HN_PREFIX_NONE,
    HN_PREFIX_FIRST,      /* a space before the text */
    HN_PREFIX_EACH,       /* also behind each added token in it */
    HN_PREFIX_FIRST_LEAN, /* FIRST, unless there is a space */
    HN_PREFIX_EACH_LEAN
} HnPrefix;

/* What a tokenizer was read from, as far as the files beside it matter for that. */
typedef enum HnTokenizerFrom { HN_FROM_JSON, HN_FROM_SENTENCEPIECE, HN_FROM_TIKTOKEN, HN_FROM_LISTS } HnTokenizerFrom;

struct HnTokenizer {
    HnTokenizerKind kind;
    HnTokenizerFrom from;
    HnVocabulary vocabulary;
    HnAddedTokens added;
    HnTokens before, after; /* what encloses a text where specials are asked for */
    HnTokenizerEnds ends;
    /* BYTES and PIECES */
    HnMerges merges;
    uint32_t byte_ids[256]; /* tokens of single bytes; PIECES: where no piece fits */
    bool trust_whole;       /* a piece of text that is a token is that token, whatever the merges say */
    /* BYTES */
    HnSplit split;
    bool nfc;
    /* PIECES */
    HnPrefix prefix;
    bool marks_spaces;  /* so says the normalizer of tokenizer.json */
    bool trim;          /* spaces at the ends go, runs become one */
    bool cut_at_spaces; /* no token has a space mark behind another character */
    /* WORDS */
    HnBertText bert;
    uint32_t most_chars; /* longer words are unknown */
};

/* ---- readers: a fresh tokenizer from one form of files ---- */
HnStatus hn_tokenizer_read_json(HnTokenizer *tokenizer, const char *path, HnError *err);
HnStatus hn_tokenizer_read_sentencepiece(HnTokenizer *tokenizer, const char *bytes, size_t n_bytes, HnError *err);
HnStatus hn_tokenizer_read_tiktoken(HnTokenizer *tokenizer, const char *bytes, size_t n_bytes, HnError *err);
HnStatus hn_tokenizer_read_bpe(HnTokenizer *tokenizer, const char *vocabulary, const char *merges, HnError *err);
HnStatus hn_tokenizer_read_words(HnTokenizer *tokenizer, const char *path, HnError *err);
/* Then what the other files add: tokenizer_config.json, special_tokens_map.json, config.json's model type. */
HnStatus hn_tokenizer_read_config(HnTokenizer *tokenizer, const char *folder, HnError *err);

/* ---- what readers share ---- */

/* GPT-2's letters for bytes, in which its vocabularies are written: the bytes of text (well-formed UTF-8; bytes has
 * room for n_text); false where a character is none of the 256. */
bool hn_byte_letters_read(const char *text, size_t n_text, char *bytes, size_t *n_bytes);
/* After the vocabulary: byte_ids of single-byte tokens; a missing one is HN_FORMAT. */
HnStatus hn_tokenizer_find_bytes(HnTokenizer *tokenizer, HnError *err);
/* A token of the vocabulary that is a SentencePiece piece: its text with spaces for marks, and it can be found. */
HnStatus hn_tokenizer_add_piece(HnTokenizer *tokenizer, uint32_t id, const char *text, size_t n, HnError *err);
/* A byte piece "<0x0A>" of the vocabulary; HN_FORMAT where the text is none. */
HnStatus hn_tokenizer_add_byte_piece(HnTokenizer *tokenizer, uint32_t id, const char *text, size_t n, HnError *err);
/* After all of them: each byte must have one. */
HnStatus hn_tokenizer_check_byte_pieces(HnTokenizer *tokenizer, HnError *err);
/* A word, or "##" and the rest of one: a token of the vocabulary, and it can be found. */
HnStatus hn_tokenizer_add_wordpiece(HnTokenizer *tokenizer, const char *text, size_t n, uint64_t id, HnError *err);
/* Merge number n, of which a lower one comes first; its tokens as the vocabulary's file writes them. */
HnStatus hn_tokenizer_add_merge(HnTokenizer *tokenizer, const char *first, size_t n_first, const char *second,
                                size_t n_second, uint64_t number, HnError *err);
HnStatus hn_tokenizer_add_merge_line(HnTokenizer *tokenizer, const char *line, size_t n, uint64_t number, HnError *err);
/* Llama 3's special tokens, where no file names them: the 256 ids behind the ranks. */
HnStatus hn_tokenizer_name_specials(HnTokenizer *tokenizer, HnError *err);
/* The line at *at (< n_bytes) without its end, its length, and *at behind it. */
const char *hn_tokenizer_next_line(const char *bytes, size_t n_bytes, size_t *at, size_t *n_line);
/* After tokens and merges: which tokens are what their own text is encoded as; whether spaces may be cut at. */
HnStatus hn_tokenizer_finish_merges(HnTokenizer *tokenizer, HnError *err);
/* All pairs of tokens whose bytes together are a token become merges of that token's rank (by id). */
HnStatus hn_tokenizer_merge_splits(HnTokenizer *tokenizer, const uint32_t *ranks, HnError *err);
/* An added token: a new id, or a name for one that the vocabulary has. */
HnStatus hn_tokenizer_add(HnTokenizer *tokenizer, uint64_t id, const char *text, size_t n_text, bool special,
                          bool normalized, HnError *err);

/* After the last added token: brings those that are looked for in normalised text into its form. */
HnStatus hn_tokenizer_finish_added(HnTokenizer *tokenizer, HnError *err);

/* ---- encoding ---- */

/* Ids of one word, by merges; word is what the vocabulary's keys are written in. */
HnStatus hn_encode_word(const HnTokenizer *tokenizer, const char *word, size_t n_bytes, HnTokens *tokens, HnError *err);
/* Ids of a section between added tokens; first: it begins the text. */
HnStatus hn_encode_bytes(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                         HnError *err);
HnStatus hn_encode_pieces(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool first, HnTokens *tokens,
                          HnError *err);
HnStatus hn_encode_words(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                         HnError *err);

#endif
