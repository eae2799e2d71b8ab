#include "answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/text.h"

enum { MAX_DEPTH_TRIED = 64 }; /* opening braces at which a repair is tried */

static void noise(HnParsed *parsed, const char *why) {
    snprintf(parsed->why, sizeof parsed->why, "%s", why);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static HnStatus trimmed(const char *text, char **copy, HnError *err) {
    size_t n = strlen(text);
    while (n > 0 && is_blank(text[0])) {
        text++;
        n--;
    }
    while (n > 0 && is_blank(text[n - 1])) {
        n--;
    }
    *copy = hn_strndup(text, n, err);
    return *copy ? HN_OK : HN_MEMORY;
}

/* "None" in any case, with or without quotes or a full stop around it. */
static bool says_none(const char *text) {
    char word[8];
    size_t n = 0;
    for (; *text; text++) {
        if (!strchr("\"'`.<>", *text)) {
            if (n == sizeof word - 1) {
                return false;
            }
            word[n++] = *text;
        }
    }
    word[n] = '\0';
    return n == 0 || strcasecmp(word, "none") == 0;
}

static HnStatus take(HnTask task, const json_t *object, bool strict, HnParsed *parsed, HnError *err) {
    bool negative = task == HN_TASK_HARD_NEGATIVE;
    const char *key = negative ? "hard_negative_item" : "summarization";
    const json_t *text = json_object_get(object, key), *reasoning = json_object_get(object, "reasoning");
    if (!text || !reasoning) {
        snprintf(parsed->why, sizeof parsed->why, "the object lacks the key \"%s\"", text ? "reasoning" : key);
        return HN_OK;
    }
    if (strict && json_object_size(object) != 2) {
        noise(parsed, "the object has keys beyond the two asked for");
        return HN_OK;
    }
    bool null_item = negative && json_is_null(text);
    if ((!json_is_string(text) && !null_item) || !json_is_string(reasoning)) {
        noise(parsed, "a value is not a string");
        return HN_OK;
    }
    HN_TRY(trimmed(null_item ? "" : json_string_value(text), &parsed->text, err));
    HN_TRY(trimmed(json_string_value(reasoning), &parsed->reasoning, err));
    parsed->none = negative && says_none(parsed->text);
    parsed->good = parsed->none || parsed->text[0] != '\0';
    if (!parsed->good) {
        noise(parsed, "the summarization is empty");
        hn_free(parsed->text);
        hn_free(parsed->reasoning);
        parsed->text = parsed->reasoning = NULL;
    }
    return HN_OK;
}

/* The end (one behind) of the object that opens at text, or NULL: braces counted outside strings. */
static const char *balanced_end(const char *text) {
    int depth = 0;
    bool in_string = false;
    for (const char *c = text; *c; c++) {
        if (in_string) {
            if (*c == '\\' && c[1]) {
                c++;
            } else if (*c == '"') {
                in_string = false;
            }
        } else if (*c == '"') {
            in_string = true;
        } else if (*c == '{') {
            depth++;
        } else if (*c == '}' && --depth == 0) {
            return c + 1;
        }
    }
    return NULL;
}

static HnStatus repair(HnTask task, const char *raw, HnParsed *parsed, HnError *err) {
    const char *open = strchr(raw, '{');
    for (int tried = 0; open && tried < MAX_DEPTH_TRIED && !parsed->good; tried++) {
        const char *end = balanced_end(open);
        json_error_t error;
        json_t *object = end ? json_loadb(open, (size_t)(end - open), JSON_REJECT_DUPLICATES, &error) : NULL;
        HnStatus status = object ? take(task, object, false, parsed, err) : HN_OK;
        json_decref(object);
        HN_TRY(status);
        open = strchr(object ? end : open + 1, '{'); /* behind it, else inside what was no object */
        parsed->repaired = parsed->good;
        if (object && !parsed->good) {
            break; /* the first object is the answer; a later one would be a guess */
        }
    }
    return HN_OK;
}

HnStatus hn_answer_parse(HnTask task, const char *raw, HnParsed *parsed, HnError *err) {
    *parsed = (HnParsed){0};
    json_error_t error;
    json_t *whole = json_loads(raw, JSON_REJECT_DUPLICATES, &error);
    HnStatus status = HN_OK;
    if (json_is_object(whole)) {
        status = take(task, whole, true, parsed, err);
    } else {
        noise(parsed, raw[0] ? "the answer is not one JSON object" : "the answer is empty");
    }
    json_decref(whole);
    if (status == HN_OK && !parsed->good) {
        status = repair(task, raw, parsed, err);
    }
    if (status != HN_OK) {
        hn_parsed_free(parsed);
    }
    return status;
}

void hn_parsed_free(HnParsed *parsed) {
    hn_free(parsed->text);
    hn_free(parsed->reasoning);
    *parsed = (HnParsed){0};
}
