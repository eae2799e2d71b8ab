/* Chat templates without Jinja: one renderer in C for each supported template, chosen by the SHA-256 of the template's
 * text. A template that is not known is refused. Markers become special tokens; what users and models wrote stays plain
 * text whatever it contains. BOS stands at most once. What stands between two markers is cut into tokens in one go, as
 * in the reference library. Llama 3.1 and 3.2 tell the model a date: it is always their template's own, 26 Jul 2024, so
 * that a run can be repeated (the reference puts today's into 3.2's). */
#ifndef HN_LLM_TOKENIZER_CHAT_H
#define HN_LLM_TOKENIZER_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "tokenizer.h"

typedef struct HnChat HnChat;

typedef struct HnChatTurn {
    const char *role; /* "system", "user" or "assistant" */
    const char *text;
} HnChatTurn;

/* From chat_template.jinja, or chat_template in tokenizer_config.json; HN_UNSUPPORTED names the template's SHA-256
 * where there is no renderer, and says that the model has no template where it has none. tokenizer is borrowed. */
HnStatus hn_chat_open(const char *folder, const HnTokenizer *tokenizer, HnChat **chat, HnError *err);
/* Whether the folder has a chat template at all, known or not. */
HnStatus hn_chat_exists(const char *folder, bool *exists, HnError *err);
void hn_chat_close(HnChat **chat);
const char *hn_chat_name(const HnChat *chat); /* "llama-3", for logs and provenance */
/* Models that may think aloud before they answer (Qwen3) do, unless this takes it from them: their answer then begins
 * behind an empty thought. Others: no difference. */
void hn_chat_set_thinking(HnChat *chat, bool thinking);
bool hn_chat_may_think(const HnChat *chat); /* whether it makes a difference */
/* Appends the tokens of the turns; answer: also what opens the assistant's answer. A turn that the template does not
 * allow there (no system role, roles that do not alternate) is HN_INPUT; on failure tokens are as before. */
HnStatus hn_chat_render(const HnChat *chat, const HnChatTurn *turns, size_t n_turns, bool answer, HnTokens *tokens,
                        HnError *err);

#endif
