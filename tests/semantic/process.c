/* Child processes of the tests: the fake endpoint, and programs that are to be killed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

enum { MOST_WORDS = 40 };

void endpoint_start(Endpoint *endpoint, ...) {
    const char *argv[MOST_WORDS] = {HN_BUILD_DIR "/tests/fake_endpoint"};
    int pipe_ends[2], n = 1;
    va_list arguments;
    va_start(arguments, endpoint);
    for (const char *word; (word = va_arg(arguments, const char *));) {
        assert_true(n < MOST_WORDS - 1);
        argv[n++] = word;
    }
    va_end(arguments);
    assert_int_equal(pipe(pipe_ends), 0);
    endpoint->pid = fork();
    assert_true(endpoint->pid >= 0);
    if (endpoint->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no endpoint behind */
        dup2(pipe_ends[1], 1);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(pipe_ends[1]);
    FILE *output = fdopen(pipe_ends[0], "r");
    assert_non_null(output);
    assert_int_equal(fscanf(output, "port %d", &endpoint->port), 1);
    (void)fclose(output);
    (void)snprintf(endpoint->url, sizeof endpoint->url, "http://127.0.0.1:%d", endpoint->port);
}

void endpoint_stop(Endpoint *endpoint) {
    if (endpoint->pid > 0) {
        kill(endpoint->pid, SIGKILL);
        waitpid(endpoint->pid, NULL, 0);
        endpoint->pid = 0;
    }
}

EndpointStats endpoint_stats(const Endpoint *endpoint) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)endpoint->port)};
    static const char request[] = "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[1024];
    size_t have = 0;
    EndpointStats stats = {0};
    int client = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(client, request, sizeof request - 1, 0), (ssize_t)(sizeof request - 1));
    for (const char *body = NULL; !body || !strstr(body, "most ") || answer[have - 1] != '\n';) {
        ssize_t n = recv(client, answer + have, sizeof answer - 1 - have, 0);
        assert_true(n > 0);
        have += (size_t)n;
        answer[have] = '\0';
        body = strstr(answer, "\r\n\r\n");
    }
    close(client);
    assert_int_equal(sscanf(strstr(answer, "\r\n\r\n") + 4, "requests %llu answered %llu prompts %llu most %llu",
                            &stats.requests, &stats.answered, &stats.prompts, &stats.most),
                     4);
    return stats;
}

pid_t process_start(const char *const *argv, const char *output) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int file = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(file, 1);
        dup2(file, 2);
        close(file);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

int process_wait(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
