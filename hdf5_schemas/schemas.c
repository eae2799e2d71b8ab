/* The declarations of every store: one table a store, one line a field. Nothing else is in this file; the writer, the
 * reader, the digest and the reference page all work from these tables.
 *
 * A new required field, or a changed meaning, raises the store's version; a new optional field does not.
 */
#include "store.h"

#define OPTIONAL HN_FIELD_OPTIONAL
#define VOLATILE HN_FIELD_VOLATILE
#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

static const HnField dataset_fields[] = {
    {"user/raw_id", HN_STRINGS, "[n_users]", "1",
     "Id of each user in the raw files; the row is the user's index everywhere else.", 0},
    {"item/raw_id", HN_STRINGS, "[n_items]", "1",
     "Id of each item in the raw files; the row is the item's index everywhere else.", 0},
    {"train/offsets", HN_U64, "[n_users+1]", "pair number", "Train pairs of user u are offsets[u] to offsets[u+1]-1.",
     0},
    {"train/items", HN_I32, "[n_train]", "item index",
     "Item of each train pair, ascending within a user; the position is the pair's number.", 0},
    {"train/rating", HN_F32, "[n_train]", "1", "Rating of each train pair.", OPTIONAL},
    {"train/time", HN_I64, "[n_train]", "s", "Time of each train pair, seconds since 1970-01-01 UTC.", OPTIONAL},
    {"train/review", HN_STRINGS, "[n_train]", "1", "What the user wrote about the item; empty where nothing is known.",
     OPTIONAL},
    {"valid/offsets", HN_U64, "[n_users+1]", "pair number",
     "Validation pairs of user u are offsets[u] to offsets[u+1]-1.", 0},
    {"valid/items", HN_I32, "[n_valid]", "item index", "Item of each validation pair, ascending within a user.", 0},
    {"test/offsets", HN_U64, "[n_users+1]", "pair number", "Test pairs of user u are offsets[u] to offsets[u+1]-1.", 0},
    {"test/items", HN_I32, "[n_test]", "item index", "Item of each test pair, ascending within a user.", 0},
    {"item/title", HN_STRINGS, "[n_items]", "1", "Title or name of each item.", OPTIONAL},
    {"item/description", HN_STRINGS, "[n_items]", "1", "Description of each item.", OPTIONAL},
    {"item/categories", HN_STRINGS, "[n_items]", "1", "Categories of each item, separated by commas.", OPTIONAL},
    {"item/attributes", HN_STRINGS, "[n_items]", "1",
     "Further properties of each item (brand, city, price ...), as name: value.", OPTIONAL},
    {"input/name", HN_STRINGS, "[n_inputs]", "1", "Name of each raw file that was read.", 0},
    {"input/sha256", HN_STRINGS, "[n_inputs]", "1", "SHA-256 of each raw file, as 64 hexadecimal digits.", 0},
};
static const HnAttribute dataset_attributes[] = {
    {"n_users", HN_I64, "users"},
    {"n_items", HN_I64, "items"},
    {"n_train", HN_I64, "train pairs"},
    {"n_valid", HN_I64, "validation pairs"},
    {"n_test", HN_I64, "test pairs"},
    {"density", HN_F64, "pairs of all parts / (n_users * n_items)"},
    {"recipe", HN_STRINGS, "the filters and the split, in words"},
    {"lines_read", HN_I64, "lines of the raw files"},
    {"lines_bad", HN_I64, "lines that were malformed and left out"},
};
const HnSchema HN_SCHEMA_DATASET = {
    "dataset",
    "Users, items, their interactions split into train, validation and test, and their texts.",
    1,
    dataset_fields,
    N_OF(dataset_fields),
    dataset_attributes,
    N_OF(dataset_attributes)};

static const HnField profiles_fields[] = {
    {"status", HN_U8, "[n_rows]", "0 ok, 1 noise, 2 lost, 3 imported, 4 empty",
     "What became of each row: a profile; an answer that breaks its contract; no answer; taken from a file; nothing to "
     "ask about.",
     0},
    {"profile", HN_STRINGS, "[n_rows]", "1",
     "Summary of each user or item, as validated; empty unless the status is 0 or 3.", 0},
    {"reasoning", HN_STRINGS, "[n_rows]", "1", "The reasons that came with the summary.", 0},
    {"raw", HN_STRINGS, "[n_rows]", "1", "The answer as it came, kept whether it was valid or not.", 0},
    {"attempts", HN_U32, "[n_rows]", "1", "Requests sent for each row.", OPTIONAL | VOLATILE},
    {"prompt_tokens", HN_U32, "[n_rows]", "1", "Tokens of the prompt as the provider counted them; 0 = unknown.",
     OPTIONAL | VOLATILE},
    {"answer_tokens", HN_U32, "[n_rows]", "1", "Tokens of the answer as the provider counted them; 0 = unknown.",
     OPTIONAL | VOLATILE},
};
static const HnAttribute profiles_attributes[] = {
    {"kind", HN_STRINGS, "\"users\" or \"items\": what a row is"},
    {"provider", HN_STRINGS, "who wrote the profiles: extractive, http, native or import"},
    {"model", HN_STRINGS, "the language model's name, where there is one"},
};
const HnSchema HN_SCHEMA_PROFILES = {"profiles",
                                     "One text profile per user or item, in the order of the data set.",
                                     1,
                                     profiles_fields,
                                     N_OF(profiles_fields),
                                     profiles_attributes,
                                     N_OF(profiles_attributes)};

static const HnField negatives_fields[] = {
    {"pair/user", HN_I32, "[n_pairs]", "user index",
     "User of each train pair, in the order of the data set's train/items.", 0},
    {"pair/item", HN_I32, "[n_pairs]", "item index", "Item of each train pair (the positive).", 0},
    {"status", HN_U8, "[n_pairs][n_samples]",
     "0 ok, 1 noise: unparsable, 2 noise: not in the pool, 3 none, 4 lost, 5 noise: already the user's",
     "What became of each sample: an item of the pool; no JSON of the contract; no item of the pool; nothing asked; no "
     "answer; an item that the user already has.",
     0},
    {"item", HN_I32, "[n_pairs][n_samples]", "item index", "Pool item that the sample names; -1 = none.", 0},
    {"text", HN_STRINGS, "[n_pairs*n_samples]", "1",
     "Text of each hard negative, pair by pair, sample by sample; empty unless the status is 0.", 0},
    {"reasoning", HN_STRINGS, "[n_pairs*n_samples]", "1", "The reasons that came with it.", 0},
    {"raw", HN_STRINGS, "[n_pairs*n_samples]", "1", "The answer as it came, kept whether it was valid or not.", 0},
    {"attempts", HN_U32, "[n_pairs][n_samples]", "1", "Requests sent for each sample.", OPTIONAL | VOLATILE},
    {"prompt_tokens", HN_U32, "[n_pairs][n_samples]", "1",
     "Tokens of the prompt as the provider counted them; 0 = unknown.", OPTIONAL | VOLATILE},
    {"answer_tokens", HN_U32, "[n_pairs][n_samples]", "1",
     "Tokens of the answer as the provider counted them; 0 = unknown.", OPTIONAL | VOLATILE},
};
static const HnAttribute negatives_attributes[] = {
    {"provider", HN_STRINGS, "who wrote the negatives: extractive, http or native"},
    {"model", HN_STRINGS, "the language model's name, where there is one"},
};
const HnSchema HN_SCHEMA_NEGATIVES = {"negatives",
                                      "Hard negatives as text: one row per train pair and sample.",
                                      1,
                                      negatives_fields,
                                      N_OF(negatives_fields),
                                      negatives_attributes,
                                      N_OF(negatives_attributes)};

static const HnField vectors_fields[] = {
    {"pair/user", HN_I32, "[n_pairs]", "user index",
     "User of each train pair, in the order of the data set's train/items.", 0},
    {"pair/item", HN_I32, "[n_pairs]", "item index", "Item of each train pair (the positive).", 0},
    {"present", HN_U8, "[n_pairs]", "0 or 1", "1 where the pair has a vector; elsewhere the row is zero.", 0},
    {"vector", HN_F16, "[n_pairs][dim]", "1",
     "Text vector of each pair's hard negative, the mean over its samples (eq. 5), or of its prompt "
     "(llm.vectors_of), as IEEE binary16.",
     HN_FIELD_ONE_OF},
    {"vector_f32", HN_F32, "[n_pairs][dim]", "1", "The same in single precision.", HN_FIELD_ONE_OF},
};
static const HnAttribute vectors_attributes[] = {
    {"dim", HN_I64, "width of a vector"},
    {"embedder", HN_STRINGS, "who made the vectors: extractive, http or native"},
    {"model", HN_STRINGS, "the embedding model's name, where there is one"},
};
const HnSchema HN_SCHEMA_VECTORS = {"vectors",
                                    "Hard negatives as vectors: one row per train pair.",
                                    1,
                                    vectors_fields,
                                    N_OF(vectors_fields),
                                    vectors_attributes,
                                    N_OF(vectors_attributes)};

static const HnField checkpoint_fields[] = {
    {"user/embedding", HN_F32, "[n_local][dim]", "1", "Embeddings of the users that this rank owns, user_begin first.",
     0},
    {"user/m", HN_F32, "[n_local][dim]", "1", "Adam's first moment of them.", 0},
    {"user/v", HN_F32, "[n_local][dim]", "1", "Adam's second moment of them.", 0},
    {"item/embedding", HN_F32, "[n_items][dim]", "1",
     "Item embeddings (in the first part only: every rank holds the same).", OPTIONAL},
    {"item/m", HN_F32, "[n_items][dim]", "1", "Adam's first moment of them.", OPTIONAL},
    {"item/v", HN_F32, "[n_items][dim]", "1", "Adam's second moment of them.", OPTIONAL},
    {"adapter/parameters", HN_F32, "[n_adapter]", "1",
     "Weights and biases of the adapter, layer by layer (first part only).", OPTIONAL},
    {"adapter/m", HN_F32, "[n_adapter]", "1", "Adam's first moment of them.", OPTIONAL},
    {"adapter/v", HN_F32, "[n_adapter]", "1", "Adam's second moment of them.", OPTIONAL},
    {"model/parameters", HN_F32, "[n_parameters]", "1",
     "Parameters of the backbone beside the embeddings (first part only).", OPTIONAL},
    {"model/m", HN_F32, "[n_parameters]", "1", "Adam's first moment of them.", OPTIONAL},
    {"model/v", HN_F32, "[n_parameters]", "1", "Adam's second moment of them.", OPTIONAL},
    {"best/user", HN_F32, "[n_local][width]", "1", "Final user embeddings at the best validation so far.", OPTIONAL},
    {"best/item", HN_F32, "[n_items][width]", "1", "Final item embeddings at the best validation so far.", OPTIONAL},
    {"history/loss", HN_F64, "[n_epochs][n_losses]", "1", "Mean loss of each epoch so far, by part of the loss.",
     OPTIONAL},
    {"history/digest", HN_STRINGS, "[n_epochs]", "1", "SHA-256 of the parameters after each epoch so far.", OPTIONAL},
    {"history/epoch", HN_I32, "[n_evals]", "epoch", "Epoch of each validation so far.", OPTIONAL},
    {"history/metric", HN_F64, "[n_evals][n_metrics]", "1", "Metrics of each validation so far.", OPTIONAL},
    {"history/epoch_seconds", HN_F64, "[n_epochs]", "s", "Wall time of each epoch so far.", OPTIONAL | VOLATILE},
    {"history/eval_seconds", HN_F64, "[n_evals]", "s", "Wall time of each validation so far.", OPTIONAL | VOLATILE},
};
static const HnAttribute checkpoint_attributes[] = {
    {"user_begin", HN_I64, "first user of this part"},
    {"user_end", HN_I64, "one past its last user"},
    {"epoch", HN_I64, "epochs done"},
    {"step", HN_I64, "optimiser steps done"},
    {"best_epoch", HN_I64, "epoch of the best validation so far; -1 = none yet"},
    {"best_value", HN_F64, "its value of the stopping metric"},
    {"bad_evals", HN_I64, "validations since then"},
    {"part", HN_I64, "number of this part"},
    {"n_parts", HN_I64, "parts of this checkpoint: the trainer ranks that wrote it"},
    {"identity", HN_STRINGS, "what is being trained, on what: a checkpoint of anything else is refused"},
};
const HnSchema HN_SCHEMA_CHECKPOINT = {
    "checkpoint",
    "Everything that a training needs to go on as if it had never stopped; one part per trainer rank.",
    1,
    checkpoint_fields,
    N_OF(checkpoint_fields),
    checkpoint_attributes,
    N_OF(checkpoint_attributes)};

static const HnField model_fields[] = {
    {"user/embedding", HN_F32, "[n_users][dim]", "1",
     "Final user embeddings, after the backbone's propagation: a score is their dot product with an item's.", 0},
    {"item/embedding", HN_F32, "[n_items][dim]", "1", "Final item embeddings, after the backbone's propagation.", 0},
};
static const HnAttribute model_attributes[] = {
    {"variant", HN_STRINGS, "name of the variant"},
    {"backbone", HN_STRINGS, "backbone model"},
    {"dim", HN_I64, "width of an embedding"},
    {"epoch", HN_I64, "epoch that was selected"},
};
const HnSchema HN_SCHEMA_MODEL = {"model",
                                  "The trained recommender: what is needed to rank items for a user.",
                                  1,
                                  model_fields,
                                  N_OF(model_fields),
                                  model_attributes,
                                  N_OF(model_attributes)};

static const HnField result_fields[] = {
    {"loss/name", HN_STRINGS, "[n_losses]", "1", "Parts of the loss.", 0},
    {"loss/value", HN_F64, "[n_epochs][n_losses]", "1", "Mean of each part over the batches of each epoch.", 0},
    {"digest/epoch", HN_STRINGS, "[n_epochs]", "1",
     "SHA-256 of the parameters after each epoch: equal digests, equal training.", 0},
    {"metric/name", HN_STRINGS, "[n_metrics]", "1", "Names of the metrics, e.g. recall@20.", 0},
    {"valid/epoch", HN_I32, "[n_evals]", "epoch", "Epoch of each validation.", 0},
    {"valid/value", HN_F64, "[n_evals][n_metrics]", "1",
     "Metrics of each validation, means over the users that have validation items.", 0},
    {"test/value", HN_F64, "[n_metrics]", "1",
     "Metrics on the test part at the selected epoch, means over the users that have test items.", 0},
    {"group/kind", HN_STRINGS, "[n_groups]", "1",
     "What the test users or items are grouped by: activity (a user's train pairs) or popularity (an item's).",
     OPTIONAL},
    {"group/name", HN_STRINGS, "[n_groups]", "1", "Name of each group.", OPTIONAL},
    {"group/least", HN_I64, "[n_groups]", "train pairs", "Fewest train pairs of a member.", OPTIONAL},
    {"group/most", HN_I64, "[n_groups]", "train pairs", "Most train pairs of a member.", OPTIONAL},
    {"group/members", HN_I64, "[n_groups]", "1", "Test users of an activity group, or items of a popularity group.",
     OPTIONAL},
    {"group/users", HN_I64, "[n_groups]", "1",
     "Users that the group's metrics are means over: those with test items in it.", OPTIONAL},
    {"group/value", HN_F64, "[n_groups][n_metrics]", "1",
     "Test metrics of each group: of its users, or of the test items that belong to it (ranked among all items).",
     OPTIONAL},
    {"group/recall_share", HN_F64, "[n_groups][n_ks]", "1",
     "What each group adds to recall at each k of eval.ks: over the groups of one kind it sums to the recall of the "
     "test.",
     OPTIONAL},
    {"rank/users", HN_U64, "[n_ranks]", "1", "Users owned by each trainer rank.", OPTIONAL | VOLATILE},
    {"rank/pairs", HN_U64, "[n_ranks]", "1", "Train pairs owned by each trainer rank.", OPTIONAL | VOLATILE},
    {"rank/memory_bytes", HN_U64, "[n_ranks]", "byte", "Memory that each rank allocated for the training.",
     OPTIONAL | VOLATILE},
    {"rank/bytes_moved", HN_U64, "[n_ranks]", "byte", "Bytes that each rank handed to collectives.",
     OPTIONAL | VOLATILE},
    {"time/epoch_seconds", HN_F64, "[n_epochs]", "s", "Wall time of each epoch.", OPTIONAL | VOLATILE},
    {"time/eval_seconds", HN_F64, "[n_evals]", "s", "Wall time of each validation.", OPTIONAL | VOLATILE},
};
static const HnAttribute result_attributes[] = {
    {"variant", HN_STRINGS, "name of the variant"},
    {"best_epoch", HN_I64, "the selected epoch"},
    {"epochs_run", HN_I64, "epochs trained"},
    {"batches", HN_I64, "batches an epoch"},
    {"n_test_users", HN_I64, "users with test items: what test/value is a mean over"},
    {"n_vectors_used", HN_I64, "train pairs trained with their own text vector"},
    {"n_pairs_without_vector", HN_I64, "train pairs that have none"},
    {"reproducible", HN_I64, "1 = bits do not depend on ranks and threads"},
    {"ranks", HN_I64, "trainer ranks (no part of the result's identity)"},
    {"threads", HN_I64, "threads a rank (no part of the result's identity)"},
};
const HnSchema HN_SCHEMA_RESULT = {"result",
                                   "What one variant reached with one seed: losses, validations, test metrics, cost.",
                                   1,
                                   result_fields,
                                   N_OF(result_fields),
                                   result_attributes,
                                   N_OF(result_attributes)};

static const HnField trial_fields[] = {
    {"setting/key", HN_STRINGS, "[n_settings]", "1", "Keys that tuning varied.", 0},
    {"setting/value", HN_STRINGS, "[n_settings]", "1", "This trial's value of each, as an experiment file says it.", 0},
    {"loss/name", HN_STRINGS, "[n_losses]", "1", "Parts of the loss.", 0},
    {"loss/value", HN_F64, "[n_epochs][n_losses]", "1", "Mean of each part over the batches of each epoch.", 0},
    {"digest/epoch", HN_STRINGS, "[n_epochs]", "1", "SHA-256 of the parameters after each epoch.", 0},
    {"metric/name", HN_STRINGS, "[n_metrics]", "1", "Names of the metrics, e.g. recall@20.", 0},
    {"valid/epoch", HN_I32, "[n_evals]", "epoch", "Epoch of each validation.", 0},
    {"valid/value", HN_F64, "[n_evals][n_metrics]", "1",
     "Metrics of each validation, means over the users that have validation items.", 0},
    {"time/epoch_seconds", HN_F64, "[n_epochs]", "s", "Wall time of each epoch.", OPTIONAL | VOLATILE},
    {"time/eval_seconds", HN_F64, "[n_evals]", "s", "Wall time of each validation.", OPTIONAL | VOLATILE},
};
static const HnAttribute trial_attributes[] = {
    {"trial", HN_I64, "number of the trial, from 1"},
    {"n_trials", HN_I64, "trials that were asked for when this one was trained"},
    {"variant", HN_STRINGS, "name of the row that is tuned"},
    {"status", HN_STRINGS, "\"done\", or \"failed\": the training stopped at a number that is not finite"},
    {"reason", HN_STRINGS, "why it failed; empty where it did not"},
    {"metric", HN_STRINGS, "what trials are compared by"},
    {"best_epoch", HN_I64, "epoch of the best validation; -1 = none"},
    {"best_value", HN_F64, "the metric then; 0 where there was none"},
    {"epochs_run", HN_I64, "epochs trained"},
};
const HnSchema HN_SCHEMA_TRIAL = {"trial",
                                  "One trial of a tuning: its settings and what they reached on validation.",
                                  1,
                                  trial_fields,
                                  N_OF(trial_fields),
                                  trial_attributes,
                                  N_OF(trial_attributes)};

static const HnField embeddings_fields[] = {
    {"id", HN_STRINGS, "[n_rows]", "1",
     "Id of each line of the input as text; where a line has none, its number, counted from 0.", 0},
    {"vector", HN_F16, "[n_rows][dim]", "1", "Vector of each line's text or prompt, as IEEE binary16.",
     HN_FIELD_ONE_OF},
    {"vector_f32", HN_F32, "[n_rows][dim]", "1", "The same in single precision.", HN_FIELD_ONE_OF},
};
static const HnAttribute embeddings_attributes[] = {
    {"dim", HN_I64, "width of a vector"},
    {"model", HN_STRINGS, "the model folder as it was named"},
    {"model_id", HN_STRINGS, "SHA-256 over the model's files"},
    {"weights", HN_STRINGS, "how weights lay in memory: f32, f16, bf16, int8 or nf4"},
    {"pooling", HN_STRINGS, "last, mean or cls"},
    {"normalised", HN_I64, "1: vectors have length 1"},
    {"kind", HN_STRINGS, "plain, query or document: which of the model's prefixes texts got"},
    {"tokens", HN_I64, "tokens of all lines, ends included"},
    {"computed", HN_I64, "of these, computed: the others were shared"},
    {"cut", HN_I64, "lines that were too long for the model"},
};
const HnSchema HN_SCHEMA_EMBEDDINGS = {"embeddings",
                                       "Vectors of a file of texts or prompts: one row per line.",
                                       1,
                                       embeddings_fields,
                                       N_OF(embeddings_fields),
                                       embeddings_attributes,
                                       N_OF(embeddings_attributes)};

const HnSchema *const HN_SCHEMAS[] = {
    &HN_SCHEMA_DATASET, &HN_SCHEMA_PROFILES, &HN_SCHEMA_NEGATIVES, &HN_SCHEMA_VECTORS,    &HN_SCHEMA_CHECKPOINT,
    &HN_SCHEMA_MODEL,   &HN_SCHEMA_RESULT,   &HN_SCHEMA_TRIAL,     &HN_SCHEMA_EMBEDDINGS, NULL};
