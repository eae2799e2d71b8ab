/* Pre-tokenizers: where the reference's regular expressions cut a text, by hand over tables of character classes.
 * Pieces cover the whole text, and no token crosses from one into the next. */
#ifndef HN_LLM_TOKENIZER_SPLIT_H
#define HN_LLM_TOKENIZER_SPLIT_H

#include <stddef.h>

typedef enum HnSplit {
    HN_SPLIT_NONE,
    HN_SPLIT_GPT2,   /* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
    HN_SPLIT_LLAMA3, /* HN_SPLIT_PATTERN_LLAMA3 */
    HN_SPLIT_QWEN    /* HN_SPLIT_PATTERN_QWEN */
} HnSplit;

/* The texts by which tokenizer.json names them. */
#define HN_SPLIT_PATTERN_LLAMA3                                                                                  \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*" \
    "[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define HN_SPLIT_PATTERN_QWEN                                                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" \
    "\\s+(?!\\S)|\\s+"

/* The end of the piece of text[0 .. n_bytes) that begins at `at` (< n_bytes, the end of another piece or 0). text is
 * well-formed UTF-8. */
size_t hn_split_end(HnSplit split, const char *text, size_t n_bytes, size_t at);

#endif
