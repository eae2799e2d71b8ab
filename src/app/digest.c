/* `hnlmrec digest`: what stores contain, as SHA-256, so that two runs can be compared in one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "store.h"

static const char usage[] = "usage: hnlmrec digest DIR|FILE... [--fields] [--all]\n\n"
                            "SHA-256 over the contents of each sealed store (*.h5) under DIR: names, types, sizes and "
                            "values of its data sets, not\n"
                            "the file's layout, attributes or times. The last line is one digest over all of them and "
                            "their paths below DIR: two\n"
                            "runs with equal totals hold equal results. A store whose contents no longer match the "
                            "digest that was recorded when\n"
                            "it was sealed is an error.\n\n"
                            "  --fields  also one line a data set\n"
                            "  --all     also checkpoints, whose parts depend on the number of ranks\n";

typedef struct PathList {
    char **paths; /* as given to open */
    size_t n, capacity;
} PathList;

typedef struct Options {
    bool fields, all;
} Options;

static void free_list(PathList *list) {
    for (size_t i = 0; i < list->n; i++) {
        hn_free(list->paths[i]);
    }
    hn_free(list->paths);
    memset(list, 0, sizeof *list);
}

/* Takes path over, also on failure. */
static HnStatus push_path(PathList *list, char *path, HnError *err) {
    if (list->n == list->capacity) {
        size_t wanted = list->capacity == 0 ? 64 : 2 * list->capacity;
        HnStatus status = hn_resize(&list->paths, list->capacity * sizeof *list->paths, wanted, sizeof *list->paths,
                                    "paths of stores", err);
        if (status != HN_OK) {
            hn_free(path);
            return status;
        }
        list->capacity = wanted;
    }
    list->paths[list->n++] = path;
    return HN_OK;
}

static bool is_store_name(const char *name) {
    size_t n = strlen(name);
    return n > 3 && strcmp(name + n - 3, ".h5") == 0;
}

static HnStatus collect(const char *folder, PathList *list, HnError *err) {
    char **names = NULL;
    size_t n_names = 0;
    HN_TRY(hn_folder_list(folder, &names, &n_names, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < n_names && status == HN_OK; i++) {
        char *path = hn_path_join(folder, names[i], err);
        if (path == NULL) {
            status = HN_MEMORY;
        } else if (hn_folder_exists(path)) {
            status = collect(path, list, err);
            hn_free(path);
        } else if (is_store_name(names[i])) {
            status = push_path(list, path, err);
        } else {
            hn_free(path);
        }
    }
    hn_names_free(&names, n_names);
    return status;
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_field(void *context, const char *field, const char hex[65]) {
    printf("%s  %s:%s\n", hex, (const char *)context, field);
}

static HnStatus is_checkpoint(const char *path, bool *checkpoint, HnError *err) {
    HnStore *store = NULL;
    HN_TRY(hn_store_open(path, NULL, &store, err));
    *checkpoint = hn_store_schema(store) == &HN_SCHEMA_CHECKPOINT;
    hn_store_close(&store);
    return HN_OK;
}

/* One store: its line, and its part of the total. `name` is its path below the folder that was asked for. */
static HnStatus digest_store(const char *path, char *name, const Options *options, HnSha256 *total, size_t *n_stores,
                             HnError *err) {
    bool checkpoint = false;
    HN_TRY(is_checkpoint(path, &checkpoint, err));
    if (checkpoint && !options->all) {
        return HN_OK;
    }
    char hex[65];
    HN_TRY(hn_store_digest(path, options->fields ? print_field : NULL, name, hex, err));
    printf("%s  %s\n", hex, name);
    hn_sha256_update(total, hex, 64);
    hn_sha256_update(total, "  ", 2);
    hn_sha256_update(total, name, strlen(name));
    hn_sha256_update(total, "\n", 1);
    (*n_stores)++;
    return HN_OK;
}

static HnStatus digest_argument(const char *argument, const Options *options, HnSha256 *total, size_t *n_stores,
                                HnError *err) {
    PathList list = {0};
    size_t n_prefix = 0;
    HnStatus status = HN_OK;
    if (hn_folder_exists(argument)) {
        status = collect(argument, &list, err);
        n_prefix = strlen(argument);
    } else {
        char *path = hn_strdup(argument, err);
        status = path == NULL ? HN_MEMORY : push_path(&list, path, err);
    }
    if (list.n > 0) {
        qsort(list.paths, list.n, sizeof *list.paths, compare_paths);
    }
    /* A file that was named is wanted, checkpoint or not. */
    Options own = {options->fields, options->all || n_prefix == 0};
    for (size_t i = 0; i < list.n && status == HN_OK; i++) {
        char *name = list.paths[i] + n_prefix;
        while (n_prefix > 0 && *name == '/') {
            name++;
        }
        status = digest_store(list.paths[i], name, &own, total, n_stores, err);
    }
    free_list(&list);
    return status;
}

static HnStatus digest_all(int argc, char **argv, const Options *options, HnError *err) {
    HnSha256 *total = NULL;
    size_t n_stores = 0;
    char hex[65];
    HN_TRY(hn_sha256_start(&total, err));
    HnStatus status = HN_OK;
    for (int i = 1; i < argc && status == HN_OK; i++) {
        if (argv[i][0] != '-') {
            status = digest_argument(argv[i], options, total, &n_stores, err);
        }
    }
    hn_sha256_finish(&total, hex);
    if (status == HN_OK && n_stores == 0) {
        status = hn_fail(err, HN_INPUT,
                         "no sealed store (*.h5) there. Name a run folder or a store; checkpoints alone need "
                         "--all");
    }
    if (status == HN_OK) {
        printf("%s  total of %zu store%s\n", hex, n_stores, n_stores == 1 ? "" : "s");
    }
    return status;
}

int hn_command_digest(int argc, char **argv) {
    Options options = {false, false};
    int n_paths = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--fields") == 0) {
            options.fields = true;
        } else if (strcmp(argv[i], "--all") == 0) {
            options.all = true;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "hnlmrec digest: cannot use \"%s\"\n%s", argv[i], usage);
            return HN_USAGE;
        } else {
            n_paths++;
        }
    }
    if (n_paths == 0) {
        fputs(usage, stderr);
        return HN_USAGE;
    }
    HnError err = HN_ERROR_INIT;
    return digest_all(argc, argv, &options, &err) == HN_OK ? 0 : hn_command_fail(&err);
}
