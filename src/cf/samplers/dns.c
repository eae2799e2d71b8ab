/* DNS (Zhang et al., SIGIR 2013): the candidate with the highest score; DNS(M,N) (Shi et al., WWW 2023):
 * all of the sampler.pick highest, with the sum of their losses, or by sampler.mn pick, AHNS's form, one of them at
 * random. Scores are of the final vectors before the step, the
 * choice is not differentiated; of equal scores the one drawn first counts as higher. */
#include "cf/samplers/plain.h"
#include "score.h"

/* Whether candidate a ranks above b. */
static bool above(const float *scores, int a, int b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
}

/* The candidate that has `rank` others above it: the best below the one found before, `rank` times. */
static int of_rank(const float *scores, int n, int rank) {
    int found = hn_score_largest_cpu(scores, n);
    for (int r = 0; r < rank; r++) {
        int best = -1;
        for (int m = 0; m < n; m++) {
            if (above(scores, found, m) && (best < 0 || above(scores, m, best))) {
                best = m;
            }
        }
        found = best < 0 ? 0 : best; /* none: not finite; the loss will say so */
    }
    return found;
}

static int choose(const HnTrainConfig *config, const float *scores, int n, float positive, int which, HnRng *rng) {
    (void)positive;
    if (config->sampler.mn == HN_DNS_ALL) {
        return of_rank(scores, n, which);
    }
    const uint32_t pick = (uint32_t)config->sampler.pick;
    return of_rank(scores, n, pick > 1 ? (int)hn_rng_below(rng, pick) : 0);
}

static void dns_draw(void *state, HnBatch *batch, const HnFinals *finals) {
    hn_candidates_choose(state, batch, finals, choose);
}

const HnSamplerOps HN_SAMPLER_OPS_DNS = {.name = "dns",
                                         .by_score = true,
                                         .create = hn_plain_create,
                                         .free = hn_plain_free,
                                         .bytes = hn_plain_bytes,
                                         .draw = dns_draw,
                                         HN_PLAIN_SAMPLER};
