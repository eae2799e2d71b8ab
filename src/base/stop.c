#include <signal.h>
#include <string.h>

#include "base/log.h"

/* All that a handler may do: set a flag. */
static volatile sig_atomic_t stop_flag;

static void on_signal(int signal_number) {
    (void)signal_number;
    stop_flag = 1;
}

void hn_stop_install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART; /* writes under way go on; loops ask hn_stop_requested */
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
}

bool hn_stop_requested(void) {
    return stop_flag != 0;
}

void hn_stop_request(void) {
    stop_flag = 1;
}
