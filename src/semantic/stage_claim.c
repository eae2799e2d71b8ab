/* Whose journals these are: a file beside them says what they depend on. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "stage_job.h"

enum { MAX_IDENTITY_BYTES = 1024 * 1024 };

char *hn_stage_folder(const char *folder, const char *stage, HnError *err) {
    return hn_path_printf(err, "%s/journal-%s", folder, stage);
}

static bool has_journals(const char *folder) {
    char **names = NULL;
    size_t n = 0;
    HnError ignored = HN_ERROR_INIT;
    bool found = false;
    if (hn_folder_list(folder, &names, &n, &ignored) == HN_OK) {
        for (size_t i = 0; i < n; i++) {
            size_t length = strlen(names[i]);
            found = found || (length > 8 && strcmp(names[i] + length - 8, ".journal") == 0);
        }
        hn_names_free(&names, n);
    }
    return found;
}

/* The first line in which two identities differ. */
static HnStatus conflict(const char *folder, const char *identity, const char *old, HnError *err) {
    const char *new = identity;
    while (*old && *new) {
        size_t n_old = strcspn(old, "\n"), n_new = strcspn(new, "\n");
        if (n_old != n_new || memcmp(old, new, n_old) != 0) {
            break;
        }
        old += n_old + (old[n_old] == '\n');
        new += n_new + (new[n_new] == '\n');
    }
    return hn_fail(
        err, HN_CONFLICT,
        "%s: this half-done stage was begun with \"%.*s\", now it is \"%.*s\"; go on with the configuration it "
        "was begun with, or remove that folder (its answers are lost) to start the stage afresh",
        folder, (int)strcspn(old, "\n"), old, (int)strcspn(new, "\n"), new);
}

HnStatus hn_stage_claim(const char *folder, const char *identity, HnError *err) {
    char *path = hn_path_join(folder, "identity.txt", err), *old = NULL;
    size_t n_bytes = 0;
    HnStatus status = path ? HN_OK : HN_MEMORY;
    if (status == HN_OK && hn_file_exists(path)) {
        status = hn_file_read(path, MAX_IDENTITY_BYTES, &old, &n_bytes, err);
        if (status == HN_OK && strcmp(old, identity) != 0) {
            status = conflict(folder, identity, old, err);
        }
    } else if (status == HN_OK && has_journals(folder)) {
        status = hn_fail(err, HN_CONFLICT,
                         "%s holds journals but no identity.txt, so nobody knows what they belong to; "
                         "remove that folder to start the stage afresh",
                         folder);
    } else if (status == HN_OK) {
        status = hn_folder_make(folder, err);
        if (status == HN_OK) {
            status = hn_file_write_atomic(path, identity, strlen(identity), err);
        }
    }
    hn_free(old);
    hn_free(path);
    return status;
}
