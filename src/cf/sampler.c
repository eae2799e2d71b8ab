#include "cf/sampler.h"

const HnSamplerOps *hn_sampler_ops(HnSamplerName name) {
    static const HnSamplerOps *const samplers[] = {
        [HN_SAMPLER_RNS] = &HN_SAMPLER_OPS_RNS,
        [HN_SAMPLER_SEMANTIC] = &HN_SAMPLER_OPS_SEMANTIC,
        [HN_SAMPLER_POPULARITY] = &HN_SAMPLER_OPS_POPULARITY,
        [HN_SAMPLER_DNS] = &HN_SAMPLER_OPS_DNS,
        [HN_SAMPLER_AHNS] = &HN_SAMPLER_OPS_AHNS,
    };
    return samplers[name];
}
