#include "write_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"

static char folder[64];

int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hn-config-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

int drop_folder(void **state) {
    (void)state;
    return hn_folder_remove(folder, NULL) == HN_OK && hn_alloc_live_blocks() == 0 ? 0 : -1;
}

const char *test_folder(void) {
    return folder;
}

HnStatus load_text(const char *yaml, const char *const *sets, HnExperiment **experiment, HnError *err) {
    size_t n_sets = 0;
    while (sets != NULL && sets[n_sets] != NULL) {
        n_sets++;
    }
    char path[128];
    snprintf(path, sizeof path, "%s/x.yaml", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(yaml, 1, strlen(yaml), file), strlen(yaml));
    fclose(file);
    return hn_experiment_load(path, sets, n_sets, experiment, err);
}
