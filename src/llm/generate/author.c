#include "author.h"

#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "base/log.h"
#include "llm/tokenizer/turns.h"

enum { MAX_GRAMMARS = 8, LEAST_INPUT = 16, USUAL_TOKENS = 2048 };

struct HnAuthor {
    HnAuthorOptions options;
    char *folder;
    HnLmConfig config;
    HnLmPlan plan;
    HnTokenizer *tokenizer;
    HnChat *chat; /* NULL: plain */
    HnTokenTree *tree;
    HnLm *lm;
    HnGenerator *generator;
    HnGrammar *grammars[MAX_GRAMMARS];
    size_t n_grammars;
    HnTokens tokens; /* of the prompt under way */
    HnText cut;
};

/* ---- opening ---- */

static uint32_t context_of(const HnAuthor *author) {
    uint32_t own = author->config.n_positions;
    uint32_t usual = own < HN_AUTHOR_CONTEXT ? own : HN_AUTHOR_CONTEXT;
    return author->options.context ? author->options.context : usual;
}

/* Tokens that the cache holds: a whole context, and for each slot a prompt and answer of usual length. */
static uint32_t cached_tokens(const HnAuthor *author) {
    uint32_t context = context_of(author), slots = author->options.slots;
    uint32_t usual = USUAL_TOKENS < context ? USUAL_TOKENS : context;
    return slots * usual > context ? slots * usual : context;
}

static HnLmOptions lm_options(const HnAuthor *author) {
    return (HnLmOptions){.weights = author->options.weights,
                         .memory_limit = author->options.memory_limit,
                         .cache_pages = cached_tokens(author) / HN_KV_PAGE + author->options.slots + 1,
                         .logit_rows = author->options.slots,
                         .head = true};
}

/* What is asked for and the model cannot give. */
static HnStatus check_options(const HnAuthor *author, HnError *err) {
    const HnAuthorOptions *options = &author->options;
    if (options->context > author->config.n_positions) {
        return hn_fail(err, HN_RANGE,
                       "a context of %u tokens is asked for, but %s was made for %u at most: lower --context or "
                       "llm.native.context",
                       options->context, author->folder, author->config.n_positions);
    }
    if (options->thinking && (author->chat == NULL || !hn_chat_may_think(author->chat))) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "thinking is asked for, but %s%s leaves no choice about it; only Qwen3's template does: drop "
                       "--thinking or llm.native.thinking",
                       author->chat ? "the chat template " : "a prompt without a chat template",
                       author->chat ? hn_chat_name(author->chat) : "");
    }
    return HN_OK;
}

static HnStatus open_parts(HnAuthor *author, HnError *err) {
    HN_TRY(hn_lm_config_read(author->folder, &author->config, err));
    if (!author->config.causal || !author->config.has_head) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "%s holds a %s, which embeds text but cannot write: name a decoder such as "
                       "Llama, Mistral or Qwen",
                       author->folder, hn_lm_family_name(author->config.family));
    }
    HN_TRY(hn_tokenizer_open(author->folder, &author->tokenizer, err));
    if (hn_tokenizer_size(author->tokenizer) > author->config.n_vocab) {
        return hn_fail(err, HN_FORMAT,
                       "%s: the tokenizer has ids up to %u, the model knows %u tokens: files of two "
                       "models?",
                       author->folder, hn_tokenizer_size(author->tokenizer) - 1, author->config.n_vocab);
    }
    if (!author->options.plain) {
        HN_TRY(hn_chat_open(author->folder, author->tokenizer, &author->chat, err));
    }
    HN_TRY(check_options(author, err));
    HnLmOptions options = lm_options(author);
    return hn_lm_plan(author->folder, &options, &author->plan, err);
}

HnStatus hn_author_open(const HnAuthorOptions *options, HnAuthor **author_at, HnError *err) {
    *author_at = NULL;
    HnAuthor *author = hn_alloc(1, sizeof *author, "author", err);
    if (author == NULL) {
        return HN_MEMORY;
    }
    author->options = *options;
    author->options.slots = options->slots ? options->slots : 8;
    HnStatus status = hn_lm_folder_resolve(options->folder, &author->folder, err);
    author->options.folder = author->folder;
    if (status == HN_OK) {
        status = open_parts(author, err);
    }
    if (status != HN_OK) {
        hn_author_close(&author);
    }
    *author_at = author;
    return status;
}

void hn_author_close(HnAuthor **author_at) {
    HnAuthor *author = *author_at;
    if (author == NULL) {
        return;
    }
    hn_generator_free(&author->generator);
    for (size_t i = 0; i < author->n_grammars; i++) {
        hn_grammar_free(&author->grammars[i]);
    }
    hn_token_tree_free(&author->tree);
    hn_lm_close(&author->lm);
    hn_chat_close(&author->chat);
    hn_tokenizer_close(&author->tokenizer);
    hn_lm_config_free(&author->config);
    hn_tokens_free(&author->tokens);
    hn_text_free(&author->cut);
    hn_free(author->folder);
    hn_free(author);
    *author_at = NULL;
}

static HnStatus need_tree(HnAuthor *author, HnError *err) {
    return author->tree ? HN_OK
                        : hn_token_tree_of_tokenizer(author->tokenizer, author->config.n_vocab, &author->tree, err);
}

HnStatus hn_author_load(HnAuthor *author, HnError *err) {
    HnLmOptions options = lm_options(author);
    HnGenerateOptions batching = {.n_slots = author->options.slots,
                                  .n_pages = options.cache_pages,
                                  .on_text = author->options.on_text,
                                  .context = author->options.on_text_context};
    if (author->generator) {
        return HN_OK;
    }
    HN_TRY(need_tree(author, err));
    HN_TRY(hn_lm_open(author->folder, &options, &author->lm, err));
    return hn_generator_create(author->lm, author->tree, &batching, &author->generator, err);
}

HnStatus hn_author_describe(const HnAuthor *author, HnText *line, HnError *err) {
    const HnLmPlan *plan = &author->plan;
    char cache[32];
    HN_TRY(hn_text_printf(line, err, "%s, %u layers, ", hn_lm_family_name(author->config.family),
                          author->config.n_layers));
    HN_TRY(hn_lm_plan_text(plan, author->options.weights, line, err));
    return hn_text_printf(
        line, err, ", keys and values of %llu tokens %s, %s%s", (unsigned long long)(plan->cache / plan->kv_token),
        hn_format_bytes((double)plan->cache, cache, sizeof cache), author->chat ? "chat template " : "no chat template",
        author->chat ? hn_chat_name(author->chat) : "");
}

HnStatus hn_author_grammar(HnAuthor *author, const HnGrammarField *fields, size_t n_fields, const HnItemNames *names,
                           HnGrammar **grammar, HnError *err) {
    *grammar = NULL;
    if (author->n_grammars == MAX_GRAMMARS) {
        return hn_fail(err, HN_INTERNAL, "more than %d grammars of one author", MAX_GRAMMARS);
    }
    HN_TRY(need_tree(author, err));
    HN_TRY(hn_grammar_create(author->tree, fields, n_fields, names, grammar, err));
    author->grammars[author->n_grammars++] = *grammar;
    return HN_OK;
}

/* ---- prompts ---- */

/* The prompt's tokens, into author->tokens. */
static HnStatus render(HnAuthor *author, const HnAuthorPrompt *prompt, const char *input, HnError *err) {
    if (author->chat) {
        hn_chat_set_thinking(author->chat, author->options.thinking && prompt->grammar == NULL);
    }
    return hn_turns_render(author->tokenizer, author->chat, prompt->system, input, true, &author->tokens, err);
}

/* input with only n_bytes left of it: three quarters head, one quarter tail. */
static HnStatus cut_middle(HnAuthor *author, const char *input, size_t length, size_t n_bytes, HnError *err) {
    size_t head = hn_utf8_prefix(input, length, n_bytes * 3 / 4), tail = length - n_bytes / 4;
    while (tail < length && ((unsigned char)input[tail] & 0xC0) == 0x80) {
        tail++;
    }
    hn_text_clear(&author->cut);
    HN_TRY(hn_text_append(&author->cut, input, head, err));
    HN_TRY(hn_text_puts(&author->cut, " ... ", err));
    return hn_text_append(&author->cut, input + tail, length - tail, err);
}

/* Renders so that n_room tokens suffice: of the input as large a share is kept as its tokens have room, and a little
 * less each time that this was too much. */
static HnStatus fit(HnAuthor *author, const HnAuthorPrompt *prompt, size_t n_room, uint32_t *n_cut, HnError *err) {
    const size_t length = strlen(prompt->input);
    HN_TRY(render(author, prompt, prompt->input, err));
    const size_t whole = author->tokens.n;
    if (whole <= n_room) {
        return HN_OK;
    }
    HN_TRY(render(author, prompt, "", err));
    const size_t fixed = author->tokens.n;
    if (fixed + LEAST_INPUT > n_room) {
        return hn_fail(
            err, HN_RANGE,
            "the instruction takes %zu tokens, and of the context of %u the answer's budget leaves %zu, too "
            "few for it and an input: allow a longer context (the model takes %u at most), a smaller budget, or "
            "take a model of a longer context",
            fixed, context_of(author), n_room, author->config.n_positions);
    }
    double share = (double)(n_room - fixed) / (double)(whole - fixed);
    do {
        share *= 0.97;
        HN_TRY(cut_middle(author, prompt->input, length, (size_t)(share * (double)length), err));
        HN_TRY(render(author, prompt, hn_text_get(&author->cut), err));
    } while (author->tokens.n > n_room);
    *n_cut = (uint32_t)(whole - author->tokens.n);
    return HN_OK;
}

HnStatus hn_author_submit(HnAuthor *author, const HnAuthorPrompt *prompt, uint32_t *n_cut, HnError *err) {
    uint32_t context = context_of(author);
    *n_cut = 0;
    if (prompt->budget >= context) {
        return hn_fail(err, HN_RANGE,
                       "an answer of up to %u tokens leaves no room for a prompt: the context holds %u; lower "
                       "--max-tokens or llm.native.max_tokens, or allow a longer context",
                       prompt->budget, context);
    }
    HN_TRY(hn_author_load(author, err));
    HN_TRY(fit(author, prompt, context - prompt->budget, n_cut, err));
    HnGenerateRequest request = {.key = prompt->key,
                                 .prompt = author->tokens.ids,
                                 .n_prompt = (uint32_t)author->tokens.n,
                                 .budget = prompt->budget,
                                 .sampling = prompt->sampling,
                                 .stops = prompt->stops,
                                 .n_stops = prompt->n_stops,
                                 .grammar = prompt->grammar,
                                 .taken = prompt->taken,
                                 .n_taken = prompt->n_taken};
    return hn_generator_submit(author->generator, &request, err);
}

/* ---- answers ---- */

uint32_t hn_author_waiting(const HnAuthor *author) {
    return author->generator ? hn_generator_waiting(author->generator) : 0;
}

HnStatus hn_author_step(HnAuthor *author, HnGenerated *generated, bool *got, HnError *err) {
    bool busy = false;
    *got = author->generator && hn_generator_poll(author->generator, generated);
    if (*got || !author->generator) {
        return HN_OK;
    }
    HN_TRY(hn_generator_step(author->generator, &busy, err));
    *got = hn_generator_poll(author->generator, generated);
    return HN_OK;
}
