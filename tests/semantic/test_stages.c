/* The stages on one rank: what is written, what is refused, what is kept. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/half.h"
#include "fixture.h"
#include "semantic/provider.h"
#include "semantic/record.h"
#include "store.h"

/* A run folder with its data set, and the stages' verdicts. */
typedef struct Run {
    char folder[256];
    HnDataset *dataset;
    HnExperiment *experiment;
    HnComm *self;
    HnStageReport items, users, negatives, vectors;
    HnError err;
} Run;

static const char *file(const Run *run, const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", run->folder, name);
    static char slots[8][512];
    static unsigned next;
    char *slot = slots[next++ % 8];
    memcpy(slot, path, sizeof path);
    return slot;
}

static void open_run(Run *run, const char *folder, const char *dataset, HnExperiment *experiment) {
    *run = (Run){.experiment = experiment, .err = HN_ERROR_INIT};
    (void)snprintf(run->folder, sizeof run->folder, "%s", fixture_path(folder));
    assert_int_equal(hn_folder_make(run->folder, NULL), HN_OK);
    assert_int_equal(hn_dataset_open(fixture_path(dataset), &run->dataset, &run->err), HN_OK);
    assert_int_equal(hn_comm_self(&run->self, &run->err), HN_OK);
}

static void close_run(Run *run) {
    hn_dataset_close(&run->dataset);
    hn_comm_free(&run->self);
    hn_experiment_free(&run->experiment);
}

static HnStatus run_profiles(Run *run) {
    HnStageContext context = {&run->experiment->llm, run->dataset, "", run->self};
    hn_error_clear(&run->err);
    HN_TRY(hn_stage_profiles(&context, false, run->folder, file(run, "items.h5"), NULL, &run->items, &run->err));
    return hn_stage_profiles(&context, true, run->folder, file(run, "users.h5"), file(run, "items.h5"), &run->users,
                             &run->err);
}

static HnStatus run_negatives(Run *run) {
    HnStageContext context = {&run->experiment->llm, run->dataset, "", run->self};
    hn_error_clear(&run->err);
    return hn_stage_negatives(&context, file(run, "items.h5"), file(run, "users.h5"), run->folder,
                              file(run, "negatives.h5"), &run->negatives, &run->err);
}

static HnStatus run_vectors(Run *run) {
    HnStageContext context = {&run->experiment->llm, run->dataset, "", run->self};
    hn_error_clear(&run->err);
    return hn_stage_embed(&context, file(run, "negatives.h5"), file(run, "items.h5"), run->folder,
                          file(run, "vectors.h5"), &run->vectors, &run->err);
}

static void must(const Run *run, HnStatus status) {
    if (status != HN_OK) {
        fail_msg("%s", run->err.message);
    }
}

static void run_all(Run *run) {
    must(run, run_profiles(run));
    must(run, run_negatives(run));
    must(run, run_vectors(run));
}

/* Reads a whole numeric field. */
static void *numbers(const char *path, const char *field, size_t size, uint64_t dims[HN_MAX_DIMS]) {
    HnStore *store = NULL;
    HnError err = HN_ERROR_INIT;
    memset(dims, 0, HN_MAX_DIMS * sizeof *dims);
    assert_int_equal(hn_store_open(path, NULL, &store, &err), HN_OK);
    assert_int_equal(hn_store_dims(store, field, dims, &err), HN_OK);
    void *values = hn_alloc(dims[0] * (dims[1] ? dims[1] : 1), size, "values", NULL);
    assert_int_equal(hn_store_read_rows(store, field, 0, dims[0], values, &err), HN_OK);
    hn_store_close(&store);
    return values;
}

static uint64_t count_status(const char *path, uint8_t wanted) {
    uint64_t dims[HN_MAX_DIMS], n = 0;
    uint8_t *status = numbers(path, "status", 1, dims);
    for (uint64_t i = 0; i < dims[0] * (dims[1] ? dims[1] : 1); i++) {
        n += status[i] == wanted;
    }
    hn_free(status);
    return n;
}

static int open_worlds(void **state) {
    if (fixture_open(state) != 0) {
        return -1;
    }
    fixture_small_world("small.h5");
    fixture_synthetic_world("synthetic.h5", 40, 60, 400);
    return 0;
}

/* ---- extractive ---- */

static void extractive(void **state) {
    (void)state;
    Run run;
    open_run(&run, "extractive", "small.h5", fixture_experiment("llm.embed_dim=64", NULL));
    run_all(&run);
    assert_int_equal(run.items.items, 7);
    assert_int_equal(run.items.answered, 7);
    assert_int_equal(run.users.items, 6);
    assert_int_equal(run.negatives.items, 12);
    assert_int_equal(run.negatives.noise + run.negatives.lost, 0);
    assert_int_equal(count_status(file(&run, "items.h5"), HN_PROFILE_OK), 7);
    assert_int_equal(count_status(file(&run, "negatives.h5"), HN_NEGATIVE_OK), 12);
    char *profile = store_text(file(&run, "items.h5"), "profile", 0);
    assert_true(strlen(profile) > 10);
    hn_free(profile);
    /* Each negative is a pool item that the user has not taken. */
    uint64_t dims[HN_MAX_DIMS];
    int32_t *items = numbers(file(&run, "negatives.h5"), "item", 4, dims);
    assert_int_equal(dims[0], 12);
    assert_int_equal(dims[1], 1);
    for (uint64_t user = 0, pair = 0; user < 6; user++) {
        HnPairs pairs;
        assert_int_equal(hn_dataset_pairs(run.dataset, HN_PART_TRAIN, user, user + 1, &pairs, &run.err), HN_OK);
        for (uint64_t p = pairs.offsets[0]; p < pairs.offsets[1]; p++, pair++) {
            assert_true(items[pair] >= 0 && items[pair] < 7);
            for (uint64_t q = pairs.offsets[0]; q < pairs.offsets[1]; q++) {
                assert_true(items[pair] != pairs.items[q - pairs.offsets[0]]);
            }
        }
        hn_pairs_free(&pairs);
    }
    hn_free(items);
    assert_false(hn_folder_exists(file(&run, "journal-negatives"))); /* sealed: the journals are gone */
    /* Again: everything is there. */
    const char *digest = store_digest(file(&run, "vectors.h5"));
    run_all(&run);
    assert_int_equal(run.negatives.answered, 0);
    assert_int_equal(run.negatives.done_before, 12);
    assert_string_equal(store_digest(file(&run, "vectors.h5")), digest);
    close_run(&run);
    /* Another configuration on the same files. */
    open_run(&run, "extractive", "small.h5", fixture_experiment("llm.embed_dim=32", NULL));
    must(&run, run_profiles(&run));
    assert_int_equal(run_negatives(&run), HN_CONFLICT);
    assert_non_null(strstr(run.err.message, "negatives.h5"));
    close_run(&run);
}

/* The kite's neighbour is the other kite. */
static void nearest_in_text(void **state) {
    (void)state;
    Run run;
    open_run(&run, "nearest", "small.h5", fixture_experiment("llm.embed_dim=512", NULL));
    must(&run, run_profiles(&run));
    must(&run, run_negatives(&run));
    uint64_t dims[HN_MAX_DIMS];
    int32_t *pair_items = numbers(file(&run, "negatives.h5"), "pair/item", 4, dims);
    bool found = false;
    for (uint64_t pair = 0; pair < dims[0]; pair++) {
        char *title = NULL, *text = store_text(file(&run, "negatives.h5"), "text", pair);
        title = store_text(fixture_path("small.h5"), "item/title", (uint64_t)pair_items[pair]);
        if (strcmp(title, "Red Kite") == 0) {
            assert_string_equal(text, "Blue Kite");
            found = true;
        }
        hn_free(title);
        hn_free(text);
    }
    assert_true(found);
    hn_free(pair_items);
    close_run(&run);
}

/* Eq 5: a pair's vector is the mean of its samples' vectors, checked against the embedder itself. */
static void mean_of_samples(void **state) {
    (void)state;
    Run run;
    open_run(&run, "mean", "synthetic.h5",
             fixture_experiment("llm.negatives_per_pair=3", "llm.embed_dim=48", "llm.vector_type=f32", NULL));
    run_all(&run);
    uint64_t dims[HN_MAX_DIMS], item_dims[HN_MAX_DIMS];
    float *vectors = numbers(file(&run, "vectors.h5"), "vector_f32", 4, dims);
    int32_t *items = numbers(file(&run, "negatives.h5"), "item", 4, item_dims);
    HnProvider *provider = NULL;
    assert_int_equal(dims[1], 48);
    assert_int_equal(item_dims[1], 3);
    assert_int_equal(hn_provider_open(HN_PROVIDER_EXTRACTIVE, &run.experiment->llm, run.dataset, file(&run, "items.h5"),
                                      NULL, &provider, &run.err),
                     HN_OK);
    for (uint64_t pair = 0; pair < 20; pair++) {
        float mean[48] = {0};
        for (uint64_t s = 0; s < 3; s++) {
            HnAnswer answer = {0};
            bool got = false;
            char text[8192];
            char *name = store_text(file(&run, "negatives.h5"), "text", pair * 3 + s);
            char *profile = store_text(file(&run, "items.h5"), "profile", (uint64_t)items[pair * 3 + s]);
            (void)snprintf(text, sizeof text, "%s\n%s", name, profile);
            HnRequest request = {.key = s, .task = HN_TASK_EMBED, .prompt = text};
            assert_int_equal(provider->ops->submit(provider, &request, &run.err), HN_OK);
            assert_int_equal(provider->ops->poll(provider, 0, &answer, &got, &run.err), HN_OK);
            assert_true(got && answer.dim == 48);
            for (int d = 0; d < 48; d++) {
                mean[d] += answer.vector[d] / 3.0F;
            }
            hn_free(answer.vector);
            hn_free(name);
            hn_free(profile);
            assert_true(s == 0 || items[pair * 3 + s] != items[pair * 3]); /* samples differ */
        }
        for (int d = 0; d < 48; d++) {
            assert_float_equal(vectors[pair * 48 + (uint64_t)d], mean[d], 1e-6);
        }
    }
    hn_provider_close(&provider);
    hn_free(vectors);
    hn_free(items);
    close_run(&run);
}

static void ids_only(void **state) {
    (void)state;
    Run run;
    fixture_ids_world("ids.h5", "0 0 1 2\n1 0 1\n2 3\n");
    open_run(&run, "ids", "ids.h5", fixture_experiment(NULL));
    assert_int_equal(run_profiles(&run), HN_INPUT);
    assert_non_null(strstr(run.err.message, "ids only"));
    assert_non_null(strstr(run.err.message, "llm.import_item_profiles"));
    close_run(&run);
}

/* ---- import ---- */

static void import(void **state) {
    (void)state;
    Run run;
    char items[512], users[512];
    fixture_ids_world("ids.h5", "0 0 1 2\n1 0 1\n2 2\n");
    (void)snprintf(items, sizeof items, "llm.import_item_profiles=%s",
                   fixture_text("items.jsonl", "{\"iid\": 0, \"title\": \"x\", \"profile\": \"red kites\"}\n\n"
                                               "{\"item_id\": \"1\", \"profile\": \"blue kites\"}\n"
                                               "{\"iid\": 99, \"profile\": \"nobody's\"}\n"
                                               "{\"iid\": 0, \"profile\": \"again\"}\n"
                                               "{\"iid\": 2, \"profile\": \"\\u6f22 chess\"}"));
    (void)snprintf(users, sizeof users, "llm.import_user_profiles=%s",
                   fixture_text("users.jsonl", "{\"uid\": 1, \"profile\": \"likes kites\"}\n"
                                               "{\"user_id\": \"2\", \"profile\": \"\"}\n"));
    open_run(&run, "import", "ids.h5", fixture_experiment(items, users, NULL));
    run_all(&run);
    assert_store_text(file(&run, "items.h5"), "profile", 0, "red kites"); /* the first line wins */
    assert_store_text(file(&run, "items.h5"), "profile", 1, "blue kites");
    assert_store_text(file(&run, "items.h5"), "profile", 2, "\xE6\xBC\xA2 chess");
    assert_int_equal(count_status(file(&run, "items.h5"), HN_PROFILE_IMPORTED), 3);
    assert_store_text(file(&run, "users.h5"), "profile", 0, "");
    assert_store_text(file(&run, "users.h5"), "profile", 1, "likes kites");
    assert_int_equal(count_status(file(&run, "users.h5"), HN_PROFILE_EMPTY), 2);
    /* User 0 has taken the whole pool: None; the others have something left. */
    assert_int_equal(count_status(file(&run, "negatives.h5"), HN_NEGATIVE_NONE), 3);
    assert_int_equal(count_status(file(&run, "negatives.h5"), HN_NEGATIVE_OK), 3);
    uint64_t dims[HN_MAX_DIMS];
    uint8_t *present = numbers(file(&run, "vectors.h5"), "present", 1, dims);
    assert_memory_equal(present, "\0\0\0\1\1\1", 6);
    hn_free(present);
    assert_int_equal(run.vectors.noise, 3);
    close_run(&run);
}

static void bad_imports(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        {"{\"iid\": 0, \"profile\": \"x\"}\n{\"iid\": 1, \"profile\"\n", "bad.jsonl, line 2: not JSON"},
        {"{\"iid\": 0, \"text\": \"x\"}\n", "bad.jsonl, line 1: expected {\"iid\""},
        {"{\"uid\": 0, \"profile\": \"x\"}\n", "bad.jsonl, line 1: expected {\"iid\""},
        {"[1]\n", "line 1: expected"},
        {"{\"iid\": 1.5, \"profile\": \"x\"}\n", "line 1: expected"},
        {"{\"iid\": 77, \"profile\": \"x\"}\n", "none of its 1 lines belongs to an item"},
        {"", "none of its 0 lines"},
        {"{\"iid\": 0, \"profile\": \"\xFF\"}\n", "line 1: not JSON"},
    };
    fixture_ids_world("ids.h5", "0 0 1 2\n1 0 1\n2 2\n");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        Run run;
        char key[512];
        (void)snprintf(key, sizeof key, "llm.import_item_profiles=%s", fixture_text("bad.jsonl", table[i].text));
        open_run(&run, "bad-import", "ids.h5", fixture_experiment(key, NULL));
        assert_int_equal(run_profiles(&run), HN_INPUT);
        if (!strstr(run.err.message, table[i].message)) {
            fail_msg("case %zu: %s", i, run.err.message);
        }
        assert_false(hn_file_exists(file(&run, "items.h5")));
        close_run(&run);
    }
}

static void import_vectors(void **state) {
    (void)state;
    Run run;
    char key[512], digest[65];
    open_run(&run, "made-elsewhere", "synthetic.h5", fixture_experiment(NULL));
    run_all(&run);
    (void)snprintf(key, sizeof key, "llm.import_vectors=%s", file(&run, "vectors.h5"));
    (void)snprintf(digest, sizeof digest, "%s", store_digest(file(&run, "vectors.h5")));
    close_run(&run);
    open_run(&run, "imports-vectors", "synthetic.h5", fixture_experiment(key, NULL));
    must(&run, run_vectors(&run));
    assert_string_equal(store_digest(file(&run, "vectors.h5")), digest);
    uint64_t a = 1, b = 1, c = 1;
    assert_int_equal(hn_stage_plan(&run.experiment->llm, run.dataset, &a, &b, &c, &run.err), HN_OK);
    assert_int_equal(a + b + c, 0); /* nothing to ask */
    close_run(&run);
    open_run(&run, "imports-wrong", "small.h5", fixture_experiment(key, NULL));
    assert_int_equal(run_vectors(&run), HN_CONFLICT);
    assert_non_null(strstr(run.err.message, "other train pairs"));
    close_run(&run);
}

/* ---- through an endpoint ---- */

static HnExperiment *http_experiment(const Endpoint *endpoint, const char *model, const char *temperature) {
    char url[128], name[128], heat[64];
    (void)snprintf(url, sizeof url, "llm.http.url=%s", endpoint->url);
    (void)snprintf(name, sizeof name, "llm.http.model=%s", model);
    (void)snprintf(heat, sizeof heat, "llm.http.temperature=%s", temperature);
    return fixture_experiment("llm.provider=http", "llm.embedder=http", "llm.http.embed_model=e", "llm.http.retries=1",
                              url, name, heat, NULL);
}

static void noise_is_kept_and_counted(void **state) {
    (void)state;
    static const struct {
        const char *mode, *temperature;
        HnNegativeStatus status;
        const char *raw;
    } table[] = {
        {"garbage", "0", HN_NEGATIVE_UNPARSABLE, "I am sorry, I cannot {help} with that."},
        {"garbage", "0.5", HN_NEGATIVE_UNPARSABLE, "I am sorry, I cannot {help} with that."},
        {"unknown", "0", HN_NEGATIVE_NOT_IN_POOL,
         "{\"hard_negative_item\":\"An item that nobody sells\",\"reasoning\":\"Close, yet no match.\"}"},
        {"none", "0", HN_NEGATIVE_NONE, "{\"hard_negative_item\":\"None\",\"reasoning\":\"Close, yet no match.\"}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        Endpoint endpoint;
        Run run;
        char folder[32];
        (void)snprintf(folder, sizeof folder, "noise-%zu", i);
        endpoint_start(&endpoint, "--mode", table[i].mode, NULL);
        open_run(&run, folder, "small.h5", http_experiment(&endpoint, "m", table[i].temperature));
        must(&run, run_profiles(&run));
        must(&run, run_negatives(&run));
        assert_int_equal(count_status(file(&run, "negatives.h5"), (uint8_t)table[i].status), 12);
        assert_int_equal(run.negatives.noise, table[i].status == HN_NEGATIVE_NONE ? 0 : 12);
        assert_store_text(file(&run, "negatives.h5"), "raw", 5, table[i].raw);
        assert_store_text(file(&run, "negatives.h5"), "text", 5, "");
        if (strcmp(table[i].mode, "garbage") == 0) {
            assert_int_equal(run.items.noise, 7);
            assert_store_text(file(&run, "items.h5"), "profile", 1, "");
            /* Above temperature 0 asking once more may help, so it is done once. */
            assert_int_equal(run.negatives.attempts, table[i].temperature[1] ? 24 : 12);
        }
        assert_int_equal(run_vectors(&run), HN_INPUT);
        assert_non_null(strstr(run.err.message, "no train pair has a hard negative with a vector"));
        close_run(&run);
        endpoint_stop(&endpoint);
    }
}

static void taken_items_are_noise(void **state) {
    (void)state;
    Endpoint endpoint;
    Run run;
    endpoint_start(&endpoint, "--titles", fixture_text("only.txt", "Red Kite\n"), "--mode", "prose", NULL);
    open_run(&run, "taken", "small.h5", http_experiment(&endpoint, "m", "0"));
    run_all(&run);
    /* Two users have the red kite, with two pairs each. */
    assert_int_equal(count_status(file(&run, "negatives.h5"), HN_NEGATIVE_ALREADY_TAKEN), 4);
    assert_int_equal(count_status(file(&run, "negatives.h5"), HN_NEGATIVE_OK), 8);
    assert_int_equal(run.negatives.noise, 4);
    assert_true(run.negatives.prompt_tokens > 0 && run.negatives.answer_tokens > 0);
    /* One text for all: embedded once. */
    assert_int_equal(run.vectors.items, 1);
    assert_int_equal(run.vectors.attempts, 1);
    assert_int_equal(run.vectors.noise, 4);
    close_run(&run);
    endpoint_stop(&endpoint);
}

/* A dead endpoint, another configuration, the right one: nothing is lost, nothing is asked twice. */
static void interrupted_by_a_dead_endpoint(void **state) {
    (void)state;
    Endpoint endpoint;
    Run run;
    char whole[65];
    char titles[512];
    (void)snprintf(titles, sizeof titles, "%s", fixture_titles("synthetic.h5"));
    endpoint_start(&endpoint, "--titles", titles, NULL);
    open_run(&run, "whole", "synthetic.h5", http_experiment(&endpoint, "m", "0"));
    run_all(&run);
    (void)snprintf(whole, sizeof whole, "%s", store_digest(file(&run, "negatives.h5")));
    uint64_t n = run.negatives.items;
    close_run(&run);
    endpoint_stop(&endpoint);

    endpoint_start(&endpoint, "--titles", titles, "--exit-after", "250", NULL); /* 100 profiles, 150 negatives */
    open_run(&run, "dies", "synthetic.h5", http_experiment(&endpoint, "m", "0"));
    must(&run, run_profiles(&run));
    assert_int_equal(run_negatives(&run), HN_NETWORK);
    assert_non_null(strstr(run.err.message, "does not answer"));
    assert_true(hn_folder_exists(file(&run, "journal-negatives")));
    assert_false(hn_file_exists(file(&run, "negatives.h5")));
    close_run(&run);
    endpoint_stop(&endpoint);

    endpoint_start(&endpoint, "--titles", titles, NULL);
    open_run(&run, "dies", "synthetic.h5", http_experiment(&endpoint, "other-model", "0"));
    assert_int_equal(run_negatives(&run), HN_CONFLICT);
    assert_non_null(strstr(run.err.message, "llm.http.model: m"));
    assert_non_null(strstr(run.err.message, "llm.http.model: other-model"));
    assert_int_equal(endpoint_stats(&endpoint).requests, 0);
    close_run(&run);

    open_run(&run, "dies", "synthetic.h5", http_experiment(&endpoint, "m", "0"));
    must(&run, run_negatives(&run));
    assert_true(run.negatives.done_before >= 130 && run.negatives.done_before <= 150);
    assert_int_equal(endpoint_stats(&endpoint).requests, n - run.negatives.done_before);
    assert_string_equal(store_digest(file(&run, "negatives.h5")), whole);
    close_run(&run);
    endpoint_stop(&endpoint);
}

/* Journals without the file that says what they belong to are nobody's. */
static void orphaned_journals(void **state) {
    (void)state;
    Run run;
    HnJournal *journal = NULL;
    open_run(&run, "orphan", "small.h5", fixture_experiment(NULL));
    assert_int_equal(hn_journal_open(file(&run, "journal-profiles-items"), "rank-00000", &journal, &run.err), HN_OK);
    assert_int_equal(hn_journal_close(&journal, &run.err), HN_OK);
    assert_int_equal(run_profiles(&run), HN_CONFLICT);
    assert_non_null(strstr(run.err.message, "identity.txt"));
    close_run(&run);
}

static void plan(void **state) {
    (void)state;
    Run run;
    uint64_t profiles = 0, negatives = 0, embeddings = 0;
    open_run(&run, "plan", "small.h5", fixture_experiment("llm.negatives_per_pair=2", NULL));
    assert_int_equal(hn_stage_plan(&run.experiment->llm, run.dataset, &profiles, &negatives, &embeddings, &run.err),
                     HN_OK);
    assert_int_equal(profiles, 13);
    assert_int_equal(negatives, 24);
    assert_int_equal(embeddings, 7);
    close_run(&run);
}

/* Fail every allocation in turn: an error each time, no leak, and the next try goes through. */
static void out_of_memory(void **state) {
    (void)state;
    uint64_t live = hn_alloc_live_blocks();
    for (uint64_t n = 1;; n += n < 16 ? 1 : n / 5) {
        Run run;
        char folder[32];
        (void)snprintf(folder, sizeof folder, "memory-%llu", (unsigned long long)n);
        open_run(&run, folder, "small.h5", fixture_experiment("llm.embed_dim=32", NULL));
        uint64_t before = hn_alloc_live_blocks();
        hn_alloc_fail_at(n);
        HnStatus status = run_profiles(&run);
        status = status ? status : run_negatives(&run);
        status = status ? status : run_vectors(&run);
        hn_alloc_fail_at(0);
        assert_int_equal(hn_alloc_live_blocks(), before);
        if (status == HN_OK) {
            close_run(&run);
            break;
        }
        assert_true(run.err.message[0] != '\0');
        run_all(&run);
        close_run(&run);
    }
    assert_int_equal(hn_alloc_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extractive),
        cmocka_unit_test(nearest_in_text),
        cmocka_unit_test(mean_of_samples),
        cmocka_unit_test(ids_only),
        cmocka_unit_test(import),
        cmocka_unit_test(bad_imports),
        cmocka_unit_test(import_vectors),
        cmocka_unit_test(noise_is_kept_and_counted),
        cmocka_unit_test(taken_items_are_noise),
        cmocka_unit_test(interrupted_by_a_dead_endpoint),
        cmocka_unit_test(orphaned_journals),
        cmocka_unit_test(plan),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, open_worlds, fixture_close);
}
