/* Shared by chat.c (which template), chat_templates.c (the table) and chat_render.c (what each writes). */
#ifndef HN_LLM_TOKENIZER_CHAT_PRIVATE_H
#define HN_LLM_TOKENIZER_CHAT_PRIVATE_H

#include <stdbool.h>

#include "chat.h"

typedef enum HnChatStyle { HN_CHAT_ML, HN_CHAT_LLAMA3, HN_CHAT_INSTRUCT } HnChatStyle;
/* Which turn the system's text goes with. */
typedef enum HnChatSystem { HN_CHAT_SYSTEM_NONE, HN_CHAT_SYSTEM_FIRST, HN_CHAT_SYSTEM_LAST } HnChatSystem;

typedef struct HnChatTemplate {
    const char *name;
    HnChatStyle style;
    /* ML */
    const char *system; /* where no turn says otherwise, or NULL */
    bool thinks;        /* thoughts of earlier answers are left out, that of the last one is marked */
    bool may_not_think; /* the template knows an empty thought */
    /* LLAMA3 */
    bool dated; /* a system turn always, with the dates */
    /* INSTRUCT: user texts between [INST] and [/INST] */
    HnChatSystem where;
    bool marked; /* the system's text in <<SYS>>, each user turn behind its own BOS, texts stripped (Llama 2) */
    const char *open, *close, *before, *after; /* around user texts; before assistant texts, behind their EOS */
    bool strip;                                /* assistant texts */
    bool special;                              /* [INST] must be a special token */
} HnChatTemplate;

/* NULL: not known. */
const HnChatTemplate *hn_chat_template_find(const char *sha256);
/* What hn_chat_open does once it knows the template. */
HnStatus hn_chat_open_known(const HnChatTemplate *model, const HnTokenizer *tokenizer, HnChat **chat, HnError *err);

/* What is being written: text gathers until a marker ends it. */
typedef struct HnChatWriter {
    const HnTokenizer *tokenizer;
    HnTokens *tokens;
    HnText text;
    bool begun; /* a marker has been written */
} HnChatWriter;

HnStatus hn_chat_write(const HnChatTemplate *model, bool thinking, const HnChatTurn *turns, size_t n_turns, bool answer,
                       HnChatWriter *writer, HnError *err);

#endif
