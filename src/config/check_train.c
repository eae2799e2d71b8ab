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
    if (train->model.backbone == HN_BACKBONE_SGL && train->model.pool == HN_POOL_FINAL) {
        *key = "model.pool";
        return "model.pool final does not go with model.backbone sgl, whose views are of all layers together: set "
               "model.pool: mean";
    }
    return NULL;
}
