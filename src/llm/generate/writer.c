#include "writer.h"

#include <string.h>

#include "attention.h"
#include "base/alloc.h"
#include "base/log.h"
#include "llm/tokenizer/chat.h"

enum { MAX_GRAMMARS = 8, LEAST_INPUT = 16 };

struct HnWriter {
    HnWriterOptions options;
    char *folder;
    HnLmConfig config;
    HnTokenizer *tokenizer;
    HnChat *chat; /* NULL: plain */
    HnVocabulary *vocabulary;
    HnLm *lm;
    HnGenerator *generator;
    HnGrammar *grammars[MAX_GRAMMARS];
    size_t n_grammars;
    HnTokens tokens; /* of the prompt under way */
    HnText turn, cut;
};

/* ---- opening ---- */

static uint32_t context_of(const HnWriter *writer) {
    uint32_t own = writer->config.n_positions, asked = writer->options.context;
    return asked && asked < own ? asked : own;
}

static HnStatus open_parts(HnWriter *writer, HnError *err) {
    HN_TRY(hn_lm_config_read(writer->folder, &writer->config, err));
    if (!writer->config.causal || !writer->config.has_head) {
        return hn_fail(err, HN_UNSUPPORTED,
                       "%s holds a %s, which embeds text but cannot write: name a decoder such as "
                       "Llama, Mistral or Qwen",
                       writer->folder, hn_lm_family_name(writer->config.family));
    }
    HN_TRY(hn_tokenizer_open(writer->folder, &writer->tokenizer, err));
    if (hn_tokenizer_size(writer->tokenizer) > writer->config.n_vocab) {
        return hn_fail(err, HN_FORMAT,
                       "%s: the tokenizer has ids up to %u, the model knows %u tokens: files of two "
                       "models?",
                       writer->folder, hn_tokenizer_size(writer->tokenizer) - 1, writer->config.n_vocab);
    }
    return writer->options.plain ? HN_OK : hn_chat_open(writer->folder, writer->tokenizer, &writer->chat, err);
}

HnStatus hn_writer_open(const HnWriterOptions *options, HnWriter **writer_out, HnError *err) {
    *writer_out = NULL;
    HnWriter *writer = hn_alloc(1, sizeof *writer, "writer", err);
    if (writer == NULL) {
        return HN_MEMORY;
    }
    writer->options = *options;
    writer->folder = hn_strdup(options->folder, err);
    writer->options.folder = writer->folder;
    HnStatus status = writer->folder ? open_parts(writer, err) : HN_MEMORY;
    if (status != HN_OK) {
        hn_writer_close(&writer);
    }
    *writer_out = writer;
    return status;
}

void hn_writer_close(HnWriter **writer_at) {
    HnWriter *writer = *writer_at;
    if (writer == NULL) {
        return;
    }
    hn_generator_free(&writer->generator);
    for (size_t i = 0; i < writer->n_grammars; i++) {
        hn_grammar_free(&writer->grammars[i]);
    }
    hn_vocabulary_free(&writer->vocabulary);
    hn_lm_close(&writer->lm);
    hn_chat_close(&writer->chat);
    hn_tokenizer_close(&writer->tokenizer);
    hn_lm_config_free(&writer->config);
    hn_tokens_free(&writer->tokens);
    hn_text_free(&writer->turn);
    hn_text_free(&writer->cut);
    hn_free(writer->folder);
    hn_free(writer);
    *writer_at = NULL;
}

static HnStatus need_vocabulary(HnWriter *writer, HnError *err) {
    return writer->vocabulary
               ? HN_OK
               : hn_vocabulary_of_tokenizer(writer->tokenizer, writer->config.n_vocab, &writer->vocabulary, err);
}

HnStatus hn_writer_load(HnWriter *writer, HnError *err) {
    HnLmOptions options = {
        .weights = writer->options.weights, .memory_limit = writer->options.memory_limit, .head = true};
    HnGenerateOptions batching = {.n_slots = writer->options.slots,
                                  .on_text = writer->options.on_text,
                                  .context = writer->options.on_text_context};
    if (writer->generator) {
        return HN_OK;
    }
    HN_TRY(need_vocabulary(writer, err));
    HN_TRY(hn_lm_open(writer->folder, &options, &writer->lm, err));
    if (writer->options.context) {
        uint32_t slots = writer->options.slots ? writer->options.slots : 8;
        batching.n_pages = slots * ((context_of(writer) + HN_KV_PAGE - 1) / HN_KV_PAGE);
    }
    return hn_generator_create(writer->lm, writer->vocabulary, &batching, &writer->generator, err);
}

HnStatus hn_writer_describe(const HnWriter *writer, HnText *line, HnError *err) {
    static const char *const types[] = {"f32", "f16", "bf16", "int8", "nf4"};
    HnLmOptions options = {.weights = writer->options.weights, .memory_limit = UINT64_MAX, .head = true};
    HnLmPlan plan;
    char bytes[32];
    HN_TRY(hn_lm_plan(writer->folder, &options, &plan, err));
    return hn_text_printf(line, err, "%s, %u layers, %.3g billion parameters, %s in memory as %s (%s), %s",
                          hn_lm_family_name(writer->config.family), writer->config.n_layers,
                          1e-9 * (double)plan.n_parameters, hn_format_bytes((double)plan.weights, bytes, sizeof bytes),
                          types[options.weights], hn_linear_path(options.weights),
                          writer->chat ? hn_chat_name(writer->chat) : "no chat template");
}

HnStatus hn_writer_grammar(HnWriter *writer, const HnGrammarField *fields, size_t n_fields, const HnItemNames *names,
                           HnGrammar **grammar, HnError *err) {
    *grammar = NULL;
    if (writer->n_grammars == MAX_GRAMMARS) {
        return hn_fail(err, HN_INTERNAL, "more than %d grammars of one writer", MAX_GRAMMARS);
    }
    HN_TRY(need_vocabulary(writer, err));
    HN_TRY(hn_grammar_create(writer->vocabulary, fields, n_fields, names, grammar, err));
    writer->grammars[writer->n_grammars++] = *grammar;
    return HN_OK;
}

/* ---- prompts ---- */

static HnStatus render_plain(HnWriter *writer, const HnWriterPrompt *prompt, const char *input, HnError *err) {
    hn_text_clear(&writer->turn);
    HN_TRY(hn_text_printf(&writer->turn, err, "%s%s%s\n", prompt->system, prompt->system[0] ? "\n\n" : "", input));
    return hn_tokenizer_encode(writer->tokenizer, hn_text_get(&writer->turn), writer->turn.length, true,
                               &writer->tokens, err);
}

/* Instruction and input as one user's turn. */
static HnStatus render_joined(HnWriter *writer, const HnWriterPrompt *prompt, const char *input, HnError *err) {
    hn_text_clear(&writer->turn);
    HN_TRY(hn_text_printf(&writer->turn, err, "%s\n\n%s", prompt->system, input));
    HnChatTurn turn = {"user", hn_text_get(&writer->turn)};
    return hn_chat_render(writer->chat, &turn, 1, true, &writer->tokens, err);
}

/* The prompt's tokens, into writer->tokens. */
static HnStatus render(HnWriter *writer, const HnWriterPrompt *prompt, const char *input, HnError *err) {
    writer->tokens.n = 0;
    if (!writer->chat) {
        return render_plain(writer, prompt, input, err);
    }
    HnChatTurn turns[] = {{"system", prompt->system}, {"user", input}};
    bool instructed = prompt->system[0] != '\0';
    HnError refused = HN_ERROR_INIT;
    HnStatus status = hn_chat_render(writer->chat, instructed ? turns : turns + 1, instructed ? 2 : 1, true,
                                     &writer->tokens, &refused);
    if (status == HN_INPUT && instructed) {
        writer->tokens.n = 0;
        return render_joined(writer, prompt, input, err);
    }
    return status == HN_OK ? HN_OK : hn_fail(err, status, "%s", refused.message);
}

/* input with only n_bytes left of it: three quarters head, one quarter tail. */
static HnStatus cut_middle(HnWriter *writer, const char *input, size_t length, size_t n_bytes, HnError *err) {
    size_t head = hn_utf8_prefix(input, length, n_bytes * 3 / 4), tail = length - n_bytes / 4;
    while (tail < length && ((unsigned char)input[tail] & 0xC0) == 0x80) {
        tail++;
    }
    hn_text_clear(&writer->cut);
    HN_TRY(hn_text_append(&writer->cut, input, head, err));
    HN_TRY(hn_text_puts(&writer->cut, " ... ", err));
    return hn_text_append(&writer->cut, input + tail, length - tail, err);
}

/* Renders so that n_room tokens suffice. Each turn keeps what share of the bytes the tokens allow, and a little less.
 */
static HnStatus fit(HnWriter *writer, const HnWriterPrompt *prompt, size_t n_room, uint32_t *n_cut, HnError *err) {
    size_t length = strlen(prompt->input), kept = length;
    HN_TRY(render(writer, prompt, prompt->input, err));
    size_t whole = writer->tokens.n;
    while (writer->tokens.n > n_room) {
        size_t excess = writer->tokens.n - n_room;
        size_t bytes_each = writer->tokens.n ? (kept + writer->tokens.n - 1) / writer->tokens.n : 1;
        size_t less = excess * (bytes_each ? bytes_each : 1) + 8;
        if (kept < less + LEAST_INPUT) {
            return hn_fail(err, HN_RANGE,
                           "the instruction alone takes %zu tokens, and %zu are left beside the answer's "
                           "budget: set llm.native.context higher or the budget lower",
                           writer->tokens.n, n_room);
        }
        kept -= less;
        HN_TRY(cut_middle(writer, prompt->input, length, kept, err));
        HN_TRY(render(writer, prompt, hn_text_get(&writer->cut), err));
    }
    *n_cut = (uint32_t)(whole - writer->tokens.n);
    return HN_OK;
}

HnStatus hn_writer_submit(HnWriter *writer, const HnWriterPrompt *prompt, uint32_t *n_cut, HnError *err) {
    uint32_t context = context_of(writer);
    *n_cut = 0;
    if (prompt->budget >= context) {
        return hn_fail(err, HN_RANGE, "an answer of up to %u tokens leaves no room for a prompt: the context holds %u",
                       prompt->budget, context);
    }
    HN_TRY(hn_writer_load(writer, err));
    HN_TRY(fit(writer, prompt, context - prompt->budget, n_cut, err));
    HnGenerateRequest request = {.key = prompt->key,
                                 .prompt = writer->tokens.ids,
                                 .n_prompt = (uint32_t)writer->tokens.n,
                                 .budget = prompt->budget,
                                 .sampling = prompt->sampling,
                                 .stops = prompt->stops,
                                 .n_stops = prompt->n_stops,
                                 .grammar = prompt->grammar,
                                 .taken = prompt->taken,
                                 .n_taken = prompt->n_taken};
    return hn_generator_submit(writer->generator, &request, err);
}

/* ---- answers ---- */

uint32_t hn_writer_waiting(const HnWriter *writer) {
    return writer->generator ? hn_generator_waiting(writer->generator) : 0;
}

HnStatus hn_writer_step(HnWriter *writer, HnGenerated *generated, bool *got, HnError *err) {
    bool busy = false;
    *got = writer->generator && hn_generator_poll(writer->generator, generated);
    if (*got || !writer->generator) {
        return HN_OK;
    }
    HN_TRY(hn_generator_step(writer->generator, &busy, err));
    *got = hn_generator_poll(writer->generator, generated);
    return HN_OK;
}

HnGeneratorStats hn_writer_stats(const HnWriter *writer) {
    return writer->generator ? hn_generator_stats(writer->generator) : (HnGeneratorStats){0};
}
