/* `hnlmrec embed`: an experiment up to its vectors, or, with --model, a file of texts and prompts to vectors. */
#include "app/embed.h"

#include <string.h>

#include "app/command.h"
#include "app/generate.h"
#include "base/log.h"

static const char usage[] =
    "usage: hnlmrec embed EXPERIMENT [--out DIR] [--set KEY=VALUE ...]\n"
    "       hnlmrec embed --model DIR --input FILE.jsonl --output FILE.h5 [option ...]\n\n"
    "Without --model: runs the experiment up to the vectors of its train pairs; `hnlmrec run --help` has the "
    "options.\n\n"
    "With --model: embeds the lines of a file with a Hugging Face model folder (Llama, Mistral, Qwen2, Qwen3, BERT,\n"
    "nomic-bert). A line is {\"id\": ..., \"text\": \"...\"} or {\"id\": ..., \"prompt\": \"...\", \"system\": "
    "\"...\"}\n"
    "(id and system may be left out; --input - reads standard input). A prompt becomes turns of the model's chat\n"
    "template, where it has one. The output is a store of ids and vectors (`hnlmrec help stores`), which appears when\n"
    "it is whole; stopped or killed, the same command goes on behind the last batch. What lines of a batch begin with\n"
    "in common is computed once, so put lines side by side that begin alike.\n\n"
    "  --model DIR        model folder, or a models--org--name folder of a hub cache\n"
    "  --pooling RULE     last, mean or cls (default: the model's, else last token of decoders, mean of encoders)\n"
    "  --normalise        vectors of length 1; --no-normalise: as they are (default: the model's)\n"
    "  --kind KIND        plain (default), query or document: texts get the model's prefix for it\n"
    "  --plain            prompts without the chat template: instruction, empty line, prompt\n"
    "  --context N        longest text in tokens (default: the model's); longer prompts are cut, instruction\n"
    "                     and end stay (of the rest three quarters from its head, a quarter from its tail, in tokens; "
    "of a\n"
    "                     text its head stays)\n"
    "  --weights TYPE     f32, f16, bf16 (default), int8 or nf4: how weights lie in memory\n"
    "  --type TYPE        f16 (default) or f32: how vectors are stored\n"
    "  --batch N          lines that are embedded in one go (default 64)\n"
    "  --unshared         computes each line whole: the same vectors, to see what sharing brings\n"
    "  --memory-gb X      memory that may be used (default: what is free)\n"
    "  --mix-bits         goes on with an output that was begun where products have other bits (hnlmrec doctor)\n"
    "  --quiet            warnings only\n\n"
    "A vector depends on line, model and settings alone: not on batch, threads, or what is beside it.\n";

const char *const hn_embed_kinds[3] = {"plain", "query", "document"};

static HnStatus bad_value(const char *name, const char *value, HnError *err) {
    return hn_fail(err, HN_USAGE, "%s cannot be \"%s\"; see `hnlmrec embed --help`", name, value);
}

static HnStatus take_word(const char *name, const char *value, const char *const *words, int n, int *which,
                          HnError *err) {
    for (*which = 0; *which < n; ++*which) {
        if (strcmp(value, words[*which]) == 0) {
            return HN_OK;
        }
    }
    return bad_value(name, value, err);
}

static HnStatus take_number(HnEmbedCommand *command, const char *name, const char *value, HnError *err) {
    bool context = strcmp(name, "--context") == 0;
    int64_t number = 0;
    if (!hn_parse_i64(value, &number) || number < 1 || number > (context ? UINT32_MAX : 65536)) {
        return bad_value(name, value, err);
    }
    *(context ? &command->embedder.embedding.max_tokens : &command->batch) = (uint32_t)number;
    return HN_OK;
}

static HnStatus take_option(HnEmbedCommand *command, const char *name, const char *value, HnError *err) {
    static const char *const poolings[] = {"last", "mean", "cls"}, *const types[] = {"f16", "f32"};
    const char **text = strcmp(name, "--model") == 0    ? &command->embedder.folder
                        : strcmp(name, "--input") == 0  ? &command->input
                        : strcmp(name, "--output") == 0 ? &command->output
                                                        : NULL;
    int which = 0;
    if (text) {
        *text = value;
    } else if (strcmp(name, "--weights") == 0) {
        return hn_weight_type_find(value, &command->embedder.weights) ? HN_OK : bad_value(name, value, err);
    } else if (strcmp(name, "--pooling") == 0) {
        HN_TRY(take_word(name, value, poolings, 3, &which, err));
        command->embedder.embedding.pooling = (HnPooling)(HN_POOLING_LAST + which);
    } else if (strcmp(name, "--kind") == 0) {
        HN_TRY(take_word(name, value, hn_embed_kinds, 3, &which, err));
        command->kind = (HnLmTextKind)which;
    } else if (strcmp(name, "--type") == 0) {
        HN_TRY(take_word(name, value, types, 2, &which, err));
        command->f32 = which == 1;
    } else if (strcmp(name, "--batch") == 0 || strcmp(name, "--context") == 0) {
        HN_TRY(take_number(command, name, value, err));
    } else if (strcmp(name, "--memory-gb") == 0) {
        return hn_parse_gigabytes(value, &command->embedder.memory_limit) ? HN_OK : bad_value(name, value, err);
    } else {
        return hn_fail(err, HN_USAGE, "unknown option %s; see `hnlmrec embed --help`", name);
    }
    return HN_OK;
}

static bool take_flag(HnEmbedCommand *command, const char *name) {
    HnLmEmbeddingOptions *embedding = &command->embedder.embedding;
    if (strcmp(name, "--normalise") == 0) {
        embedding->normalise = HN_LM_NORMALISE;
    } else if (strcmp(name, "--no-normalise") == 0) {
        embedding->normalise = HN_LM_NORMALISE_NOT;
    } else if (strcmp(name, "--plain") == 0) {
        command->embedder.plain = true;
    } else if (strcmp(name, "--unshared") == 0) {
        embedding->unshared = true;
    } else if (strcmp(name, "--mix-bits") == 0) {
        command->mix_bits = true;
    } else if (strcmp(name, "--quiet") == 0) {
        command->quiet = true;
    } else {
        return false;
    }
    return true;
}

static HnStatus parse(int argc, char **argv, HnEmbedCommand *command, HnError *err) {
    *command = (HnEmbedCommand){.embedder = {.weights = HN_WEIGHT_BF16}, .kind = HN_LM_TEXT_PLAIN, .batch = 64};
    for (int i = 1; i < argc; i++) {
        if (take_flag(command, argv[i])) {
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc) {
            return hn_fail(err, HN_USAGE, "cannot use \"%s\" here; see `hnlmrec embed --help`", argv[i]);
        }
        HN_TRY(take_option(command, argv[i], argv[i + 1], err));
        i++;
    }
    if (command->embedder.folder == NULL || command->input == NULL || command->output == NULL) {
        return hn_fail(err, HN_USAGE, "name --model, --input and --output; see `hnlmrec embed --help`");
    }
    return HN_OK;
}

int hn_command_embed(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    HnEmbedCommand command;
    bool tool = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        tool = tool || strcmp(argv[i], "--model") == 0;
    }
    if (!tool) {
        return hn_command_run(argc, argv);
    }
    if (parse(argc, argv, &command, &err) != HN_OK) {
        return hn_command_fail(&err);
    }
    hn_log_setup(command.quiet ? HN_LOG_WARN : HN_LOG_INFO, 0);
    hn_stop_install();
    return hn_embed_lines(&command, &err) == HN_OK ? 0 : hn_command_fail(&err);
}
