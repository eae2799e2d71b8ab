/* The experiment: everything that a YAML file can say, parsed, with defaults and ranges applied.
 *
 * src/config/keys.def declares each key once; parser, defaults, ranges, `hnlmrec help config` and the reference page
 * all come from it. Unknown, misspelt, duplicate or out-of-range keys are errors that name file, line and the nearest
 * name. `compare:` is a list of variants: each has a `name` and dotted keys that replace those above it for its own row
 * of the final table.
 */
#ifndef HN_CONFIG_EXPERIMENT_H
#define HN_CONFIG_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

typedef struct HnStringList {
    char **items;
    size_t n;
} HnStringList;
typedef struct HnIntList {
    int64_t *items;
    size_t n;
} HnIntList;
typedef struct HnDoubleList {
    double *items;
    size_t n;
} HnDoubleList;

typedef enum {
    HN_FORMAT_LIGHTGCN,
    HN_FORMAT_PAIRS,
    HN_FORMAT_AMAZON,
    HN_FORMAT_YELP,
    HN_FORMAT_MOVIELENS,
    HN_FORMAT_SYNTHETIC
} HnDataFormat;
typedef enum { HN_SPLIT_BY_RATIO, HN_SPLIT_LEAVE_ONE_OUT, HN_SPLIT_BY_TIME, HN_SPLIT_GIVEN } HnSplitRule;
typedef enum { HN_CATALOGUE_SEEN, HN_CATALOGUE_TO_LARGEST, HN_CATALOGUE_JOINT } HnCatalogueRule;
typedef enum { HN_PROVIDER_EXTRACTIVE, HN_PROVIDER_HTTP, HN_PROVIDER_NATIVE } HnProviderFamily;
typedef enum { HN_VECTORS_OF_NEGATIVES, HN_VECTORS_OF_PROMPTS } HnVectorsOf;
typedef enum { HN_API_OPENAI, HN_API_OLLAMA } HnHttpApi;
typedef enum {
    HN_NATIVE_F32,
    HN_NATIVE_F16,
    HN_NATIVE_BF16,
    HN_NATIVE_INT8,
    HN_NATIVE_NF4
} HnNativeWeights; /* in the order of HnWeightType */
typedef enum { HN_NATIVE_AUTO, HN_NATIVE_LAST, HN_NATIVE_MEAN, HN_NATIVE_CLS } HnNativePooling;
typedef enum {
    HN_BACKBONE_MF,
    HN_BACKBONE_LIGHTGCN,
    HN_BACKBONE_NGCF,
    HN_BACKBONE_SGL,
    HN_BACKBONE_DGCF
} HnBackboneName;
typedef enum { HN_NGCF_PAPER, HN_NGCF_AUTHOR, HN_NGCF_MIXGCF, HN_NGCF_RECBOLE } HnNgcfVariant;
typedef enum {
    HN_SAMPLER_RNS,
    HN_SAMPLER_SEMANTIC,
    HN_SAMPLER_POPULARITY,
    HN_SAMPLER_DNS,
    HN_SAMPLER_AHNS,
    HN_SAMPLER_MIXGCF,
    HN_SAMPLER_DINS,
    HN_SAMPLER_IN_BATCH
} HnSamplerName;
typedef enum { HN_MIX_PER_HOP, HN_MIX_PER_ELEMENT } HnMixRule;
typedef enum { HN_DRAW_OUTSIDE, HN_DRAW_ALL } HnDrawFrom;
typedef enum { HN_WEIGHT_POWER, HN_WEIGHT_LOG } HnWeightRule;
typedef enum { HN_SIMILAR_PRODUCT, HN_SIMILAR_COSINE, HN_SIMILAR_DISTANCE } HnSimilarity;
typedef enum { HN_DNS_PICK, HN_DNS_ALL } HnDnsRule;
typedef enum { HN_INIT_XAVIER_UNIFORM, HN_INIT_XAVIER_NORMAL, HN_INIT_NORMAL } HnInitRule;
typedef enum { HN_MASKS_OF_STEP, HN_MASKS_OF_LAYER } HnEdgeMasks;
typedef enum { HN_POOL_MEAN, HN_POOL_SUM, HN_POOL_FINAL, HN_POOL_UPPER } HnPoolRule;
typedef enum { HN_LOSS_BPR, HN_LOSS_HINGE, HN_LOSS_SOFTMAX } HnLossName;
typedef enum { HN_REDUCE_MEAN, HN_REDUCE_SUM } HnReduceRule;
typedef enum { HN_REG_SQ_HALF, HN_REG_NORM, HN_REG_ALL_PARAMS } HnRegRule;
typedef enum { HN_ROWS_EGO, HN_ROWS_FINAL, HN_ROWS_LAYER1, HN_ROWS_LAYERS } HnRegRows;
typedef enum { HN_REG_UNDIVIDED, HN_REG_BY_BATCH, HN_REG_BY_BATCH_TWICE } HnRegDivisor;
typedef enum { HN_EPOCH_EDGE, HN_EPOCH_USER, HN_EPOCH_USER_UNIFORM, HN_EPOCH_DISTINCT_USERS } HnEpochUnit;
typedef enum { HN_ALIGN_OWN, HN_ALIGN_BATCH } HnAlignNegatives;
typedef enum { HN_ALIGN_MIXED, HN_ALIGN_ADAPTED } HnAlignVector;
typedef enum { HN_ACTIVATION_RELU, HN_ACTIVATION_LEAKY_RELU } HnActivation;
typedef enum { HN_MISSING_RANDOM_NEGATIVE, HN_MISSING_RANDOM_VECTOR } HnMissingRule;
typedef enum { HN_VECTORS_STORED, HN_VECTORS_RANDOM } HnVectorSourceName;
typedef enum { HN_AUGMENT_EDGE, HN_AUGMENT_NODE, HN_AUGMENT_WALK } HnAugmentRule;
typedef enum { HN_DENOMINATOR_FULL, HN_DENOMINATOR_BATCH } HnSslDenominator;
typedef enum { HN_SSL_AS_LOSS, HN_SSL_SUM, HN_SSL_MEAN } HnSslReduce;
typedef enum { HN_MASK_TRAIN, HN_MASK_TRAIN_VALID } HnMaskRule;
typedef enum { HN_SELECT_VALID, HN_SELECT_TEST } HnSelectOn;
typedef enum { HN_VECTOR_F16, HN_VECTOR_F32 } HnVectorType;
typedef enum { HN_TUNE_GRID, HN_TUNE_RANDOM } HnTuneMethod;

typedef struct HnDataConfig { /* data.* */
    char *dataset;            /* a ready dataset.h5; "" = prepare one from what follows */
    HnDataFormat format;
    HnStringList interactions; /* interaction or review files; with split given: the train files */
    HnStringList valid;        /* split given */
    HnStringList test;         /* split given */
    HnStringList items;        /* item metadata files (Amazon meta, Yelp business, MovieLens items) */
    char *keep_users;          /* JSON lines or one raw id a line: only these users; "" = all */
    char *keep_items;
    double min_rating;  /* keep rating >= this; 0 = no filter */
    char *date_from;    /* YYYY-MM-DD inclusive; "" = open */
    char *date_to;      /* YYYY-MM-DD inclusive (the whole day); "" = open */
    int64_t core_users; /* k-core: least interactions a user, to a fixed point; 0 = no filter */
    int64_t core_items;
    HnSplitRule split;
    HnDoubleList split_ratio; /* train, valid, test; sums to 1 */
    int64_t split_seed;
    double valid_share; /* split given: of each user's train pairs, for validation */
    double train_share; /* of each user's train pairs, kept */
    HnCatalogueRule catalogue;
    bool keep_crossing;   /* split given: pairs of two parts stay in both */
    double max_bad_share; /* share of malformed lines above which the run fails */
    struct {              /* data.synthetic.* */
        int64_t users, items, interactions, categories, seed;
        int64_t latent_dim;
        double popularity_exponent; /* long tail: item weight = rank ^ -exponent */
        int64_t review_words;
    } synthetic;
} HnDataConfig;

typedef struct HnHttpConfig { /* llm.http.* */
    char *url;                /* base, e.g. http://127.0.0.1:8000 */
    HnHttpApi api;
    char *model;
    char *embed_url; /* "" = url */
    char *embed_model;
    char *key_env; /* NAME of the environment variable that holds the key; never the key */
    int64_t max_in_flight;
    double timeout_s;
    double connect_timeout_s;
    int64_t retries;
    double temperature;
    int64_t max_tokens;
} HnHttpConfig;

typedef struct HnNativeConfig { /* llm.native.*: the program's own transformer */
    char *model;                /* Hugging Face folder */
    char *embed_model;          /* "" = model */
    HnNativeWeights weights;
    HnNativePooling pooling;
    double temperature; /* 0: the best token */
    int64_t top_k;      /* 0: all */
    double top_p, repetition_penalty;
    int64_t seed;
    int64_t max_tokens; /* of an answer */
    int64_t slots;      /* answers written side by side */
    int64_t batch;      /* texts or prompts embedded in one go */
    int64_t context;    /* longest prompt and answer; 0: the model's */
    bool json;          /* only answers of the prompt's form can be written */
    bool pool_names;    /* only names of pool items that the user does not have */
    bool plain;         /* no chat template */
    bool thinking;      /* models that may think aloud before they answer do */
    double memory_gb;   /* a rank's; 0: its share of what is free */
    bool mix_bits;      /* half-done work goes on where products have other bits */
} HnNativeConfig;

typedef struct HnLlmConfig {   /* llm.* */
    HnProviderFamily provider; /* writes profiles and negatives */
    HnProviderFamily embedder; /* turns negative text into vectors */
    HnVectorsOf vectors_of;    /* of a train pair */
    HnHttpConfig http;
    HnNativeConfig native;
    char *prompt_folder;        /* "" = the shipped prompts */
    char *import_user_profiles; /* JSON lines; "" = generate */
    char *import_item_profiles;
    char *import_vectors; /* a sealed vector store made elsewhere; "" = make one */
    int64_t max_reviews;  /* reviews shown per profile prompt */
    int64_t max_review_words;
    int64_t profile_words; /* length asked of a profile */
    int64_t embed_dim;     /* width of the extractive embedder; others report their own */
    HnVectorType vector_type;
    bool accept_lost;           /* seal a stage although answers were lost after all retries */
    int64_t negatives_per_pair; /* samples per pair, their vectors averaged (eq 5) */
} HnLlmConfig;

typedef struct HnTrainConfig { /* what one row of the table trains */
    struct {
        HnBackboneName backbone;
        int64_t dim, layers;
        HnInitRule init;
        HnPoolRule pool;
        double init_std, edge_dropout;
        bool edge_rescale;
        HnEdgeMasks edge_masks;
    } model; /* model.* */
    struct {
        HnNgcfVariant variant;
        double dropout;
    } ngcf; /* ngcf.* */
    struct {
        int64_t factors, iterations;
        double correlation;
    } dgcf; /* dgcf.* */
    struct {
        HnSamplerName name;
        HnDrawFrom draw_from;
        HnWeightRule weight;      /* popularity */
        double exponent;          /* weight power */
        int64_t candidates, pick; /* pool of a pair, where one is chosen from it; dns: one of so many best */
        HnSimilarity similarity;  /* dns, ahns */
        double ahns_alpha, ahns_beta;
        int64_t ahns_p;
        int64_t negatives;
        HnDnsRule mn;
        HnMixRule mix_per;
        double dins_alpha;
    } sampler;                    /* sampler.* */
    struct {                      /* semantic.* */
        double alpha;             /* eq 7 */
        HnIntList adapter_hidden; /* hidden widths; empty = one layer of (d_text + dim) / 2 */
        HnActivation activation;
        bool adapter_frozen;
        bool adapter_last_relu;
        HnMissingRule missing;
        HnVectorSourceName vectors; /* random = the control of hnlmrec-method.md 4, row 5 */
    } semantic;
    struct {
        double lambda, tau;
        HnAlignNegatives negatives;
        HnAlignVector vector;
    } align; /* align.* : eq 9, lambda_1 */
    struct {
        HnAugmentRule augment;
        double rho, tau, lambda;
        HnSslDenominator denominator;
        HnSslReduce reduce;
    } ssl; /* ssl.* : SGL */
    struct {
        HnLossName name;
        double margin, epsilon, tau;
        HnReduceRule reduce;
    } loss;  /* loss.* */
    struct { /* train.* */
        int64_t epochs, batch;
        double learning_rate, l2; /* lambda_2 */
        HnRegRule reg;
        HnRegRows reg_rows;
        HnRegDivisor reg_divide;
        HnEpochUnit epoch_unit;
        int64_t eval_every;       /* epochs between validations */
        int64_t eval_first;       /* epoch of the first one; 0 = eval_every */
        int64_t patience;         /* validations without gain before stopping; 0 = never stop early */
        char *stop_metric;        /* e.g. "recall@20" */
        int64_t checkpoint_every; /* epochs */
        bool drop_last;
        int64_t virtual_shards; /* reproducible sums over a batch are taken per shard; at least the rank count */
    } train;
    struct {
        HnIntList ks;
        HnMaskRule mask;
        HnSelectOn select_on;
        int64_t false_negative_users; /* whose negatives are held against their test items every epoch; 0 = none */
        int64_t activity_groups;      /* quantiles of users by activity; 0 = none */
        HnIntList activity_bounds;
        HnDoubleList popularity_shares;
    } eval; /* eval.* */
} HnTrainConfig;

typedef struct HnVariant {
    char *name;
    HnTrainConfig train; /* the experiment's own, with this variant's keys applied */
} HnVariant;

typedef struct HnRange { /* values that tuning may give a key */
    char *key;
    HnStringList values; /* as text; none = an interval */
    double from, to;
    bool log;   /* uniform in the logarithm */
    bool whole; /* a whole number */
} HnRange;

typedef struct HnTuneConfig { /* tune.* ; what trials come of it: tune.h */
    HnTuneMethod method;
    int64_t trials, seed;
    char *metric; /* "" = train.stop_metric */
    char *row;    /* "" = the only one */
    HnRange *ranges;
    size_t n_ranges;
} HnTuneConfig;

typedef struct HnExperiment {
    char *name;
    HnIntList seeds;
    HnStringList published; /* one text a figure, see config/published.h */
    bool reproducible;
    int64_t threads; /* OpenMP threads a rank; 0 = cores of the host / ranks on it */
    struct {
        int64_t workers, trainers; /* roles.* ; 0 = automatic: every rank takes both in turn */
        int64_t seed_groups; /* trainer ranks are cut into this many groups that train seeds side by side; default 1 */
    } roles;
    HnDataConfig data;
    HnLlmConfig llm;
    HnTrainConfig train;
    HnTuneConfig tune;
    char *tuned_from;    /* the trial that the settings come from; "" = none */
    HnVariant *variants; /* from compare:, or one variant named after the sampler and backbone */
    size_t n_variants;
} HnExperiment;

/* Reads path ("-" not allowed; NULL = all defaults), then applies n_sets strings "key=value". Paths inside the file are
 * relative to the file's own folder, and come out absolute. Free with hn_experiment_free. */
HnStatus hn_experiment_load(const char *path, const char *const *sets, size_t n_sets, HnExperiment **experiment,
                            HnError *err);
/* The same for what takes the data alone: rows may ask for a part that the data do not have. */
HnStatus hn_experiment_load_data(const char *path, const char *const *sets, size_t n_sets, HnExperiment **experiment,
                                 HnError *err);
void hn_variants_free(HnVariant *variants, size_t n); /* NULL is fine */
void hn_experiment_free(HnExperiment **experiment);

/* A row's configuration from another, into zeroed memory; frees one. */
HnStatus hn_train_config_copy(const HnTrainConfig *from, HnTrainConfig *to, HnError *err);
void hn_train_config_free(HnTrainConfig *train);

/* The effective configuration as YAML that hn_experiment_load reads back to the same experiment; hn_free it. */
HnStatus hn_experiment_dump(const HnExperiment *experiment, char **yaml, HnError *err);
/* The effective values of the keys whose names begin with one of the prefixes (NULL-terminated list), one "key: value"
 * a line in declaration order: what a stage's identity is hashed from. variant NULL = the experiment's own. */
HnStatus hn_experiment_identity(const HnExperiment *experiment, const HnVariant *variant, const char *const *prefixes,
                                char **text, HnError *err);
/* The first key that differs between two experiments in a way that changes results (seeds, threads, roles do not), or
 * NULL; *a_value and *b_value are freed by hn_free. */
const char *hn_experiment_difference(const HnExperiment *a, const HnExperiment *b, char **a_value, char **b_value,
                                     HnError *err);

/* Appends the names of the keys that begin with prefix and have another value than their default, with commas between.
 */
HnStatus hn_experiment_changed(const HnExperiment *experiment, const char *prefix, HnText *names, HnError *err);

/* Reference of every key (name, type, default, range, meaning): Markdown page, or terminal text with the given prefix.
 */
HnStatus hn_config_reference(bool markdown, const char *prefix, char **text, HnError *err);

/* The shipped experiment called name ("demo", "paper/toys-and-games"): its path, found in $HNLMREC_EXPERIMENTS, beside
 * the installed program, or in the source tree. */
HnStatus hn_experiment_find(const char *name, char **path, HnError *err);
/* The file that a command line means: what ends in .yaml or .yml is a file; another name is a shipped experiment first
 * ("demo"), then a file. */
HnStatus hn_experiment_path(const char *name, char **path, HnError *err);

#endif
