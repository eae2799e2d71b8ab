#include "cf/model.h"

const HnModelOps *hn_model_ops(HnBackboneName backbone) {
    static const HnModelOps *const models[] = {[HN_BACKBONE_MF] = &HN_MODEL_MF,
                                               [HN_BACKBONE_LIGHTGCN] = &HN_MODEL_LIGHTGCN,
                                               [HN_BACKBONE_NGCF] = &HN_MODEL_NGCF,
                                               [HN_BACKBONE_SGL] = &HN_MODEL_SGL,
                                               [HN_BACKBONE_DGCF] = &HN_MODEL_DGCF};
    return models[backbone];
}

uint64_t hn_model_layers(const HnTrainConfig *config) {
    return config->model.backbone == HN_BACKBONE_MF ? 0 : (uint64_t)config->model.layers;
}

bool hn_model_on_host(const HnTrainConfig *config) {
    const bool whole = config->model.edge_dropout <= 0.0; /* host_items knows the whole graph's edges */
    return hn_model_ops(config->model.backbone)->on_host && hn_model_layers(config) > 0 && whole;
}

int hn_model_width(const HnTrainConfig *config) {
    return hn_model_ops(config->model.backbone)->width(config);
}

int hn_model_hops(const HnTrainConfig *config) {
    return (int)hn_model_layers(config) + 1;
}

float hn_model_hop_share(const HnTrainConfig *config, int hop) {
    const int n_hops = hn_model_hops(config);
    switch (config->model.pool) {
    case HN_POOL_MEAN:
        return 1.0f / (float)n_hops;
    case HN_POOL_SUM:
        return 1.0f;
    case HN_POOL_UPPER:
        return hop == 0 && n_hops > 1 ? 0.0f : 1.0f / (float)(n_hops > 1 ? n_hops - 1 : 1);
    case HN_POOL_FINAL:
        break;
    }
    return hop + 1 == n_hops ? 1.0f : 0.0f;
}

int hn_model_width_is_dim(const HnTrainConfig *config) {
    return (int)config->model.dim;
}

HnTable *hn_model_parameters(const HnModelOps *model, void *state) {
    return model->parameters != NULL ? model->parameters(state) : NULL;
}
