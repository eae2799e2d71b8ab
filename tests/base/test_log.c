/* Messages: levels, ranks, secrets that never show, progress in a file, stop by signal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"

static char captured[65536];
static int real_stderr;
static char capture_path[] = "/tmp/hn-log-XXXXXX";

static void capture_start(void) {
    fflush(stderr);
    int file = mkstemp(capture_path);
    real_stderr = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
}

static void capture_end(void) {
    fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    FILE *file = fopen(capture_path, "rb");
    size_t n = fread(captured, 1, sizeof captured - 1, file);
    captured[n] = '\0';
    fclose(file);
    unlink(capture_path);
    strncpy(capture_path, "/tmp/hn-log-XXXXXX", sizeof capture_path);
}

static void levels_and_ranks(void **state) {
    (void)state;
    capture_start();
    hn_log_setup(HN_LOG_INFO, 0);
    hn_log(HN_LOG_DEBUG, "hidden %d", 1);
    hn_log(HN_LOG_INFO, "shown %d", 2);
    hn_log(HN_LOG_WARN, "careful");
    hn_log_setup(HN_LOG_INFO, 3);
    hn_log(HN_LOG_INFO, "other rank");
    hn_log(HN_LOG_ERROR, "broke");
    hn_log_setup(HN_LOG_INFO, 0);
    capture_end();
    assert_string_equal(captured, "shown 2\nwarning: careful\n[rank 3] error: broke\n");
}

static void secrets_never_show(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_log_hide("sk-abcdef123456", &err), HN_OK);
    assert_int_equal(hn_log_hide("sk-abcdef123456", &err), HN_OK);
    assert_int_equal(hn_log_hide("xy", &err), HN_OK); /* shorter than its mark */
    assert_int_equal(hn_log_hide("", &err), HN_OK);
    capture_start();
    hn_log(HN_LOG_ERROR, "key sk-abcdef123456sk-abcdef123456 end, xy");
    hn_log(HN_LOG_INFO, "%s", "sk-abcdef123456");
    capture_end();
    assert_null(strstr(captured, "abcdef"));
    assert_null(strstr(captured, "xy"));
    assert_non_null(strstr(captured, "key [secret][secret] end"));

    /* At every place around the cut of an over-long message. */
    static char text[17000];
    for (size_t at = 16384 - 40; at < 16384; at++) {
        memset(text, '.', sizeof text - 1);
        memcpy(text + at, "sk-abcdef123456", 15);
        capture_start();
        hn_log(HN_LOG_INFO, "%s", text);
        capture_end();
        assert_null(strstr(captured, "sk-"));
    }
    assert_int_equal(hn_fail(&err, HN_NETWORK, "refused: \"Bearer %s\"\033[1m", "sk-abcdef123456"), HN_NETWORK);
    assert_string_equal(err.message, "refused: \"Bearer [secret]\"?[1m");
    hn_error_clear(&err);
    for (size_t at = sizeof err.message - 20; at < sizeof err.message; at++) {
        memset(text, '.', sizeof text - 1);
        memcpy(text + at, "sk-abcdef123456", 15);
        hn_fail_errno(&err, EIO, "%s", text);
        assert_null(strstr(err.message, "sk-"));
        hn_error_clear(&err);
    }
    char huge[600];
    memset(huge, 'k', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_int_equal(hn_log_hide(huge, &err), HN_RANGE);
    assert_null(strstr(err.message, "kkkk"));
}

static void terminal_controls_are_shut_out(void **state) {
    (void)state;
    capture_start();
    hn_log(HN_LOG_INFO, "title \"\033[2Jgone\"\n\tnext");
    capture_end();
    assert_string_equal(captured, "title \"?[2Jgone\"\n\tnext\n");
}

static void progress_in_a_file_is_plain(void **state) {
    (void)state;
    HnProgress progress;
    capture_start();
    hn_progress_start(&progress, "item profiles", 2000, 500);
    assert_false(progress.on_terminal);
    hn_progress_update(&progress, 600); /* too soon for a line */
    progress.started -= 10.0;
    progress.last_shown -= 10.0;
    hn_progress_update(&progress, 1500);
    hn_progress_update(&progress, 1600);
    hn_progress_finish(&progress);
    hn_progress_start(&progress, "nothing", 0, 0); /* too short for a line, and no division by zero */
    hn_progress_finish(&progress);
    capture_end();
    char *line_end = strchr(captured, '\n');
    assert_non_null(line_end);
    *line_end = '\0';
    assert_non_null(strstr(captured, "item profiles  1,500 / 2,000  75%"));
    double rate =
        strtod(strstr(captured, "75%") + 3, NULL); /* 1,000 done here in 10 s; what was found done counts not */
    assert_true(rate > 90.0 && rate <= 100.0);
    assert_non_null(strstr(captured, " left"));
    assert_non_null(strstr(line_end + 1, "1,600 / 2,000  80%"));
    assert_non_null(strstr(line_end + 1, "in all"));
    assert_null(strchr(line_end + 1, '\r'));
    assert_null(strstr(line_end + 1, "nothing"));
}

static void progress_on_a_terminal_is_a_bar(void **state) {
    (void)state;
    HnProgress progress;
    capture_start();
    hn_progress_start(&progress, "epoch 3", 100, 0);
    progress.on_terminal = true;
    progress.started -= 5.0;
    progress.last_shown -= 5.0;
    hn_progress_update(&progress, 50);
    hn_progress_finish(&progress);
    hn_progress_start(&progress, "over", 10, 0);
    progress.on_terminal = true;
    progress.last_shown -= 5.0;
    hn_progress_update(&progress, 11); /* more than announced: a full bar, not a longer one */
    capture_end();
    assert_non_null(strstr(captured, "\repoch 3  [############------------] 50 / 100  50%"));
    assert_non_null(strstr(captured, "[########################] 11 / 10  100%"));
    assert_null(strstr(captured, "#########################]"));
}

static void clocks_run(void **state) {
    (void)state;
    double before = hn_clock_seconds();
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    assert_true(hn_clock_seconds() > before + 0.0015);
    char text[32];
    int64_t t = 0;
    hn_clock_iso8601(text);
    assert_int_equal(strlen(text), 20);
    assert_true(hn_parse_date(text, &t));
    assert_true(llabs((long long)(t - hn_clock_unix())) <= 2);
}

static void signals_ask_for_a_stop(void **state) {
    (void)state;
    assert_false(hn_stop_requested());
    hn_stop_install();
    raise(SIGUSR1);
    assert_true(hn_stop_requested());
    raise(SIGTERM); /* the second does not kill either */
    hn_stop_request();
    assert_true(hn_stop_requested());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_and_ranks),
        cmocka_unit_test(secrets_never_show),
        cmocka_unit_test(terminal_controls_are_shut_out),
        cmocka_unit_test(progress_in_a_file_is_plain),
        cmocka_unit_test(progress_on_a_terminal_is_a_bar),
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(signals_ask_for_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
