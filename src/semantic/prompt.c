#include "prompt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "prompt_field.h"

enum { IN_ITEM_PROFILE = 1, IN_USER_PROFILE = 2, IN_HARD_NEGATIVE = 4, MAX_PROMPT_BYTES = 1024 * 1024 };

static const char *const FIELD_NAMES[] = {
#define FIELD_NAME(name, text, tasks) text,
    HN_PROMPT_FIELDS(FIELD_NAME)
#undef FIELD_NAME
};
static const int FIELD_TASKS[] = {
#define FIELD_TASK(name, text, tasks) (tasks),
    HN_PROMPT_FIELDS(FIELD_TASK)
#undef FIELD_TASK
};

/* A stretch of literal text, then a field (or none: HN_PROMPT_N_FIELDS). */
typedef struct Segment {
    const char *text; /* into HnPrompt.file */
    size_t n_bytes;
    HnPromptField field;
} Segment;

typedef struct Part {
    Segment *segments; /* [n] */
    size_t n, capacity;
} Part;

struct HnPrompt {
    char *path;
    char *file;
    char id[65];
    int task_bit;
    Part system, input;
};

static const char *prompt_name(HnTask task, int *bit) {
    switch (task) {
    case HN_TASK_ITEM_PROFILE:
        *bit = IN_ITEM_PROFILE;
        return "item-profile.txt";
    case HN_TASK_USER_PROFILE:
        *bit = IN_USER_PROFILE;
        return "user-profile.txt";
    case HN_TASK_HARD_NEGATIVE:
        *bit = IN_HARD_NEGATIVE;
        return "hard-negative.txt";
    case HN_TASK_EMBED:
        break;
    }
    *bit = 0;
    return NULL;
}

/* "<folder of the program>/../share/hnlmrec/prompts", or NULL. */
static char *beside_program(HnError *err) {
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) {
        return NULL;
    }
    program[n] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash) {
        return NULL;
    }
    *slash = '\0';
    return hn_path_printf(err, "%s/../share/hnlmrec/prompts", program);
}

/* The file `name` in the first folder that applies; a configured folder is never silently replaced by another. */
static HnStatus find(const char *folder, const char *name, char **path, HnError *err) {
    const char *environment = getenv("HNLMREC_PROMPTS");
    if (folder && folder[0]) {
        *path = hn_path_join(folder, name, err);
    } else if (environment && environment[0]) {
        *path = hn_path_join(environment, name, err);
    } else {
        char *beside = beside_program(err);
        *path = beside ? hn_path_join(beside, name, err) : NULL;
        hn_free(beside);
        if (!*path || !hn_file_exists(*path)) {
            hn_free(*path);
            *path = hn_path_join(HN_PROMPTS_SOURCE, name, err);
        }
    }
    if (!*path) {
        return HN_MEMORY;
    }
    if (!hn_file_exists(*path)) {
        return hn_fail(err, HN_INPUT,
                       "prompt file %s does not exist; set llm.prompt_folder (or HNLMREC_PROMPTS) to a "
                       "folder with item-profile.txt, user-profile.txt and hard-negative.txt",
                       *path);
    }
    return HN_OK;
}

static unsigned line_of(const HnPrompt *prompt, const char *at) {
    unsigned line = 1;
    for (const char *c = prompt->file; c < at; c++) {
        line += *c == '\n';
    }
    return line;
}

static HnStatus add_segment(Part *part, Segment segment, HnError *err) {
    if (part->n == part->capacity) {
        size_t capacity = part->capacity ? part->capacity * 2 : 8;
        HN_TRY(hn_resize(&part->segments, part->n * sizeof *part->segments, capacity, sizeof *part->segments, "prompt",
                         err));
        part->capacity = capacity;
    }
    part->segments[part->n++] = segment;
    return HN_OK;
}

static HnStatus unknown_field(const HnPrompt *prompt, const char *at, const char *name, HnError *err) {
    HnText known = {0};
    const char *candidates[HN_PROMPT_N_FIELDS];
    size_t n = 0;
    for (int i = 0; i < HN_PROMPT_N_FIELDS; i++) {
        if (FIELD_TASKS[i] & prompt->task_bit) {
            candidates[n++] = FIELD_NAMES[i];
            HN_TRY(hn_text_printf(&known, err, "%s%s", n > 1 ? ", " : "", FIELD_NAMES[i]));
        }
    }
    const char *near = hn_nearest_word(name, candidates, n);
    HnStatus status = hn_fail(err, HN_INPUT, "%s, line %u: unknown field {{%s}}%s%s%s; this prompt knows: %s",
                              prompt->path, line_of(prompt, at), name, near ? " (did you mean " : "", near ? near : "",
                              near ? "?)" : "", hn_text_get(&known));
    hn_text_free(&known);
    return status;
}

/* Which field the text between {{ and }} names. */
static HnStatus read_field(const HnPrompt *prompt, const char *name, size_t n, bool in_system, HnPromptField *field,
                           HnError *err) {
    char word[64];
    const char *at = name;
    while (n > 0 && name[0] == ' ') {
        name++;
        n--;
    }
    while (n > 0 && name[n - 1] == ' ') {
        n--;
    }
    n = n < sizeof word - 1 ? n : sizeof word - 1;
    memcpy(word, name, n);
    word[n] = '\0';
    for (int i = 0; i < HN_PROMPT_N_FIELDS; i++) {
        if (strcmp(word, FIELD_NAMES[i]) == 0 && (FIELD_TASKS[i] & prompt->task_bit)) {
            if (in_system && i != HN_PROMPT_PROFILE_WORDS) {
                return hn_fail(err, HN_INPUT,
                               "%s, line %u: field {{%s}} belongs below [input]; above it only "
                               "{{profile_words}} is known",
                               prompt->path, line_of(prompt, at), word);
            }
            *field = (HnPromptField)i;
            return HN_OK;
        }
    }
    return unknown_field(prompt, at, word, err);
}

static HnStatus read_part(const HnPrompt *prompt, const char *text, size_t n_bytes, bool in_system, Part *part,
                          HnError *err) {
    const char *end = text + n_bytes;
    while (text < end) {
        const char *open = strstr(text, "{{");
        if (!open || open >= end) {
            return add_segment(part, (Segment){text, (size_t)(end - text), HN_PROMPT_N_FIELDS}, err);
        }
        const char *close = strstr(open, "}}"), *newline = strchr(open, '\n');
        if (!close || close >= end || (newline && newline < close)) {
            return hn_fail(err, HN_INPUT, "%s, line %u: {{ without }} on the same line", prompt->path,
                           line_of(prompt, open));
        }
        Segment segment = {text, (size_t)(open - text), HN_PROMPT_N_FIELDS};
        HN_TRY(read_field(prompt, open + 2, (size_t)(close - open - 2), in_system, &segment.field, err));
        HN_TRY(add_segment(part, segment, err));
        text = close + 2;
    }
    return HN_OK;
}

/* The line that consists of `word` alone, at or after `from`. */
static const char *find_line(const char *from, const char *word) {
    size_t n = strlen(word);
    for (const char *at = from; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, word, n) == 0 && (at[n] == '\n' || at[n] == '\r' || at[n] == '\0')) {
            return at;
        }
    }
    return NULL;
}

static const char *after_line(const char *line) {
    const char *newline = strchr(line, '\n');
    return newline ? newline + 1 : line + strlen(line);
}

static HnStatus parse(HnPrompt *prompt, HnError *err) {
    for (const char *at = prompt->file; *at && strncmp(at, "[system]", 8) != 0; at = after_line(at)) {
        if (*at != '#' && *at != '\n' && *at != '\r') {
            return hn_fail(err, HN_INPUT, "%s, line %u: only comments (#) may stand before [system]", prompt->path,
                           line_of(prompt, at));
        }
    }
    const char *system = find_line(prompt->file, "[system]");
    const char *input = system ? find_line(system, "[input]") : NULL;
    if (!system || !input) {
        return hn_fail(err, HN_INPUT,
                       "%s: a prompt needs a line [system], its instruction, then a line [input] and "
                       "the input",
                       prompt->path);
    }
    const char *text = after_line(system);
    HN_TRY(read_part(prompt, text, (size_t)(input - text), true, &prompt->system, err));
    text = after_line(input);
    HN_TRY(read_part(prompt, text, strlen(text), false, &prompt->input, err));
    if (prompt->input.n == 0) {
        return hn_fail(err, HN_INPUT, "%s: nothing stands below [input]", prompt->path);
    }
    return HN_OK;
}

HnStatus hn_prompt_load(const char *folder, HnTask task, HnPrompt **prompt, HnError *err) {
    HnPrompt *made = hn_alloc(1, sizeof *made, "prompt", err);
    size_t n_bytes = 0;
    if (!made) {
        return HN_MEMORY;
    }
    const char *name = prompt_name(task, &made->task_bit);
    HnStatus status =
        name ? find(folder, name, &made->path, err) : hn_fail(err, HN_INTERNAL, "embedding has no prompt");
    if (status == HN_OK) {
        status = hn_file_read(made->path, MAX_PROMPT_BYTES, &made->file, &n_bytes, err);
    }
    if (status == HN_OK && (strlen(made->file) != n_bytes || !hn_utf8_valid(made->file, n_bytes, NULL))) {
        status = hn_fail(err, HN_INPUT, "%s: a prompt is UTF-8 text; this file is not", made->path);
    }
    if (status == HN_OK) {
        hn_sha256_bytes(made->file, n_bytes, made->id);
        status = parse(made, err);
    }
    if (status != HN_OK) {
        hn_prompt_free(&made);
    }
    *prompt = made;
    return status;
}

void hn_prompt_free(HnPrompt **prompt) {
    if (*prompt) {
        hn_free((*prompt)->system.segments);
        hn_free((*prompt)->input.segments);
        hn_free((*prompt)->file);
        hn_free((*prompt)->path);
        hn_free(*prompt);
        *prompt = NULL;
    }
}

const char *hn_prompt_id(const HnPrompt *prompt) {
    return prompt->id;
}

static HnStatus render_part(const Part *part, const HnSubject *subject, HnText *out, HnError *err) {
    hn_text_clear(out);
    for (size_t i = 0; i < part->n; i++) {
        HN_TRY(hn_text_append(out, part->segments[i].text, part->segments[i].n_bytes, err));
        if (part->segments[i].field != HN_PROMPT_N_FIELDS) {
            HN_TRY(hn_prompt_value(part->segments[i].field, subject, out, err));
        }
    }
    return HN_OK;
}

HnStatus hn_prompt_render(const HnPrompt *prompt, const HnSubject *subject, HnText *system, HnText *input,
                          HnError *err) {
    HN_TRY(render_part(&prompt->system, subject, system, err));
    return render_part(&prompt->input, subject, input, err);
}
