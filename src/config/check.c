/* Checks that need more than one key. Each message names where the key was given and what to do. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/load.h"
#include "config/published.h"

typedef struct Check {
    const HnExperiment *experiment;
    const char *path;    /* of the file, or NULL */
    const size_t *lines; /* of the experiment's own keys, or NULL */
    const char *variant; /* row under check, or NULL */
    size_t variant_line;
    bool data_only;
    HnError *err;
} Check;

/* "file:12: ", "file:40: row \"MF\": " or "" where defaults and --set alone are at odds. */
static HnStatus complain(const Check *check, const char *key_name, const char *format, ...) HN_PRINTF(3, 4);

static HnStatus complain(const Check *check, const char *key_name, const char *format, ...) {
    char message[1024], where[1024] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const HnKey *key = hn_key_find(key_name);
    size_t line = key == NULL || check->lines == NULL ? 0 : check->lines[key - hn_keys];
    if (check->variant != NULL && check->variant_line != 0) {
        (void)snprintf(where, sizeof where, "%s:%zu: row \"%s\": ", check->path, check->variant_line, check->variant);
    } else if (check->path != NULL && line != 0) {
        (void)snprintf(where, sizeof where, "%s:%zu: ", check->path, line);
    } else if (check->path != NULL) {
        (void)snprintf(where, sizeof where, "%s: ", check->path);
    }
    return hn_fail(check->err, HN_CONFIG, "%s%s", where, message);
}

static HnStatus check_seeds(const Check *check) {
    const HnIntList *seeds = &check->experiment->seeds;
    if (seeds->n == 0) {
        return complain(check, "seeds", "seeds is empty; give at least one, e.g. [2024]");
    }
    for (size_t i = 0; i < seeds->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (seeds->items[i] == seeds->items[j]) {
                return complain(check, "seeds", "seeds holds %" PRId64 " twice; equal seeds give equal runs",
                                seeds->items[i]);
            }
        }
    }
    return HN_OK;
}

static HnStatus check_dates(const Check *check) {
    const HnDataConfig *data = &check->experiment->data;
    int64_t from = INT64_MIN, to = INT64_MAX;
    if (data->date_from[0] != '\0' && (strlen(data->date_from) != 10 || !hn_parse_date(data->date_from, &from))) {
        return complain(check, "data.date_from", "data.date_from is \"%s\"; write a day as YYYY-MM-DD",
                        data->date_from);
    }
    if (data->date_to[0] != '\0' && (strlen(data->date_to) != 10 || !hn_parse_date(data->date_to, &to))) {
        return complain(check, "data.date_to", "data.date_to is \"%s\"; write a day as YYYY-MM-DD", data->date_to);
    }
    return from <= to ? HN_OK
                      : complain(check, "data.date_to", "data.date_to %s lies before data.date_from %s", data->date_to,
                                 data->date_from);
}

static HnStatus check_ratio(const Check *check) {
    const HnDoubleList *ratio = &check->experiment->data.split_ratio;
    double sum = 0.0;
    for (size_t i = 0; i < ratio->n; i++) {
        sum += ratio->items[i];
    }
    if (ratio->n != 3 || fabs(sum - 1.0) > 1e-9 || ratio->items[0] <= 0.0) {
        return complain(check, "data.split_ratio",
                        "data.split_ratio must be three shares (train, valid, test) that sum to 1, train above 0; "
                        "these %zu sum to %.10g",
                        ratio->n, sum);
    }
    return HN_OK;
}

/* Files and formats fit each other. A ready dataset needs nothing of this. */
static HnStatus check_inputs(const Check *check) {
    const HnDataConfig *data = &check->experiment->data;
    bool synthetic = data->format == HN_FORMAT_SYNTHETIC;
    bool given = data->split == HN_SPLIT_GIVEN;
    if (data->dataset[0] != '\0') {
        const char *share = data->train_share < 1.0   ? "data.train_share"
                            : data->valid_share > 0.0 ? "data.valid_share"
                                                      : NULL;
        return share == NULL ? HN_OK
                             : complain(check, share,
                                        "%s is applied when a data set is prepared, and data.dataset is ready: prepare "
                                        "it anew with `hnlmrec prepare --set %s=...`, and drop the key here",
                                        share, share);
    }
    if (synthetic && data->interactions.n > 0) {
        return complain(check, "data.interactions",
                        "data.interactions names files but data.format is synthetic, which reads none; set data.format "
                        "to lightgcn, pairs, amazon, yelp or movielens");
    }
    if (synthetic && given) {
        return complain(check, "data.split", "data.split given needs files; the synthetic world has none");
    }
    bool numbers =
        data->format != HN_FORMAT_SYNTHETIC && data->format != HN_FORMAT_AMAZON && data->format != HN_FORMAT_YELP;
    if (data->catalogue != HN_CATALOGUE_SEEN && !numbers) {
        return complain(
            check, "data.catalogue",
            "data.catalogue to_largest and joint count up to the largest id, and ids of this data.format are "
            "no numbers; set data.catalogue: seen");
    }
    if (!synthetic && data->interactions.n == 0) {
        return complain(check, "data.format",
                        "data.interactions is empty; name the files that hold the interactions, e.g. "
                        "--set data.interactions=reviews.json.gz, or a ready data.dataset");
    }
    if (given && data->test.n == 0) {
        return complain(check, "data.split", "data.split given needs data.test (and data.valid where there is one)");
    }
    if (!given && data->valid.n + data->test.n > 0) {
        return complain(check, data->test.n > 0 ? "data.test" : "data.valid",
                        "data.valid and data.test are read with data.split given only; set it, or drop them");
    }
    if (data->valid_share > 0.0 && (!given || data->valid.n > 0)) {
        return complain(check, "data.valid_share",
                        given ? "data.valid_share takes validation pairs out of train, and data.valid names files of "
                                "them: drop one of the two"
                              : "data.valid_share is for data.split given; other splits make a validation part by "
                                "data.split_ratio, or the last pair but one: set it to 0");
    }
    if (synthetic &&
        (double)data->synthetic.interactions > (double)data->synthetic.users * (double)data->synthetic.items * 0.5) {
        return complain(check, "data.synthetic.interactions",
                        "data.synthetic.interactions is over half of all pairs of users and items; take fewer, or more "
                        "users and items");
    }
    return HN_OK;
}

/* One address of n_bytes: a scheme, no credentials. The value is not repeated where it may hold some. */
static HnStatus check_address(const Check *check, const char *key, const char *url, size_t n_bytes) {
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || n_bytes <= scheme) {
        return complain(check, key, "%s must be an address like http://127.0.0.1:8000", key);
    }
    size_t host = strcspn(url + scheme, "/?#, \t\n");
    if (memchr(url + scheme, '@', host) != NULL) {
        return complain(check, key,
                        "%s holds a user name or password; no secret may stand in a configuration. Name an environment "
                        "variable with llm.http.key_env",
                        key);
    }
    if (memchr(url, '?', n_bytes) != NULL || memchr(url, '#', n_bytes) != NULL) {
        return complain(
            check, key,
            "%s holds a \"?\" or \"#\"; give the base address alone (paths are put behind it), and a key through "
            "the environment variable that llm.http.key_env names",
            key);
    }
    return HN_OK;
}

/* Several are separated as hn_http_pick has it. */
static HnStatus check_url(const Check *check, const char *key, const char *list) {
    static const char separators[] = ", \t\n";
    for (const char *at = list + strspn(list, separators); *at != '\0'; at += strspn(at, separators)) {
        size_t n_bytes = strcspn(at, separators);
        HN_TRY(check_address(check, key, at, n_bytes));
        at += n_bytes;
    }
    return HN_OK;
}

static HnStatus check_key_env(const Check *check) {
    const char *name = check->experiment->llm.http.key_env;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (name[0] != '\0' && (name[strspn(name, allowed)] != '\0' || (name[0] >= '0' && name[0] <= '9'))) {
        /* The value is not repeated: it may be the key itself, in the wrong place. */
        return complain(
            check, "llm.http.key_env",
            "llm.http.key_env is the NAME of an environment variable (capital letters, digits, underscores, "
            "e.g. OPENAI_API_KEY), never the key itself");
    }
    return HN_OK;
}

static HnStatus check_llm(const Check *check) {
    const HnLlmConfig *llm = &check->experiment->llm;
    const HnHttpConfig *http = &llm->http;
    HN_TRY(check_url(check, "llm.http.url", http->url));
    HN_TRY(check_url(check, "llm.http.embed_url", http->embed_url));
    HN_TRY(check_key_env(check));
    if (llm->import_vectors[0] != '\0') {
        return HN_OK; /* neither provider nor embedder is asked */
    }
    if (llm->provider == HN_PROVIDER_HTTP && (http->url[0] == '\0' || http->model[0] == '\0')) {
        return complain(check, "llm.provider", "llm.provider http needs llm.http.url and llm.http.model");
    }
    if (llm->provider == HN_PROVIDER_NATIVE && llm->native.model[0] == '\0') {
        return complain(check, "llm.provider", "llm.provider native needs llm.native.model, a model folder");
    }
    if (llm->provider == HN_PROVIDER_NATIVE && llm->native.thinking && llm->native.json) {
        return complain(check, "llm.native.thinking",
                        "llm.native.thinking needs llm.native.json false: nothing but the object can be written under "
                        "it, so the model could not think");
    }
    if (llm->embedder == HN_PROVIDER_NATIVE && llm->native.model[0] == '\0' && llm->native.embed_model[0] == '\0') {
        return complain(check, "llm.embedder", "llm.embedder native needs llm.native.embed_model or llm.native.model");
    }
    if (llm->embedder == HN_PROVIDER_HTTP &&
        ((http->url[0] == '\0' && http->embed_url[0] == '\0') || http->embed_model[0] == '\0')) {
        return complain(check, "llm.embedder",
                        "llm.embedder http needs llm.http.embed_model and llm.http.url (or llm.http.embed_url)");
    }
    if (llm->vectors_of == HN_VECTORS_OF_PROMPTS && llm->embedder == HN_PROVIDER_EXTRACTIVE) {
        return complain(check, "llm.vectors_of",
                        "llm.vectors_of prompts needs a language model: llm.embedder native or http");
    }
    if (llm->vectors_of == HN_VECTORS_OF_PROMPTS && llm->negatives_per_pair != 1) {
        return complain(check, "llm.negatives_per_pair",
                        "with llm.vectors_of prompts no negatives are written, and a prompt has one vector: leave "
                        "llm.negatives_per_pair at 1");
    }
    return HN_OK;
}

/* "recall@20": one of the metrics, at one of the cut-offs. */
static HnStatus check_stop_metric(const Check *check, const HnTrainConfig *train) {
    static const char *const metrics[] = {"recall", "ndcg", "precision", "hit", "mrr"};
    const char *text = train->train.stop_metric;
    const char *at = strchr(text, '@');
    int64_t k = 0;
    bool known_metric = false, known_k = false;
    for (size_t i = 0; at != NULL && i < sizeof metrics / sizeof metrics[0]; i++) {
        known_metric = known_metric || (strlen(metrics[i]) == (size_t)(at - text) &&
                                        strncmp(text, metrics[i], (size_t)(at - text)) == 0);
    }
    if (at != NULL && hn_parse_i64(at + 1, &k)) {
        for (size_t i = 0; i < train->eval.ks.n; i++) {
            known_k = known_k || train->eval.ks.items[i] == k;
        }
    }
    if (!known_metric) {
        return complain(
            check, "train.stop_metric",
            "train.stop_metric is \"%s\"; it must be recall, ndcg, precision, hit or mrr, then @ and one of "
            "eval.ks, e.g. recall@20",
            text);
    }
    return known_k
               ? HN_OK
               : complain(check, "train.stop_metric",
                          "train.stop_metric is \"%s\", but \"%s\" is none of eval.ks; add it there, or take another",
                          text, at + 1);
}

/* Groups of users and items. */
static HnStatus check_groups(const Check *check, const HnTrainConfig *train) {
    enum { MOST_GROUPS = 1000 };
    const HnIntList *bounds = &train->eval.activity_bounds;
    const HnDoubleList *shares = &train->eval.popularity_shares;
    double sum = 0.0;
    for (size_t i = 1; i < bounds->n; i++) {
        if (bounds->items[i] <= bounds->items[i - 1]) {
            return complain(check, "eval.activity_bounds",
                            "eval.activity_bounds must ascend; %" PRId64 " comes after %" PRId64, bounds->items[i],
                            bounds->items[i - 1]);
        }
    }
    for (size_t i = 0; i < shares->n; i++) {
        sum += shares->items[i];
    }
    if (shares->n > 0 && fabs(sum - 1.0) > 1e-9) {
        return complain(check, "eval.popularity_shares",
                        "eval.popularity_shares must sum to 1, not %.10g; or give [] for no groups of items", sum);
    }
    if (bounds->n > MOST_GROUPS || shares->n > MOST_GROUPS) {
        return complain(check, bounds->n > MOST_GROUPS ? "eval.activity_bounds" : "eval.popularity_shares",
                        "at most %d groups; give fewer", (int)MOST_GROUPS);
    }
    return HN_OK;
}

static HnStatus check_train(const Check *check, const HnTrainConfig *train) {
    const HnDataConfig *data = &check->experiment->data;
    const HnIntList *ks = &train->eval.ks;
    if (ks->n == 0) {
        return complain(check, "eval.ks", "eval.ks is empty; give at least one cut-off, e.g. [10, 20]");
    }
    for (size_t i = 1; i < ks->n; i++) {
        if (ks->items[i] <= ks->items[i - 1]) {
            return complain(check, "eval.ks", "eval.ks must ascend; %" PRId64 " comes after %" PRId64, ks->items[i],
                            ks->items[i - 1]);
        }
    }
    HN_TRY(check_stop_metric(check, train));
    HN_TRY(check_groups(check, train));
    bool shares = data->split == HN_SPLIT_BY_RATIO || data->split == HN_SPLIT_BY_TIME;
    bool no_valid =
        data->dataset[0] == '\0' && ((shares && data->split_ratio.items[1] <= 0.0) ||
                                     (data->split == HN_SPLIT_GIVEN && data->valid.n == 0 && data->valid_share <= 0.0));
    if (train->eval.select_on == HN_SELECT_VALID && no_valid && !check->data_only) {
        return complain(
            check, "eval.select_on",
            "eval.select_on is valid, but data leaves no validation part; give one (data.valid or "
            "data.valid_share with split given, data.split_ratio with ratio and time), or set eval.select_on: test");
    }
    if (train->sampler.name != HN_SAMPLER_SEMANTIC && train->align.negatives == HN_ALIGN_BATCH) {
        return complain(check, "sampler.name",
                        "align.negatives batch needs sampler.name semantic; other samplers have no hard negatives");
    }
    if (train->sampler.pick > train->sampler.candidates) {
        return complain(check, "sampler.pick",
                        "sampler.pick is %" PRId64 ", but there are only %" PRId64
                        " candidates; raise sampler.candidates, or lower it",
                        train->sampler.pick, train->sampler.candidates);
    }
    const char *key = NULL, *conflict = hn_train_conflict(train, &key);
    if (conflict != NULL) {
        return complain(check, key, "%s", conflict);
    }
    return HN_OK;
}

static HnStatus check_published(const Check *check) {
    const HnStringList *published = &check->experiment->published;
    for (size_t i = 0; i < published->n; i++) {
        HnPublished figure;
        HnError cause = HN_ERROR_INIT;
        if (hn_published_parse(published->items[i], check->experiment, &figure, &cause) != HN_OK) {
            return complain(check, "published", "published holds %s", cause.message);
        }
    }
    return HN_OK;
}

HnStatus hn_train_config_check(const HnExperiment *experiment, const HnTrainConfig *train, HnError *err) {
    const Check check = {.experiment = experiment, .err = err};
    return check_train(&check, train);
}

/* Names tell rows apart in tables, and as folders on disk. */
static HnStatus check_names(const Check *check, const size_t *variant_lines) {
    const HnExperiment *experiment = check->experiment;
    HnText mine = {0}, other = {0};
    HnStatus status = HN_OK;
    for (size_t v = 0; v < experiment->n_variants && status == HN_OK; v++) {
        Check row = *check;
        row.variant = experiment->variants[v].name;
        row.variant_line = variant_lines[v];
        hn_text_clear(&mine);
        status = hn_variant_slug(row.variant, &mine, check->err);
        if (status == HN_OK && (mine.length == 0 || mine.length > 100 || mine.data[0] == '.')) {
            status = complain(&row, "", "this name gives no folder name; it needs 1 to 100 letters or digits");
        }
        for (size_t w = 0; w < v && status == HN_OK; w++) {
            hn_text_clear(&other);
            status = hn_variant_slug(experiment->variants[w].name, &other, check->err);
            if (status == HN_OK && strcmp(hn_text_get(&mine), hn_text_get(&other)) == 0) {
                status = complain(&row, "",
                                  "another row, \"%s\", has the same folder name \"%s\"; names of rows must differ",
                                  experiment->variants[w].name, hn_text_get(&mine));
            }
        }
    }
    hn_text_free(&mine);
    hn_text_free(&other);
    return status;
}

HnStatus hn_experiment_check(const HnExperiment *experiment, const char *path, const size_t *lines,
                             const size_t *variant_lines, bool data_only, HnError *err) {
    Check check = {.experiment = experiment, .path = path, .lines = lines, .data_only = data_only, .err = err};
    if (experiment->name[0] == '\0') {
        return complain(&check, "name", "name is empty; the experiment needs one");
    }
    HN_TRY(check_seeds(&check));
    HN_TRY(check_dates(&check));
    HN_TRY(check_ratio(&check));
    HN_TRY(check_inputs(&check));
    HN_TRY(check_llm(&check));
    HN_TRY(check_names(&check, variant_lines));
    for (size_t v = 0; v < experiment->n_variants; v++) {
        Check row = check;
        row.variant = experiment->variants[v].name;
        row.variant_line = variant_lines[v];
        HN_TRY(check_train(&row, &experiment->variants[v].train));
    }
    return check_published(&check);
}
