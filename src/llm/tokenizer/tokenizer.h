/* Text to token ids and back, with the ids of the reference libraries.
 *
 * Three kinds: SentencePiece BPE with byte fallback (Llama 2, Mistral), byte-level BPE (GPT-2, Llama 3, Qwen),
 * WordPiece (BERT). Text is plain text: a special token written inside it is cut like any other characters. Ill-formed
 * UTF-8: each maximal ill-formed part counts as U+FFFD, as the reference libraries' callers decode it. A tokenizer is
 * read-only after opening; any number of threads may use it. Texts of any length take time in proportion (n log n in
 * words that nothing cuts).
 *
 * Kept apart: split.h cuts a text into words by the classes of unicode.h, merges.h and wordpiece.c make tokens of
 * words, added.h finds added tokens before either; read_*.c read one form of files each.
 */
#ifndef HN_LLM_TOKENIZER_TOKENIZER_H
#define HN_LLM_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

typedef struct HnTokenizer HnTokenizer;

/* A growing list of token ids. Zero-initialise; free with hn_tokens_free. */
typedef struct HnTokens {
    uint32_t *ids;
    size_t n, capacity;
} HnTokens;

HnStatus hn_tokens_push(HnTokens *tokens, uint32_t id, HnError *err);
void hn_tokens_free(HnTokens *tokens);

/* From tokenizer.json, tokenizer.model (SentencePiece, or tiktoken's text), vocab.json + merges.txt, encoder.json +
 * vocab.bpe, or vocab.txt, in this order, with tokenizer_config.json, special_tokens_map.json and added_tokens.json
 * where they are. folder may be a hub cache's. A limit on a text's length in these files is not applied: callers have
 * their own. HN_UNSUPPORTED names what this reader does not know. */
HnStatus hn_tokenizer_open(const char *folder, HnTokenizer **tokenizer, HnError *err);
void hn_tokenizer_close(HnTokenizer **tokenizer);

/* Appends the ids of text. specials: also what the tokenizer itself puts around one text (BOS; [CLS] .. [SEP]). */
HnStatus hn_tokenizer_encode(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, bool specials,
                             HnTokens *tokens, HnError *err);
/* The same for text that stands behind a special token inside a longer text: without the leading space of tokenizers
 * that put one at a text's beginning only. */
HnStatus hn_tokenizer_encode_behind(const HnTokenizer *tokenizer, const char *text, size_t n_bytes, HnTokens *tokens,
                                    HnError *err);
/* Appends the text of ids; special tokens are left out unless asked for. */
HnStatus hn_tokenizer_decode(const HnTokenizer *tokenizer, const uint32_t *ids, size_t n, bool specials, HnText *text,
                             HnError *err);

/* The same token by token: what is pushed comes out as soon as its bytes are whole characters. Zero-initialise (or set
 * specials); ids that stand for nothing add nothing. finish gives what never became whole, as U+FFFD. */
typedef struct HnTokenizerStream {
    bool specials; /* special tokens too */
    bool begun;
    unsigned n_held;
    char held[8];
} HnTokenizerStream;
HnStatus hn_tokenizer_stream_push(const HnTokenizer *tokenizer, HnTokenizerStream *stream, uint32_t id, HnText *text,
                                  HnError *err);
HnStatus hn_tokenizer_stream_finish(const HnTokenizer *tokenizer, HnTokenizerStream *stream, HnText *text,
                                    HnError *err);

/* One past the largest id. Ids between may be unused. */
uint32_t hn_tokenizer_size(const HnTokenizer *tokenizer);
/* The bytes that a token adds inside a text (not at its beginning: SentencePiece's leading space stays), or NULL for
 * special and unused ids. They live as long as the tokenizer. */
const char *hn_tokenizer_bytes(const HnTokenizer *tokenizer, uint32_t id, size_t *n_bytes);
/* The id of a special token by its text ("<|eot_id|>"), or -1. */
int32_t hn_tokenizer_special(const HnTokenizer *tokenizer, const char *text);
bool hn_tokenizer_is_special(const HnTokenizer *tokenizer, uint32_t id);
typedef struct HnTokenizerEnds {
    int32_t bos, eos, unk, pad; /* ids, or -1 */
} HnTokenizerEnds;
HnTokenizerEnds hn_tokenizer_ends(const HnTokenizer *tokenizer);
/* Whether upper and lower case are the same to it. */
bool hn_tokenizer_lowers(const HnTokenizer *tokenizer);

#endif
