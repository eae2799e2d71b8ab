/* AHNS (Lai et al., AAAI 2024): the candidate whose score is nearest to beta (s_p + alpha)^(p + 1), s_p the positive's
 * score, or by sampler.similarity of their cosines or squared distances, as the authors' code has it: positives that
 * score high get easier negatives. Of equally near ones the one drawn first. Near its pole the base is kept away from
 * 0. */
#include <math.h>

#include "cf/samplers/plain.h"
#include "score.h"

#define LEAST_BASE 1e-6

static double target(const HnTrainConfig *config, float positive) {
    double base = (double)positive + config->sampler.ahns_alpha, power = 1.0;
    const int64_t exponent = config->sampler.ahns_p + 1;
    if (fabs(base) < LEAST_BASE) {
        base = base < 0.0 ? -LEAST_BASE : LEAST_BASE;
    }
    for (int64_t i = 0; i < (exponent < 0 ? -exponent : exponent); i++) {
        power *= base;
    }
    return config->sampler.ahns_beta * (exponent < 0 ? 1.0 / power : power);
}

static int choose(const HnTrainConfig *config, const float *scores, int n, float positive, int which, HnRng *rng) {
    (void)which, (void)rng;
    return hn_score_nearest_cpu(scores, n, target(config, positive));
}

static void ahns_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    hn_candidates_choose(state, batch, finals, choose);
}

const HnSamplerOps HN_SAMPLER_OPS_AHNS = {.name = "ahns",
                                          .by_score = true,
                                          .create = hn_plain_create,
                                          .free = hn_plain_free,
                                          .bytes = hn_plain_bytes,
                                          .draw = ahns_draw,
                                          HN_PLAIN_SAMPLER};
