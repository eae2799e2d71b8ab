/* The stages through an endpoint: noise is kept and counted, what is answered is never asked again. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "semantic/record.h"
#include "staged.h"

static int open_worlds(void **state) {
    if (fixture_open(state) != 0) {
        return -1;
    }
    fixture_small_world("small.h5");
    fixture_synthetic_world("synthetic.h5", 40, 60, 400);
    return 0;
}

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

/* Instruction and input of each pair's prompt as one text, and nothing written. */
static void vectors_of_prompts(void **state) {
    (void)state;
    Endpoint endpoint;
    Run run;
    char url[128];
    endpoint_start(&endpoint, NULL);
    (void)snprintf(url, sizeof url, "llm.http.url=%s", endpoint.url);
    open_run(&run, "prompts", "small.h5",
             fixture_experiment("llm.embedder=http", "llm.http.embed_model=e", "llm.vectors_of=prompts", url, NULL));
    must(&run, run_profiles(&run));
    must(&run, run_vectors(&run)); /* there is no negatives.h5 */
    EndpointStats stats = endpoint_stats(&endpoint);
    assert_int_equal(run.vectors.items, 12);
    assert_int_equal(run.vectors.noise, 0);
    assert_int_equal(stats.requests, 12);
    assert_int_equal(stats.prompts, 12); /* each pair has its own */
    must(&run, run_vectors(&run));
    assert_int_equal(endpoint_stats(&endpoint).requests, 12);
    close_run(&run);
    /* The same folder for vectors of negatives. */
    (void)snprintf(url, sizeof url, "llm.http.url=%s", endpoint.url);
    open_run(&run, "prompts", "small.h5", fixture_experiment("llm.embedder=http", "llm.http.embed_model=e", url, NULL));
    must(&run, run_negatives(&run));
    assert_int_equal(run_vectors(&run), HN_CONFLICT);
    close_run(&run);
    endpoint_stop(&endpoint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_kept_and_counted),
        cmocka_unit_test(taken_items_are_noise),
        cmocka_unit_test(interrupted_by_a_dead_endpoint),
        cmocka_unit_test(vectors_of_prompts),
    };
    return cmocka_run_group_tests(tests, open_worlds, fixture_close);
}
