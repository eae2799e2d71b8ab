/* The run folder: made once, and only ever used by the configuration that made it. */
#include <string.h>

#include "app/run.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

static HnStatus compare_with(const HnRun *run, const char *path, HnError *err) {
    HnExperiment *other = NULL;
    HnStatus status = hn_experiment_load(path, NULL, 0, &other, err);
    if (status != HN_OK) {
        return status;
    }
    char *mine = NULL, *theirs = NULL;
    const char *key = hn_experiment_difference(run->experiment, other, &mine, &theirs, err);
    if (err->status == HN_OK && key != NULL) {
        hn_fail(
            err, HN_CONFLICT,
            "%s was made by another configuration: %s was \"%s\" and is now \"%s\"; choose another --out, or remove "
            "the folder",
            run->out, key, theirs, mine);
    }
    hn_free(mine);
    hn_free(theirs);
    hn_experiment_free(&other);
    return err->status;
}

static HnStatus open_on_first_rank(HnRun *run, HnError *err) {
    HN_TRY(hn_folder_make(run->out, err));
    char *path = hn_path_join(run->out, "experiment.yaml", err);
    if (path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    if (hn_file_exists(path)) {
        status = compare_with(run, path, err);
    } else if (!run->plan) { /* looking at a plan settles nothing */
        status = hn_file_write_atomic(path, run->config_yaml, strlen(run->config_yaml), err);
    }
    hn_free(path);
    return status;
}

HnStatus hn_run_folder_open(HnRun *run, HnError *err) {
    run->artefacts = run->artefacts_option != NULL ? hn_strdup(run->artefacts_option, err)
                                                   : hn_path_join(run->out, "artefacts", err);
    HnStatus status = run->artefacts == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && hn_comm_rank(run->world) == 0) {
        status = open_on_first_rank(run, err);
    }
    return hn_comm_agree(run->world, status, err);
}
