#include "cf/model.h"

const HnModelOps *hn_model_ops(HnBackboneName backbone) {
    static const HnModelOps *const models[] = {
        [HN_BACKBONE_MF] = &HN_MODEL_MF, [HN_BACKBONE_LIGHTGCN] = &HN_MODEL_LIGHTGCN};
    return models[backbone];
}

uint64_t hn_model_layers(const HnTrainConfig *config) {
    return config->model.backbone == HN_BACKBONE_MF ? 0 : (uint64_t)config->model.layers;
}
