/* The stages on one rank: what is written, what is refused, what is kept. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/half.h"
#include "semantic/provider.h"
#include "semantic/record.h"
#include "semantic/stage_identity.h"
#include "staged.h"

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
    assert_int_equal(hn_provider_open(HN_PROVIDER_EXTRACTIVE, true, &run.experiment->llm, run.dataset,
                                      file(&run, "items.h5"), NULL, &provider, &run.err),
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

static void become(HnStageIdentity *identity, const char *products) {
    (void)snprintf(identity->products, sizeof identity->products, "%s", products);
}

/* A half-done stage of a native model says what decided its bits; other ones are refused, or mixed as asked. */
static void products(void **state) {
    (void)state;
    HnStageIdentity identity = {.products = "bf16 pairs", .mix_hint = "so"};
    HnJournal *journal = NULL;
    HnError err = HN_ERROR_INIT;
    char *said = NULL;
    size_t n_bytes = 0;
    const char *folder = fixture_path("products");
    assert_int_equal(hn_stage_identity_line(&identity, "stage", "of products: it", &err), HN_OK);
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_OK);
    become(&identity, "plain"); /* nothing is answered yet */
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_OK);
    assert_int_equal(hn_journal_open(folder, "rank-00000", &journal, &err), HN_OK);
    assert_int_equal(hn_journal_append(journal, 0, 1, "x", 1, &err), HN_OK);
    assert_int_equal(hn_journal_close(&journal, &err), HN_OK);
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_OK);
    become(&identity, "bf16 pairs");
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_CONFLICT);
    assert_non_null(strstr(err.message, "HNLMREC_CPU=avx512"));
    hn_error_clear(&err);
    identity.mix_bits = true;
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_OK);
    assert_string_equal(identity.products, "mixed");
    assert_int_equal(hn_file_read(fixture_path("products/identity.txt"), 1000, &said, &n_bytes, &err), HN_OK);
    assert_string_equal(said, "stage: of products: it\nproducts: mixed\n");
    hn_free(said);
    become(&identity, "plain"); /* once mixed, never whole again */
    identity.mix_bits = false;
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_CONFLICT);
    hn_error_clear(&err);
    assert_int_equal(hn_stage_identity_line(&identity, "model", "other", &err), HN_OK);
    assert_int_equal(hn_stage_claim(folder, &identity, &err), HN_CONFLICT); /* the lines count first */
    assert_non_null(strstr(err.message, "model: other"));
    hn_error_clear(&err);
    hn_stage_identity_free(&identity);
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
        if (n % 4 == 0) {
            run_all(&run); /* what failed half-way goes on */
        }
        close_run(&run);
    }
    assert_int_equal(hn_alloc_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extractive),      cmocka_unit_test(nearest_in_text),
        cmocka_unit_test(mean_of_samples), cmocka_unit_test(ids_only),
        cmocka_unit_test(import),          cmocka_unit_test(bad_imports),
        cmocka_unit_test(import_vectors),  cmocka_unit_test(orphaned_journals),
        cmocka_unit_test(products),        cmocka_unit_test(plan),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, open_worlds, fixture_close);
}
