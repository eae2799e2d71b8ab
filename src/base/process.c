#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

/* The letter behind the name in /proc/<process>/stat; '?' where the system has no such file. */
static char state_of(long process) {
    char path[64], line[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", process);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return '?';
    }
    (void)!fgets(line, sizeof line, file);
    (void)fclose(file);
    const char *end_of_name = strrchr(line, ')'); /* a name may hold brackets and spaces */
    return end_of_name != NULL && end_of_name[1] == ' ' ? end_of_name[2] : '?';
}

bool hn_process_is_gone(long process) {
    if (process <= 0) {
        return false;
    }
    if (kill((pid_t)process, 0) != 0) {
        return errno == ESRCH;
    }
    char state = state_of(process);
    return state == 'Z' || state == 'X';
}
