/* Prompts as JSON lines in, answers as JSON lines out, in the same order; what is written stays written. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/generate.h"
#include "base/alloc.h"
#include "base/log.h"

typedef struct Lines {
    const HnGenerateCommand *command;
    HnAuthor *author;
    HnGrammar *grammar;
    FILE *in, *out;
    FILE *earlier;             /* the output again, to compare what it holds with the input; NULL: it was empty */
    const char *name;          /* of the input, for messages */
    uint64_t n_read, n_before; /* lines asked for; answered by earlier starts */
    uint64_t n_written;
    json_t **ids; /* [capacity], of lines n_written .. n_read - 1, by number modulo capacity */
    char **done;  /* [capacity]: answers that wait for their turn; NULL: not there yet */
    size_t capacity;
    char *buffer;
    size_t n_buffer;
    HnProgress progress;
} Lines;

static bool same_file(FILE *a, FILE *b) {
    struct stat x, y;
    return fstat(fileno(a), &x) == 0 && fstat(fileno(b), &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Whether n bytes can be an answer that was being written when the program ended. */
static bool part_of_answer(const char *bytes, size_t n) {
    static const char begins[] = "{\"id\":";
    json_error_t bad;
    json_t *whole = json_loadb(bytes, n, JSON_ALLOW_NUL, &bad);
    bool other = whole != NULL && json_object_get(whole, "stop") == NULL;
    json_decref(whole);
    return !other && strncmp(bytes, begins, n < strlen(begins) ? n : strlen(begins)) == 0;
}

/* Whole lines that the output holds. What it ends in is cut off, if it is part of an answer: a file of something else
 * stays as it is. */
static HnStatus count_answered(Lines *lines, const char *path, HnError *err) {
    ssize_t n = 0;
    long whole = 0;
    while ((n = getline(&lines->buffer, &lines->n_buffer, lines->out)) > 0 && lines->buffer[n - 1] == '\n') {
        lines->n_before++;
        whole = ftell(lines->out);
    }
    if (n > 0 && !part_of_answer(lines->buffer, (size_t)n)) {
        return hn_fail(err, HN_CONFLICT, "%s ends in something that is no answer: name another --output", path);
    }
    if (ferror(lines->out) || fflush(lines->out) != 0 || ftruncate(fileno(lines->out), whole) != 0 ||
        fseek(lines->out, 0, SEEK_END) != 0) {
        return hn_fail(err, HN_IO, "cannot go on with %s", path);
    }
    return HN_OK;
}

static HnStatus open_output(Lines *lines, HnError *err) {
    const char *path = lines->command->output;
    lines->out = path ? fopen(path, "a+") : stdout;
    if (lines->out == NULL) {
        return hn_fail(err, HN_IO, "cannot write %s", path);
    }
    if (path == NULL) {
        return HN_OK;
    }
    if (same_file(lines->in, lines->out)) {
        return hn_fail(err, HN_USAGE, "%s is the input, too: name another --output", path);
    }
    rewind(lines->out);
    HN_TRY(count_answered(lines, path, err));
    lines->earlier = lines->n_before > 0 ? fopen(path, "r") : NULL;
    if (lines->n_before > 0 && lines->earlier == NULL) {
        return hn_fail(err, HN_IO, "cannot read %s", path);
    }
    if (lines->n_before > 0) {
        hn_log(HN_LOG_INFO, "%s: %llu lines are answered already", path, (unsigned long long)lines->n_before);
    }
    return HN_OK;
}

/* Whether the output's next line is an answer to this line of the input: one with its id. */
static HnStatus check_earlier(Lines *lines, const json_t *object, HnError *err) {
    json_error_t bad;
    ssize_t n = getline(&lines->buffer, &lines->n_buffer, lines->earlier);
    json_t *answer = n > 0 ? json_loadb(lines->buffer, (size_t)n, JSON_ALLOW_NUL, &bad) : NULL; /* models write it */
    json_t *number = json_integer((json_int_t)lines->n_read);
    const json_t *id = json_object_get(object, "id"), *got = json_object_get(answer, "id");
    bool good = json_object_get(answer, "stop") && json_equal(got, id ? id : number);
    json_decref(number);
    json_decref(answer);
    return good
               ? HN_OK
               : hn_fail(err, HN_CONFLICT,
                         "line %llu of %s is no answer to this line: name another --output, or the input that it is of",
                         (unsigned long long)lines->n_read + 1, lines->command->output);
}

static const char *text_of(const json_t *object, const char *key, const char *otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : value == NULL ? otherwise : NULL;
}

static HnStatus submit(Lines *lines, json_t *object, HnError *err) {
    const HnGenerateCommand *command = lines->command;
    uint32_t n_cut = 0;
    HnAuthorPrompt prompt = {.key = lines->n_read,
                             .system = text_of(object, "system", command->system),
                             .input = text_of(object, "prompt", NULL),
                             .budget = command->budget,
                             .sampling = command->sampling,
                             .stops = command->stops,
                             .n_stops = command->n_stops,
                             .grammar = lines->grammar};
    if (prompt.input == NULL || prompt.system == NULL) {
        return hn_fail(err, HN_INPUT, "it takes \"prompt\", a string, and may have \"system\", a string, and \"id\"");
    }
    HN_TRY(hn_author_submit(lines->author, &prompt, &n_cut, err));
    if (n_cut) {
        hn_log(HN_LOG_WARN, "%s:%llu: the prompt lost %u tokens from its middle to fit into the context", lines->name,
               (unsigned long long)lines->n_read + 1, n_cut);
    }
    return HN_OK;
}

/* Takes one line in. *end: there is none. */
static HnStatus read_one(Lines *lines, bool *end, HnError *err) {
    ssize_t n = getline(&lines->buffer, &lines->n_buffer, lines->in);
    HnError inner = HN_ERROR_INIT;
    json_error_t bad;
    *end = n < 0;
    if (n < 0) {
        return ferror(lines->in)                 ? hn_fail(err, HN_IO, "cannot read %s", lines->name)
               : lines->n_read < lines->n_before ? hn_fail(err, HN_CONFLICT,
                                                           "%s holds %llu answers, and %s %llu lines: name another "
                                                           "--output, or the input that it is of",
                                                           lines->command->output, (unsigned long long)lines->n_before,
                                                           lines->name, (unsigned long long)lines->n_read)
                                                 : HN_OK;
    }
    bool before = lines->n_read < lines->n_before; /* answered by an earlier start */
    json_t *object = json_loadb(lines->buffer, (size_t)n, 0, &bad);
    HnStatus status = !json_is_object(object) ? hn_fail(&inner, HN_INPUT, "this is no JSON object: %s", bad.text)
                      : before                ? check_earlier(lines, object, &inner)
                                              : submit(lines, object, &inner);
    if (status == HN_OK && before) {
        lines->n_read++;
        lines->n_written++;
    } else if (status == HN_OK) {
        json_t *id = json_object_get(object, "id");
        lines->ids[lines->n_read % lines->capacity] = id ? json_incref(id) : json_integer((json_int_t)lines->n_read);
        lines->n_read++;
    } else {
        hn_fail(err, status, "%s:%llu: %s", lines->name, (unsigned long long)lines->n_read + 1, inner.message);
    }
    json_decref(object);
    return status;
}

static HnStatus keep(Lines *lines, HnGenerated *answer, HnError *err) {
    size_t place = answer->key % lines->capacity;
    json_t *object = json_pack("{s:o, s:s#, s:s, s:I, s:I}", "id", lines->ids[place], "text", answer->text,
                               (int)answer->n_bytes, "stop", hn_stop_name(answer->stop), "prompt_tokens",
                               (json_int_t)answer->n_prompt, "answer_tokens", (json_int_t)answer->n_tokens);
    lines->ids[place] = NULL;
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
        bool good = fputs(*next, lines->out) >= 0 && fputc('\n', lines->out) != EOF && fflush(lines->out) == 0;
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
    lines.ids = hn_alloc(lines.capacity, sizeof(json_t *), "ids of prompts", err);
    lines.done = hn_alloc(lines.capacity, sizeof *lines.done, "answers", err);
    HnStatus status = lines.ids && lines.done ? open_output(&lines, err) : HN_MEMORY;
    if (status == HN_OK) {
        status = hn_author_load(author, err);
    }
    if (status == HN_OK) {
        hn_progress_start(&lines.progress, "answers", standard ? 0 : count_lines(lines.in), lines.n_before);
        status = work(&lines, err);
        hn_progress_finish(&lines.progress);
    }
    for (size_t i = 0; lines.ids && lines.done && i < lines.capacity; i++) {
        json_decref(lines.ids[i]);
        free(lines.done[i]);
    }
    hn_free(lines.ids);
    hn_free(lines.done);
    free(lines.buffer);
    if (lines.earlier) {
        (void)fclose(lines.earlier);
    }
    if (lines.out && lines.out != stdout) {
        (void)fclose(lines.out);
    }
    if (!standard) {
        (void)fclose(lines.in);
    }
    return status;
}
