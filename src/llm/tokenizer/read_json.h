/* Reading tokenizer.json and its neighbours: what the readers share. */
#ifndef HN_LLM_TOKENIZER_READ_JSON_H
#define HN_LLM_TOKENIZER_READ_JSON_H

#include <jansson.h>

#include "tokenizer_private.h"

/* The file's value, for json_decref; HN_FORMAT names the line. */
HnStatus hn_json_file(const char *path, json_t **json, HnError *err);
/* A step's or a model's "type", or "(none)". */
const char *hn_json_type(const json_t *object);
/* A token's id: an integer from 0 up; -1 where the value is none. */
int64_t hn_json_id(const json_t *value);
/* An entry of added_tokens or added_tokens_decoder. */
HnStatus hn_json_added_token(HnTokenizer *tokenizer, uint64_t id, const json_t *token, HnError *err);
/* {"token": id, ...} in GPT-2's letters for bytes. */
HnStatus hn_tokenizer_add_letters(HnTokenizer *tokenizer, const json_t *vocabulary, HnError *err);

/* The steps of tokenizer.json around its model; what is not supported is refused by its name. kind is set; the
 * vocabulary and the added tokens are there before post_processor, which names tokens. */
HnStatus hn_json_normalizer(HnTokenizer *tokenizer, const json_t *step, HnError *err);
HnStatus hn_json_pre_tokenizer(HnTokenizer *tokenizer, const json_t *step, HnError *err);
HnStatus hn_json_post_processor(HnTokenizer *tokenizer, const json_t *step, HnError *err);
HnStatus hn_json_decoder(const HnTokenizer *tokenizer, const json_t *step, HnError *err);

#endif
