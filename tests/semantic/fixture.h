/* What the semantic tests share: a folder of their own, small data sets, the fake endpoint, the stages as a process. */
#ifndef HN_TEST_SEMANTIC_FIXTURE_H
#define HN_TEST_SEMANTIC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/error.h"
#include "config/experiment.h"
#include "data/dataset.h"
#include "semantic/evidence.h"
#include "semantic/stages.h"

/* cmocka group set-up and tear-down: a fresh folder, removed afterwards. */
int fixture_open(void **state);
int fixture_close(void **state);
const char *fixture_path(const char *name); /* a path in it; the 16 last ones stay valid */
const char *fixture_text(const char *name, const char *text);
/* A file of the shared test data, or NULL where it is absent. */
const char *fixture_shared(const char *name);

/* An experiment from key=value words, NULL at the end. Free with hn_experiment_free. */
HnExperiment *fixture_experiment(const char *set, ...);

/* A hand-made world in the Amazon field names: 6 users, 7 items with known titles (one title twice, one item with a
 * blank one, one of more than 20 words), reviews with quotes, line ends and characters beyond ASCII. Every interaction
 * is a train pair but two. Prepared into <folder>/<name>. */
void fixture_small_world(const char *name);
/* The same world open, with evidence of at most 3 reviews of 5 words: set-up and tear-down of a group, in place of
 * fixture_open and fixture_close. */
extern HnDataset *fixture_dataset;
extern HnEvidence *fixture_evidence;
int fixture_open_small(void **state);
int fixture_close_small(void **state);
/* A synthetic world of about n interactions. */
void fixture_synthetic_world(const char *name, int users, int items, int interactions);

/* Ids only: lines "user item item ..." (LightGCN), all train. */
void fixture_ids_world(const char *name, const char *lines);

/* Text row of a string field of a store; compared in place. */
void assert_store_text(const char *path, const char *field, uint64_t row, const char *expected);
char *store_text(const char *path, const char *field, uint64_t row); /* hn_free it */
/* SHA-256 over the contents; 4 last ones stay valid. */
const char *store_digest(const char *path);

/* ---- processes ---- */

typedef struct Endpoint {
    pid_t pid;
    int port;
    char url[64];
} Endpoint;
typedef struct EndpointStats {
    unsigned long long requests, answered, prompts, most;
} EndpointStats;
/* Options as in fake_endpoint.h, NULL at the end. */
void endpoint_start(Endpoint *endpoint, ...);
void endpoint_stop(Endpoint *endpoint);
EndpointStats endpoint_stats(const Endpoint *endpoint);
/* Titles of a data set, one a line, into a file for --titles. */
const char *fixture_titles(const char *dataset_name);

/* Starts a program with its output (stdout and stderr) going to a file. argv ends with NULL. */
pid_t process_start(const char *const *argv, const char *output);
int process_wait(pid_t pid); /* exit status, or 128 + signal */

#endif
