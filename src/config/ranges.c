/* `tune.ranges` of an experiment file: which values a key may take. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "config/load.h"

static HnStatus refuse(const HnRangeGiven *given, const char *why, HnError *err) {
    return hn_fail(err, HN_CONFIG, "%s: tune.ranges: %s %s", given->where, given->name, why);
}

/* A key that rows may set, of one plain value, that changes the training: not what it is measured by. */
static HnStatus check_key(const HnRangeGiven *given, const HnKeySink *sink, const HnKey **key, HnError *err) {
    *key = hn_key_find(given->name);
    if (*key == NULL) {
        return hn_sink_refuse(sink, given->name, given->where, err);
    }
    bool plain = (*key)->type == HN_KEY_BOOL || (*key)->type == HN_KEY_INT || (*key)->type == HN_KEY_REAL ||
                 (*key)->type == HN_KEY_WORD;
    if (!hn_key_is_for_variants(*key) || strncmp(given->name, "eval.", 5) == 0 || !(*key)->changes_results) {
        return refuse(given,
                      "cannot be tuned: only keys of model, sampler, semantic, align, loss and train that change the "
                      "result",
                      err);
    }
    return plain ? HN_OK : refuse(given, "cannot be tuned: it takes a text or a list", err);
}

/* Assigns to a scratch value, so that type, range and words are checked as everywhere. */
static HnStatus check_value(const HnRangeGiven *given, const HnKey *key, const char *text, HnError *err) {
    union {
        bool yes;
        int word;
        int64_t whole;
        double real;
    } scratch;
    HnGiven one = {.texts = &text, .n = 1, .where = given->where, .folder = "."};
    return hn_value_assign(key, &scratch, &one, err);
}

static HnStatus add_value(HnRange *range, const HnRangeGiven *given, const HnKey *key, const char *text, HnError *err) {
    HnStringList *values = &range->values;
    HN_TRY(check_value(given, key, text, err));
    for (size_t i = 0; i < values->n; i++) {
        if (strcmp(values->items[i], text) == 0) {
            return hn_fail(err, HN_CONFIG, "%s: tune.ranges: %s holds %s twice; equal values give equal trials",
                           given->where, given->name, text);
        }
    }
    HN_TRY(hn_resize(&values->items, values->n * sizeof(char *), values->n + 1, sizeof(char *), "values", err));
    char *copy = hn_strdup(text, err);
    if (copy == NULL) {
        return HN_MEMORY;
    }
    values->items[values->n++] = copy;
    return HN_OK;
}

double hn_range_at(const HnRange *range, double share) {
    return range->log ? exp(log(range->from) + share * (log(range->to) - log(range->from)))
                      : range->from + share * (range->to - range->from);
}

void hn_range_text(bool whole, double value, char text[32]) {
    (void)snprintf(text, 32, whole ? "%.0f" : "%.6g", whole ? round(value) : value);
}

/* {from, to, log, steps}: with steps, as many values; without, an interval to draw from. */
static HnStatus add_interval(HnRange *range, const HnRangeGiven *given, const HnKey *key, HnError *err) {
    int64_t steps = 0;
    range->whole = key->type == HN_KEY_INT;
    if (key->type != HN_KEY_INT && key->type != HN_KEY_REAL) {
        return refuse(given, "takes no numbers: list its values", err);
    }
    if (given->from == NULL || given->to == NULL) {
        return refuse(given, "needs from and to (and may have log and steps)", err);
    }
    HN_TRY(check_value(given, key, given->from, err));
    HN_TRY(check_value(given, key, given->to, err));
    (void)hn_parse_double(given->from, &range->from);
    (void)hn_parse_double(given->to, &range->to);
    if (range->from >= range->to) {
        return refuse(given, "runs backwards: from must be below to", err);
    }
    if (given->log != NULL && strcmp(given->log, "true") != 0 && strcmp(given->log, "false") != 0) {
        return refuse(given, "has a log that is neither true nor false", err);
    }
    range->log = given->log != NULL && strcmp(given->log, "true") == 0;
    if (range->log && range->from <= 0.0) {
        return refuse(given, "has log true, so from must be above 0", err);
    }
    if (given->steps != NULL && (!hn_parse_i64(given->steps, &steps) || steps < 2 || steps > 1000)) {
        return refuse(given, "takes 2 to 1000 steps", err);
    }
    for (int64_t s = 0; s < steps; s++) {
        char text[32];
        hn_range_text(range->whole, hn_range_at(range, (double)s / (double)(steps - 1)), text);
        HN_TRY(add_value(range, given, key, text, err));
    }
    return HN_OK;
}

HnStatus hn_range_add(const HnKeySink *sink, const HnRangeGiven *given, HnError *err) {
    HnExperiment *experiment = sink->experiment;
    const HnKey *key = NULL;
    HN_TRY(check_key(given, sink, &key, err));
    size_t n = experiment->tune.n_ranges;
    for (size_t r = 0; r < n; r++) {
        if (strcmp(experiment->tune.ranges[r].key, given->name) == 0) {
            return refuse(given, "is given twice; keep one", err);
        }
    }
    if (given->is_list && given->n == 0) {
        return refuse(given, "is an empty list; give at least one value", err);
    }
    HN_TRY(hn_resize(&experiment->tune.ranges, n * sizeof(HnRange), n + 1, sizeof(HnRange), "ranges", err));
    HnRange *range = &experiment->tune.ranges[experiment->tune.n_ranges++];
    range->key = hn_strdup(given->name, err);
    if (range->key == NULL) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < given->n; i++) {
        HN_TRY(add_value(range, given, key, given->texts[i], err));
    }
    return given->is_list ? HN_OK : add_interval(range, given, key, err);
}

void hn_ranges_free(HnExperiment *experiment) {
    for (size_t r = 0; r < experiment->tune.n_ranges; r++) {
        HnRange *range = &experiment->tune.ranges[r];
        hn_names_free(&range->values.items, range->values.n);
        hn_free(range->key);
    }
    hn_free(experiment->tune.ranges);
    experiment->tune.ranges = NULL;
    experiment->tune.n_ranges = 0;
}

HnStatus hn_ranges_dump(const HnExperiment *experiment, HnText *text, HnError *err) {
    HN_TRY(experiment->tune.n_ranges > 0 ? hn_text_puts(text, "tune.ranges:\n", err) : HN_OK);
    for (size_t r = 0; r < experiment->tune.n_ranges; r++) {
        const HnRange *range = &experiment->tune.ranges[r];
        HN_TRY(hn_text_printf(text, err, "  %s: %s", range->key, range->values.n > 0 ? "[" : ""));
        for (size_t i = 0; i < range->values.n; i++) {
            HN_TRY(hn_text_printf(text, err, "%s%s", i > 0 ? ", " : "", range->values.items[i]));
        }
        HN_TRY(range->values.n > 0 ? hn_text_puts(text, "]\n", err)
                                   : hn_text_printf(text, err, "{from: %.17g, to: %.17g, log: %s}\n", range->from,
                                                    range->to, range->log ? "true" : "false"));
    }
    return HN_OK;
}
