#include "staged.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

const char *file(const Run *run, const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", run->folder, name);
    static char slots[8][512];
    static unsigned next;
    char *slot = slots[next++ % 8];
    memcpy(slot, path, sizeof path);
    return slot;
}

void open_run(Run *run, const char *folder, const char *dataset, HnExperiment *experiment) {
    *run = (Run){.experiment = experiment, .err = HN_ERROR_INIT};
    (void)snprintf(run->folder, sizeof run->folder, "%s", fixture_path(folder));
    assert_int_equal(hn_folder_make(run->folder, NULL), HN_OK);
    assert_int_equal(hn_dataset_open(fixture_path(dataset), &run->dataset, &run->err), HN_OK);
    assert_int_equal(hn_comm_self(&run->self, &run->err), HN_OK);
}

void close_run(Run *run) {
    hn_dataset_close(&run->dataset);
    hn_comm_free(&run->self);
    hn_experiment_free(&run->experiment);
}

HnStatus run_profiles(Run *run) {
    HnStageContext context = {&run->experiment->llm, run->dataset, "", run->self, NULL, NULL, 1};
    hn_error_clear(&run->err);
    HN_TRY(hn_stage_profiles(&context, false, run->folder, file(run, "items.h5"), NULL, &run->items, &run->err));
    return hn_stage_profiles(&context, true, run->folder, file(run, "users.h5"), file(run, "items.h5"), &run->users,
                             &run->err);
}

HnStatus run_negatives(Run *run) {
    HnStageContext context = {&run->experiment->llm, run->dataset, "", run->self, NULL, NULL, 1};
    hn_error_clear(&run->err);
    return hn_stage_negatives(&context, file(run, "items.h5"), file(run, "users.h5"), run->folder,
                              file(run, "negatives.h5"), &run->negatives, &run->err);
}

HnStatus run_vectors(Run *run) {
    HnStageContext context = {&run->experiment->llm, run->dataset, "", run->self, NULL, NULL, 1};
    hn_error_clear(&run->err);
    return hn_stage_embed(&context, file(run, "negatives.h5"), file(run, "items.h5"), file(run, "users.h5"),
                          run->folder, file(run, "vectors.h5"), &run->vectors, &run->err);
}

void must(const Run *run, HnStatus status) {
    if (status != HN_OK) {
        fail_msg("%s", run->err.message);
    }
}

void run_all(Run *run) {
    must(run, run_profiles(run));
    must(run, run_negatives(run));
    must(run, run_vectors(run));
}

void *numbers(const char *path, const char *field, size_t size, uint64_t dims[HN_MAX_DIMS]) {
    HnStore *store = NULL;
    HnError err = HN_ERROR_INIT;
    memset(dims, 0, HN_MAX_DIMS * sizeof *dims);
    assert_int_equal(hn_store_open(path, NULL, &store, &err), HN_OK);
    assert_int_equal(hn_store_dims(store, field, dims, &err), HN_OK);
    void *values = hn_alloc(dims[0] * (dims[1] ? dims[1] : 1), size, "values", NULL);
    assert_int_equal(hn_store_read_rows(store, field, 0, dims[0], values, &err), HN_OK);
    hn_store_close(&store);
    return values;
}

uint64_t count_status(const char *path, uint8_t wanted) {
    uint64_t dims[HN_MAX_DIMS], n = 0;
    uint8_t *status = numbers(path, "status", 1, dims);
    for (uint64_t i = 0; i < dims[0] * (dims[1] ? dims[1] : 1); i++) {
        n += status[i] == wanted;
    }
    hn_free(status);
    return n;
}
