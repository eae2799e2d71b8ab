/* Keys of a row that cannot stand together. */
#include "config/load.h"

/* Keys of several negatives a pair. */
static const char *several_negatives(const HnTrainConfig *train, const char **key) {
    const bool in_batch = train->sampler.name == HN_SAMPLER_IN_BATCH;
    const bool one = train->sampler.name == HN_SAMPLER_SEMANTIC || in_batch;
    const bool joint = train->loss.name == HN_LOSS_BPR && train->loss.epsilon <= 0.0;
    if (train->sampler.negatives > 1 && (one || !(joint || train->loss.name == HN_LOSS_SOFTMAX))) {
        *key = "sampler.negatives";
        return one ? "sampler.negatives above 1 does not go with sampler.name semantic or in_batch: set it to 1"
                   : "sampler.negatives above 1 is for loss.name softmax, or bpr without loss.epsilon, whose forms "
                     "have "
                     "several: set it to 1";
    }
    const bool by_hop = train->sampler.name == HN_SAMPLER_MIXGCF || train->sampler.name == HN_SAMPLER_DINS;
    if (train->sampler.negatives > 64 && by_hop) {
        *key = "sampler.negatives";
        return "sampler.name mixgcf and dins mix at most 64 negatives a pair: lower sampler.negatives";
    }
    if (train->train.batch > UINT32_MAX / (1 + train->sampler.negatives)) {
        *key = "train.batch";
        return "train.batch times sampler.negatives is beyond 2^32: lower one of them";
    }
    const bool all = train->sampler.name == HN_SAMPLER_DNS && train->sampler.mn == HN_DNS_ALL;
    if (all && (train->sampler.negatives > 1 || train->sampler.pick > 64)) {
        *key = "sampler.mn";
        return "sampler.mn all takes sampler.pick negatives, of at most 64, from one pool: set sampler.negatives to 1, "
               "and "
               "lower sampler.pick, or set sampler.mn: pick";
    }
    return NULL;
}

/* What L2 takes. */
static const char *rows_of_l2(const HnTrainConfig *train, const char **key) {
    *key = "train.reg_rows";
    if (train->train.reg == HN_REG_ALL_PARAMS && train->train.reg_rows != HN_ROWS_EGO) {
        return "train.reg all_params takes all parameters and no rows of a batch: set train.reg_rows: ego, or "
               "train.reg: "
               "sq_half";
    }
    const bool of_layers = train->train.reg_rows == HN_ROWS_LAYER1 || train->train.reg_rows == HN_ROWS_LAYERS;
    const bool flat = train->model.backbone == HN_BACKBONE_MF || train->model.layers == 0;
    if (of_layers && train->model.backbone != HN_BACKBONE_LIGHTGCN && train->model.backbone != HN_BACKBONE_MF) {
        return "train.reg_rows layer1 and layers are for model.backbone lightgcn: set train.reg_rows: ego or final";
    }
    if (train->train.reg_rows == HN_ROWS_LAYER1 && flat) {
        return "train.reg_rows layer1 takes vectors after one layer, and the model has none: set train.reg_rows: ego";
    }
    return NULL;
}

/* How the model's layers are made and pooled. */
static const char *model_layers(const HnTrainConfig *train, const char **key) {
    const HnBackboneName backbone = train->model.backbone;
    if (train->model.edge_dropout > 0.0 && (backbone != HN_BACKBONE_LIGHTGCN || train->model.layers == 0)) {
        *key = "model.edge_dropout";
        return "model.edge_dropout is for model.backbone lightgcn with at least one layer: set it to 0";
    }
    const bool without_ego = train->model.pool == HN_POOL_FINAL || train->model.pool == HN_POOL_UPPER;
    *key = "model.pool";
    if (backbone == HN_BACKBONE_SGL && without_ego) {
        return "model.pool final and upper do not go with model.backbone sgl, whose views are of all layers together: "
               "set "
               "model.pool: mean";
    }
    if (backbone == HN_BACKBONE_LIGHTGCN && train->model.pool == HN_POOL_UPPER && train->model.layers == 0) {
        return "model.pool upper is the mean of layers 1 to the last, of which model.layers 0 has none: set "
               "model.layers to "
               "at least 1, or model.pool: mean";
    }
    if (backbone == HN_BACKBONE_NGCF && train->model.pool != HN_POOL_MEAN) {
        return "model.pool is for model.backbone lightgcn, sgl and dgcf: NGCF puts layers side by side; set "
               "model.pool: mean";
    }
    return NULL;
}

const char *hn_train_conflict(const HnTrainConfig *train, const char **key) {
    const bool in_batch = train->sampler.name == HN_SAMPLER_IN_BATCH;
    if (in_batch && train->sampler.draw_from == HN_DRAW_ALL) {
        *key = "sampler.draw_from";
        return "sampler.draw_from all is for samplers that draw items, and sampler.name in_batch draws none: set "
               "sampler.draw_from: outside";
    }
    if (in_batch && train->train.batch < 2) {
        *key = "train.batch";
        return "sampler.name in_batch takes negatives from the other pairs of the batch: set train.batch to at least 2";
    }
    if (train->model.backbone == HN_BACKBONE_DGCF && train->model.dim % train->dgcf.factors != 0) {
        *key = "dgcf.factors";
        return "dgcf.factors cuts a row into as many equal chunks: set it to a divisor of model.dim, or change "
               "model.dim";
    }
    const char *conflict = model_layers(train, key);
    conflict = conflict != NULL ? conflict : rows_of_l2(train, key);
    return conflict != NULL ? conflict : several_negatives(train, key);
}
