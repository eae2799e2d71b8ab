/* What the tests of src/cf share: small data sets and vector stores written through store.h, a configuration with the
 * shipped defaults, folders that vanish. */
#ifndef HN_TEST_CF_FIXTURE_H
#define HN_TEST_CF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "cf/trainer.h"
#include "comm.h"
#include "config/experiment.h"
#include "data/dataset.h"

/* A bit of the world: part[u][i] = 0 none, 1 train, 2 valid, 3 test. */
typedef struct World {
    uint64_t n_users, n_items;
    uint8_t *part; /* [n_users][n_items] */
} World;
World world_make(uint64_t n_users, uint64_t n_items);
void world_free(World *world);
/* 17 users, 23 items, with a user and an item that have no pair. */
World world_gappy(void);
/* Random pairs, about `per_user` a user, more for low items, split 70/15/15; a function of seed. */
void world_fill(World *world, double per_user, uint64_t seed);
uint64_t world_count(const World *world, uint8_t part);

/* Writes <folder>/dataset.h5 and opens it. */
HnDataset *world_dataset(const World *world, const char *folder);
/* Writes <folder>/<name>: one vector per train pair, vectors[n_train][dim] or NULL = random ones from seed. present
 * NULL = all. Returns the path, for hn_free. */
char *world_vectors(const World *world, const char *folder, const char *name, uint64_t dim, const float *vectors,
                    const uint8_t *present, uint64_t seed);

/* The defaults of the configuration, made small: dim 8, 2 layers, batch 32, 8 virtual shards, 4 epochs. Lists are
 * static. */
HnTrainConfig small_config(void);

/* A fresh folder of this process (or of the whole MPI job when `shared` names it); removed by folder_free. */
char *folder_make(const char *name);
void folder_free(char **folder);

/* Fails the running test with the message where status is not OK. */
void expect_ok(HnStatus status, const HnError *err);

/* A trainer on one rank over a world; everything is owned by this struct. */
typedef struct Rig {
    HnComm *comm;
    HnDataset *dataset;
    HnTrainConfig config;
    HnTrainJob job;
    HnTrainer *trainer;
} Rig;
/* folder: where the world's dataset.h5 goes. vectors may be NULL. */
void rig_start(Rig *rig, const World *world, const HnTrainConfig *config, const char *folder, const char *vectors,
               bool reproducible, int64_t seed);
void rig_end(Rig *rig);
/* The sampler.candidates items that pair k of the trainer's batch was offered, drawn anew. */
void rig_candidates(const HnTrainer *trainer, uint32_t k, int32_t *items);

/* Every allocation of a trainer over world_gappy fails once: all others are given back. */
void check_no_memory(const HnTrainConfig *config, const char *folder);

/* Central differences, h apart from the middle, of the total loss of a batch by some elements of a table, against the
 * table's gradient. */
void check_differences(HnTrainer *trainer, const HnGivenBatch *given, HnTable *table, float h, const char *what);

#endif
