/* The http provider against an endpoint that misbehaves: what is tried again, what is given up, what is never shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/log.h"
#include "fixture.h"
#include "semantic/http.h"

static const char KEY[] = "sk-test-Zq81xY0pLmN";

typedef struct Outcome {
    HnStatus status; /* of the first poll that failed, or HN_OK */
    HnError err;
    size_t n_ok, n_refused, n_lost;
    uint32_t attempts;
    HnAnswer last;
    double seconds;
} Outcome;

static HnLlmConfig config_for(const Endpoint *endpoint) {
    HnLlmConfig config = {.provider = HN_PROVIDER_HTTP, .embedder = HN_PROVIDER_HTTP};
    config.http = (HnHttpConfig){.url = (char *)(uintptr_t)endpoint->url,
                                 .api = HN_API_OPENAI,
                                 .model = (char *)(uintptr_t) "m",
                                 .embed_url = (char *)(uintptr_t) "",
                                 .embed_model = (char *)(uintptr_t) "e",
                                 .key_env = (char *)(uintptr_t) "",
                                 .max_in_flight = 8,
                                 .timeout_s = 5.0,
                                 .connect_timeout_s = 2.0,
                                 .retries = 2,
                                 .max_tokens = 100};
    return config;
}

/* Sends n prompts ("prompt 0" ...) and collects what comes back; each key must be answered exactly once. */
static Outcome ask(const HnLlmConfig *config, HnTask task, size_t n) {
    Outcome outcome = {.status = HN_OK, .err = HN_ERROR_INIT};
    HnProvider *provider = NULL;
    double started = hn_clock_seconds();
    outcome.status = hn_provider_open(HN_PROVIDER_HTTP, false, config, NULL, NULL, NULL, &provider, &outcome.err);
    bool *seen = hn_alloc(n, sizeof *seen, "seen", NULL);
    size_t sent = 0, got_all = 0;
    while (outcome.status == HN_OK && got_all < n) {
        HnAnswer answer = {0};
        bool got = false;
        while (sent < n && provider->ops->capacity(provider) > 0) {
            char prompt[64];
            (void)snprintf(prompt, sizeof prompt, "prompt %zu", sent);
            HnRequest request = {.key = sent, .task = task, .system = "be brief", .prompt = prompt};
            assert_int_equal(provider->ops->submit(provider, &request, &outcome.err), HN_OK);
            sent++;
        }
        outcome.status = provider->ops->poll(provider, 50, &answer, &got, &outcome.err);
        if (got) {
            assert_true(answer.key < n && !seen[answer.key]);
            seen[answer.key] = true;
            got_all++;
            outcome.n_ok += answer.status == HN_ANSWER_OK;
            outcome.n_refused += answer.status == HN_ANSWER_REFUSED;
            outcome.n_lost += answer.status == HN_ANSWER_LOST;
            outcome.attempts += answer.attempts;
            hn_free(outcome.last.text);
            hn_free(outcome.last.vector);
            outcome.last = answer;
        }
    }
    if (provider) {
        hn_provider_close(&provider);
    }
    hn_free(seen);
    outcome.seconds = hn_clock_seconds() - started;
    return outcome;
}

static void forget(Outcome *outcome) {
    hn_free(outcome->last.text);
    hn_free(outcome->last.vector);
}

typedef struct Case {
    const char *option, *value, *more, *more_value;
    size_t n, n_ok, n_refused, n_lost;
    HnStatus status;
    const char *message; /* part of the error */
} Case;

static void behaviours(void **state) {
    (void)state;
    static const Case table[] = {
        {"--mode", "ok", "--times", "1", 40, 40, 0, 0, HN_OK, NULL},
        {"--mode", "prose", "--times", "1", 5, 5, 0, 0, HN_OK, NULL}, /* content is judged elsewhere */
        {"--first", "500", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "503", "--times", "2", 3, 3, 0, 0, HN_OK, NULL},
        {"--first", "408", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "409", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "badjson", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "wrong", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "drop", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "half", "--times", "1", 6, 6, 0, 0, HN_OK, NULL},
        {"--first", "400", "--share", "50", 40, 0, 0, 0, HN_OK, NULL}, /* counts checked below */
        {"--first", "302", "--times", "1", 6, 0, 6, 0, HN_OK, NULL},   /* redirects are not followed */
        {"--mode", "401", "--times", "1", 6, 0, 0, 0, HN_NETWORK, "refuses every request (HTTP 401"},
        {"--mode", "404", "--times", "1", 6, 0, 0, 0, HN_NETWORK, "llm.http.model"},
        {"--mode", "503", "--times", "1", 20, 0, 0, 0, HN_NETWORK, "does not answer (HTTP 503"},
        {"--mode", "badjson", "--times", "1", 20, 0, 0, 0, HN_NETWORK, "not JSON"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const Case *c = &table[i];
        Endpoint endpoint;
        endpoint_start(&endpoint, c->option, c->value, c->more, c->more_value, NULL);
        HnLlmConfig config = config_for(&endpoint);
        Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, c->n);
        EndpointStats stats = endpoint_stats(&endpoint);
        if (got.status != c->status) {
            fail_msg("%s %s: status %d %s", c->option, c->value, (int)got.status, got.err.message);
        }
        if (c->message && !strstr(got.err.message, c->message)) {
            fail_msg("%s %s: %s", c->option, c->value, got.err.message);
        }
        if (strcmp(c->value, "400") == 0) {
            assert_true(got.n_refused > 5 && got.n_ok > 5 && got.n_refused + got.n_ok == c->n);
            assert_int_equal(stats.most, 1); /* refused is never repeated */
        } else {
            assert_int_equal(got.n_ok, c->n_ok);
            assert_int_equal(got.n_refused, c->n_refused);
            assert_int_equal(got.n_lost, c->n_lost);
        }
        assert_true(stats.most <= 3); /* the first try and two more */
        forget(&got);
        endpoint_stop(&endpoint);
    }
}

/* A request that is given up while others are answered is lost, not the endpoint. */
static void lost(void **state) {
    (void)state;
    Endpoint endpoint;
    endpoint_start(&endpoint, "--first", "500", "--times", "99", "--share", "10", NULL);
    HnLlmConfig config = config_for(&endpoint);
    config.http.max_in_flight = 4;
    config.http.retries = 1;
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 60);
    assert_int_equal(got.status, HN_OK);
    assert_true(got.n_lost > 0 && got.n_lost < 20);
    assert_int_equal(got.n_ok + got.n_lost, 60);
    assert_int_equal(got.attempts, 60 + got.n_lost);
    forget(&got);
    endpoint_stop(&endpoint);
}

static void time_out(void **state) {
    (void)state;
    Endpoint endpoint;
    endpoint_start(&endpoint, "--first", "never", "--times", "1", "--share", "30", NULL);
    HnLlmConfig config = config_for(&endpoint);
    config.http.timeout_s = 0.3;
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 20);
    assert_int_equal(got.status, HN_OK);
    assert_int_equal(got.n_ok, 20);
    assert_true(got.seconds > 0.3 && got.seconds < 8.0);
    forget(&got);
    endpoint_stop(&endpoint);
}

static void retry_after(void **state) {
    (void)state;
    Endpoint endpoint;
    endpoint_start(&endpoint, "--first", "429", "--times", "1", "--retry-after", "2", NULL);
    HnLlmConfig config = config_for(&endpoint);
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 3);
    assert_int_equal(got.n_ok, 3);
    assert_true(got.seconds >= 2.0); /* the backoff alone would have been over in half a second */
    forget(&got);
    endpoint_stop(&endpoint);
}

static void nobody_there(void **state) {
    (void)state;
    Endpoint endpoint;
    endpoint_start(&endpoint, NULL);
    endpoint_stop(&endpoint); /* its port is free now */
    HnLlmConfig config = config_for(&endpoint);
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 5);
    assert_int_equal(got.status, HN_NETWORK);
    assert_non_null(strstr(got.err.message, endpoint.url));
    assert_non_null(strstr(got.err.message, "does not answer"));
    assert_non_null(strstr(got.err.message, "answers so far are kept"));
    char line[256];
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_provider_check(HN_PROVIDER_HTTP, &config, false, line, sizeof line, &err), HN_NETWORK);
    assert_non_null(strstr(line, "does not answer"));
}

/* The endpoint dies half-way: what it answered is delivered, then the error. */
static void dies(void **state) {
    (void)state;
    Endpoint endpoint;
    endpoint_start(&endpoint, "--exit-after", "30", NULL);
    HnLlmConfig config = config_for(&endpoint);
    config.http.retries = 1;
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 100);
    assert_int_equal(got.status, HN_NETWORK);
    assert_true(got.n_ok >= 20 && got.n_ok <= 30);
    assert_int_equal(got.n_lost, 0); /* nothing is called lost that is only still to be done */
    forget(&got);
    endpoint_stop(&endpoint);
}

static void vectors(void **state) {
    (void)state;
    for (int api = HN_API_OPENAI; api <= HN_API_OLLAMA; api++) {
        Endpoint endpoint;
        endpoint_start(&endpoint, "--dim", "12", NULL);
        HnLlmConfig config = config_for(&endpoint);
        config.http.api = (HnHttpApi)api;
        Outcome got = ask(&config, HN_TASK_EMBED, 9);
        assert_int_equal(got.n_ok, 9);
        assert_int_equal(got.last.dim, 12);
        assert_true(got.last.vector[0] >= -1.0F && got.last.vector[0] <= 1.0F);
        assert_true(got.last.prompt_tokens > 0);
        assert_null(got.last.text);
        forget(&got);
        got = ask(&config, HN_TASK_ITEM_PROFILE, 3);
        assert_int_equal(got.n_ok, 3);
        assert_non_null(strstr(got.last.text, "summarization"));
        assert_true(got.last.prompt_tokens > 0 && got.last.answer_tokens > 0);
        forget(&got);
        endpoint_stop(&endpoint);
    }
}

/* ---- the key ---- */

static void key_is_used_and_hidden(void **state) {
    (void)state;
    Endpoint endpoint;
    struct rlimit before, held, after;
    assert_int_equal(setenv("HN_TEST_KEY", KEY, 1), 0);
    endpoint_start(&endpoint, "--key-env", "HN_TEST_KEY", "--first", "400", "--share", "50", NULL);
    HnLlmConfig config = config_for(&endpoint);
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 2); /* without the key */
    assert_int_equal(got.status, HN_NETWORK);
    assert_non_null(strstr(got.err.message, "llm.http.key_env"));
    config.http.key_env = (char *)(uintptr_t) "HN_TEST_KEY";
    got = ask(&config, HN_TASK_ITEM_PROFILE, 30); /* refusals repeat the Authorization header */
    assert_int_equal(got.status, HN_OK);
    assert_true(got.n_ok > 0 && got.n_refused > 0);
    forget(&got);
    for (int i = 0; i < 30; i++) {
        Outcome one = ask(&config, HN_TASK_ITEM_PROFILE, 1);
        assert_null(strstr(one.last.note, KEY));
        forget(&one);
    }
    HnProvider *provider = NULL;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    assert_int_equal(hn_provider_open(HN_PROVIDER_HTTP, false, &config, NULL, NULL, NULL, &provider, &err), HN_OK);
    assert_int_equal(getrlimit(RLIMIT_CORE, &held), 0);
    assert_int_equal(held.rlim_cur, 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    hn_provider_close(&provider);
    assert_int_equal(getrlimit(RLIMIT_CORE, &after), 0);
    assert_true(after.rlim_cur == before.rlim_cur);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), dumpable);
    endpoint_stop(&endpoint);
}

static void wrong_key_is_scrubbed(void **state) {
    (void)state;
    Endpoint endpoint;
    assert_int_equal(setenv("HN_TEST_KEY", "sk-another-one", 1), 0);
    endpoint_start(&endpoint, "--key-env", "HN_TEST_KEY", NULL);
    assert_int_equal(setenv("HN_TEST_KEY", KEY, 1), 0);
    HnLlmConfig config = config_for(&endpoint);
    config.http.key_env = (char *)(uintptr_t) "HN_TEST_KEY";
    Outcome got = ask(&config, HN_TASK_ITEM_PROFILE, 2);
    assert_int_equal(got.status, HN_NETWORK);
    assert_non_null(strstr(got.err.message, "HTTP 401"));
    assert_null(strstr(got.err.message, KEY)); /* although the server said it back */
    assert_non_null(strstr(got.err.message, "*****"));
    endpoint_stop(&endpoint);
}

static void bad_settings(void **state) {
    (void)state;
    static const struct {
        const char *url, *key_env, *key, *message;
    } table[] = {
        {"127.0.0.1:80", "", NULL, "begins with http://"},
        {"ftp://x", "", NULL, "begins with http://"},
        {"http://user:secret@host", "", NULL, "user name or a password"},
        {"http://127.0.0.1:9", "HN_TEST_NO_SUCH_VARIABLE", NULL, "HN_TEST_NO_SUCH_VARIABLE"},
        {"http://127.0.0.1:9", "HN_TEST_BAD_KEY", "two\nlines", "unprintable"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        Endpoint none = {0};
        HnLlmConfig config = config_for(&none);
        HnProvider *provider = NULL;
        HnError err = HN_ERROR_INIT;
        config.http.url = (char *)(uintptr_t)table[i].url;
        config.http.key_env = (char *)(uintptr_t)table[i].key_env;
        if (table[i].key) {
            assert_int_equal(setenv(table[i].key_env, table[i].key, 1), 0);
        }
        assert_int_equal(hn_provider_open(HN_PROVIDER_HTTP, false, &config, NULL, NULL, NULL, &provider, &err),
                         HN_CONFIG);
        assert_null(provider);
        if (!strstr(err.message, table[i].message) || strstr(err.message, "secret")) {
            fail_msg("case %zu: %s", i, err.message);
        }
    }
}

static void addresses(void **state) {
    (void)state;
    char *address = NULL;
    HnError err = HN_ERROR_INIT;
    static const struct {
        const char *base;
        HnHttpApi api;
        const char *expected;
    } table[] = {
        {"http://h:1", HN_API_OPENAI, "http://h:1/v1/x"},
        {"http://h:1/", HN_API_OPENAI, "http://h:1/v1/x"},
        {"https://h/v1", HN_API_OPENAI, "https://h/v1/x"},
        {"https://h/v1//", HN_API_OPENAI, "https://h/v1/x"},
        {"http://h:1/proxy", HN_API_OPENAI, "http://h:1/proxy/v1/x"},
        {"http://h:1/", HN_API_OLLAMA, "http://h:1/x"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(hn_http_address(table[i].base, table[i].api, "/x", &address, &err), HN_OK);
        assert_string_equal(address, table[i].expected);
        hn_free(address);
    }
    static const char *const picks[] = {"http://a", "http://b", "http://c", "http://a"};
    for (int rank = 0; rank < 4; rank++) {
        assert_int_equal(hn_http_pick(" http://a, http://b\thttp://c ,", rank, &address, &err), HN_OK);
        assert_string_equal(address, picks[rank]);
        hn_free(address);
    }
    assert_int_equal(hn_http_pick(" , ", 0, &address, &err), HN_CONFIG);
}

/* A folder that is not there: the check names it; the provider itself opens without reading it. */
static void native_without_model(void **state) {
    (void)state;
    HnLlmConfig config = {.native = {.model = (char *)"/nowhere", .embed_model = (char *)"/nor/here", .slots = 1}};
    HnError err = HN_ERROR_INIT;
    char line[128];
    assert_int_not_equal(hn_provider_check(HN_PROVIDER_NATIVE, &config, false, line, sizeof line, &err), HN_OK);
    assert_non_null(strstr(err.message, "/nowhere"));
    hn_error_clear(&err);
    assert_int_not_equal(hn_provider_check(HN_PROVIDER_NATIVE, &config, true, line, sizeof line, &err), HN_OK);
    assert_non_null(strstr(err.message, "/nor/here"));
    hn_error_clear(&err);
    assert_int_equal(hn_provider_check(HN_PROVIDER_EXTRACTIVE, &config, false, line, sizeof line, &err), HN_OK);
}

static void check(void **state) {
    (void)state;
    Endpoint endpoint;
    char line[256];
    HnError err = HN_ERROR_INIT;
    endpoint_start(&endpoint, NULL);
    HnLlmConfig config = config_for(&endpoint);
    assert_int_equal(hn_provider_check(HN_PROVIDER_HTTP, &config, false, line, sizeof line, &err), HN_OK);
    assert_non_null(strstr(line, "answers (HTTP 200)"));
    endpoint_stop(&endpoint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaviours),
        cmocka_unit_test(lost),
        cmocka_unit_test(time_out),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(dies),
        cmocka_unit_test(vectors),
        cmocka_unit_test(key_is_used_and_hidden),
        cmocka_unit_test(wrong_key_is_scrubbed),
        cmocka_unit_test(bad_settings),
        cmocka_unit_test(addresses),
        cmocka_unit_test(native_without_model),
        cmocka_unit_test(check),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
