#include "cf/sampler.h"

const HnSamplerOps *hn_sampler_ops(HnSamplerName name) {
    static const HnSamplerOps *const samplers[] = {
        [HN_SAMPLER_RNS] = &HN_SAMPLER_OPS_RNS, [HN_SAMPLER_SEMANTIC] = &HN_SAMPLER_OPS_SEMANTIC};
    return samplers[name];
}
