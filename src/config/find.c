/* Where the shipped experiments are. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "config/experiment.h"

/* The folder of shipped experiments, or NULL: $HNLMREC_EXPERIMENTS, beside the program, in the source tree. */
static char *shipped_folder(HnError *err) {
    const char *chosen = getenv("HNLMREC_EXPERIMENTS");
    if (chosen != NULL && chosen[0] != '\0') {
        return hn_strdup(chosen, err);
    }
    static const char *const places[] = {"/../share/hnlmrec/experiments", "/../src/experiments"};
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++) {
        *slash = '\0';
        char *folder = hn_path_printf(err, "%s%s", program, places[i]);
        if (folder == NULL || hn_folder_exists(folder)) {
            return folder;
        }
        hn_free(folder);
    }
    return hn_strdup(HN_SOURCE_EXPERIMENTS, err);
}

/* Appends the names below folder ("demo, paper/yelp2018"); two levels are all there are. */
static HnStatus list_names(const char *folder, const char *prefix, HnText *names, HnError *err) {
    char **entries = NULL;
    size_t n_entries = 0;
    HN_TRY(hn_folder_list(folder, &entries, &n_entries, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_entries && status == HN_OK; i++) {
        size_t length = strlen(entries[i]);
        char *path = hn_path_join(folder, entries[i], err);
        if (path == NULL) {
            status = HN_MEMORY;
        } else if (length > 5 && strcmp(entries[i] + length - 5, ".yaml") == 0) {
            status = hn_text_printf(names, err, "%s%s%.*s", names->length == 0 ? "" : ", ", prefix, (int)(length - 5),
                                    entries[i]);
        } else if (prefix[0] == '\0' && hn_folder_exists(path)) {
            char *below = hn_path_printf(err, "%s/", entries[i]);
            status = below == NULL ? HN_MEMORY : list_names(path, below, names, err);
            hn_free(below);
        }
        hn_free(path);
    }
    hn_names_free(&entries, n_entries);
    return status;
}

HnStatus hn_experiment_find(const char *name, char **path, HnError *err) {
    *path = NULL;
    char *folder = shipped_folder(err);
    if (folder == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    bool plain = name[0] != '\0' && name[0] != '/' && name[0] != '.' && strstr(name, "..") == NULL;
    if (plain) {
        *path = hn_path_printf(err, "%s/%s.yaml", folder, name);
        status = *path == NULL ? HN_MEMORY : HN_OK;
    }
    if (status == HN_OK && (*path == NULL || !hn_file_exists(*path))) {
        HnText names = {0};
        hn_free(*path);
        *path = NULL;
        if (list_names(folder, "", &names, NULL) != HN_OK || names.length == 0) {
            status = hn_fail(err, HN_USAGE,
                             "there is no file \"%s\", and no shipped experiments were found in %s; set "
                             "HNLMREC_EXPERIMENTS to their folder",
                             name, folder);
        } else {
            status = hn_fail(err, HN_USAGE, "there is neither a file nor a shipped experiment \"%s\"; shipped are: %s",
                             name, hn_text_get(&names));
        }
        hn_text_free(&names);
    }
    hn_free(folder);
    return status;
}

HnStatus hn_experiment_path(const char *name, char **path, HnError *err) {
    const char *dot = strrchr(name, '.');
    bool is_file = dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (is_file || hn_experiment_find(name, path, err) != HN_OK) {
        if (is_file || hn_file_exists(name)) {
            hn_error_clear(err);
            *path = hn_strdup(name, err);
        }
    }
    return err->status;
}
