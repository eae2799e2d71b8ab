/* Training: variants × seeds over the trainer ranks, seeds side by side where roles.seed_groups asks for it. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app/run.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "cf/train.h"

bool hn_variant_needs_vectors(const HnVariant *variant) {
    return variant->train.sampler.name == HN_SAMPLER_SEMANTIC;
}

/* A variant's name as a folder: letters, digits and dots stay, runs of anything else become one dash. */
static void slug(const char *name, char *out, size_t n_bytes) {
    size_t n = 0;
    for (const char *c = name; *c != '\0' && n + 1 < n_bytes; c++) {
        bool plain = isalnum((unsigned char)*c) || *c == '.' || *c == '_';
        if (plain) {
            out[n++] = (char)tolower((unsigned char)*c);
        } else if (n > 0 && out[n - 1] != '-') {
            out[n++] = '-';
        }
    }
    while (n > 0 && out[n - 1] == '-') {
        n--;
    }
    out[n] = '\0';
}

char *hn_run_train_folder(const HnRun *run, const HnVariant *variant, int64_t seed, HnError *err) {
    char name[128];
    if (run->tune) {
        return hn_path_printf(err, "%s/tune/%s", run->out, variant->name);
    }
    slug(variant->name, name, sizeof name);
    return hn_path_printf(err, "%s/train/%s/seed-%lld", run->out, name, (long long)seed);
}

static HnStatus train_one(HnRun *run, HnComm *group, size_t v, int64_t seed, HnError *err) {
    const HnVariant *variant = &run->experiment->variants[v];
    HnTrial trial = {0};
    char *folder = hn_run_train_folder(run, variant, seed, err);
    HnStatus status = folder == NULL ? HN_MEMORY : run->tune ? hn_run_trial_make(run, v, &trial, err) : HN_OK;
    status = hn_comm_agree(group, status, err);
    if (status != HN_OK) {
        hn_free(folder);
        return status;
    }
    double start = hn_clock_seconds();
    HnTrainJob job = {.config = &variant->train,
                      .variant = variant->name,
                      .seed = seed,
                      .reproducible = run->experiment->reproducible,
                      .threads = run->threads,
                      .dataset = run->dataset,
                      .vectors_path = hn_variant_needs_vectors(variant) ? run->vectors : NULL,
                      .folder = folder,
                      .config_yaml = run->config_yaml,
                      .trial = run->tune ? &trial : NULL};
    status = hn_train(&job, group, err);
    if (status == HN_OK) {
        char stage[256];
        snprintf(stage, sizeof stage, "train %s seed %lld", variant->name, (long long)seed);
        hn_run_log_stage(&run->log, stage, hn_clock_seconds() - start, "trained or found");
    }
    hn_run_trial_free(&trial);
    hn_free(folder);
    return status;
}

/* A tuning trains with one seed. */
static bool is_wanted(const HnRun *run, size_t v, size_t s) {
    return run->tune ? s == 0 && hn_run_takes_trial(run, v) : run->seed_index < 0 || (size_t)run->seed_index == s;
}

HnStatus hn_run_train(HnRun *run, bool with_vectors, HnError *err) {
    const HnExperiment *experiment = run->experiment;
    int size = hn_comm_size(run->trainers), rank = hn_comm_rank(run->trainers);
    int groups = (int)experiment->roles.seed_groups;
    groups = groups < 1 ? 1 : groups > size ? size : groups;
    int mine = (int)((int64_t)rank * groups / size);
    HnComm *group = NULL;
    HN_TRY(hn_comm_split(run->trainers, mine, rank, &group, err));
    HnStatus status = HN_OK;
    size_t job = 0;
    for (size_t v = 0; v < experiment->n_variants && status == HN_OK; v++) {
        const HnVariant *variant = &experiment->variants[v];
        if (hn_variant_needs_vectors(variant) != with_vectors) {
            continue;
        }
        for (size_t s = 0; s < experiment->seeds.n && status == HN_OK; s++) {
            if (is_wanted(run, v, s) && (int)(job++ % (size_t)groups) == mine) {
                status = train_one(run, group, v, experiment->seeds.items[s], err);
            }
        }
    }
    hn_comm_free(&group);
    return hn_comm_agree(run->trainers, status, err);
}
