#include "cf/model.h"

const HnModelOps *hn_model_ops(HnBackboneName backbone) {
    static const HnModelOps *const models[] = {[HN_BACKBONE_MF] = &HN_MODEL_MF,
                                               [HN_BACKBONE_LIGHTGCN] = &HN_MODEL_LIGHTGCN,
                                               [HN_BACKBONE_NGCF] = &HN_MODEL_NGCF,
                                               [HN_BACKBONE_DGCF] = &HN_MODEL_DGCF};
    return models[backbone];
}

uint64_t hn_model_layers(const HnTrainConfig *config) {
    return config->model.backbone == HN_BACKBONE_MF ? 0 : (uint64_t)config->model.layers;
}

int hn_model_width(const HnTrainConfig *config) {
    return hn_model_ops(config->model.backbone)->width(config);
}

int hn_model_hops(const HnTrainConfig *config) {
    return (int)hn_model_layers(config) + 1;
}

int hn_model_width_is_dim(const HnTrainConfig *config) {
    return (int)config->model.dim;
}

HnTable *hn_model_parameters(const HnModelOps *model, void *state) {
    return model->parameters != NULL ? model->parameters(state) : NULL;
}
