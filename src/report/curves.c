/* How training went: losses of every epoch and every validation, as one long CSV. */
#include <string.h>

#include "base/alloc.h"
#include "report/report.h"
#include "report/results.h"
#include "store.h"

/* What the lines of one result have in common. */
typedef struct Curve {
    const char *variant;
    int64_t seed;
    const char *part;
    bool on_test; /* its row's epoch was selected on the test part */
} Curve;

/* One line for each value of `field` [n_rows][n_names]; epochs NULL = row r is epoch r. */
static HnStatus write_part(const HnStore *store, const Curve *curve, const char *field, const char *name_field,
                           const int32_t *epochs, FILE *out, HnError *err) {
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_dims(store, field, dims, err));
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    double *values = hn_alloc(dims[0] * dims[1], sizeof *values, "a curve", err);
    HnStatus status =
        values == NULL ? HN_MEMORY : hn_store_read_strings(store, name_field, 0, dims[1], &bytes, &offsets, err);
    if (status == HN_OK) {
        status = hn_store_read_rows(store, field, 0, dims[0], values, err);
    }
    for (uint64_t r = 0; r < dims[0] && status == HN_OK; r++) {
        for (uint64_t c = 0; c < dims[1]; c++) {
            hn_csv_field(curve->variant, out);
            (void)fprintf(out, ",%lld,%lld,%s,%.*s,%.17g,%d\n", (long long)curve->seed,
                          epochs == NULL ? (long long)r + 1 : (long long)epochs[r], curve->part,
                          (int)(offsets[c + 1] - offsets[c]), bytes + offsets[c], values[r * dims[1] + c],
                          curve->on_test ? 1 : 0);
        }
    }
    hn_free(values);
    hn_free(bytes);
    hn_free(offsets);
    return status;
}

static HnStatus write_result(const char *path, Curve *curve, FILE *out, HnError *err) {
    HnStore *store = NULL;
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_open(path, &HN_SCHEMA_RESULT, &store, err));
    curve->part = "loss";
    HnStatus status = write_part(store, curve, "loss/value", "loss/name", NULL, out, err);
    if (status == HN_OK) {
        status = hn_store_dims(store, "valid/epoch", dims, err);
    }
    if (status == HN_OK && dims[0] > 0) {
        int32_t *epochs = hn_alloc(dims[0], sizeof *epochs, "epochs", err);
        status = epochs == NULL ? HN_MEMORY : hn_store_read_rows(store, "valid/epoch", 0, dims[0], epochs, err);
        curve->part = "valid";
        if (status == HN_OK) {
            status = write_part(store, curve, "valid/value", "metric/name", epochs, out, err);
        }
        hn_free(epochs);
    }
    hn_store_close(&store);
    return status;
}

HnStatus hn_report_curves(const char *folder, FILE *out, HnError *err) {
    HnResults results;
    HN_TRY(hn_results_collect(folder, &results, err));
    HnStatus status = HN_OK;
    (void)fputs("variant,seed,epoch,part,name,value,selected_on_test\n", out);
    for (size_t r = 0; r < results.n_rows; r++) {
        for (size_t s = 0; s < results.n_seeds && status == HN_OK; s++) {
            Curve curve = {results.rows[r].name, results.seeds[s], "", results.rows[r].on_test};
            if (results.rows[r].results[s].present) {
                status = write_result(results.rows[r].results[s].path, &curve, out, err);
            }
        }
    }
    hn_results_free(&results);
    if (status == HN_OK && (fflush(out) != 0 || ferror(out))) {
        status = hn_fail(err, HN_IO, "the curves could not be written in full; is the disk full?");
    }
    return status;
}
