/* `hnlmrec generate`: a model folder answers one prompt as it writes, or a file of prompts. */
#include "app/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"

static const char usage[] =
    "usage: hnlmrec generate --model DIR --prompt TEXT [option ...]\n"
    "       hnlmrec generate --model DIR --input FILE.jsonl [--output FILE.jsonl] [option ...]\n\n"
    "Answers prompts with a Hugging Face model folder (Llama, Mistral, Qwen2, Qwen3: config.json, safetensors, "
    "tokenizer), on\n"
    "this machine's processor. With --prompt the answer is printed as it is written; why it ended stands on standard "
    "error.\n"
    "--input takes one JSON object a line, {\"prompt\": \"...\", \"system\": \"...\", \"id\": ...} (id and system may "
    "be left out),\n"
    "and writes {\"id\", \"text\", \"stop\", \"prompt_tokens\", \"answer_tokens\", \"asked\"} a line, in the same "
    "order; asked: a hash of\n"
    "what was asked. Started again with the same --output, input and settings it goes on behind the last whole line; "
    "FILE.settings\n"
    "beside the output says what it was begun with, and other settings, another model, an edited prompt among the "
    "answered\n"
    "ones or products of other bits are refused. FILE may be -: standard input, standard output (also without "
    "--output).\n\n"
    "  --model DIR        model folder, or a models--org--name folder of a hub cache\n"
    "  --system TEXT      instruction\n"
    "  --weights TYPE     f32, f16, bf16 (default), int8 or nf4: how weights lie in memory\n"
    "  --max-tokens N     longest answer (default 256)\n"
    "  --temperature X    0 (default): the best token, always; above: drawn\n"
    "  --top-k N  --top-p X  --repetition-penalty X  --seed N\n"
    "  --stop TEXT        ends the answer, and is not part of it; may be repeated; not with --json\n"
    "  --json KEY,KEY     the answer is a JSON object with exactly these keys (at most 8, plain ASCII) and string "
    "values,\n"
    "                     whatever the model would like\n"
    "  --plain            no chat template: instruction, empty line, prompt\n"
    "  --thinking         models that may think aloud before they answer (Qwen3) do; not with --json or --plain\n"
    "  --context N        longest prompt and answer together, not above what the model was made for (default: that, at "
    "most\n"
    "                     8192); a longer prompt loses its middle: three quarters of the characters that are kept are "
    "its head\n"
    "  --slots N          prompts of a file that are answered side by side (default 8)\n"
    "  --memory-gb X      memory that may be used (default: what is free)\n"
    "  --mix-bits         goes on with an output that was begun where products have other bits (hnlmrec doctor)\n"
    "  --quiet            no progress, no notes\n\n"
    "A text depends on prompt, settings, seed and its line's number alone: not on slots, threads, or what is beside "
    "it.\n";

static HnStatus bad_value(const char *name, const char *value, HnError *err) {
    return hn_fail(err, HN_USAGE, "%s cannot be \"%s\"; see `hnlmrec generate --help`", name, value);
}

static HnStatus take_u32(const char *name, const char *value, uint32_t least, uint32_t *out, HnError *err) {
    int64_t number = 0;
    if (!hn_parse_i64(value, &number) || number < least || number > UINT32_MAX) {
        return bad_value(name, value, err);
    }
    *out = (uint32_t)number;
    return HN_OK;
}

/* "a,b": the keys of the object, the first of which must not be empty. value is changed. */
static HnStatus take_keys(HnGenerateCommand *command, char *value, HnError *err) {
    for (char *key = strtok_r(value, ",", &value); key; key = strtok_r(NULL, ",", &value)) {
        if (command->n_keys == HN_GENERATE_MAX_KEYS) {
            return hn_fail(err, HN_USAGE, "--json takes at most %d keys", HN_GENERATE_MAX_KEYS);
        }
        for (size_t i = 0; i < command->n_keys; i++) {
            if (strcmp(command->keys[i].key, key) == 0) {
                return hn_fail(err, HN_USAGE, "--json names the key \"%s\" twice", key);
            }
        }
        HnGrammarFieldKind kind = command->n_keys == 0 ? HN_FIELD_FILLED : HN_FIELD_ANY;
        command->keys[command->n_keys++] = (HnGrammarField){key, kind};
    }
    return command->n_keys ? HN_OK : bad_value("--json", "", err);
}

static HnStatus take_number(HnGenerateCommand *command, const char *name, const char *value, bool *known,
                            HnError *err) {
    HnSampling *sampling = &command->sampling;
    double *real = strcmp(name, "--temperature") == 0          ? &sampling->temperature
                   : strcmp(name, "--top-p") == 0              ? &sampling->top_p
                   : strcmp(name, "--repetition-penalty") == 0 ? &sampling->repetition_penalty
                                                               : NULL;
    uint32_t *whole = strcmp(name, "--max-tokens") == 0 ? &command->budget
                      : strcmp(name, "--top-k") == 0    ? &sampling->top_k
                      : strcmp(name, "--slots") == 0    ? &command->author.slots
                      : strcmp(name, "--context") == 0  ? &command->author.context
                                                        : NULL;
    *known = true;
    if (real) {
        return hn_parse_double(value, real) ? HN_OK : bad_value(name, value, err);
    }
    if (whole) {
        return take_u32(name, value, whole == &sampling->top_k || whole == &command->author.context ? 0 : 1, whole,
                        err);
    }
    if (strcmp(name, "--seed") == 0) {
        return hn_parse_u64(value, &sampling->seed) ? HN_OK : bad_value(name, value, err);
    }
    if (strcmp(name, "--memory-gb") == 0) {
        return hn_parse_gigabytes(value, &command->author.memory_limit) ? HN_OK : bad_value(name, value, err);
    }
    *known = false;
    return HN_OK;
}

static HnStatus take_option(HnGenerateCommand *command, const char *name, char *value, HnError *err) {
    bool known = false;
    HN_TRY(take_number(command, name, value, &known, err));
    if (known) {
        return HN_OK;
    }
    const char **text = strcmp(name, "--model") == 0    ? &command->author.folder
                        : strcmp(name, "--system") == 0 ? &command->system
                        : strcmp(name, "--prompt") == 0 ? &command->prompt
                        : strcmp(name, "--input") == 0  ? &command->input
                        : strcmp(name, "--output") == 0 ? &command->output
                                                        : NULL;
    if (text) {
        *text = text == &command->output && strcmp(value, "-") == 0 ? NULL : value;
        return HN_OK;
    }
    if (strcmp(name, "--weights") == 0) {
        return hn_weight_type_find(value, &command->author.weights) ? HN_OK : bad_value(name, value, err);
    }
    if (strcmp(name, "--json") == 0) {
        return take_keys(command, value, err);
    }
    if (strcmp(name, "--stop") == 0 && value[0] != '\0') {
        if (command->n_stops == HN_GENERATE_MAX_STOPS) {
            return hn_fail(err, HN_USAGE, "--stop may be given at most %d times", HN_GENERATE_MAX_STOPS);
        }
        command->stops[command->n_stops++] = value;
        return HN_OK;
    }
    return hn_fail(err, HN_USAGE, "cannot use \"%s %s\"; see `hnlmrec generate --help`", name, value);
}

static HnStatus parse(int argc, char **argv, HnGenerateCommand *command, bool *help, HnError *err) {
    *command = (HnGenerateCommand){.author = {.weights = HN_WEIGHT_BF16, .slots = 8},
                                   .system = "",
                                   .sampling = {.top_p = 1.0, .repetition_penalty = 1.0, .seed = 1},
                                   .budget = 256};
    *help = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            *help = true;
            return HN_OK;
        }
        if (strcmp(argv[i], "--plain") == 0) {
            command->author.plain = true;
        } else if (strcmp(argv[i], "--thinking") == 0) {
            command->author.thinking = true;
        } else if (strcmp(argv[i], "--mix-bits") == 0) {
            command->mix_bits = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            command->quiet = true;
        } else if (strncmp(argv[i], "--", 2) == 0 && i + 1 < argc) {
            HN_TRY(take_option(command, argv[i], argv[i + 1], err));
            i++;
        } else {
            return hn_fail(err, HN_USAGE, "cannot use \"%s\" here; see `hnlmrec generate --help`", argv[i]);
        }
    }
    if (command->author.folder == NULL || (command->prompt == NULL) == (command->input == NULL)) {
        return hn_fail(err, HN_USAGE, "name --model, and either --prompt or --input; see `hnlmrec generate --help`");
    }
    if (command->prompt && command->output) {
        return hn_fail(err, HN_USAGE, "--output belongs to --input: the answer to --prompt is printed");
    }
    if (command->author.thinking && command->n_keys) {
        return hn_fail(err, HN_USAGE,
                       "--thinking and --json exclude each other: the object leaves no room for thoughts");
    }
    if (command->n_stops && command->n_keys) {
        return hn_fail(err, HN_USAGE, "--stop and --json exclude each other: the object's end is the answer's");
    }
    return hn_sampling_check(&command->sampling, err);
}

static void print_text(void *context, uint64_t key, const char *text, size_t n_bytes) {
    (void)context;
    (void)key;
    fwrite(text, 1, n_bytes, stdout);
    fflush(stdout);
}

static HnStatus answer_one(const HnGenerateCommand *command, HnAuthor *author, HnGrammar *grammar, HnError *err) {
    HnAuthorPrompt prompt = {.system = command->system,
                             .input = command->prompt,
                             .budget = command->budget,
                             .sampling = command->sampling,
                             .stops = command->stops,
                             .n_stops = command->n_stops,
                             .grammar = grammar};
    HnGenerated answer;
    uint32_t n_cut = 0;
    bool got = false;
    HN_TRY(hn_author_submit(author, &prompt, &n_cut, err));
    if (n_cut) {
        hn_log(HN_LOG_WARN, "the prompt lost %u tokens from its middle to fit into the context", n_cut);
    }
    double started = hn_clock_seconds();
    while (!got && !hn_stop_requested()) {
        HN_TRY(hn_author_step(author, &answer, &got, err));
    }
    bool printed = fputs("\n", stdout) >= 0 && fflush(stdout) == 0 && !ferror(stdout);
    if (!got) {
        return hn_fail(err, HN_INTERRUPTED, "stopped as asked");
    }
    double seconds = hn_clock_seconds() - started;
    if (!command->quiet) {
        fprintf(stderr, "[%s; %u tokens of prompt, %u of answer, %.1f s, %.1f tokens/s read and written]\n",
                hn_stop_name(answer.stop), answer.n_prompt, answer.n_tokens, seconds,
                (double)(answer.n_prompt + answer.n_tokens) / seconds);
    }
    hn_generated_free(&answer);
    return printed ? HN_OK : hn_fail(err, HN_IO, "cannot print the answer");
}

static HnStatus generate(HnGenerateCommand *command, HnError *err) {
    HnAuthor *author = NULL;
    HnGrammar *grammar = NULL;
    HnText line = {0};
    if (command->prompt) {
        command->author.on_text = print_text;
        command->author.slots = 1;
    }
    HnStatus status = hn_author_open(&command->author, &author, err);
    if (status == HN_OK && command->n_keys) {
        status = hn_author_grammar(author, command->keys, command->n_keys, NULL, &grammar, err);
    }
    if (status == HN_OK) {
        status = hn_author_describe(author, &line, err);
    }
    if (status == HN_OK) {
        hn_log(HN_LOG_INFO, "%s", hn_text_get(&line));
        status = command->prompt ? answer_one(command, author, grammar, err)
                                 : hn_generate_lines(command, author, grammar, err);
    }
    hn_text_free(&line);
    hn_author_close(&author);
    return status;
}

int hn_command_generate(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    HnGenerateCommand command;
    bool help = false;
    if (parse(argc, argv, &command, &help, &err) != HN_OK) {
        return hn_command_fail(&err);
    }
    if (help) {
        fputs(usage, stdout);
        return 0;
    }
    hn_log_setup(command.quiet ? HN_LOG_WARN : HN_LOG_INFO, 0);
    hn_stop_install();
    return generate(&command, &err) == HN_OK ? 0 : hn_command_fail(&err);
}
