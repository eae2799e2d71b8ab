#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/half.h"
#include "base/rng.h"
#include "cf/samplers/plain.h"
#include "store.h"

void expect_ok(HnStatus status, const HnError *err) {
    if (status != HN_OK) {
        fail_msg("%s: %s", hn_status_text(status), err->message);
    }
}

World world_make(uint64_t n_users, uint64_t n_items) {
    World world = {n_users, n_items, hn_alloc(n_users * n_items, 1, "world", NULL)};
    assert_non_null(world.part);
    return world;
}

void world_free(World *world) {
    hn_free(world->part);
    world->part = NULL;
}

void world_fill(World *world, double per_user, uint64_t seed) {
    for (uint64_t u = 0; u < world->n_users; u++) {
        HnRng rng;
        hn_rng_start(&rng, seed, HN_STREAM_TEST, 1, u);
        for (uint64_t i = 0; i < world->n_items; i++) {
            double share = per_user / (double)world->n_items * (i < world->n_items / 4 ? 2.0 : 2.0 / 3.0);
            double draw = hn_rng_double(&rng), part = hn_rng_double(&rng);
            world->part[u * world->n_items + i] = draw >= share ? 0 : part < 0.7 ? 1 : part < 0.85 ? 2 : 3;
        }
    }
}

uint64_t world_count(const World *world, uint8_t part) {
    uint64_t n = 0;
    for (uint64_t k = 0; k < world->n_users * world->n_items; k++) {
        n += world->part[k] == part;
    }
    return n;
}

static void write_part(HnStoreWriter *writer, const World *world, uint8_t part, const char *name) {
    HnError err = HN_ERROR_INIT;
    char field[64];
    uint64_t n = 0, count = world_count(world, part), dims = world->n_users + 1;
    uint64_t *offsets = calloc(world->n_users + 1, sizeof *offsets);
    int32_t *items = calloc(count + 1, sizeof *items);
    for (uint64_t u = 0; u < world->n_users; u++) {
        for (uint64_t i = 0; i < world->n_items; i++) {
            if (world->part[u * world->n_items + i] == part) {
                items[n++] = (int32_t)i;
            }
        }
        offsets[u + 1] = n;
    }
    (void)snprintf(field, sizeof field, "%s/offsets", name);
    expect_ok(hn_store_write(writer, field, &dims, offsets, &err), &err);
    (void)snprintf(field, sizeof field, "%s/items", name);
    expect_ok(hn_store_write(writer, field, &count, items, &err), &err);
    free(items);
    free(offsets);
}

static void write_ids(HnStoreWriter *writer, const char *field, uint64_t n, char letter) {
    HnError err = HN_ERROR_INIT;
    expect_ok(hn_store_strings_begin(writer, field, n, &err), &err);
    for (uint64_t r = 0; r < n; r++) {
        char id[32];
        int length = snprintf(id, sizeof id, "%c%llu", letter, (unsigned long long)r);
        expect_ok(hn_store_strings_add(writer, field, id, (size_t)length, &err), &err);
    }
}

HnDataset *world_dataset(const World *world, const char *folder) {
    HnError err = HN_ERROR_INIT;
    HnStoreWriter *writer = NULL;
    HnDataset *dataset = NULL;
    char *path = hn_path_join(folder, "dataset.h5", &err);
    const char *const no_input[] = {"test"};
    HnProvenance provenance = {.seed = -1};
    expect_ok(hn_store_create(path, &HN_SCHEMA_DATASET, &provenance, &writer, &err), &err);
    write_ids(writer, "user/raw_id", world->n_users, 'u');
    write_ids(writer, "item/raw_id", world->n_items, 'i');
    write_part(writer, world, 1, "train");
    write_part(writer, world, 2, "valid");
    write_part(writer, world, 3, "test");
    expect_ok(hn_store_strings(writer, "input/name", no_input, 1, &err), &err);
    expect_ok(hn_store_strings(writer, "input/sha256", no_input, 1, &err), &err);
    expect_ok(hn_store_set_i64(writer, "n_users", (int64_t)world->n_users, &err), &err);
    expect_ok(hn_store_set_i64(writer, "n_items", (int64_t)world->n_items, &err), &err);
    expect_ok(hn_store_set_i64(writer, "n_train", (int64_t)world_count(world, 1), &err), &err);
    expect_ok(hn_store_set_i64(writer, "n_valid", (int64_t)world_count(world, 2), &err), &err);
    expect_ok(hn_store_set_i64(writer, "n_test", (int64_t)world_count(world, 3), &err), &err);
    expect_ok(hn_store_seal(&writer, &err), &err);
    expect_ok(hn_dataset_open(path, &dataset, &err), &err);
    hn_free(path);
    return dataset;
}

static void pair_lists(const World *world, int32_t *users, int32_t *items) {
    uint64_t n = 0;
    for (uint64_t u = 0; u < world->n_users; u++) {
        for (uint64_t i = 0; i < world->n_items; i++) {
            if (world->part[u * world->n_items + i] == 1) {
                users[n] = (int32_t)u;
                items[n++] = (int32_t)i;
            }
        }
    }
}

char *world_vectors(const World *world, const char *folder, const char *name, uint64_t dim, const float *vectors,
                    const uint8_t *present, uint64_t seed) {
    HnError err = HN_ERROR_INIT;
    HnStoreWriter *writer = NULL;
    uint64_t n = world_count(world, 1);
    const uint64_t dims[2] = {n, dim};
    int32_t *users = calloc(n + 1, sizeof *users), *items = calloc(n + 1, sizeof *items);
    uint8_t *marks = calloc(n + 1, 1);
    uint16_t *halves = calloc(n * dim + 1, sizeof *halves);
    pair_lists(world, users, items);
    for (uint64_t p = 0; p < n; p++) {
        HnRng rng;
        hn_rng_start(&rng, seed, HN_STREAM_TEST, 2, p);
        marks[p] = present == NULL ? 1 : present[p];
        for (uint64_t c = 0; c < dim && marks[p]; c++) {
            double value = vectors != NULL ? (double)vectors[p * dim + c] : hn_rng_normal(&rng) / sqrt((double)dim);
            halves[p * dim + c] = hn_half_from_float((float)value);
        }
    }
    char *path = hn_path_join(folder, name, &err);
    HnProvenance provenance = {.seed = -1};
    expect_ok(hn_store_create(path, &HN_SCHEMA_VECTORS, &provenance, &writer, &err), &err);
    expect_ok(hn_store_write(writer, "pair/user", dims, users, &err), &err);
    expect_ok(hn_store_write(writer, "pair/item", dims, items, &err), &err);
    expect_ok(hn_store_write(writer, "present", dims, marks, &err), &err);
    expect_ok(hn_store_write(writer, "vector", dims, halves, &err), &err);
    expect_ok(hn_store_set_i64(writer, "dim", (int64_t)dim, &err), &err);
    expect_ok(hn_store_seal(&writer, &err), &err);
    free(halves);
    free(marks);
    free(items);
    free(users);
    return path;
}

World world_gappy(void) {
    World world = world_make(17, 23);
    world_fill(&world, 5.0, 3);
    memset(world.part + 4 * world.n_items, 0, world.n_items);
    for (uint64_t u = 0; u < world.n_users; u++) {
        world.part[u * world.n_items + 22] = 0;
    }
    return world;
}

HnTrainConfig small_config(void) {
    static int64_t ks[] = {5, 20};
    static char metric[] = "recall@20";
    HnTrainConfig config = {0};
    config.model.backbone = HN_BACKBONE_LIGHTGCN;
    config.model.dim = 8;
    config.model.layers = 2;
    config.model.init_std = 0.1;
    config.sampler.name = HN_SAMPLER_RNS;
    config.sampler.exponent = 0.75;
    config.sampler.candidates = 8, config.sampler.pick = 1;
    config.sampler.ahns_alpha = 1.0, config.sampler.ahns_beta = 0.1, config.sampler.ahns_p = -2;
    config.sampler.dins_alpha = 0.5, config.sampler.negatives = 1;
    config.semantic.alpha = 0.1;
    config.semantic.activation = HN_ACTIVATION_LEAKY_RELU;
    config.align.lambda = 0.001;
    config.align.tau = 0.2;
    config.ssl.rho = 0.1, config.ssl.tau = 0.2, config.ssl.lambda = 0.1;
    config.loss.margin = 0.3, config.loss.tau = 0.15;
    config.train.epochs = 4;
    config.train.batch = 32;
    config.train.learning_rate = 0.01;
    config.train.l2 = 1e-4;
    config.train.reg_divide = HN_REG_BY_BATCH;
    config.train.eval_every = 2;
    config.train.patience = 10;
    config.train.stop_metric = metric;
    config.train.checkpoint_every = 1;
    config.train.virtual_shards = 8;
    config.eval.ks.items = ks;
    config.eval.ks.n = 2;
    return config;
}

char *folder_make(const char *name) {
    HnError err = HN_ERROR_INIT;
    char *folder = hn_path_printf(&err, "%s/tests/cf-%s-%ld", HN_BUILD_DIR, name, (long)getpid());
    assert_non_null(folder);
    expect_ok(hn_folder_remove(folder, &err), &err);
    expect_ok(hn_folder_make(folder, &err), &err);
    return folder;
}

void folder_free(char **folder) {
    HnError err = HN_ERROR_INIT;
    (void)hn_folder_remove(*folder, &err);
    hn_free(*folder);
    *folder = NULL;
}

void rig_start(Rig *rig, const World *world, const HnTrainConfig *config, const char *folder, const char *vectors,
               bool reproducible, int64_t seed) {
    HnError err = HN_ERROR_INIT;
    *rig = (Rig){.config = *config};
    expect_ok(hn_comm_self(&rig->comm, &err), &err);
    rig->dataset = world_dataset(world, folder);
    rig->job = (HnTrainJob){.config = &rig->config,
                            .variant = "test",
                            .seed = seed,
                            .reproducible = reproducible,
                            .threads = 2,
                            .dataset = rig->dataset,
                            .vectors_path = vectors,
                            .folder = folder,
                            .config_yaml = ""};
    expect_ok(hn_trainer_create(&rig->job, rig->comm, &rig->trainer, &err), &err);
}

void rig_end(Rig *rig) {
    hn_trainer_free(&rig->trainer);
    hn_dataset_close(&rig->dataset);
    hn_comm_free(&rig->comm);
}

static double total_loss(HnTrainer *trainer, const HnGivenBatch *given) {
    HnError err = HN_ERROR_INIT;
    HnStepReport report;
    expect_ok(hn_trainer_gradients(trainer, given, &report, &err), &err);
    return report.loss[HN_LOSS_TOTAL];
}

void check_differences(HnTrainer *trainer, const HnGivenBatch *given, HnTable *table, float h, const char *what) {
    uint64_t n = table->n_rows * (uint64_t)table->dim;
    float *gradient = malloc(n * sizeof *gradient);
    (void)total_loss(trainer, given);
    memcpy(gradient, table->gradient, n * sizeof *gradient);
    float largest = 0.0f;
    for (uint64_t k = 0; k < n; k++) {
        largest = fmaxf(largest, fabsf(gradient[k]));
    }
    uint64_t step = n / 40 + 1;
    for (uint64_t k = 0; k < n; k += step) {
        const float kept = table->value[k];
        table->value[k] = kept + h;
        double above = total_loss(trainer, given);
        table->value[k] = kept - h;
        double below = total_loss(trainer, given);
        table->value[k] = kept;
        double difference = (above - below) / (2.0 * (double)h);
        if (fabs(difference - (double)gradient[k]) > 0.01 * (double)largest + 2e-5) {
            fail_msg("%s[%llu]: gradient %.6g, difference %.6g (largest %.6g)", what, (unsigned long long)k,
                     (double)gradient[k], difference, (double)largest);
        }
    }
    free(gradient);
}

void rig_candidates(const HnTrainer *trainer, uint32_t k, int32_t *items) {
    const HnBatch *batch = &trainer->batch;
    const HnUserShards *shards = &trainer->shards;
    const uint64_t *range = shards->train.offsets + batch->user[k], base = shards->train.offsets[0];
    HnRng rng;
    hn_rng_start(&rng, (uint64_t)trainer->job->seed, HN_STREAM_NEGATIVE, batch->epoch, base + batch->local[k]);
    for (int64_t m = 0; m < trainer->config->sampler.candidates; m++) {
        items[m] = hn_sample_next(shards->train.items + (range[0] - base), range[1] - range[0], shards->n_items, &rng);
    }
}

void check_no_memory(const HnTrainConfig *config, const char *folder) {
    World world = world_gappy();
    Rig rig;
    rig_start(&rig, &world, config, folder, NULL, true, 13);
    const uint64_t live = hn_alloc_live_blocks();
    HnStatus status = HN_MEMORY;
    uint64_t n = 1;
    for (; status == HN_MEMORY; n++) {
        HnError err = HN_ERROR_INIT;
        HnTrainer *other = NULL;
        hn_alloc_fail_at(n);
        status = hn_trainer_create(&rig.job, rig.comm, &other, &err);
        hn_alloc_fail_at(0);
        hn_trainer_free(&other);
        assert_int_equal(hn_alloc_live_blocks(), live);
    }
    assert_int_equal(status, HN_OK);
    assert_true(n > 60);
    rig_end(&rig);
    world_free(&world);
}
