/* The stages as a process that is killed: -9 at random times, TERM, on one rank and on several. What is sealed in the
 * end equals what an undisturbed run seals; the endpoint's own count says how much was asked twice.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "fixture.h"
#include "store.h"

enum { IN_FLIGHT = 8, MOST_WORDS = 48, MOST_KILLS = 12 };

static const char *const STORES[] = {"profiles-items.h5", "profiles-users.h5", "negatives.h5", "vectors.h5"};
static const char KEY[] = "sk-kill-test-8Hq2";

/* The command line of a run; ranks 0 = without a launcher. */
typedef struct Command {
    const char *argv[MOST_WORDS];
    char words[8][256];
} Command;

static void compose(Command *command, const char *folder, const Endpoint *endpoint, int ranks) {
    static const char *const data[] = {"data.format=synthetic",    "data.synthetic.users=60",
                                       "data.synthetic.items=50",  "data.synthetic.interactions=700",
                                       "llm.embed_dim=32",         "llm.max_reviews=4",
                                       "llm.http.max_in_flight=8", "llm.http.key_env=HN_TEST_KEY",
                                       "llm.http.embed_model=e",   "llm.http.model=m"};
    int n = 0;
    if (ranks > 0) {
        (void)snprintf(command->words[0], sizeof command->words[0], "%d", ranks);
        command->argv[n++] = HN_MPIEXEC;
        command->argv[n++] = HN_MPIEXEC_NUMPROC;
        command->argv[n++] = command->words[0];
    }
    command->argv[n++] = HN_BUILD_DIR "/tests/semantic_stage_run";
    (void)snprintf(command->words[1], sizeof command->words[1], "%s", fixture_path(folder));
    command->argv[n++] = command->words[1];
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        command->argv[n++] = data[i];
    }
    if (endpoint) {
        (void)snprintf(command->words[2], sizeof command->words[2], "llm.http.url=%s", endpoint->url);
        command->argv[n++] = command->words[2];
        command->argv[n++] = "llm.provider=http";
        command->argv[n++] = "llm.embedder=http";
    }
    command->argv[n] = NULL;
}

static const char *output(const char *folder) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s.log", folder);
    return fixture_path(name);
}

static void pause_ms(uint32_t ms) {
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000L};
    nanosleep(&pause, NULL);
}

static void run_whole(const char *folder, const Endpoint *endpoint, int ranks) {
    Command command = {0};
    compose(&command, folder, endpoint, ranks);
    int rc = process_wait(process_start(command.argv, output(folder)));
    if (rc != 0) {
        char *log = NULL;
        size_t n = 0;
        hn_file_read(output(folder), 1 << 20, &log, &n, NULL);
        fail_msg("exit status %d: ...%s", rc, log ? log + (n > 1500 ? n - 1500 : 0) : "");
    }
}

static void compare(const char *a, const char *b) {
    for (size_t i = 0; i < sizeof STORES / sizeof STORES[0]; i++) {
        char one[64], other[64], first[65];
        (void)snprintf(one, sizeof one, "%s/%s", a, STORES[i]);
        (void)snprintf(other, sizeof other, "%s/%s", b, STORES[i]);
        (void)snprintf(first, sizeof first, "%s", store_digest(fixture_path(one)));
        assert_string_equal(first, store_digest(fixture_path(other)));
    }
}

/* Kills runs of `folder` at random times until one ends by itself or MOST_KILLS are spent; returns the kills. */
static unsigned kill_at_random(const char *folder, const Endpoint *endpoint, uint64_t round, uint32_t longest_ms) {
    HnRng rng;
    Command command = {0};
    unsigned kills = 0;
    hn_rng_start(&rng, 11, HN_STREAM_TEST, 7, round);
    compose(&command, folder, endpoint, 0);
    while (kills < MOST_KILLS) {
        pid_t pid = process_start(command.argv, output(folder));
        pause_ms(20 + hn_rng_below(&rng, kills == 0 ? 100 : longest_ms)); /* the first surely before its end */
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            return kills;
        }
        kill(pid, SIGKILL);
        int rc = process_wait(pid);
        if (rc == 0) { /* it ended between the look and the kill */
            return kills;
        }
        assert_int_equal(rc, 128 + SIGKILL);
        kills++;
    }
    return kills;
}

static void kill_http(void **state) {
    (void)state;
    Endpoint endpoint;
    run_whole("titles-source", NULL, 0); /* only for its data set */
    char titles[512];                    /* of its own: paths from the fixture last for 16 calls */
    (void)snprintf(titles, sizeof titles, "%s", fixture_titles("titles-source/dataset.h5"));
    endpoint_start(&endpoint, "--titles", titles, "--latency", "8", NULL);
    run_whole("whole", &endpoint, 0);
    EndpointStats once = endpoint_stats(&endpoint);
    assert_int_equal(once.requests, once.prompts); /* undisturbed, nothing is asked twice */
    endpoint_stop(&endpoint);
    for (uint64_t round = 0; round < 2; round++) {
        char folder[32];
        (void)snprintf(folder, sizeof folder, "killed-%llu", (unsigned long long)round);
        endpoint_start(&endpoint, "--titles", titles, "--latency", "8", NULL);
        unsigned kills = kill_at_random(folder, &endpoint, round, 500);
        assert_true(kills > 0);
        run_whole(folder, &endpoint, round == 1 ? 2 : 0); /* the last start also on more ranks */
        compare("whole", folder);
        EndpointStats stats = endpoint_stats(&endpoint);
        assert_int_equal(stats.prompts, once.prompts); /* nothing is left out */
        /* Redone: what was in flight. */
        assert_true(stats.requests - stats.prompts <= (unsigned long long)kills * IN_FLIGHT);
        endpoint_stop(&endpoint);
    }
}

static void kill_extractive(void **state) {
    (void)state;
    run_whole("extractive", NULL, 0);
    kill_at_random("extractive-killed", NULL, 5, 300);
    run_whole("extractive-killed", NULL, 0);
    compare("extractive", "extractive-killed");
}

/* TERM: the run says so, ends with its own status, and goes on later. */
static void terminated(void **state) {
    (void)state;
    Endpoint endpoint;
    Command command = {0};
    endpoint_start(&endpoint, "--titles", fixture_path("titles.txt"), "--latency", "40", NULL);
    compose(&command, "terminated", &endpoint, 0);
    pid_t pid = process_start(command.argv, output("terminated"));
    for (int tries = 0; tries < 200 && !hn_folder_exists(fixture_path("terminated/journal-profiles-users")); tries++) {
        pause_ms(20);
    }
    pause_ms(80);
    kill(pid, SIGTERM);
    assert_int_equal(process_wait(pid), HN_INTERRUPTED);
    EndpointStats before = endpoint_stats(&endpoint);
    run_whole("terminated", &endpoint, 0);
    EndpointStats after = endpoint_stats(&endpoint);
    assert_true(before.requests > 50); /* the item profiles were done */
    assert_true(after.requests - after.prompts <= IN_FLIGHT);
    char *log = NULL;
    size_t n = 0;
    assert_int_equal(hn_file_read(output("terminated"), 1 << 20, &log, &n, NULL), HN_OK);
    assert_non_null(strstr(log, "stopped as asked"));
    hn_free(log);
    endpoint_stop(&endpoint);
}

static bool holds(const char *path, const char *word) {
    char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(hn_file_read(path, 256u << 20, &bytes, &n, NULL), HN_OK);
    bool found = false;
    for (size_t i = 0; i + strlen(word) <= n && !found; i++) {
        found = memcmp(bytes + i, word, strlen(word)) == 0;
    }
    hn_free(bytes);
    return found;
}

static void search(const char *folder, const char *word, unsigned *n_files) {
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(hn_folder_list(folder, &names, &n, NULL), HN_OK);
    for (size_t i = 0; i < n; i++) {
        char *path = hn_path_join(folder, names[i], NULL);
        if (hn_folder_exists(path)) {
            search(path, word, n_files);
        } else {
            if (holds(path, word)) {
                fail_msg("%s holds the key", path);
            }
            (*n_files)++;
        }
        hn_free(path);
    }
    hn_names_free(&names, n);
}

/* The key is in the environment of a run whose endpoint repeats it in every refusal, and that is killed half-way:
 * neither journals nor stores nor logs nor the command line hold it. */
static void key_is_nowhere(void **state) {
    (void)state;
    Endpoint endpoint;
    Command command = {0};
    unsigned n_files = 0;
    endpoint_start(&endpoint, "--key-env", "HN_TEST_KEY", "--first", "400", "--share", "30", "--latency", "10", NULL);
    compose(&command, "keyed", &endpoint, 0);
    pid_t pid = process_start(command.argv, output("keyed"));
    for (int tries = 0; tries < 200 && !hn_folder_exists(fixture_path("keyed/journal-profiles-users")); tries++) {
        pause_ms(10);
    }
    char path[64], words[4096];
    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    int file = open(path, O_RDONLY);
    if (file >= 0) {
        FILE *stream = fdopen(file, "r");
        size_t n = fread(words, 1, sizeof words - 1, stream);
        (void)fclose(stream);
        for (size_t i = 0; i + strlen(KEY) <= n; i++) {
            assert_memory_not_equal(words + i, KEY, strlen(KEY));
        }
    }
    kill(pid, SIGKILL);
    assert_int_equal(process_wait(pid), 128 + SIGKILL);
    search(fixture_path("keyed"), KEY, &n_files);
    assert_true(n_files >= 3); /* journals and their identity among them */
    endpoint_stop(&endpoint);
    endpoint_start(&endpoint, "--key-env", "HN_TEST_KEY", "--titles", fixture_path("titles.txt"), "--first", "400",
                   "--share", "30", NULL);
    run_whole("keyed", &endpoint, 0);
    search(fixture_path("keyed"), KEY, &n_files);
    assert_false(holds(output("keyed"), KEY));
    assert_true(holds(output("keyed"), "HTTP 400")); /* the refusals were logged */
    endpoint_stop(&endpoint);
}

static void rank_counts(void **state) {
    (void)state;
    Endpoint endpoint, dead;
    Command command = {0};
    char both[256];
    run_whole("extractive-2", NULL, 2);
    run_whole("extractive-3", NULL, 3);
    compare("extractive", "extractive-2");
    compare("extractive", "extractive-3");
    /* Two workers, one of them with an endpoint where nobody answers: the other does it all. */
    endpoint_start(&endpoint, "--titles", fixture_path("titles.txt"), NULL);
    endpoint_start(&dead, NULL);
    endpoint_stop(&dead);
    (void)snprintf(both, sizeof both, "llm.http.url=%s,%s", dead.url, endpoint.url);
    compose(&command, "half-dead", &endpoint, 2);
    for (int i = 0; command.argv[i]; i++) {
        if (strncmp(command.argv[i], "llm.http.url=", 13) == 0) {
            command.argv[i] = both;
        }
    }
    assert_int_equal(process_wait(process_start(command.argv, output("half-dead"))), 0);
    compare("whole", "half-dead");
    assert_true(holds(output("half-dead"), "does not answer"));
    endpoint_stop(&endpoint);
}

static int open_all(void **state) {
    static const char *const launcher[] = {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
                                           "OMPI_MCA_mpi_yield_when_idle", "OMPI_MCA_rmaps_base_oversubscribe"};
    for (size_t i = 0; i < sizeof launcher / sizeof launcher[0]; i++) {
        if (setenv(launcher[i], "1", 0) != 0) { /* for a start by hand; ctest sets them */
            return -1;
        }
    }
    return setenv("HN_TEST_KEY", KEY, 1) != 0 ? -1 : fixture_open(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_http),      cmocka_unit_test(kill_extractive), cmocka_unit_test(terminated),
        cmocka_unit_test(key_is_nowhere), cmocka_unit_test(rank_counts),
    };
    return cmocka_run_group_tests(tests, open_all, fixture_close);
}
