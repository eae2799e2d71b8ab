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
/* experiment.yaml, from the text. */
void folder_put_experiment(const char *folder, const char *yaml);

#endif
