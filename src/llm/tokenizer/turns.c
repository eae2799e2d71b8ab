#include "llm/tokenizer/turns.h"

#include "base/text.h"

static HnStatus join(const char *system, const char *input, HnText *text, HnError *err) {
    return hn_text_printf(text, err, "%s%s%s", system, system[0] ? "\n\n" : "", input);
}

static HnStatus render_plain(const HnTokenizer *tokenizer, const char *system, const char *input, HnTokens *tokens,
                             HnError *err) {
    HnText text = {0};
    HnStatus status = join(system, input, &text, err);
    if (status == HN_OK) {
        status = hn_tokenizer_encode(tokenizer, hn_text_get(&text), text.length, true, tokens, err);
    }
    hn_text_free(&text);
    return status;
}

/* Instruction and input as one user's turn. */
static HnStatus render_joined(const HnChat *chat, const char *system, const char *input, bool answer, HnTokens *tokens,
                              HnError *err) {
    HnText text = {0};
    HnStatus status = join(system, input, &text, err);
    HnChatTurn turn = {"user", hn_text_get(&text)};
    if (status == HN_OK) {
        status = hn_chat_render(chat, &turn, 1, answer, tokens, err);
    }
    hn_text_free(&text);
    return status;
}

HnStatus hn_turns_render(const HnTokenizer *tokenizer, const HnChat *chat, const char *system, const char *input,
                         bool answer, HnTokens *tokens, HnError *err) {
    tokens->n = 0;
    if (chat == NULL) {
        return render_plain(tokenizer, system, input, tokens, err);
    }
    HnChatTurn turns[] = {{"system", system}, {"user", input}};
    bool instructed = system[0] != '\0';
    HnError refused = HN_ERROR_INIT;
    HnStatus status =
        hn_chat_render(chat, instructed ? turns : turns + 1, instructed ? 2 : 1, answer, tokens, &refused);
    if (status == HN_INPUT && instructed) {
        return render_joined(chat, system, input, answer, tokens, err);
    }
    return status == HN_OK ? HN_OK : hn_fail(err, status, "%s", refused.message);
}
