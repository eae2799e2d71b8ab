#include "config/published.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* The part before the next ';', without blanks around it; *text moves behind the ';'. False where it does not fit. */
static bool take_part(const char **text, char *part, size_t n_bytes) {
    const char *from = *text + strspn(*text, " \t");
    size_t length = strcspn(from, ";");
    *text = from + length + (from[length] == ';');
    while (length > 0 && (from[length - 1] == ' ' || from[length - 1] == '\t')) {
        length--;
    }
    if (length == 0 || length >= n_bytes) {
        return false;
    }
    memcpy(part, from, length);
    part[length] = '\0';
    return true;
}

/* "within 0.1 %" */
static bool take_within(char *text, double *within) {
    const size_t length = strlen(text);
    if (strncmp(text, "within ", 7) != 0 || strcmp(text + length - 2, " %") != 0) {
        return false;
    }
    text[length - 2] = '\0';
    const bool number = hn_parse_double(text + 7, within);
    *within /= 100.0;
    return number && *within > 0.0;
}

static const HnVariant *row_named(const HnExperiment *experiment, const char *name) {
    for (size_t v = 0; v < experiment->n_variants; v++) {
        if (strcmp(experiment->variants[v].name, name) == 0) {
            return &experiment->variants[v];
        }
    }
    return NULL;
}

static bool is_metric(const HnTrainConfig *train, const char *figure) {
    static const char *const metrics[] = {"recall", "ndcg", "precision", "hit", "mrr"};
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        for (size_t k = 0; k < train->eval.ks.n; k++) {
            char name[64];
            (void)snprintf(name, sizeof name, "%s@%lld", metrics[m], (long long)train->eval.ks.items[k]);
            if (strcmp(name, figure) == 0) {
                return true;
            }
        }
    }
    return false;
}

HnStatus hn_published_parse(const char *text, const HnExperiment *experiment, HnPublished *figure, HnError *err) {
    char epoch[32], value[32], within[32];
    const char *rest = text;
    figure->within = 0.0;
    if (!take_part(&rest, figure->row, sizeof figure->row) ||
        !take_part(&rest, figure->figure, sizeof figure->figure) || !take_part(&rest, epoch, sizeof epoch) ||
        !take_part(&rest, value, sizeof value) ||
        !(rest[0] == '\0' ||
          (take_part(&rest, within, sizeof within) && take_within(within, &figure->within) && rest[0] == '\0'))) {
        return hn_fail(err, HN_CONFIG,
                       "\"%s\" is not of the form \"ROW; FIGURE; EPOCH; VALUE\", with \"; within PERCENT %%\" or "
                       "without",
                       text);
    }
    const bool best = strcmp(epoch, "best") == 0, is_loss = strcmp(figure->figure, "loss") == 0;
    const HnVariant *row = row_named(experiment, figure->row);
    if (row == NULL) {
        return hn_fail(err, HN_CONFIG, "\"%s\": no row is called \"%s\"", text, figure->row);
    }
    if (!is_loss && !is_metric(&row->train, figure->figure)) {
        return hn_fail(err, HN_CONFIG, "\"%s\": \"%s\" is neither loss nor a metric at one of eval.ks", text,
                       figure->figure);
    }
    figure->epoch = HN_PUBLISHED_BEST;
    if (best ? is_loss : !hn_parse_i64(epoch, &figure->epoch) || figure->epoch < 0) {
        return hn_fail(err, HN_CONFIG, "\"%s\": the epoch is counted from 0%s", text,
                       is_loss ? "" : ", or it is \"best\"");
    }
    return hn_parse_double(value, &figure->value) ? HN_OK
                                                  : hn_fail(err, HN_CONFIG, "\"%s\": \"%s\" is no number", text, value);
}
