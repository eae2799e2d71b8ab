/* Lines to vectors: checked, embedded batch by batch into a journal, sealed. */
#include <math.h>
#include <string.h>

#include "app/claim.h"
#include "app/embed.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "cpu.h"
#include "linear.h"
#include "llm/files/identity.h"
#include "semantic/stage_identity.h"

static const double COMMIT_SECONDS = 0.5, LARGEST_HALF = 65504.0;

typedef struct Task {
    const HnEmbedCommand *command;
    HnLmEmbedderOptions options;
    HnLmEmbedder *embedder;
    uint64_t n_lines, n_done, dim;
    HnEmbedCounts counts; /* of all starts */
    bool has_prompts;
    char model_id[65], input_id[65];
    HnStageIdentity identity;
    char *folder; /* of the journal */
    HnJournal *journal;
    HnEmbedInput input;
    HnEmbedBatch batch;
    double last_commit;
    HnProgress progress;
} Task;

/* ---- before anything is loaded ---- */

/* A bad line shall not show after hours. */
static HnStatus check_lines(Task *task, HnError *err) {
    HnEmbedInput input;
    bool end = false;
    HnStatus status = hn_embed_input_open(task->command->input, &input, err);
    while (status == HN_OK) {
        HnEmbedLine line;
        status = hn_embed_input_next(&input, &line, &end, err);
        if (status != HN_OK || end) {
            break;
        }
        task->has_prompts = task->has_prompts || line.system;
        hn_embed_line_free(&line);
    }
    task->n_lines = input.n_read;
    hn_embed_input_close(&input);
    if (status == HN_OK && task->n_lines == 0) {
        return hn_fail(err, HN_INPUT, "%s holds no lines: there is nothing to embed", task->command->input);
    }
    return status;
}

static HnStatus identify(Task *task, HnError *err) {
    const HnEmbedCommand *command = task->command;
    const HnLmEmbeddingOptions *embedding = &command->embedder.embedding;
    static const char *const normalise[] = {"as the model", "yes", "no"};
    HN_TRY(hn_sha256_file(command->input, task->input_id, err));
    HN_TRY(hn_lm_folder_id(command->embedder.folder, task->model_id, err));
    HN_TRY(hn_text_printf(
        &task->identity.lines, err,
        "input: %s\nmodel: %s\nweights: %s\npooling: %s\nnormalise: %s\ncontext: %u\nkind: %s\nplain: %d\ntype: %s\n",
        task->input_id, task->model_id, hn_weight_type_name(command->embedder.weights),
        embedding->pooling == HN_POOLING_NONE ? "as the model" : hn_pooling_name(embedding->pooling),
        normalise[embedding->normalise], embedding->max_tokens, hn_embed_kinds[command->kind], command->embedder.plain,
        command->f32 ? "f32" : "f16"));
    HN_TRY(hn_text_printf(&task->identity.inputs, err, "%s  input\n%s  model\n", task->input_id, task->model_id));
    hn_stage_identity_products(&task->identity, command->embedder.weights, command->mix_bits, "--mix-bits");
    return hn_stage_identity_finish(&task->identity, err);
}

/* *found: the store stands, and is of these settings. */
static HnStatus look_for_store(const Task *task, bool *found, HnError *err) {
    const char *path = task->command->output;
    HnStore *store = NULL;
    char *inputs = NULL;
    *found = hn_file_exists(path);
    if (!*found) {
        return HN_OK;
    }
    HN_TRY(hn_store_open(path, &HN_SCHEMA_EMBEDDINGS, &store, err));
    HnStatus status = hn_store_get_text(store, "inputs", &inputs, err);
    hn_store_close(&store);
    if (status == HN_OK && strstr(inputs, task->identity.hash) == NULL) {
        status = hn_fail(err, HN_CONFLICT,
                         "%s stands already, made from another input or model, or with other settings; remove it, or "
                         "name another --output",
                         path);
    }
    hn_free(inputs);
    return status;
}

/* ---- a batch ---- */

static HnStatus check_vectors(const Task *task, HnError *err) {
    for (size_t i = 0; i < task->batch.n * task->dim; i++) {
        double size = fabs((double)task->batch.vectors[i]);
        if (!isfinite(size) || (!task->command->f32 && size > LARGEST_HALF)) {
            return hn_fail(err, HN_NUMERIC, "%s:%llu: a component of the vector is %s", task->command->input,
                           (unsigned long long)(task->n_done + i / task->dim + 1),
                           isfinite(size) ? "too large for 16 bits; take --type f32" : "not finite");
        }
    }
    return HN_OK;
}

static HnStatus embed_batch(Task *task, HnError *err) {
    HnError inner = HN_ERROR_INIT;
    HnLmEmbeddingCounts before = hn_lm_embedding_counts(hn_lm_embedder_embedding(task->embedder));
    HnStatus status = hn_embed_batch_run(&task->batch, task->embedder, task->command->kind, &inner);
    if (status != HN_OK) {
        return hn_fail(err, status, "%s, lines %llu to %llu: %s", task->command->input,
                       (unsigned long long)task->n_done + 1, (unsigned long long)(task->n_done + task->batch.n),
                       inner.message);
    }
    HN_TRY(check_vectors(task, err));
    HnLmEmbeddingCounts after = hn_lm_embedding_counts(hn_lm_embedder_embedding(task->embedder));
    HnEmbedCounts counts = {after.tokens - before.tokens, after.computed - before.computed, after.cut - before.cut};
    HN_TRY(
        hn_embed_journal_add(task->journal, task->n_done, task->batch.n, task->dim, task->batch.vectors, &counts, err));
    task->counts.tokens += counts.tokens;
    task->counts.computed += counts.computed;
    task->counts.cut += counts.cut;
    task->n_done += task->batch.n;
    if (hn_clock_seconds() - task->last_commit >= COMMIT_SECONDS) {
        task->last_commit = hn_clock_seconds();
        HN_TRY(hn_journal_commit(task->journal, err));
    }
    return HN_OK;
}

/* ---- all batches ---- */

static HnStatus open_model(Task *task, HnError *err) {
    const HnLmEmbedderOptions *options = &task->options;
    HnLmPlan plan;
    HnText line = {0};
    HN_TRY(hn_lm_embedder_plan(options, &plan, err));
    HnStatus status = hn_lm_embedder_describe(options, &plan, &line, err);
    hn_log(HN_LOG_INFO, "%s: %s", options->folder, hn_text_get(&line));
    hn_text_free(&line);
    HN_TRY(status);
    HN_TRY(hn_lm_embedder_open(options, &task->embedder, err));
    uint64_t dim = hn_lm_embedding_width(hn_lm_embedder_embedding(task->embedder));
    if (task->dim != 0 && task->dim != dim) {
        return hn_fail(err, HN_CORRUPT, "%s holds vectors of another width; remove it to start anew", task->folder);
    }
    task->dim = dim;
    return HN_OK;
}

/* Behind the lines that an earlier start has embedded. */
static HnStatus open_input(Task *task, HnError *err) {
    HN_TRY(hn_embed_input_open(task->command->input, &task->input, err));
    while (task->input.n_read < task->n_done) {
        HnEmbedLine line;
        bool end = false;
        HN_TRY(hn_embed_input_next(&task->input, &line, &end, err));
        hn_embed_line_free(&line);
        if (end) {
            return hn_fail(err, HN_INPUT, "%s has become shorter while it was read", task->command->input);
        }
    }
    return HN_OK;
}

static HnStatus embed_all(Task *task, HnError *err) {
    HN_TRY(open_model(task, err));
    HN_TRY(hn_embed_batch_make(&task->batch, task->command->batch, task->dim, err));
    HN_TRY(open_input(task, err));
    HN_TRY(hn_journal_open(task->folder, "vectors", &task->journal, err));
    hn_progress_start(&task->progress, "lines", task->n_lines, task->n_done);
    task->last_commit = hn_clock_seconds();
    HnStatus status = HN_OK;
    while (status == HN_OK && task->n_done < task->n_lines) {
        if (hn_stop_requested()) {
            status = hn_fail(err, HN_INTERRUPTED, "stopped as asked; the same command goes on behind line %llu",
                             (unsigned long long)task->n_done);
            break;
        }
        status = hn_embed_batch_read(&task->batch, &task->input, err);
        status = status == HN_OK ? embed_batch(task, err) : status;
        hn_progress_update(&task->progress, task->n_done);
    }
    hn_progress_finish(&task->progress);
    HnError late = HN_ERROR_INIT;
    HnStatus closed = hn_journal_close(&task->journal, status == HN_OK ? err : &late);
    return status == HN_OK ? closed : status;
}

/* ---- sealing ---- */

static HnStatus write_ids(const Task *task, HnStoreWriter *writer, HnError *err) {
    HnEmbedInput input;
    HnStatus status = hn_embed_input_open(task->command->input, &input, err);
    status = status == HN_OK ? hn_store_strings_begin(writer, "id", task->n_lines, err) : status;
    for (uint64_t i = 0; i < task->n_lines && status == HN_OK; i++) {
        HnEmbedLine line;
        bool end = false;
        status = hn_embed_input_next(&input, &line, &end, err);
        if (status == HN_OK) {
            status = hn_store_strings_add(writer, "id", line.id, line.id ? strlen(line.id) : 0, err);
        }
        hn_embed_line_free(&line);
    }
    hn_embed_input_close(&input);
    return status;
}

static HnStatus write_attributes(const Task *task, HnStoreWriter *writer, HnError *err) {
    const HnLmEmbedding *embedding = hn_lm_embedder_embedding(task->embedder);
    HN_TRY(hn_store_set_i64(writer, "dim", (int64_t)task->dim, err));
    HN_TRY(hn_store_set_text(writer, "model", task->options.folder, err));
    HN_TRY(hn_store_set_text(writer, "model_id", task->model_id, err));
    HN_TRY(hn_store_set_text(writer, "weights", hn_weight_type_name(task->options.weights), err));
    HN_TRY(hn_store_set_text(writer, "pooling", hn_pooling_name(hn_lm_embedding_pooling(embedding)), err));
    HN_TRY(hn_store_set_i64(writer, "normalised", hn_lm_embedding_normalises(embedding), err));
    HN_TRY(hn_store_set_text(writer, "kind", hn_embed_kinds[task->command->kind], err));
    HN_TRY(hn_store_set_i64(writer, "tokens", (int64_t)task->counts.tokens, err));
    HN_TRY(hn_store_set_i64(writer, "computed", (int64_t)task->counts.computed, err));
    return hn_store_set_i64(writer, "cut", (int64_t)task->counts.cut, err);
}

static HnStatus seal(const Task *task, HnError *err) {
    const HnEmbedCommand *command = task->command;
    HnProvenance provenance = {.config = hn_text_get(&task->identity.lines),
                               .inputs = hn_text_get(&task->identity.inputs),
                               .processor_path = hn_cpu_path_name(hn_cpu_level()),
                               .products = task->identity.products,
                               .seed = -1};
    HnStoreWriter *writer = NULL;
    HN_TRY(hn_store_create(command->output, &HN_SCHEMA_EMBEDDINGS, &provenance, &writer, err));
    HnStatus status = write_attributes(task, writer, err);
    status = status == HN_OK ? write_ids(task, writer, err) : status;
    if (status == HN_OK) {
        status = hn_embed_journal_copy(task->folder, writer, command->f32, task->n_lines, task->dim, err);
    }
    status = status == HN_OK ? hn_store_seal(&writer, err) : status;
    if (writer) {
        hn_store_abandon(&writer);
    }
    return status == HN_OK ? hn_folder_remove(task->folder, err) : status;
}

/* ---- */

static HnStatus make_store(Task *task, HnError *err) {
    HN_TRY(hn_embed_journal_count(task->folder, &task->n_done, &task->dim, &task->counts, err));
    if (task->n_done > task->n_lines) {
        return hn_fail(err, HN_CORRUPT, "%s holds more lines than the input; remove it to start anew", task->folder);
    }
    if (task->n_done > 0) {
        hn_log(HN_LOG_INFO, "%llu of %llu lines are embedded already", (unsigned long long)task->n_done,
               (unsigned long long)task->n_lines);
    }
    HN_TRY(embed_all(task, err));
    HN_TRY(seal(task, err));
    hn_log(task->counts.cut ? HN_LOG_WARN : HN_LOG_INFO,
           "%s: %llu vectors of %llu values; computed %llu of %llu tokens, the rest shared; %llu lines were too long "
           "and cut",
           task->command->output, (unsigned long long)task->n_lines, (unsigned long long)task->dim,
           (unsigned long long)task->counts.computed, (unsigned long long)task->counts.tokens,
           (unsigned long long)task->counts.cut);
    return HN_OK;
}

/* A journal folder that holds nothing shall not stand in the way of other settings. */
static HnStatus claim_folder_and_make(Task *task, HnError *err) {
    HN_TRY(hn_stage_claim(task->folder, &task->identity, err));
    HnStatus status = make_store(task, err);
    if (status != HN_OK && status != HN_CORRUPT && task->n_done == 0) {
        HnError ignored = HN_ERROR_INIT;
        (void)hn_folder_remove(task->folder, &ignored);
    }
    return status;
}

static HnStatus claim_and_make(Task *task, HnError *err) {
    HnClaim *claim = NULL;
    task->folder = hn_path_printf(err, "%s.work", task->command->output);
    HnStatus status = task->folder ? hn_claim_output(task->command->output, &claim, err) : HN_MEMORY;
    status = status == HN_OK ? claim_folder_and_make(task, err) : status;
    hn_claim_release(&claim);
    return status;
}

static void free_task(Task *task) {
    hn_embed_batch_free(&task->batch);
    hn_embed_input_close(&task->input);
    hn_lm_embedder_close(&task->embedder);
    hn_stage_identity_free(&task->identity);
    hn_free(task->folder);
}

static HnStatus embed_file(const HnEmbedCommand *command, HnError *err) {
    Task task = {.command = command, .options = command->embedder};
    bool found = false;
    HnStatus status = check_lines(&task, err);
    task.options.prompts = task.has_prompts;
    status = status == HN_OK ? identify(&task, err) : status;
    status = status == HN_OK ? look_for_store(&task, &found, err) : status;
    if (found && status == HN_OK) {
        hn_log(HN_LOG_INFO, "%s stands already, made from the same input by the same model", command->output);
    } else if (status == HN_OK) {
        status = claim_and_make(&task, err);
    }
    free_task(&task);
    return status;
}

/* A file of its own, since lines are read more than once: checked, embedded, named. */
static HnStatus keep_standard_input(const char *path, HnError *err) {
    char block[65536];
    size_t n = 0;
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    while (good && (n = fread(block, 1, sizeof block, stdin)) > 0) {
        good = fwrite(block, 1, n, file) == n;
    }
    good = good && !ferror(stdin);
    good = file != NULL && fclose(file) == 0 && good;
    return good ? HN_OK : hn_fail(err, HN_IO, "cannot keep standard input in %s", path);
}

HnStatus hn_embed_lines(const HnEmbedCommand *command, HnError *err) {
    HnEmbedCommand of_file = *command;
    if (strcmp(command->input, "-") != 0) {
        return embed_file(command, err);
    }
    char *path = hn_path_printf(err, "%s.input", command->output);
    HnClaim *claim = NULL; /* another start would write over what this one reads again and again */
    HnStatus status = path ? hn_claim_output(path, &claim, err) : HN_MEMORY;
    status = status == HN_OK ? keep_standard_input(path, err) : status;
    of_file.input = path;
    status = status == HN_OK ? embed_file(&of_file, err) : status;
    if (claim) {
        (void)remove(path);
    }
    hn_claim_release(&claim);
    hn_free(path);
    return status;
}
