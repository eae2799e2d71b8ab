/* Claims and artefacts: made once, found afterwards, taken over from the dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/artefact.h"
#include "app/claim.h"
#include "base/alloc.h"
#include "base/file.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hn-artefact-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    return hn_folder_remove(folder, &err) != HN_OK;
}

static HnStatus make_file(void *context, const char *work_folder, const char *out_path, HnError *err) {
    int *calls = context;
    (*calls)++;
    HN_TRY(hn_folder_make(work_folder, err));
    return hn_file_write_atomic(out_path, "x", 1, err);
}

static void made_once_then_found(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnComm *comm = NULL;
    assert_int_equal(hn_comm_self(&comm, &err), HN_OK);
    int calls = 0;
    char *first = NULL, *second = NULL, *other = NULL;
    bool found = true;
    assert_int_equal(hn_artefact_get(comm, folder, "stage", "identity", make_file, &calls, &first, &found, &err),
                     HN_OK);
    assert_false(found);
    assert_int_equal(hn_artefact_get(comm, folder, "stage", "identity", make_file, &calls, &second, &found, &err),
                     HN_OK);
    assert_true(found);
    assert_string_equal(first, second);
    assert_int_equal(calls, 1);
    assert_int_equal(hn_artefact_get(comm, folder, "stage", "another", make_file, &calls, &other, &found, &err), HN_OK);
    assert_string_not_equal(first, other);
    assert_int_equal(calls, 2);
    char **names = NULL;
    size_t n = 0; /* neither claims nor work folders are left */
    assert_int_equal(hn_folder_list(folder, &names, &n, &err), HN_OK);
    assert_int_equal(n, 2);
    hn_names_free(&names, n);
    hn_free(first);
    hn_free(second);
    hn_free(other);
    hn_comm_free(&comm);
}

static HnStatus make_nothing(void *context, const char *work_folder, const char *out_path, HnError *err) {
    (void)context, (void)work_folder;
    return hn_fail(err, HN_IO, "cannot make %s", out_path);
}

static void failure_leaves_no_claim(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnComm *comm = NULL;
    assert_int_equal(hn_comm_self(&comm, &err), HN_OK);
    char *path = NULL;
    bool found = false;
    assert_int_equal(hn_artefact_get(comm, folder, "bad", "identity", make_nothing, NULL, &path, &found, &err), HN_IO);
    assert_null(path);
    hn_error_clear(&err);
    int calls = 0;
    assert_int_equal(hn_artefact_get(comm, folder, "bad", "identity", make_file, &calls, &path, &found, &err), HN_OK);
    assert_int_equal(calls, 1);
    hn_free(path);
    hn_comm_free(&comm);
}

static void claim_excludes_and_releases(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(folder, "a.claim", &err);
    HnClaim *mine = NULL, *theirs = NULL;
    assert_int_equal(hn_claim_try(path, &mine, &err), HN_OK);
    assert_non_null(mine);
    assert_int_equal(hn_claim_try(path, &theirs, &err), HN_OK);
    assert_null(theirs); /* the holder is this live process */
    hn_claim_release(&mine);
    assert_false(hn_file_exists(path));
    assert_int_equal(hn_claim_try(path, &theirs, &err), HN_OK);
    assert_non_null(theirs);
    hn_claim_release(&theirs);
    hn_free(path);
}

static void dead_holder_is_replaced_at_once(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(folder, "b.claim", &err);
    pid_t child = fork();
    if (child == 0) {
        HnClaim *claim = NULL;
        HnError child_err = HN_ERROR_INIT;
        hn_claim_try(path, &claim, &child_err);
        _exit(claim == NULL); /* dies without releasing */
    }
    siginfo_t end; /* nobody waits for it yet, as in containers whose first process does not */
    assert_int_equal(waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT), 0);
    assert_int_equal(end.si_status, 0);
    assert_true(hn_file_exists(path));
    HnClaim *claim = NULL;
    for (int i = 0; i < 2 && claim == NULL; i++) { /* the first look removes, the second takes */
        assert_int_equal(hn_claim_try(path, &claim, &err), HN_OK);
    }
    assert_non_null(claim);
    assert_int_equal(waitpid(child, NULL, 0), child);
    hn_claim_release(&claim);
    hn_free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_once_then_found, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(failure_leaves_no_claim, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(claim_excludes_and_releases, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(dead_holder_is_replaced_at_once, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("artefact", tests, NULL, NULL);
}
