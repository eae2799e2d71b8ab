/* An instruction and an input as the tokens of one prompt, for models that write and models that embed. */
#ifndef HN_LLM_TOKENIZER_TURNS_H
#define HN_LLM_TOKENIZER_TURNS_H

#include "llm/tokenizer/chat.h"

/* Replaces *tokens. chat: turns of its template; a template without a system turn gets the instruction at the head of
 * the user's. chat NULL: instruction, an empty line, input, with what the tokenizer puts around one text. system may be
 * "". answer: also what opens the assistant's answer (chat only). */
HnStatus hn_turns_render(const HnTokenizer *tokenizer, const HnChat *chat, const char *system, const char *input,
                         bool answer, HnTokens *tokens, HnError *err);

#endif
