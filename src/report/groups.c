/* The test by groups of users and items: a line for each row of the experiment and group, means over seeds. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "report/grid.h"
#include "report/report.h"
#include "report/results.h"
#include "report/statistics.h"
#include "report/stored.h"
#include "store.h"

static const char share_prefix[] = "recall_share@";

typedef struct Line {
    size_t row; /* of the results */
    char *kind, *group;
    int64_t facts[4]; /* least, most, members, users */
    double *values;   /* [n_columns][n_seeds], the first n_of[c] of a column */
    size_t *n_of;     /* [n_columns] */
} Line;

typedef struct Groups {
    const HnResults *results;
    char **columns; /* every metric, then the share of recall at each k */
    size_t n_columns;
    Line *lines;
    size_t n_lines;
} Groups;

static void free_groups(Groups *groups) {
    for (size_t l = 0; l < groups->n_lines; l++) {
        hn_free(groups->lines[l].kind);
        hn_free(groups->lines[l].group);
        hn_free(groups->lines[l].values);
        hn_free(groups->lines[l].n_of);
    }
    hn_free(groups->lines);
    hn_names_free(&groups->columns, groups->n_columns);
}

static HnStatus name_columns(Groups *groups, HnError *err) {
    const HnResults *results = groups->results;
    groups->columns = hn_alloc(2 * results->n_metrics, sizeof *groups->columns, "columns of groups", err);
    if (groups->columns == NULL) {
        return HN_MEMORY;
    }
    for (size_t m = 0; m < results->n_metrics; m++) {
        groups->columns[m] = hn_strdup(results->metrics[m], err);
        groups->n_columns += groups->columns[m] != NULL;
        HN_TRY(groups->columns[m] == NULL ? HN_MEMORY : HN_OK);
    }
    for (size_t m = 0; m < results->n_metrics; m++) {
        if (strncmp(results->metrics[m], "recall@", 7) == 0) {
            char *name = hn_path_printf(err, "%s%s", share_prefix, results->metrics[m] + 7);
            groups->columns[groups->n_columns] = name;
            groups->n_columns += name != NULL;
            HN_TRY(name == NULL ? HN_MEMORY : HN_OK);
        }
    }
    return HN_OK;
}

static HnStatus line_of(Groups *groups, size_t row, const char *kind, const char *group, Line **line, HnError *err) {
    for (size_t l = 0; l < groups->n_lines; l++) {
        *line = &groups->lines[l];
        if ((*line)->row == row && strcmp((*line)->kind, kind) == 0 && strcmp((*line)->group, group) == 0) {
            return HN_OK;
        }
    }
    size_t n = groups->n_lines;
    HN_TRY(hn_resize(&groups->lines, n * sizeof **line, n + 1, sizeof **line, "groups", err));
    *line = &groups->lines[groups->n_lines++]; /* counted at once, so that a failure below frees it */
    (*line)->row = row;
    (*line)->kind = hn_strdup(kind, err);
    (*line)->group = hn_strdup(group, err);
    (*line)->values = hn_alloc(groups->n_columns * groups->results->n_seeds, sizeof(double), "groups", err);
    (*line)->n_of = hn_alloc(groups->n_columns, sizeof(size_t), "groups", err);
    bool whole = (*line)->kind && (*line)->group && (*line)->values && (*line)->n_of;
    return whole ? HN_OK : HN_MEMORY;
}

/* One value of a line: columns are few, and found by their names. */
static void add_value(const Groups *groups, Line *line, const char *prefix, const char *name, double value) {
    const size_t n_prefix = strlen(prefix);
    for (size_t c = 0; c < groups->n_columns; c++) {
        const char *column = groups->columns[c];
        if (strncmp(column, prefix, n_prefix) == 0 && strcmp(column + n_prefix, name) == 0) {
            line->values[c * groups->results->n_seeds + line->n_of[c]++] = value;
        }
    }
}

/* What one result says of its groups. */
typedef struct Stored {
    uint64_t n_groups, n_metrics, n_ks;
    char **kinds, **names, **metrics;
    int64_t *facts[4];
    double *value, *share;
} Stored;

static void free_stored(Stored *stored) {
    hn_names_free(&stored->kinds, stored->n_groups);
    hn_names_free(&stored->names, stored->n_groups);
    hn_names_free(&stored->metrics, stored->n_metrics);
    for (size_t f = 0; f < 4; f++) {
        hn_free(stored->facts[f]);
    }
    hn_free(stored->value);
    hn_free(stored->share);
}

static HnStatus read_stored(const HnStore *store, Stored *stored, HnError *err) {
    static const char *const facts[4] = {"group/least", "group/most", "group/members", "group/users"};
    uint64_t dims[HN_MAX_DIMS] = {0};
    HN_TRY(hn_store_dims(store, "group/recall_share", dims, err));
    stored->n_ks = dims[1];
    HN_TRY(hn_store_dims(store, "group/value", dims, err));
    stored->n_groups = dims[0];
    stored->n_metrics = dims[1];
    HN_TRY(hn_stored_names(store, "group/kind", stored->n_groups, &stored->kinds, err));
    HN_TRY(hn_stored_names(store, "group/name", stored->n_groups, &stored->names, err));
    HN_TRY(hn_stored_names(store, "metric/name", stored->n_metrics, &stored->metrics, err));
    for (size_t f = 0; f < 4; f++) {
        HN_TRY(hn_stored_numbers(store, facts[f], stored->n_groups, 1, &stored->facts[f], err));
    }
    HN_TRY(hn_stored_numbers(store, "group/value", stored->n_groups, stored->n_metrics, &stored->value, err));
    return hn_stored_numbers(store, "group/recall_share", stored->n_groups, stored->n_ks, &stored->share, err);
}

static HnStatus add_stored(Groups *groups, size_t row, const Stored *stored, HnError *err) {
    for (uint64_t g = 0; g < stored->n_groups; g++) {
        Line *line = NULL;
        HN_TRY(line_of(groups, row, stored->kinds[g], stored->names[g], &line, err));
        for (size_t f = 0; f < 4; f++) {
            line->facts[f] = stored->facts[f][g];
        }
        for (uint64_t m = 0; m < stored->n_metrics; m++) {
            add_value(groups, line, "", stored->metrics[m], stored->value[g * stored->n_metrics + m]);
        }
        for (uint64_t j = 0, m = 0; j < stored->n_ks && m < stored->n_metrics; m++) {
            if (strncmp(stored->metrics[m], "recall@", 7) == 0) {
                add_value(groups, line, share_prefix, stored->metrics[m] + 7, stored->share[g * stored->n_ks + j++]);
            }
        }
    }
    return HN_OK;
}

static HnStatus read_result(Groups *groups, size_t row, const char *path, HnError *err) {
    HnStore *store = NULL;
    Stored stored = {0};
    HN_TRY(hn_store_open(path, &HN_SCHEMA_RESULT, &store, err));
    HnStatus status = HN_OK;
    if (hn_store_has(store, "group/value")) {
        status = read_stored(store, &stored, err);
        status = status == HN_OK ? add_stored(groups, row, &stored, err) : status;
    }
    free_stored(&stored);
    hn_store_close(&store);
    return status;
}

static HnStatus collect(Groups *groups, const char *folder, HnError *err) {
    const HnResults *results = groups->results;
    HN_TRY(name_columns(groups, err));
    for (size_t r = 0; r < results->n_rows; r++) {
        for (size_t s = 0; s < results->n_seeds; s++) {
            if (results->rows[r].results[s].present) {
                HN_TRY(read_result(groups, r, results->rows[r].results[s].path, err));
            }
        }
    }
    return groups->n_lines > 0
               ? HN_OK
               : hn_fail(err, HN_INPUT,
                         "the results of %s hold no groups: eval.activity_groups and eval.popularity_shares ask for "
                         "them, and the test needs users",
                         folder);
}

/* For programs: a line for each group and metric. */
static HnStatus fill_long(const Groups *groups, HnGrid *grid, HnError *err) {
    static const char *const headings[] = {
        "variant", "kind",    "group", "least_pairs",      "most_pairs", "members",         "users",
        "metric",  "n_seeds", "mean",  "sample_deviation", "synthetic",  "selected_on_test"};
    grid->n_columns = sizeof headings / sizeof *headings;
    for (size_t c = 0; c < grid->n_columns; c++) {
        HN_TRY(hn_grid_add(grid, err, "%s", headings[c]));
    }
    for (size_t i = 0; i < groups->n_lines * groups->n_columns; i++) {
        const Line *line = &groups->lines[i / groups->n_columns];
        size_t c = i % groups->n_columns, n = line->n_of[c];
        const double *values = line->values + c * groups->results->n_seeds;
        HN_TRY(hn_grid_add(grid, err, "%s", groups->results->rows[line->row].name));
        HN_TRY(hn_grid_add(grid, err, "%s", line->kind));
        HN_TRY(hn_grid_add(grid, err, "%s", line->group));
        for (size_t f = 0; f < 4; f++) {
            HN_TRY(hn_grid_add(grid, err, "%lld", (long long)line->facts[f]));
        }
        HN_TRY(hn_grid_add(grid, err, "%s", groups->columns[c]));
        HN_TRY(hn_grid_add(grid, err, "%zu", n));
        HN_TRY(hn_grid_add_number(grid, hn_mean(values, n), err));
        HN_TRY(hn_grid_add_number(grid, hn_sample_deviation(values, n), err));
        HN_TRY(hn_grid_add(grid, err, "%d", groups->results->synthetic ? 1 : 0));
        HN_TRY(hn_grid_add(grid, err, "%d", groups->results->rows[line->row].on_test ? 1 : 0));
    }
    return HN_OK;
}

/* For people: recall, NDCG and the share of recall; the rest stands in the CSV. */
static bool is_shown(const char *column) {
    return strncmp(column, "recall", 6) == 0 || strncmp(column, "ndcg@", 5) == 0;
}

static HnStatus fill_wide(const Groups *groups, HnGrid *grid, HnError *err) {
    static const char *const headings[] = {"row", "kind", "group", "members", "users"};
    grid->n_columns = sizeof headings / sizeof *headings;
    for (size_t c = 0; c < sizeof headings / sizeof *headings; c++) {
        HN_TRY(hn_grid_add(grid, err, "%s", headings[c]));
    }
    for (size_t c = 0; c < groups->n_columns; c++) {
        if (is_shown(groups->columns[c])) {
            HN_TRY(hn_grid_add(grid, err, "%s", groups->columns[c]));
            grid->n_columns++;
        }
    }
    for (size_t l = 0; l < groups->n_lines; l++) {
        const Line *line = &groups->lines[l];
        HN_TRY(hn_grid_add(grid, err, "%s", groups->results->rows[line->row].name));
        HN_TRY(hn_grid_add(grid, err, "%s", line->kind));
        HN_TRY(hn_grid_add(grid, err, "%s", line->group));
        HN_TRY(hn_grid_add(grid, err, "%lld", (long long)line->facts[2]));
        HN_TRY(hn_grid_add(grid, err, "%lld", (long long)line->facts[3]));
        for (size_t c = 0; c < groups->n_columns; c++) {
            if (is_shown(groups->columns[c])) {
                HN_TRY(hn_grid_add_mean(grid, line->values + c * groups->results->n_seeds, line->n_of[c], err));
            }
        }
    }
    return HN_OK;
}

HnStatus hn_report_groups(const char *folder, HnReportFormat format, FILE *out, HnError *err) {
    HnResults results;
    Groups groups = {.results = &results};
    HnGrid grid = {0};
    HN_TRY(hn_results_collect(folder, &results, err));
    HnStatus status = collect(&groups, folder, err);
    if (status == HN_OK) {
        status = format == HN_REPORT_CSV ? fill_long(&groups, &grid, err) : fill_wide(&groups, &grid, err);
    }
    if (status == HN_OK) {
        if (results.synthetic) {
            hn_grid_title(HN_SYNTHETIC_NOTE "\n", format, out);
        }
        if (results.on_test) {
            hn_grid_title(HN_ON_TEST_NOTE "\n", format, out);
        }
        status = hn_grid_write(&grid, format, out, err);
    }
    if (status == HN_OK && format != HN_REPORT_CSV) {
        hn_grid_title("recall_share: what the group adds to recall; over the groups of one kind it sums to recall",
                      format, out);
    }
    if (status == HN_OK && (fflush(out) != 0 || ferror(out))) {
        status = hn_fail(err, HN_IO, "the groups could not be written in full; is the disk full?");
    }
    hn_grid_free(&grid);
    free_groups(&groups);
    hn_results_free(&results);
    return status;
}
