#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "data/prepare.h"
#include "store.h"

enum { N_SLOTS = 16, SLOT_BYTES = 4096, MOST_SETS = 40 };

static char folder[SLOT_BYTES];
HnDataset *fixture_dataset;
HnEvidence *fixture_evidence;

static char *slot(void) {
    static char slots[N_SLOTS][SLOT_BYTES];
    static unsigned next;
    return slots[next++ % N_SLOTS];
}

int fixture_open(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/hn-semantic-XXXXXX", base ? base : "/tmp");
    hn_log_setup(getenv("HN_TEST_LOUD") ? HN_LOG_DEBUG : HN_LOG_ERROR, 0);
    return mkdtemp(folder) ? 0 : -1;
}

int fixture_close(void **state) {
    (void)state;
    return hn_folder_remove(folder, NULL) == HN_OK ? 0 : -1;
}

const char *fixture_path(const char *name) {
    char *path = slot();
    assert_true((size_t)snprintf(path, SLOT_BYTES, "%s/%s", folder, name) < SLOT_BYTES);
    return path;
}

const char *fixture_text(const char *name, const char *text) {
    const char *path = fixture_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *fixture_shared(const char *name) {
    const char *base = getenv("HNLMREC_TEST_DATA");
    char *path = slot();
    (void)snprintf(path, SLOT_BYTES, "%s/%s", base ? base : HN_SOURCE_DIR "/../shared/data", name);
    return hn_file_exists(path) ? path : NULL;
}

HnExperiment *fixture_experiment(const char *set, ...) {
    const char *sets[MOST_SETS];
    HnExperiment *experiment = NULL;
    HnError err = HN_ERROR_INIT;
    size_t n = 0;
    va_list arguments;
    va_start(arguments, set);
    for (; set; set = va_arg(arguments, const char *)) {
        assert_true(n < MOST_SETS);
        sets[n++] = set;
    }
    va_end(arguments);
    if (hn_experiment_load(NULL, sets, n, &experiment, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    return experiment;
}

static void prepare(const HnExperiment *experiment, const char *name) {
    HnPrepareReport report;
    HnError err = HN_ERROR_INIT;
    if (hn_prepare(&experiment->data, "", fixture_path(name), &report, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
}

static const char META[] =
    "{\"asin\": \"I0\", \"title\": \"Red Kite\", \"description\": [\"A kite that flies high.\"], \"categories\": "
    "[\"Toys\", \"Kites\"]}\n"
    "{\"asin\": \"I1\", \"title\": \"Blue Kite\", \"description\": [\"A kite for calm wind.\"], \"categories\": "
    "[\"Toys\", \"Kites\"]}\n"
    "{\"asin\": \"I2\", \"title\": \"Chess \\\"Classic\\\"\", \"description\": [\"Board and figures.\\nWood.\"], "
    "\"categories\": [\"Games\"]}\n"
    "{\"asin\": \"I3\", \"title\": \"Twin\", \"description\": [\"First of two.\"], \"categories\": [\"Games\"]}\n"
    "{\"asin\": \"I4\", \"title\": \"Twin\", \"description\": [\"Second of two.\"], \"categories\": [\"Games\"]}\n"
    "{\"asin\": \"I5\", \"title\": \"one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty twentyone\", \"categories\": [\"Books\"]}\n"
    "{\"asin\": \"I6\", \"title\": \" \\u00a0\\t\"}\n";

static const char REVIEWS[] =
    "{\"reviewerID\": \"U0\", \"asin\": \"I0\", \"overall\": 5, \"reviewText\": \"Flies \\\"high\\\"\\nand \\u00fcber "
    "alles \\ud83e\\ude81\", \"unixReviewTime\": 1}\n"
    "{\"reviewerID\": \"U0\", \"asin\": \"I3\", \"overall\": 5, \"reviewText\": \"twin fun\", \"unixReviewTime\": 2}\n"
    "{\"reviewerID\": \"U1\", \"asin\": \"I1\", \"overall\": 5, \"reviewText\": \"calm wind kite\", "
    "\"unixReviewTime\": "
    "3}\n"
    "{\"reviewerID\": \"U1\", \"asin\": \"I2\", \"overall\": 5, \"reviewText\": \"good figures\", \"unixReviewTime\": "
    "4}\n"
    "{\"reviewerID\": \"U2\", \"asin\": \"I3\", \"overall\": 5, \"reviewText\": \"\", \"unixReviewTime\": 5}\n"
    "{\"reviewerID\": \"U2\", \"asin\": \"I4\", \"overall\": 5, \"reviewText\": \"the other twin\", "
    "\"unixReviewTime\": "
    "6}\n"
    "{\"reviewerID\": \"U3\", \"asin\": \"I5\", \"overall\": 5, \"reviewText\": \"a long title\", \"unixReviewTime\": "
    "7}\n"
    "{\"reviewerID\": \"U3\", \"asin\": \"I0\", \"overall\": 5, \"reviewText\": \"red and fast\", \"unixReviewTime\": "
    "8}\n"
    "{\"reviewerID\": \"U4\", \"asin\": \"I6\", \"overall\": 5, \"reviewText\": \"nameless thing\", "
    "\"unixReviewTime\": "
    "9}\n"
    "{\"reviewerID\": \"U4\", \"asin\": \"I2\", \"overall\": 5, \"reviewText\": \"checkmate\", \"unixReviewTime\": "
    "10}\n"
    "{\"reviewerID\": \"U5\", \"asin\": \"I4\", \"overall\": 5, \"reviewText\": \"twins\", \"unixReviewTime\": 11}\n"
    "{\"reviewerID\": \"U5\", \"asin\": \"I1\", \"overall\": 5, \"reviewText\": \"blue sky\", \"unixReviewTime\": "
    "12}\n";

void fixture_small_world(const char *name) {
    char interactions[SLOT_BYTES], items[SLOT_BYTES];
    (void)snprintf(interactions, sizeof interactions, "data.interactions=[%s]", fixture_text("reviews.json", REVIEWS));
    (void)snprintf(items, sizeof items, "data.items=[%s]", fixture_text("meta.json", META));
    HnExperiment *experiment = fixture_experiment("data.format=amazon", interactions, items,
                                                  "data.split_ratio=[1.0, 0.0, 0.0]", "eval.select_on=test", NULL);
    prepare(experiment, name);
    hn_experiment_free(&experiment);
}

int fixture_open_small(void **state) {
    HnError err = HN_ERROR_INIT;
    if (fixture_open(state) != 0) {
        return -1;
    }
    fixture_small_world("small.h5");
    return hn_dataset_open(fixture_path("small.h5"), &fixture_dataset, &err) == HN_OK &&
                   hn_evidence_open(fixture_dataset, 3, 5, NULL, NULL, &fixture_evidence, &err) == HN_OK
               ? 0
               : -1;
}

int fixture_close_small(void **state) {
    hn_evidence_close(&fixture_evidence);
    hn_dataset_close(&fixture_dataset);
    return fixture_close(state);
}

void fixture_synthetic_world(const char *name, int users, int items, int interactions) {
    char sets[3][64];
    (void)snprintf(sets[0], sizeof sets[0], "data.synthetic.users=%d", users);
    (void)snprintf(sets[1], sizeof sets[1], "data.synthetic.items=%d", items);
    (void)snprintf(sets[2], sizeof sets[2], "data.synthetic.interactions=%d", interactions);
    HnExperiment *experiment = fixture_experiment("data.format=synthetic", sets[0], sets[1], sets[2], NULL);
    prepare(experiment, name);
    hn_experiment_free(&experiment);
}

void fixture_ids_world(const char *name, const char *lines) {
    char interactions[SLOT_BYTES];
    (void)snprintf(interactions, sizeof interactions, "data.interactions=[%s]", fixture_text("ids.txt", lines));
    HnExperiment *experiment = fixture_experiment("data.format=lightgcn", interactions,
                                                  "data.split_ratio=[1.0, 0.0, 0.0]", "eval.select_on=test", NULL);
    prepare(experiment, name);
    hn_experiment_free(&experiment);
}

char *store_text(const char *path, const char *field, uint64_t row) {
    HnStore *store = NULL;
    HnError err = HN_ERROR_INIT;
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    assert_int_equal(hn_store_open(path, NULL, &store, &err), HN_OK);
    assert_int_equal(hn_store_read_strings(store, field, row, 1, &bytes, &offsets, &err), HN_OK);
    char *copy = hn_strndup(bytes + offsets[0], (size_t)(offsets[1] - offsets[0]), &err);
    assert_non_null(copy);
    hn_free(bytes);
    hn_free(offsets);
    hn_store_close(&store);
    return copy;
}

void assert_store_text(const char *path, const char *field, uint64_t row, const char *expected) {
    char *text = store_text(path, field, row);
    assert_string_equal(text, expected);
    hn_free(text);
}

const char *store_digest(const char *path) {
    static char digests[4][65];
    static unsigned next;
    HnError err = HN_ERROR_INIT;
    char *digest = digests[next++ % 4];
    if (hn_store_digest(path, NULL, NULL, digest, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    return digest;
}

const char *fixture_titles(const char *dataset_name) {
    HnDataset *dataset = NULL;
    HnError err = HN_ERROR_INIT;
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    const char *path = fixture_path("titles.txt");
    assert_int_equal(hn_dataset_open(fixture_path(dataset_name), &dataset, &err), HN_OK);
    uint64_t n = hn_dataset_items(dataset);
    assert_int_equal(hn_dataset_text(dataset, HN_TEXT_TITLE, 0, n, &bytes, &offsets, &err), HN_OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (uint64_t i = 0; i < n; i++) {
        (void)fprintf(file, "%.*s\n", (int)(offsets[i + 1] - offsets[i]), bytes + offsets[i]);
    }
    assert_int_equal(fclose(file), 0);
    hn_free(bytes);
    hn_free(offsets);
    hn_dataset_close(&dataset);
    return path;
}
