#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/embed.h"
#include "app/generate.h"
#include "base/alloc.h"
#include "base/file.h"

HnStatus hn_embed_input_open(const char *path, HnEmbedInput *input, HnError *err) {
    *input = (HnEmbedInput){.path = path, .file = fopen(path, "r")};
    return input->file ? HN_OK : hn_fail(err, HN_INPUT, "cannot read %s", path);
}

void hn_embed_input_close(HnEmbedInput *input) {
    if (input->file) {
        (void)fclose(input->file);
    }
    free(input->buffer);
    *input = (HnEmbedInput){0};
}

/* Strings as they are, whole numbers in digits. */
static HnStatus take_id(const json_t *id, uint64_t number, char **text, HnError *err) {
    if (id == NULL) {
        *text = hn_path_printf(err, "%llu", (unsigned long long)number);
    } else if (json_is_string(id)) {
        *text = hn_strdup(json_string_value(id), err);
    } else if (json_is_integer(id)) {
        *text = hn_path_printf(err, "%lld", (long long)json_integer_value(id));
    } else {
        return hn_fail(err, HN_INPUT, "\"id\" is neither a string nor a whole number");
    }
    return *text ? HN_OK : HN_MEMORY;
}

static HnStatus take(const json_t *object, uint64_t number, HnEmbedLine *line, HnError *err) {
    const json_t *text = json_object_get(object, "text"), *prompt = json_object_get(object, "prompt");
    const json_t *system = json_object_get(object, "system"), *input = text ? text : prompt;
    static const char *const known[] = {"text", "prompt", "system", "id", NULL};
    HN_TRY(hn_line_check_keys(object, known, err));
    if ((text == NULL) == (prompt == NULL) || !json_is_string(input) || (text && system) ||
        (system && !json_is_string(system))) {
        return hn_fail(err, HN_INPUT,
                       "a line takes either \"text\", or \"prompt\" and maybe \"system\", all of them strings, and "
                       "maybe \"id\"");
    }
    HN_TRY(take_id(json_object_get(object, "id"), number, &line->id, err));
    if (prompt) {
        line->system = hn_strdup(system ? json_string_value(system) : "", err);
        if (line->system == NULL) {
            return HN_MEMORY;
        }
    }
    line->input = hn_strdup(json_string_value(input), err);
    return line->input ? HN_OK : HN_MEMORY;
}

HnStatus hn_embed_input_next(HnEmbedInput *input, HnEmbedLine *line, bool *end, HnError *err) {
    ssize_t n = getline(&input->buffer, &input->capacity, input->file);
    HnError inner = HN_ERROR_INIT;
    json_error_t bad;
    *line = (HnEmbedLine){0};
    *end = n < 0;
    if (n < 0) {
        return ferror(input->file) ? hn_fail(err, HN_IO, "cannot read %s", input->path) : HN_OK;
    }
    json_t *object = json_loadb(input->buffer, (size_t)n, JSON_REJECT_DUPLICATES, &bad);
    HnStatus status = json_is_object(object) ? take(object, input->n_read, line, &inner)
                                             : hn_fail(&inner, HN_INPUT, "this is no JSON object: %s", bad.text);
    json_decref(object);
    input->n_read++;
    if (status != HN_OK) {
        hn_embed_line_free(line);
        return hn_fail(err, status, "%s:%llu: %s", input->path, (unsigned long long)input->n_read, inner.message);
    }
    return HN_OK;
}

void hn_embed_line_free(HnEmbedLine *line) {
    hn_free(line->id);
    hn_free(line->system);
    hn_free(line->input);
    *line = (HnEmbedLine){0};
}
