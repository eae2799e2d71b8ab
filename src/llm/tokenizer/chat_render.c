/* What the styles write: markers, and text between them. */
#include <string.h>

#include "chat_private.h"

#define DATES "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

typedef struct Slice {
    const char *at;
    size_t n;
} Slice;

static Slice whole(const char *text) {
    return (Slice){text, strlen(text)};
}

/* ---- writing ---- */

static HnStatus put(HnChatWriter *writer, Slice text, HnError *err) {
    return hn_text_append(&writer->text, text.at, text.n, err);
}

static HnStatus puts_text(HnChatWriter *writer, const char *text, HnError *err) {
    return put(writer, whole(text), err);
}

static HnStatus flush(HnChatWriter *writer, HnError *err) {
    const char *text = hn_text_get(&writer->text);
    size_t n = writer->text.length;
    if (n == 0) {
        return HN_OK;
    }
    HN_TRY(writer->begun ? hn_tokenizer_encode_behind(writer->tokenizer, text, n, writer->tokens, err)
                         : hn_tokenizer_encode(writer->tokenizer, text, n, false, writer->tokens, err));
    hn_text_clear(&writer->text);
    return HN_OK;
}

static HnStatus put_id(HnChatWriter *writer, int32_t id, HnError *err) {
    HN_TRY(flush(writer, err));
    writer->begun = true;
    return hn_tokens_push(writer->tokens, (uint32_t)id, err);
}

/* A special token where the tokenizer has one of this text, else the text. */
static HnStatus mark(HnChatWriter *writer, const char *text, HnError *err) {
    int32_t id = hn_tokenizer_special(writer->tokenizer, text);
    return id >= 0 ? put_id(writer, id, err) : puts_text(writer, text, err);
}

/* ---- Python's strings, in which the templates speak ---- */

/* The character at `at`, where Python counts it as white space; else 0. */
static size_t space_bytes(const char *at, size_t n) {
    const unsigned char *c = (const unsigned char *)at;
    if (n >= 1 && ((c[0] >= 0x09 && c[0] <= 0x0d) || (c[0] >= 0x1c && c[0] <= 0x20))) {
        return 1;
    }
    if (n >= 2 && c[0] == 0xc2 && (c[1] == 0x85 || c[1] == 0xa0)) {
        return 2;
    }
    if (n < 3) {
        return 0;
    }
    bool spaces = (c[0] == 0xe1 && c[1] == 0x9a && c[2] == 0x80) || /* U+1680 */
                  (c[0] == 0xe2 && c[1] == 0x80 &&
                   (c[2] <= 0x8a || c[2] == 0xa8 ||                 /* U+2000 .. 200A, 2028 */
                    c[2] == 0xa9 || c[2] == 0xaf)) ||               /* U+2029, 202F */
                  (c[0] == 0xe2 && c[1] == 0x81 && c[2] == 0x9f) || /* U+205F */
                  (c[0] == 0xe3 && c[1] == 0x80 && c[2] == 0x80);   /* U+3000 */
    return spaces ? 3 : 0;
}

static Slice strip(Slice text) {
    for (size_t n; (n = space_bytes(text.at, text.n)) > 0;) {
        text.at += n;
        text.n -= n;
    }
    for (size_t n = 1; n <= 3 && n <= text.n;) {
        bool space = space_bytes(text.at + text.n - n, n) == n;
        text.n -= space ? n : 0;
        n = space ? 1 : n + 1;
    }
    return text;
}

static Slice strip_lines(Slice text, bool left, bool right) {
    while (left && text.n > 0 && text.at[0] == '\n') {
        text.at++;
        text.n--;
    }
    while (right && text.n > 0 && text.at[text.n - 1] == '\n') {
        text.n--;
    }
    return text;
}

/* Where `word` begins in text for the first or the last time; NULL without it. */
static const char *find(Slice text, const char *word, bool last) {
    size_t n = strlen(word);
    const char *found = NULL;
    for (const char *at = text.at; at + n <= text.at + text.n && (last || found == NULL); at++) {
        found = memcmp(at, word, n) == 0 ? at : found;
    }
    return found;
}

static bool is_role(const HnChatTurn *turn, const char *role) {
    return strcmp(turn->role, role) == 0;
}

/* ---- ChatML and its kin ---- */

static HnStatus open_ml(HnChatWriter *writer, const char *role, HnError *err) {
    HN_TRY(mark(writer, "<|im_start|>", err));
    HN_TRY(puts_text(writer, role, err));
    return puts_text(writer, "\n", err);
}

static HnStatus close_ml(HnChatWriter *writer, HnError *err) {
    HN_TRY(mark(writer, "<|im_end|>", err));
    return puts_text(writer, "\n", err);
}

/* The last turn that asks something; tools' replies, which users' turns may hold, do not. */
static size_t last_question(const HnChatTurn *turns, size_t n_turns) {
    static const char opens[] = "<tool_response>", closes[] = "</tool_response>";
    for (size_t i = n_turns; i-- > 0;) {
        Slice text = whole(turns[i].text);
        bool reply = text.n >= sizeof closes - 1 && strncmp(text.at, opens, sizeof opens - 1) == 0 &&
                     strcmp(text.at + text.n - (sizeof closes - 1), closes) == 0;
        if (is_role(&turns[i], "user") && !reply) {
            return i;
        }
    }
    return n_turns - 1;
}

/* An assistant's text in two parts: behind its last </think>, and what it thought before the first. */
static Slice split_thought(Slice text, Slice *thought) {
    static const char ends[] = "</think>", begins[] = "<think>";
    const char *first = find(text, ends, false), *last = find(text, ends, true);
    *thought = (Slice){text.at, 0};
    if (first == NULL) {
        return text;
    }
    thought->n = (size_t)(first - text.at);
    *thought = strip_lines(*thought, false, true);
    const char *begin = find(*thought, begins, true);
    if (begin != NULL) {
        begin += sizeof begins - 1;
        *thought = (Slice){begin, (size_t)(thought->at + thought->n - begin)};
    }
    *thought = strip_lines(*thought, true, true);
    const char *rest = last + sizeof ends - 1;
    return strip_lines((Slice){rest, (size_t)(text.at + text.n - rest)}, true, false);
}

/* Thoughts stay with answers to the last question only. */
static HnStatus put_thinker(HnChatWriter *writer, const HnChatTurn *turns, size_t n_turns, size_t i, HnError *err) {
    Slice thought, text = split_thought(whole(turns[i].text), &thought);
    if (i > last_question(turns, n_turns) && (i == n_turns - 1 || thought.n > 0)) {
        HN_TRY(puts_text(writer, "<think>\n", err));
        HN_TRY(put(writer, thought, err));
        HN_TRY(puts_text(writer, "\n</think>\n\n", err));
        text = strip_lines(text, true, false);
    }
    return put(writer, text, err);
}

static HnStatus write_ml(const HnChatTemplate *model, bool thinking, const HnChatTurn *turns, size_t n_turns,
                         bool answer, HnChatWriter *writer, HnError *err) {
    if (model->system != NULL && !is_role(&turns[0], "system")) {
        HN_TRY(open_ml(writer, "system", err));
        HN_TRY(puts_text(writer, model->system, err));
        HN_TRY(close_ml(writer, err));
    }
    for (size_t i = 0; i < n_turns; i++) {
        HN_TRY(open_ml(writer, turns[i].role, err));
        HN_TRY(model->thinks && is_role(&turns[i], "assistant") ? put_thinker(writer, turns, n_turns, i, err)
                                                                : puts_text(writer, turns[i].text, err));
        HN_TRY(close_ml(writer, err));
    }
    if (answer) {
        HN_TRY(open_ml(writer, "assistant", err));
    }
    return answer && model->may_not_think && !thinking ? puts_text(writer, "<think>\n\n</think>\n\n", err) : HN_OK;
}

/* ---- Llama 3 ---- */

static HnStatus open_llama3(HnChatWriter *writer, const char *role, HnError *err) {
    HN_TRY(mark(writer, "<|start_header_id|>", err));
    HN_TRY(puts_text(writer, role, err));
    HN_TRY(mark(writer, "<|end_header_id|>", err));
    return puts_text(writer, "\n\n", err);
}

static HnStatus write_llama3(const HnChatTemplate *model, const HnChatTurn *turns, size_t n_turns, bool answer,
                             HnChatWriter *writer, HnError *err) {
    size_t i = 0;
    HN_TRY(put_id(writer, hn_tokenizer_ends(writer->tokenizer).bos, err));
    if (model->dated) {
        HN_TRY(open_llama3(writer, "system", err));
        HN_TRY(puts_text(writer, DATES, err));
        if (is_role(&turns[0], "system")) {
            HN_TRY(put(writer, strip(whole(turns[i++].text)), err));
        }
        HN_TRY(mark(writer, "<|eot_id|>", err));
    }
    for (; i < n_turns; i++) {
        HN_TRY(open_llama3(writer, turns[i].role, err));
        HN_TRY(put(writer, strip(whole(turns[i].text)), err));
        HN_TRY(mark(writer, "<|eot_id|>", err));
    }
    return answer ? open_llama3(writer, "assistant", err) : HN_OK;
}

/* ---- Llama 2 and Mistral ---- */

/* "[INST] " and the like: the bracketed word may be a special token, the spaces never are. */
static HnStatus mark_spaced(HnChatWriter *writer, const char *text, HnError *err) {
    const char *open = strchr(text, '['), *end = strchr(text, ']') + 1;
    char word[16] = "";
    memcpy(word, open, (size_t)(end - open));
    HN_TRY(put(writer, (Slice){text, (size_t)(open - text)}, err));
    HN_TRY(mark(writer, word, err));
    return puts_text(writer, end, err);
}

/* The system's text, if any, and the user's. */
static HnStatus put_user(const HnChatTemplate *model, HnChatWriter *writer, const char *system, const char *user,
                         HnError *err) {
    if (!model->marked) {
        HN_TRY(puts_text(writer, system != NULL ? system : "", err));
        HN_TRY(puts_text(writer, system != NULL ? "\n\n" : "", err));
        return puts_text(writer, user, err);
    }
    HnText text = {0}; /* stripped as one */
    HnStatus status = system != NULL ? hn_text_printf(&text, err, "<<SYS>>\n%s\n<</SYS>>\n\n%s", system, user)
                                     : hn_text_puts(&text, user, err);
    status = status == HN_OK ? put(writer, strip((Slice){hn_text_get(&text), text.length}), err) : status;
    hn_text_free(&text);
    return status;
}

static HnStatus check_alternation(const HnChatTemplate *model, const HnChatTurn *turns, size_t n_turns, HnError *err) {
    size_t first = is_role(&turns[0], "system") ? 1 : 0;
    if (first == 1 && model->where == HN_CHAT_SYSTEM_NONE) {
        return hn_fail(err, HN_INPUT, "the chat template %s has no system turn: put its text before the user's",
                       model->name);
    }
    for (size_t i = first; i < n_turns; i++) {
        const char *wanted = (i - first) % 2 == 0 ? "user" : "assistant";
        if (!is_role(&turns[i], wanted)) {
            return hn_fail(err, HN_INPUT,
                           "the chat template %s wants turns of user and assistant in alternation: turn %zu is of %s",
                           model->name, i + 1, turns[i].role);
        }
    }
    return n_turns > first
               ? HN_OK
               : hn_fail(err, HN_INPUT, "the chat template %s wants a user turn behind the system's", model->name);
}

static HnStatus write_instruct(const HnChatTemplate *model, const HnChatTurn *turns, size_t n_turns,
                               HnChatWriter *writer, HnError *err) {
    HnTokenizerEnds ends = hn_tokenizer_ends(writer->tokenizer);
    HN_TRY(check_alternation(model, turns, n_turns, err));
    size_t first = is_role(&turns[0], "system") ? 1 : 0;
    size_t holder = model->where == HN_CHAT_SYSTEM_LAST ? n_turns - 1 : first;
    for (size_t i = first; i < n_turns; i++) {
        if (is_role(&turns[i], "user")) {
            if (model->marked || i == first) {
                HN_TRY(put_id(writer, ends.bos, err));
            }
            HN_TRY(mark_spaced(writer, model->open, err));
            HN_TRY(put_user(model, writer, first == 1 && i == holder ? turns[0].text : NULL, turns[i].text, err));
            HN_TRY(mark_spaced(writer, model->close, err));
            continue;
        }
        Slice text = whole(turns[i].text);
        HN_TRY(puts_text(writer, model->before, err));
        HN_TRY(put(writer, model->strip ? strip(text) : text, err));
        HN_TRY(puts_text(writer, model->marked ? " " : "", err));
        HN_TRY(put_id(writer, ends.eos, err));
        HN_TRY(puts_text(writer, model->after, err));
    }
    return HN_OK;
}

HnStatus hn_chat_write(const HnChatTemplate *model, bool thinking, const HnChatTurn *turns, size_t n_turns, bool answer,
                       HnChatWriter *writer, HnError *err) {
    switch (model->style) {
    case HN_CHAT_ML:
        HN_TRY(write_ml(model, thinking, turns, n_turns, answer, writer, err));
        break;
    case HN_CHAT_LLAMA3:
        HN_TRY(write_llama3(model, turns, n_turns, answer, writer, err));
        break;
    default:
        HN_TRY(write_instruct(model, turns, n_turns, writer, err));
    }
    return flush(writer, err);
}
