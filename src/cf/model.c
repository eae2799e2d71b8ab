#include "cf/model.h"

const HnModelOps *hn_model_ops(HnBackboneName backbone) {
    static const HnModelOps *const models[] = {
        [HN_BACKBONE_MF] = &HN_MODEL_MF, [HN_BACKBONE_LIGHTGCN] = &HN_MODEL_LIGHTGCN};
    return models[backbone];
}
