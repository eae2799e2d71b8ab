/* Experiment files written on the spot. */
#ifndef HN_TESTS_CONFIG_WRITE_FILE_H
#define HN_TESTS_CONFIG_WRITE_FILE_H

#include "config/experiment.h"

int make_folder(void **state); /* for cmocka_run_group_tests */
int drop_folder(void **state); /* fails where blocks are left */
const char *test_folder(void);

/* Writes yaml to x.yaml in the test's folder and loads it; sets: NULL-terminated, or NULL. */
HnStatus load_text(const char *yaml, const char *const *sets, HnExperiment **experiment, HnError *err);

#endif
