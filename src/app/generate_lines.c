/* Prompts as JSON lines in, answers as JSON lines out, in the same order; what is written stays written. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/generate.h"
#include "base/alloc.h"
#include "base/log.h"

/* A line that waits for its answer. */
typedef struct Asked {
    json_t *id;
    char hash[17];
} Asked;

typedef struct Lines {
    const HnGenerateCommand *command;
    HnAuthor *author;
    HnGrammar *grammar;
    FILE *in;
    HnGenerateOutput output;
    const char *name; /* of the input, for messages */
    uint64_t n_read;  /* lines asked for */
    uint64_t n_written;
    Asked *asked; /* [capacity], of lines n_written .. n_read - 1, by number modulo capacity */
    char **done;  /* [capacity]: answers that wait for their turn; NULL: not there yet */
    size_t capacity;
    char *buffer;
    size_t n_buffer;
    HnProgress progress;
} Lines;

static const char *text_of(const json_t *object, const char *key, const char *otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : value == NULL ? otherwise : NULL;
}

HnStatus hn_line_check_keys(const json_t *line, const char *const *known, HnError *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)line, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            return hn_fail(err, HN_INPUT, "nobody knows the key \"%s\"", key);
        }
    }
    return HN_OK;
}

/* What a line asks; *system and *prompt belong to the line, or to the command. */
static HnStatus texts_of(const HnGenerateCommand *command, const json_t *line, const char **system, const char **prompt,
                         HnError *err) {
    static const char *const known[] = {"prompt", "system", "id", NULL};
    HN_TRY(hn_line_check_keys(line, known, err));
    *system = text_of(line, "system", command->system);
    *prompt = text_of(line, "prompt", NULL);
    return *prompt && *system
               ? HN_OK
               : hn_fail(err, HN_INPUT, "it takes \"prompt\", a string, and may have \"system\", a string, and \"id\"");
}

static HnStatus submit(Lines *lines, const char *system, const char *prompt, HnError *err) {
    const HnGenerateCommand *command = lines->command;
    uint32_t n_cut = 0;
    HnAuthorPrompt wanted = {.key = lines->n_read,
                             .system = system,
                             .input = prompt,
                             .budget = command->budget,
                             .sampling = command->sampling,
                             .stops = command->stops,
                             .n_stops = command->n_stops,
                             .grammar = lines->grammar};
    HN_TRY(hn_author_submit(lines->author, &wanted, &n_cut, err));
    if (n_cut) {
        hn_log(HN_LOG_WARN, "%s:%llu: the prompt lost %u tokens from its middle to fit into the context", lines->name,
               (unsigned long long)lines->n_read + 1, n_cut);
    }
    return HN_OK;
}

/* Asks what the line asks, or finds it answered by an earlier start. */
static HnStatus take_line(Lines *lines, const json_t *line, HnError *err) {
    const char *system, *prompt;
    Asked *asked = &lines->asked[lines->n_read % lines->capacity];
    HN_TRY(texts_of(lines->command, line, &system, &prompt, err));
    HN_TRY(hn_generate_asked(system, prompt, asked->hash, err));
    if (lines->n_read < lines->output.n_before) {
        HN_TRY(hn_generate_output_check(&lines->output, line, asked->hash, lines->n_read, err));
        lines->n_written++;
    } else {
        HN_TRY(submit(lines, system, prompt, err));
        json_t *id = json_object_get(line, "id");
        asked->id = id ? json_incref(id) : json_integer((json_int_t)lines->n_read);
    }
    lines->n_read++;
    return HN_OK;
}

/* Takes one line in. *end: there is none. */
static HnStatus read_one(Lines *lines, bool *end, HnError *err) {
    ssize_t n = getline(&lines->buffer, &lines->n_buffer, lines->in);
    HnError inner = HN_ERROR_INIT;
    json_error_t bad;
    *end = n < 0;
    if (n < 0) {
        return ferror(lines->in) ? hn_fail(err, HN_IO, "cannot read %s", lines->name)
               : lines->n_read < lines->output.n_before
                   ? hn_fail(err, HN_CONFLICT,
                             "%s holds %llu answers, and %s %llu lines: name another "
                             "--output, or the input that it is of",
                             lines->command->output, (unsigned long long)lines->output.n_before, lines->name,
                             (unsigned long long)lines->n_read)
                   : HN_OK;
    }
    json_t *line = json_loadb(lines->buffer, (size_t)n, JSON_REJECT_DUPLICATES, &bad);
    HnStatus status = json_is_object(line) ? take_line(lines, line, &inner)
                                           : hn_fail(&inner, HN_INPUT, "this is no JSON object: %s", bad.text);
    json_decref(line);
    return status == HN_OK
               ? HN_OK
               : hn_fail(err, status, "%s:%llu: %s", lines->name, (unsigned long long)lines->n_read + 1, inner.message);
}

static HnStatus keep(Lines *lines, HnGenerated *answer, HnError *err) {
    size_t place = answer->key % lines->capacity;
    Asked *asked = &lines->asked[place];
    json_t *object =
        json_pack("{s:o, s:s#, s:s, s:I, s:I, s:s}", "id", asked->id, "text", answer->text, (int)answer->n_bytes,
                  "stop", hn_stop_name(answer->stop), "prompt_tokens", (json_int_t)answer->n_prompt, "answer_tokens",
                  (json_int_t)answer->n_tokens, "asked", asked->hash);
    asked->id = NULL;
    lines->done[place] = object ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(object);
    hn_generated_free(answer);
    return lines->done[place] ? HN_OK : hn_fail(err, HN_MEMORY, "no memory for an answer");
}

static HnStatus write_finished(Lines *lines, HnError *err) {
    while (lines->n_written < lines->n_read) {
        char **next = &lines->done[lines->n_written % lines->capacity];
        if (*next == NULL) {
            break;
        }
        bool good = fputs(*next, lines->output.file) >= 0 && fputc('\n', lines->output.file) != EOF &&
                    fflush(lines->output.file) == 0;
        free(*next);
        *next = NULL;
        if (!good) {
            return hn_fail(err, HN_IO,
                           "cannot write the answers; those written so far are good, and the same command "
                           "goes on behind them");
        }
        lines->n_written++;
        hn_progress_update(&lines->progress, lines->n_written);
    }
    return HN_OK;
}

/* A line that cannot be answered ends the work, but not before the lines in front of it are answered. */
static HnStatus work(Lines *lines, HnError *err) {
    bool end = false;
    HnError refused = HN_ERROR_INIT;
    while (!end || lines->n_written < lines->n_read) {
        while (!end && lines->n_read - lines->n_written < lines->capacity &&
               hn_author_waiting(lines->author) < 2 * lines->command->author.slots) {
            end = read_one(lines, &end, &refused) != HN_OK || end;
        }
        if (end && lines->n_written == lines->n_read) {
            break;
        }
        if (hn_stop_requested()) {
            return hn_fail(err, HN_INTERRUPTED, "stopped as asked; the same command goes on behind the last line");
        }
        HnGenerated answer;
        bool got = false;
        HN_TRY(hn_author_step(lines->author, &answer, &got, err));
        if (got) {
            HN_TRY(keep(lines, &answer, err));
            HN_TRY(write_finished(lines, err));
        }
    }
    return refused.status == HN_OK ? HN_OK : hn_fail(err, refused.status, "%s", refused.message);
}

/* How many lines there are, for the progress; 0 where that cannot be known. */
static uint64_t count_lines(FILE *in) {
    uint64_t n = 0;
    int c;
    if (fseek(in, 0, SEEK_SET) != 0) {
        return 0;
    }
    while ((c = getc(in)) != EOF) {
        n += c == '\n';
    }
    rewind(in);
    return n;
}

HnStatus hn_generate_lines(const HnGenerateCommand *command, HnAuthor *author, HnGrammar *grammar, HnError *err) {
    Lines lines = {.command = command, .author = author, .grammar = grammar};
    bool standard = strcmp(command->input, "-") == 0;
    lines.name = standard ? "standard input" : command->input;
    lines.in = standard ? stdin : fopen(command->input, "r");
    if (lines.in == NULL) {
        return hn_fail(err, HN_INPUT, "cannot read %s", command->input);
    }
    lines.capacity = 64 * (size_t)command->author.slots;
    lines.asked = hn_alloc(lines.capacity, sizeof *lines.asked, "prompts under way", err);
    lines.done = hn_alloc(lines.capacity, sizeof *lines.done, "answers", err);
    const uint64_t n_lines = standard ? 0 : count_lines(lines.in);
    HnStatus status =
        lines.asked && lines.done ? hn_generate_output_open(command, lines.in, n_lines, &lines.output, err) : HN_MEMORY;
    if (status == HN_OK) {
        status = hn_author_load(author, err);
    }
    if (status == HN_OK) {
        hn_progress_start(&lines.progress, "answers", n_lines, lines.output.n_before);
        status = work(&lines, err);
        hn_progress_finish(&lines.progress);
    }
    for (size_t i = 0; lines.asked && lines.done && i < lines.capacity; i++) {
        json_decref(lines.asked[i].id);
        free(lines.done[i]);
    }
    hn_free(lines.asked);
    hn_free(lines.done);
    free(lines.buffer);
    hn_generate_output_close(&lines.output);
    if (!standard) {
        (void)fclose(lines.in);
    }
    return status;
}
