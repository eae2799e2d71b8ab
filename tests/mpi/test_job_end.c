/* How a job ends that goes wrong: within seconds, whatever the other ranks wait for, with the cause told once.
 * The program starts itself under mpirun; with an argument it is the job. */
#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "world.h"

static const char *program;

/* ---- the job --------------------------------------------------------------------------------------------------- */

static void sleep_seconds(time_t seconds) {
    struct timespec time = {seconds, 0};
    nanosleep(&time, NULL);
}

/* Rank 1 does not come to a meeting of the host's ranks, who share memory and wait outside MPI. */
static HnStatus meet_on_host(HnComm *world, bool bad, const char *how) {
    HnError err = HN_ERROR_INIT;
    HnCommHost host;
    HnHostBlock block;
    HN_TRY(hn_comm_host(world, &host, &err));
    HN_TRY(hn_comm_host_block(world, 4096, &block, &err));
    if (block.data == NULL) {
        return HN_INTERNAL;
    }
    if (bad && strcmp(how, "kill") == 0) {
        raise(SIGKILL);
    } else if (bad) {
        sleep_seconds(60);
    }
    hn_comm_host_arrive(world, 0);
    hn_comm_host_await(world);
    hn_comm_host_block_free(world, &block);
    return HN_OK;
}

/* Rank 1 goes wrong in the way that is asked for; the others wait for it in a barrier, which would be forever. */
static int run_job(int argc, char **argv, const char *mode) {
    HnComm *world = NULL;
    HnError err = HN_ERROR_INIT;
    if (hn_world_start(&argc, &argv, &world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    bool bad = hn_comm_rank(world) == 1;
    if (strcmp(mode, "agree") == 0) {
        HnStatus mine = bad ? hn_fail(&err, HN_INPUT, "line 7 is broken") : HN_OK;
        if (hn_comm_agree(world, mine, &err) != HN_OK) {
            hn_world_abort(world, "reading", &err); /* all ranks do */
        }
    } else if (bad && strcmp(mode, "abort") == 0) {
        (void)hn_fail(&err, HN_INPUT, "line 7 is broken");
        hn_world_abort(world, "reading", &err);
    } else if (bad && strcmp(mode, "kill") == 0) {
        raise(SIGKILL);
    } else if (bad && strcmp(mode, "never") == 0) {
        sleep_seconds(60);
    } else if (strcmp(mode, "slow") == 0) {
        /* Many short collectives over more than the watchdog's limit, and a pause outside any. */
        for (int i = 0; i < 12; i++) {
            struct timespec time = {0, 100000000};
            nanosleep(&time, NULL);
            (void)hn_comm_barrier(world, &err);
        }
        sleep_seconds(2);
    }
    HnStatus status = HN_OK;
    if (strncmp(mode, "host-", 5) == 0) {
        status = meet_on_host(world, bad, mode + 5);
    }
    status = status == HN_OK ? hn_comm_barrier(world, &err) : status;
    hn_world_end(&world);
    return status == HN_OK ? 0 : 1;
}

/* ---- the test -------------------------------------------------------------------------------------------------- */

typedef struct Outcome {
    int code; /* of mpirun; -1 where a signal ended it */
    double seconds;
    char text[65536];
} Outcome;

static void run_under_mpi(const char *mode, const char *environment, Outcome *outcome) {
    char command[4096];
    int n = snprintf(command, sizeof command, "%s '%s' %s 3 '%s' %s 2>&1", environment, HN_MPIEXEC, HN_MPIEXEC_N,
                     program, mode);
    assert_true(n > 0 && (size_t)n < sizeof command);
    double started = hn_clock_seconds();
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(outcome->text, 1, sizeof outcome->text - 1, pipe);
    outcome->text[length] = '\0';
    int status = pclose(pipe);
    outcome->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome->seconds = hn_clock_seconds() - started;
}

static int count(const char *text, const char *word) {
    int n = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        n++;
    }
    return n;
}

static void check_ended(const Outcome *outcome, const char *says) {
    if (outcome->code == 0 || outcome->seconds > 30 || (says != NULL && count(outcome->text, says) != 1)) {
        fail_msg("exit %d after %.1f s, expected once \"%s\" in: %s", outcome->code, outcome->seconds,
                 says == NULL ? "" : says, outcome->text);
    }
}

static void test_abort(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("abort", "", &outcome);
    check_ended(&outcome, "hnlmrec: [rank 1] reading: line 7 is broken");
}

static void test_agreed_failure_is_told_once(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("agree", "", &outcome);
    check_ended(&outcome, "hnlmrec: [rank 1] reading: line 7 is broken");
    assert_int_equal(count(outcome.text, "line 7"), 1);
}

static void test_killed_rank(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("kill", "", &outcome);
    check_ended(&outcome, NULL);
}

static void test_watchdog_ends_a_hang(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("never", "HNLMREC_WATCHDOG_S=1", &outcome);
    check_ended(&outcome, NULL);
    assert_true(count(outcome.text, "watchdog: barrier has been pending") >= 1);
    assert_true(outcome.seconds < 20);
}

static void test_meeting_of_a_killed_rank(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("host-kill", "", &outcome);
    check_ended(&outcome, NULL);
}

static void test_watchdog_ends_a_meeting(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("host-never", "HNLMREC_WATCHDOG_S=1", &outcome);
    check_ended(&outcome, NULL);
    assert_true(count(outcome.text, "watchdog: meeting of a host's ranks has been pending") >= 1);
    assert_true(outcome.seconds < 20);
}

static void test_watchdog_lets_work_be(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("slow", "HNLMREC_WATCHDOG_S=1", &outcome);
    if (outcome.code != 0) {
        fail_msg("exit %d: %s", outcome.code, outcome.text);
    }
}

static void test_bad_limit(void **state) {
    (void)state;
    static Outcome outcome;
    run_under_mpi("slow", "HNLMREC_WATCHDOG_S=soon", &outcome);
    assert_true(outcome.code != 0);
    assert_true(count(outcome.text, "HNLMREC_WATCHDOG_S is 'soon'") >= 1);
}

/* Processes that believe they stand alone, while their launcher says that there are more: each would do the whole run.
 */
static void test_worlds_apart(void **state) {
    (void)state;
    char command[4096];
    (void)snprintf(command, sizeof command, "SLURM_STEP_NUM_TASKS=4 '%s' slow 2>&1", program);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char text[4096];
    size_t length = fread(text, 1, sizeof text - 1, pipe);
    text[length] = '\0';
    assert_true(pclose(pipe) != 0);
    assert_non_null(strstr(text, "4 processes were started, but MPI puts each into a world of its own"));
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc > 1) {
        return run_job(argc, argv, argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_agreed_failure_is_told_once),
        cmocka_unit_test(test_killed_rank),
        cmocka_unit_test(test_watchdog_ends_a_hang),
        cmocka_unit_test(test_meeting_of_a_killed_rank),
        cmocka_unit_test(test_watchdog_ends_a_meeting),
        cmocka_unit_test(test_watchdog_lets_work_be),
        cmocka_unit_test(test_bad_limit),
        cmocka_unit_test(test_worlds_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
