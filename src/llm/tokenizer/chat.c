#include "chat.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "chat_private.h"
#include "llm/files/keys.h"

enum { MAX_TEMPLATE_BYTES = 1 << 20 };

struct HnChat {
    const HnTokenizer *tokenizer;
    const HnChatTemplate *model;
    bool thinking;
};

/* chat_template of tokenizer_config.json: a text, or a list of named ones, of which "default" counts. */
static HnStatus read_key(const char *path, char **text, HnError *err) {
    HnKeys keys;
    HN_TRY(hn_keys_open(path, &keys, err));
    const json_t *found = hn_keys_get(&keys, "chat_template");
    const json_t *chosen = json_is_string(found) ? found : NULL;
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *one = json_array_get(found, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name != NULL && strcmp(name, "default") == 0) {
            chosen = json_object_get(one, "template");
        }
    }
    HnStatus status = HN_OK;
    if (json_is_string(chosen)) {
        *text = hn_strdup(json_string_value(chosen), err);
        status = *text == NULL ? HN_MEMORY : HN_OK;
    } else if (found != NULL) {
        status = hn_fail(err, HN_FORMAT, "%s: \"chat_template\" is neither a text nor a list with a \"default\"", path);
    }
    hn_keys_close(&keys);
    return status;
}

/* *text stays NULL where there is none; *path: where it was found, or would have been. */
static HnStatus read_template(const char *folder, char **text, char **path, HnError *err) {
    *path = hn_path_join(folder, "chat_template.jinja", err);
    if (*path == NULL) {
        return HN_MEMORY;
    }
    if (hn_file_exists(*path)) {
        size_t n_bytes = 0;
        return hn_file_read(*path, MAX_TEMPLATE_BYTES, text, &n_bytes, err);
    }
    hn_free(*path);
    *path = hn_path_join(folder, "tokenizer_config.json", err);
    if (*path == NULL) {
        return HN_MEMORY;
    }
    return hn_file_exists(*path) ? read_key(*path, text, err) : HN_OK;
}

/* The tokens without which a prompt would be another one than the model knows. */
static HnStatus check_tokens(const HnChatTemplate *model, const HnTokenizer *tokenizer, HnError *err) {
    static const char *const ml[] = {"<|im_start|>", "<|im_end|>", NULL};
    static const char *const llama3[] = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", NULL};
    static const char *const instruct[] = {"[INST]", "[/INST]", NULL};
    static const char *const none[] = {NULL};
    const char *const *needed = model->style == HN_CHAT_ML       ? ml
                                : model->style == HN_CHAT_LLAMA3 ? llama3
                                : model->special                 ? instruct
                                                                 : none;
    for (; *needed != NULL; needed++) {
        if (hn_tokenizer_special(tokenizer, *needed) < 0) {
            return hn_fail(err, HN_FORMAT, "the chat template %s needs the special token %s, which the tokenizer lacks",
                           model->name, *needed);
        }
    }
    HnTokenizerEnds ends = hn_tokenizer_ends(tokenizer);
    if ((model->style != HN_CHAT_ML && ends.bos < 0) || (model->style == HN_CHAT_INSTRUCT && ends.eos < 0)) {
        return hn_fail(err, HN_FORMAT,
                       "the chat template %s needs tokens for beginning and end, which the tokenizer lacks",
                       model->name);
    }
    return HN_OK;
}

HnStatus hn_chat_open_known(const HnChatTemplate *model, const HnTokenizer *tokenizer, HnChat **chat, HnError *err) {
    HN_TRY(check_tokens(model, tokenizer, err));
    *chat = hn_alloc(1, sizeof **chat, "chat template", err);
    if (*chat == NULL) {
        return HN_MEMORY;
    }
    **chat = (HnChat){tokenizer, model, true};
    return HN_OK;
}

HnStatus hn_chat_open(const char *folder, const HnTokenizer *tokenizer, HnChat **chat, HnError *err) {
    char *text = NULL, *path = NULL, sha256[65];
    const HnChatTemplate *model = NULL;
    *chat = NULL;
    HnStatus status = read_template(folder, &text, &path, err);
    if (status == HN_OK && text == NULL) {
        status = hn_fail(
            err, HN_UNSUPPORTED,
            "%s: the model has no chat template; prompt it with plain text (--plain, llm.native.plain: true), or take "
            "its chat version",
            path);
    } else if (status == HN_OK) {
        hn_sha256_bytes(text, strlen(text), sha256);
        model = hn_chat_template_find(sha256);
        status = model != NULL ? hn_chat_open_known(model, tokenizer, chat, err)
                               : hn_fail(err, HN_UNSUPPORTED,
                                         "%s: the chat template with SHA-256 %s is not supported; prompt with plain "
                                         "text, or serve the model and use the provider http",
                                         path, sha256);
    }
    hn_free(text);
    hn_free(path);
    return status;
}

HnStatus hn_chat_exists(const char *folder, bool *exists, HnError *err) {
    char *text = NULL, *path = NULL;
    HnStatus status = read_template(folder, &text, &path, err);
    *exists = text != NULL;
    hn_free(text);
    hn_free(path);
    return status;
}

void hn_chat_close(HnChat **chat) {
    hn_free(*chat);
    *chat = NULL;
}

const char *hn_chat_name(const HnChat *chat) {
    return chat->model->name;
}

bool hn_chat_may_think(const HnChat *chat) {
    return chat->model->may_not_think;
}

void hn_chat_set_thinking(HnChat *chat, bool thinking) {
    chat->thinking = thinking;
}

static HnStatus check_turns(const HnChatTurn *turns, size_t n_turns, HnError *err) {
    for (size_t i = 0; i < n_turns; i++) {
        if (strcmp(turns[i].role, "system") != 0 && strcmp(turns[i].role, "user") != 0 &&
            strcmp(turns[i].role, "assistant") != 0) {
            return hn_fail(err, HN_INPUT, "turn %zu has the role \"%s\"; roles are system, user and assistant", i + 1,
                           turns[i].role);
        }
    }
    return n_turns > 0 ? HN_OK : hn_fail(err, HN_INPUT, "a chat needs at least one turn");
}

HnStatus hn_chat_render(const HnChat *chat, const HnChatTurn *turns, size_t n_turns, bool answer, HnTokens *tokens,
                        HnError *err) {
    HN_TRY(check_turns(turns, n_turns, err));
    size_t n_before = tokens->n;
    HnChatWriter writer = {.tokenizer = chat->tokenizer, .tokens = tokens};
    HnStatus status = hn_chat_write(chat->model, chat->thinking, turns, n_turns, answer, &writer, err);
    hn_text_free(&writer.text);
    tokens->n = status == HN_OK ? tokens->n : n_before;
    return status;
}
