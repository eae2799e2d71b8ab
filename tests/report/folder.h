/* A run folder made by hand: results whose tables can be worked out on paper. */
#ifndef HN_TESTS_REPORT_FOLDER_H
#define HN_TESTS_REPORT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names of metrics and values, as many as n. Two epochs of losses and validations stand beside them,
 * and, but for seed 9, two groups of users. Seed 8 is of data in which no user has a test item; seed
 * 7 chose its epoch on test. */
void folder_put_result(const char *folder, const char *slug, const char *variant, int64_t seed, size_t n,
                       const char *const *metrics, const double *values, bool synthetic);
/* Trial `number` of six of a tuning: its learning rate, and its value of recall@10; failed: the value is no more. */
void folder_put_trial(const char *folder, int64_t number, const char *rate, double value, bool failed);
/* Two rows of three seeds, one of them incomplete, of which Alpha's recall is above by about 0.1 each time, its NDCG
 * equal; with folder_experiment or without, which has a third row that nobody ran. hn_free the folder. */
extern const char folder_experiment[];
extern const char *const folder_metrics[2];
char *folder_put_run(const char *top, const char *name, bool with_experiment, bool synthetic);
/* experiment.yaml, from the text. */
void folder_put_experiment(const char *folder, const char *yaml);

#endif
