/* tiktoken's text, as Llama 3 has it in tokenizer.model: a line "base64 rank" a token. Special tokens stand in no file:
 * the 256 ids behind the ranks are theirs. */
#include <stdio.h>
#include <string.h>

#include "tokenizer_private.h"

enum { N_SPECIAL = 256 };

static int digit_of(char c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Base64 with padding; false where it is none. bytes has room for 3 / 4 of n. */
static bool read_base64(const char *text, size_t n, char *bytes, size_t *n_bytes) {
    *n_bytes = 0;
    if (n == 0 || n % 4 != 0) {
        return false;
    }
    for (size_t at = 0; at < n; at += 4) {
        const bool last = at + 4 == n;
        const size_t n_pads = !last || text[at + 3] != '=' ? 0 : text[at + 2] == '=' ? 2 : 1;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; i++) {
            const int digit = i >= 4 - n_pads ? 0 : digit_of(text[at + i]);
            if (digit < 0) {
                return false;
            }
            bits = bits << 6 | (uint32_t)digit;
        }
        for (size_t i = 0; i < 3 - n_pads; i++) {
            bytes[(*n_bytes)++] = (char)(bits >> (16 - 8 * i));
        }
    }
    return true;
}

static HnStatus read_line(HnTokenizer *tokenizer, const char *line, size_t n, uint64_t number, HnError *err) {
    const char *space = memchr(line, ' ', n);
    char bytes[HN_VOCABULARY_MOST_BYTES], rank_text[24] = "";
    size_t n_bytes = 0;
    uint64_t rank = 0;
    const size_t n_base64 = space == NULL ? 0 : (size_t)(space - line);
    const size_t n_rank = space == NULL ? 0 : n - n_base64 - 1;
    if (n_rank > 0 && n_rank < sizeof rank_text) {
        memcpy(rank_text, space + 1, n_rank);
    }
    if (n_base64 / 4 * 3 > sizeof bytes || !read_base64(line, n_base64, bytes, &n_bytes) ||
        !hn_parse_u64(rank_text, &rank)) {
        return hn_fail(err, HN_FORMAT, "line %llu is no \"base64 rank\": \"%.*s\"", (unsigned long long)number,
                       hn_token_shown(n), line);
    }
    HN_TRY(hn_vocabulary_add(&tokenizer->vocabulary, rank, bytes, n_bytes, 0, err));
    return hn_vocabulary_index(&tokenizer->vocabulary, (uint32_t)rank, err);
}

/* The names of llama-models; tokenizer_config.json may have others for ids that nobody uses here. */
HnStatus hn_tokenizer_name_specials(HnTokenizer *tokenizer, HnError *err) {
    static const char *const names[] = {
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>",
        "<|finetune_right_pad_id|>",
        "<|step_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
        "<|python_tag|>",
    };
    const uint32_t from = tokenizer->vocabulary.size;
    enum { N_NAMES = sizeof names / sizeof names[0] };
    for (uint32_t i = 0; i < N_SPECIAL; i++) {
        char reserved[48];
        (void)snprintf(reserved, sizeof reserved, "<|reserved_special_token_%u|>", i + 2 - N_NAMES);
        const char *name = i < N_NAMES ? names[i] : reserved;
        HN_TRY(hn_tokenizer_add(tokenizer, from + i, name, strlen(name), true, false, err));
    }
    return HN_OK;
}

HnStatus hn_tokenizer_read_tiktoken(HnTokenizer *tokenizer, const char *bytes, size_t n_bytes, HnError *err) {
    tokenizer->kind = HN_TOKENIZER_BYTES;
    tokenizer->from = HN_FROM_TIKTOKEN;
    tokenizer->split = HN_SPLIT_LLAMA3;
    tokenizer->trust_whole = true;
    uint64_t number = 0;
    for (size_t at = 0; at < n_bytes;) {
        size_t n = 0;
        const char *line = hn_tokenizer_next_line(bytes, n_bytes, &at, &n);
        number++;
        if (n > 0) {
            HN_TRY(read_line(tokenizer, line, n, number, err));
        }
    }
    HnVocabulary *vocabulary = &tokenizer->vocabulary;
    for (uint32_t id = 0; id < vocabulary->size; id++) {
        if (vocabulary->tokens[id].text == NULL) {
            return hn_fail(err, HN_FORMAT, "the vocabulary has a gap: no token of rank %u", id);
        }
    }
    tokenizer->ends.bos = (int32_t)vocabulary->size;
    tokenizer->ends.eos = (int32_t)vocabulary->size + 1;
    HN_TRY(hn_tokens_push(&tokenizer->before, vocabulary->size, err));
    HN_TRY(hn_tokenizer_find_bytes(tokenizer, err));
    HN_TRY(hn_tokenizer_merge_splits(tokenizer, NULL, err));
    return hn_tokenizer_finish_merges(tokenizer, err);
}
