/* How values reach an experiment: from a YAML file and from --set. Private to this room. */
#ifndef HN_CONFIG_LOAD_H
#define HN_CONFIG_LOAD_H

#include "config/keys.h"

/* One range of `tune.ranges`: a list, or an interval whose parts are NULL where they are not given. */
typedef struct HnRangeGiven {
    const char *name, *where;
    bool is_list;
    const char *const *texts; /* [n] */
    size_t n;
    const char *from, *to, *steps, *log;
} HnRangeGiven;

/* Where keys are put: the experiment itself, or one row of `compare`. */
typedef struct HnKeySink {
    HnExperiment *experiment;
    HnTrainConfig *variant; /* NULL = the experiment itself */
    char **variant_name;    /* where a row's name goes; NULL = the experiment itself */
    const char *folder;     /* relative paths begin here */
    size_t *lines;          /* [hn_n_keys] line that gave each key; 0 = nothing did */
} HnKeySink;

/* A parsed file. rows: what stands under `compare`, read later, when the keys that rows begin with are final. */
typedef struct HnYaml HnYaml;
HnStatus hn_yaml_open(const char *path, HnYaml **yaml, HnError *err);
void hn_yaml_close(HnYaml **yaml);
HnStatus hn_yaml_give_keys(HnYaml *yaml, const HnKeySink *sink, HnError *err);
size_t hn_yaml_n_rows(const HnYaml *yaml);
size_t hn_yaml_row_line(const HnYaml *yaml, size_t row);
HnStatus hn_yaml_give_row(HnYaml *yaml, size_t row, const HnKeySink *sink, HnError *err);

/* One "key=value" of the command line; the last one of a key counts. */
HnStatus hn_set_give(const char *set, const HnKeySink *sink, HnError *err);

/* Finds the key and assigns; unknown names are refused with the nearest one. line 0 = not from a file. */
HnStatus hn_sink_give(const HnKeySink *sink, const char *name, size_t line, const HnGiven *given, HnError *err);
/* The refusal of a name that is no key. */
HnStatus hn_sink_refuse(const HnKeySink *sink, const char *name, const char *where, HnError *err);

HnStatus hn_range_add(const HnKeySink *sink, const HnRangeGiven *given, HnError *err);
void hn_ranges_free(HnExperiment *experiment);
HnStatus hn_ranges_dump(const HnExperiment *experiment, HnText *text, HnError *err);
/* The value at a share (0 to 1) of an interval, and how it is written. */
double hn_range_at(const HnRange *range, double share);
void hn_range_text(bool whole, double value, char text[32]);

/* Checks of one row's configuration that no file holds. */
HnStatus hn_train_config_check(const HnExperiment *experiment, const HnTrainConfig *train, HnError *err);
/* Checks across keys. lines as in the sink; variant_lines[v] = line of row v (0 = not from a file). data_only: rows may
 * ask for parts that the data do not have. */
HnStatus hn_experiment_check(const HnExperiment *experiment, const char *path, const size_t *lines,
                             const size_t *variant_lines, bool data_only, HnError *err);
/* What is wrong with a row's keys as they stand together, and the key to name; NULL = nothing. */
const char *hn_train_conflict(const HnTrainConfig *train, const char **key);
/* The name of the only row where there is no `compare`: "lightgcn+semantic". */
HnStatus hn_variant_auto_name(const HnTrainConfig *train, char **name, HnError *err);
/* A row's name as a folder: letters, digits, '.' and '_' stay (lower case), runs of anything else become one dash. */
HnStatus hn_variant_slug(const char *name, HnText *slug, HnError *err);

#endif
