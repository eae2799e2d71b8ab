#include "cf/sampler.h"

#include "cf/model.h"

const HnSamplerOps *hn_sampler_ops(HnSamplerName name) {
    static const HnSamplerOps *const samplers[] = {
        [HN_SAMPLER_RNS] = &HN_SAMPLER_OPS_RNS,
        [HN_SAMPLER_SEMANTIC] = &HN_SAMPLER_OPS_SEMANTIC,
        [HN_SAMPLER_POPULARITY] = &HN_SAMPLER_OPS_POPULARITY,
        [HN_SAMPLER_DNS] = &HN_SAMPLER_OPS_DNS,
        [HN_SAMPLER_AHNS] = &HN_SAMPLER_OPS_AHNS,
        [HN_SAMPLER_MIXGCF] = &HN_SAMPLER_OPS_MIXGCF,
        [HN_SAMPLER_DINS] = &HN_SAMPLER_OPS_DINS,
        [HN_SAMPLER_IN_BATCH] = &HN_SAMPLER_OPS_IN_BATCH,
    };
    return samplers[name];
}

int hn_sampler_negatives(const HnTrainConfig *config) {
    const bool all = config->sampler.name == HN_SAMPLER_DNS && config->sampler.mn == HN_DNS_ALL;
    return (int)(all ? config->sampler.pick : config->sampler.negatives);
}

HnBatchShape hn_batch_shape(const HnTrainConfig *config) {
    const bool by_hop = hn_sampler_ops(config->sampler.name)->by_hop;
    const int hops = hn_model_hops(config), negatives = hn_sampler_negatives(config);
    const HnRegRows rows = config->train.reg_rows;
    const bool of_layers = hops > 1 && (rows == HN_ROWS_LAYER1 || rows == HN_ROWS_LAYERS);
    return (HnBatchShape){.dim = (int)config->model.dim,
                          .width = hn_model_width(config),
                          .hops = by_hop ? hops : 0,
                          .row_hops = of_layers ? hops : 0,
                          .l2_hop = of_layers && rows == HN_ROWS_LAYER1 ? 1 : 0,
                          .l2_hops = of_layers && rows == HN_ROWS_LAYERS ? hops : 1,
                          .negatives = negatives,
                          .draws = by_hop ? negatives * hops : negatives,
                          .draw_all = config->sampler.draw_from == HN_DRAW_ALL,
                          .repeats = config->train.epoch_unit != HN_EPOCH_EDGE};
}
