/* Files that are whole or absent, folders, full disks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"

static char folder[256];

static int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/hn-file-XXXXXX", base == NULL ? "/tmp" : base);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int drop_folder(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    return hn_folder_remove(folder, &err) == HN_OK && hn_alloc_live_blocks() == 0 ? 0 : -1;
}

static char *in_folder(const char *name) {
    char *path = hn_path_join(folder, name, NULL);
    assert_non_null(path);
    return path;
}

static void paths_join(void **state) {
    (void)state;
    const char *cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < 4; i++) {
        char *path = hn_path_join(cases[i][0], cases[i][1], NULL);
        assert_string_equal(path, cases[i][2]);
        hn_free(path);
    }
}

static void writes_replace_whole_files(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *path = in_folder("whole.txt");
    char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(hn_file_write_atomic(path, "first", 5, &err), HN_OK);
    assert_int_equal(hn_file_write_atomic(path, "sec\0nd", 6, &err), HN_OK);
    assert_int_equal(hn_file_read(path, 100, &bytes, &n, &err), HN_OK);
    assert_int_equal(n, 6);
    assert_memory_equal(bytes, "sec\0nd", 7);
    hn_free(bytes);
    assert_int_equal(hn_file_read(path, 6, &bytes, &n, &err), HN_OK);
    hn_free(bytes);
    assert_int_equal(hn_file_read(path, 5, &bytes, &n, &err), HN_INPUT);
    assert_null(bytes);
    hn_error_clear(&err);
    assert_int_equal(hn_file_write_atomic(path, "", 0, &err), HN_OK);
    assert_int_equal(hn_file_read(path, 5, &bytes, &n, &err), HN_OK);
    assert_int_equal(n, 0);
    assert_string_equal(bytes, "");
    hn_free(bytes);
    char **names = NULL;
    assert_int_equal(hn_folder_list(folder, &names, &n, &err), HN_OK);
    assert_int_equal(n, 1); /* no temporary file is left */
    assert_string_equal(names[0], "whole.txt");
    hn_names_free(&names, n);
    hn_free(path);
}

static void large_files_come_back(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    enum { N = 3000000 };
    char *path = in_folder("large.bin"), *bytes = hn_alloc(N, 1, "bytes", &err), *back = NULL;
    size_t n = 0;
    for (size_t i = 0; i < N; i++) {
        bytes[i] = (char)(i * i >> 3);
    }
    assert_int_equal(hn_file_write_atomic(path, bytes, N, &err), HN_OK);
    assert_int_equal(hn_file_read(path, N, &back, &n, &err), HN_OK);
    assert_int_equal(n, N);
    assert_memory_equal(bytes, back, N);
    hn_free(back);
    hn_free(bytes);
    hn_free(path);
}

static void failures_leave_the_old_file(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *path = in_folder("no/such/folder.txt"), *bytes = NULL;
    size_t n = 0;
    assert_int_equal(hn_file_write_atomic(path, "x", 1, &err), HN_IO);
    assert_non_null(strstr(err.message, "no/such/folder.txt"));
    hn_error_clear(&err);
    assert_int_equal(hn_file_read(path, 10, &bytes, &n, &err), HN_IO);
    hn_free(path);

    path = in_folder("kept.txt");
    hn_error_clear(&err);
    assert_int_equal(hn_file_write_atomic(path, "kept", 4, &err), HN_OK);
    for (uint64_t fail_at = 1; fail_at < 20; fail_at++) { /* every allocation of the write, one by one */
        hn_error_clear(&err);
        hn_alloc_fail_at(fail_at);
        HnStatus status = hn_file_write_atomic(path, "new!", 4, &err);
        hn_alloc_fail_at(0);
        assert_int_equal(hn_file_read(path, 10, &bytes, &n, NULL), HN_OK);
        assert_true(n == 4 && (memcmp(bytes, "kept", 4) == 0 || memcmp(bytes, "new!", 4) == 0));
        hn_free(bytes);
        if (status == HN_OK) {
            break;
        }
        assert_int_equal(status, HN_MEMORY);
    }
    hn_free(path);
}

static void folders_with_parents(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *path = in_folder("a/b/c/"), *top = in_folder("a"), *file = in_folder("a/b/file"),
         *below = in_folder("a/b/file/x");
    assert_int_equal(hn_folder_make(path, &err), HN_OK);
    assert_int_equal(hn_folder_make(path, &err), HN_OK);
    assert_true(hn_folder_exists(path));
    assert_false(hn_file_exists(path));
    assert_int_equal(hn_file_write_atomic(file, "x", 1, &err), HN_OK);
    assert_true(hn_file_exists(file));
    assert_int_equal(hn_folder_make(below, &err), HN_IO);
    assert_non_null(strstr(err.message, "is a file where a folder is needed"));
    hn_error_clear(&err);
    char *link = in_folder("a/out");
    assert_int_equal(symlink("/etc", link), 0); /* removal must not follow it */
    assert_int_equal(hn_folder_remove(top, &err), HN_OK);
    assert_false(hn_folder_exists(top));
    assert_true(hn_folder_exists("/etc"));
    assert_int_equal(hn_folder_remove(top, &err), HN_OK);
    hn_free(link);
    hn_free(path);
    hn_free(top);
    hn_free(file);
    hn_free(below);
}

static void names_are_sorted(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *path = in_folder("list");
    assert_int_equal(hn_folder_make(path, &err), HN_OK);
    for (int i = 40; i > 0; i--) {
        char *file = hn_path_printf(&err, "%s/%d", path, i);
        assert_int_equal(hn_file_write_atomic(file, "", 0, &err), HN_OK);
        hn_free(file);
    }
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(hn_folder_list(path, &names, &n, &err), HN_OK);
    assert_int_equal(n, 40);
    for (size_t i = 1; i < n; i++) {
        assert_true(strcmp(names[i - 1], names[i]) < 0);
    }
    hn_names_free(&names, n);
    assert_int_equal(hn_folder_list("/no/such/folder", &names, &n, &err), HN_IO);
    assert_null(names);
    hn_free(path);
}

static void free_space_of_what_does_not_exist_yet(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    uint64_t here = 0, there = 0;
    char *path = in_folder("not/yet/there.h5");
    assert_int_equal(hn_free_space(folder, &here, &err), HN_OK);
    assert_int_equal(hn_free_space(path, &there, &err), HN_OK);
    assert_true(here > 0 && there > 0);
    assert_int_equal(hn_free_space("relative/not/there", &there, &err), HN_OK);
    assert_int_equal(hn_free_space("", &there, &err), HN_OK);
    hn_free(path);
}

/* A disk of 1 MiB, where we may mount one: the write fails as HN_SPACE, the old file stays, nothing is left behind. */
static void full_disks_are_told(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *disk = in_folder("disk"), *path = in_folder("disk/file"), *big = hn_alloc(1, 4 << 20, "bytes", &err),
         *bytes = NULL;
    size_t n = 0;
    assert_int_equal(hn_folder_make(disk, &err), HN_OK);
    bool mounted = mount("none", disk, "tmpfs", 0, "size=1m") == 0;
    if (mounted) {
        assert_int_equal(hn_file_write_atomic(path, "old", 3, &err), HN_OK);
        assert_int_equal(hn_file_write_atomic(path, big, 4 << 20, &err), HN_SPACE);
        assert_non_null(strstr(err.message, "disk/file"));
        assert_int_equal(hn_file_read(path, 10, &bytes, &n, NULL), HN_OK);
        assert_string_equal(bytes, "old");
        hn_free(bytes);
        char **names = NULL;
        assert_int_equal(hn_folder_list(disk, &names, &n, NULL), HN_OK);
        assert_int_equal(n, 1);
        hn_names_free(&names, n);
        assert_int_equal(umount(disk), 0);
    }
    hn_free(big);
    hn_free(path);
    hn_free(disk);
    if (!mounted) {
        print_message("SKIP full_disks_are_told: may not mount a small file system here (%s)\n", strerror(errno));
        skip();
    }
}

static void processes_that_ended_are_gone(void **state) {
    (void)state;
    assert_false(hn_process_is_gone((long)getpid()));
    assert_false(hn_process_is_gone(0));
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    siginfo_t end;
    assert_int_equal(waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT), 0);
    assert_true(hn_process_is_gone((long)child)); /* still has its number */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(hn_process_is_gone((long)child));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_join),
        cmocka_unit_test(writes_replace_whole_files),
        cmocka_unit_test(large_files_come_back),
        cmocka_unit_test(failures_leave_the_old_file),
        cmocka_unit_test(folders_with_parents),
        cmocka_unit_test(names_are_sorted),
        cmocka_unit_test(free_space_of_what_does_not_exist_yet),
        cmocka_unit_test(full_disks_are_told),
        cmocka_unit_test(processes_that_ended_are_gone),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
