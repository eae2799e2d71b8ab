/* Keys of a row that cannot stand together. */
#include "config/load.h"

const char *hn_train_conflict(const HnTrainConfig *train, const char **key) {
    const bool in_batch = train->sampler.name == HN_SAMPLER_IN_BATCH;
    if (train->loss.name == HN_LOSS_SOFTMAX && !in_batch) {
        *key = "loss.name";
        return "loss.name softmax compares each pair with all others of its batch: set sampler.name: in_batch, or "
               "loss.name: bpr";
    }
    if (in_batch && train->train.batch < 2) {
        *key = "train.batch";
        return "sampler.name in_batch takes negatives from the other pairs of the batch: set train.batch to at least 2";
    }
    const bool by_hop = train->sampler.name == HN_SAMPLER_MIXGCF || train->sampler.name == HN_SAMPLER_DINS;
    if (by_hop && train->train.reg == HN_REG_NORM) {
        *key = "train.reg";
        return "train.reg norm does not go with sampler.name mixgcf or dins, whose mixed rows are no rows of a table: "
               "set "
               "train.reg: sq_half";
    }
    const bool without_ego = train->model.pool == HN_POOL_FINAL || train->model.pool == HN_POOL_UPPER;
    if (train->model.backbone == HN_BACKBONE_SGL && without_ego) {
        *key = "model.pool";
        return "model.pool final and upper do not go with model.backbone sgl, whose views are of all layers together: "
               "set "
               "model.pool: mean";
    }
    if (train->model.backbone == HN_BACKBONE_LIGHTGCN && train->model.pool == HN_POOL_UPPER &&
        train->model.layers == 0) {
        *key = "model.pool";
        return "model.pool upper is the mean of layers 1 to the last, of which model.layers 0 has none: set "
               "model.layers to "
               "at least 1, or model.pool: mean";
    }
    if (train->model.backbone == HN_BACKBONE_NGCF && train->model.pool != HN_POOL_MEAN) {
        *key = "model.pool";
        return "model.pool is for model.backbone lightgcn and sgl: NGCF puts layers side by side; set model.pool: mean";
    }
    if (train->model.backbone == HN_BACKBONE_DGCF && train->model.dim % train->dgcf.factors != 0) {
        *key = "dgcf.factors";
        return "dgcf.factors cuts a row into as many equal chunks: set it to a divisor of model.dim, or change "
               "model.dim";
    }
    return NULL;
}
