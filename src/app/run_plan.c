/* `run --plan`: what a run will take, before anything is asked of an endpoint or trained; and the check of the disk. */
#include <stdio.h>
#include <string.h>

#include "app/run.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cf/train.h"
#include "llm/files/config.h"
#include "semantic/provider.h"
#include "semantic/stages.h"
#include "store.h"

typedef struct Plan {
    uint64_t profiles, negatives, embeddings; /* requests */
    uint64_t text_dim;
    uint64_t store_bytes, train_bytes, n_files, memory_per_rank, bytes_per_step;
    uint64_t bytes_free;
} Plan;

/* Bytes that a row of text takes on average: a profile of the configured length, and the raw answer beside it. */
static double text_row_bytes(const HnLlmConfig *llm) {
    return 2.0 * 7.0 * (double)llm->profile_words + 64.0;
}

static void plan_stores(const HnRun *run, Plan *plan) {
    const HnLlmConfig *llm = &run->experiment->llm;
    uint64_t n_train = hn_dataset_count(run->dataset, HN_PART_TRAIN);
    uint64_t rows = hn_dataset_users(run->dataset) + hn_dataset_items(run->dataset);
    uint64_t value_bytes = llm->vector_type == HN_VECTOR_F16 ? 2 : 4;
    bool prompts = llm->vectors_of == HN_VECTORS_OF_PROMPTS;
    double text = (double)rows * text_row_bytes(llm) + (double)plan->negatives * 400.0;
    /* journals and the sealed store stand side by side for a moment; vectors of prompts are journaled one a pair, in
     * single precision, and gathered from there */
    uint64_t pair_bytes = plan->text_dim * (prompts ? 2 * sizeof(float) + value_bytes : 2 * value_bytes);
    plan->store_bytes = (uint64_t)(2.0 * text) + n_train * pair_bytes;
    plan->n_files += 4 + 4 * (uint64_t)run->n_workers;
}

static HnStatus plan_training(const HnRun *run, Plan *plan, HnError *err) {
    size_t n_seeds = run->seed_index < 0 ? run->experiment->seeds.n : 1;
    for (size_t v = 0; v < run->experiment->n_variants; v++) {
        const HnVariant *variant = &run->experiment->variants[v];
        HnTrainPlan train = {0};
        HN_TRY(hn_train_plan(&variant->train, run->experiment->reproducible, hn_dataset_users(run->dataset),
                             hn_dataset_items(run->dataset), hn_dataset_count(run->dataset, HN_PART_TRAIN),
                             hn_variant_needs_vectors(variant) ? plan->text_dim : 0, run->n_trainers, &train, err));
        if (run->tune) { /* a trial leaves its store alone; each group of ranks has one under way */
            uint64_t under_way = (uint64_t)run->experiment->roles.seed_groups * train.checkpoint_bytes;
            plan->train_bytes = under_way > plan->train_bytes ? under_way : plan->train_bytes;
            plan->n_files += hn_run_takes_trial(run, v);
        } else {
            plan->train_bytes += n_seeds * (train.model_bytes + train.checkpoint_bytes);
            plan->n_files += n_seeds * train.n_files;
        }
        if (train.memory_per_rank > plan->memory_per_rank) {
            plan->memory_per_rank = train.memory_per_rank;
        }
        if (train.bytes_moved_per_step > plan->bytes_per_step) {
            plan->bytes_per_step = train.bytes_moved_per_step;
        }
    }
    return HN_OK;
}

static void print_plan(const HnRun *run, const Plan *plan) {
    char a[32], b[32];
    const char *endpoint =
        run->experiment->llm.provider == HN_PROVIDER_HTTP ? "to the endpoint" : "answered in this program";
    printf("data set       %s users, %s items, ", hn_format_count(hn_dataset_users(run->dataset), a, sizeof a),
           hn_format_count(hn_dataset_items(run->dataset), b, sizeof b));
    printf("%s train pairs%s\n", hn_format_count(hn_dataset_count(run->dataset, HN_PART_TRAIN), a, sizeof a),
           hn_dataset_synthetic(run->dataset) ? " (SYNTHETIC)" : "");
    printf("ranks          %d workers, %d trainers, %d threads each\n", run->n_workers, run->n_trainers, run->threads);
    if (hn_run_needs_vectors(run)) {
        printf("requests       %s profiles, ", hn_format_count(plan->profiles, a, sizeof a));
        printf("%s hard negatives, ", hn_format_count(plan->negatives, a, sizeof a));
        printf("%s embeddings at most, %s\n", hn_format_count(plan->embeddings, a, sizeof a), endpoint);
        if (run->experiment->llm.embedder == HN_PROVIDER_HTTP && run->experiment->llm.import_vectors[0] == '\0') {
            printf(
                "               %s values a vector are assumed: the endpoint tells their width with its first answer\n",
                hn_format_count(plan->text_dim, a, sizeof a));
        }
        printf("stores         about %s at their largest (journals beside sealed stores)\n",
               hn_format_bytes((double)plan->store_bytes, a, sizeof a));
    } else {
        printf("requests       none: no variant uses semantic negatives\n");
    }
    printf("training       %zu %s x %zu seeds; checkpoints and models %s\n", run->experiment->n_variants,
           run->tune ? "trials" : "variants", run->seed_index < 0 && !run->tune ? run->experiment->seeds.n : (size_t)1,
           hn_format_bytes((double)plan->train_bytes, a, sizeof a));
    printf("memory         %s per trainer rank at most\n", hn_format_bytes((double)plan->memory_per_rank, a, sizeof a));
    printf("messages       %s per step and trainer rank\n", hn_format_bytes((double)plan->bytes_per_step, a, sizeof a));
    printf("files          about %s\n", hn_format_count(plan->n_files, a, sizeof a));
    printf("disk           %s needed, ", hn_format_bytes((double)(plan->store_bytes + plan->train_bytes), a, sizeof a));
    printf("%s free under %s\n", hn_format_bytes((double)plan->bytes_free, a, sizeof a), run->out);
}

static HnStatus native_width(const HnLlmConfig *llm, uint64_t *dim, HnError *err) {
    HnLmConfig model;
    HN_TRY(hn_lm_config_read(hn_provider_model(llm, HN_PROVIDER_NATIVE, true), &model, err));
    *dim = model.hidden;
    hn_lm_config_free(&model);
    return HN_OK;
}

/* A model of the program's own: what it takes in each worker, and whether it can be opened at all. */
static HnStatus check_model(const HnRun *run, HnProviderFamily family, bool embedder, bool print, HnError *err) {
    HnLlmConfig llm = run->experiment->llm;
    HnError small = HN_ERROR_INIT;
    char line[1024];
    if (family != HN_PROVIDER_NATIVE) {
        return HN_OK;
    }
    llm.native.memory_gb = hn_provider_memory_gb(&llm, run->workers_on_host);
    HnStatus status = hn_provider_check(family, &llm, embedder, line, sizeof line, &small);
    if (status == HN_MEMORY && !print) { /* what it would make may stand already; else loading refuses it */
        hn_log(HN_LOG_WARN, "%s", small.message);
        return HN_OK;
    }
    if (status != HN_OK) {
        return hn_fail(err, status, "%s", small.message);
    }
    if (print) {
        printf("%-14s %s\n", embedder ? "vectors by" : "texts by", line);
    }
    return HN_OK;
}

HnStatus hn_run_check_models(const HnRun *run, bool print, HnError *err) {
    const HnLlmConfig *llm = &run->experiment->llm;
    bool asked = run->until != HN_UNTIL_END || hn_run_needs_vectors(run);
    if (!asked) {
        return HN_OK;
    }
    HN_TRY(hn_run_check_file("llm.import_vectors", llm->import_vectors, err));
    if (llm->import_vectors[0] != '\0') {
        return HN_OK;
    }
    HN_TRY(hn_run_check_file("llm.import_user_profiles", llm->import_user_profiles, err));
    HN_TRY(hn_run_check_file("llm.import_item_profiles", llm->import_item_profiles, err));
    HN_TRY(check_model(run, llm->provider, false, print, err));
    return run->until >= HN_UNTIL_VECTORS ? check_model(run, llm->embedder, true, print, err) : HN_OK;
}

/* Width of the vectors: of the imported store, or as configured; an endpoint's own width shows only in its first
 * answer. */
static HnStatus text_width(const HnRun *run, uint64_t *dim, HnError *err) {
    const HnLlmConfig *llm = &run->experiment->llm;
    *dim = llm->embedder == HN_PROVIDER_EXTRACTIVE ? (uint64_t)llm->embed_dim : 4096;
    if (llm->import_vectors[0] == '\0') {
        return llm->embedder == HN_PROVIDER_NATIVE ? native_width(llm, dim, err) : HN_OK;
    }
    HnStore *store = NULL;
    int64_t width = 0;
    HN_TRY(hn_run_check_file("llm.import_vectors", llm->import_vectors, err));
    HN_TRY(hn_store_open(llm->import_vectors, &HN_SCHEMA_VECTORS, &store, err));
    HnStatus status = hn_store_get_i64(store, "dim", &width, err);
    hn_store_close(&store);
    *dim = (uint64_t)width;
    return status;
}

HnStatus hn_run_plan(const HnRun *run, bool print, HnError *err) {
    Plan plan = {0};
    if (hn_run_needs_vectors(run)) {
        HN_TRY(text_width(run, &plan.text_dim, err));
        HN_TRY(
            hn_stage_plan(&run->experiment->llm, run->dataset, &plan.profiles, &plan.negatives, &plan.embeddings, err));
        plan_stores(run, &plan);
    }
    HN_TRY(plan_training(run, &plan, err));
    HN_TRY(hn_free_space(run->out, &plan.bytes_free, err));
    if (print) {
        print_plan(run, &plan);
        HN_TRY(hn_run_check_models(run, true, err));
    }
    uint64_t needed = plan.store_bytes + plan.train_bytes;
    if (needed > plan.bytes_free) {
        char a[32], b[32];
        return hn_fail(err, HN_SPACE, "%s has %s free and the run needs about %s: free some, or choose another --out",
                       run->out, hn_format_bytes((double)plan.bytes_free, a, sizeof a),
                       hn_format_bytes((double)needed, b, sizeof b));
    }
    return HN_OK;
}
