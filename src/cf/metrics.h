/* Ranking metrics of one user, at several cut-offs k at once.
 *
 *     recall = hits/|T|   precision = hits/k   hit = 1 if any   mrr = 1/place of the first hit, 0 if none within k
 *     ndcg = sum over hits 1/log2(place+1)  /  sum over places 1 .. min(k,|T|) of the same
 *
 * T: the user's items in the part under test; places count from 1.
 */
#ifndef HN_CF_METRICS_H
#define HN_CF_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/experiment.h"

enum { HN_N_METRICS = 5 };
extern const char *const HN_METRIC_NAMES[HN_N_METRICS]; /* recall ndcg precision hit mrr */

/* Number of values for these cut-offs; value i = metric i / n_ks at ks[i % n_ks]. */
size_t hn_metrics_count(const HnIntList *ks);
/* "recall@20"; hn_free it. */
char *hn_metrics_name(const HnIntList *ks, size_t i, HnError *err);
/* Which value a name means; HN_CONFIG with the known names otherwise. */
HnStatus hn_metrics_find(const HnIntList *ks, const char *name, size_t *i, HnError *err);

/* top: ranked items, best first, -1 = no more. targets ascending, n_targets > 0. out [hn_metrics_count]. */
void hn_metrics_user(const int32_t *top, int n_top, const int32_t *targets, uint64_t n_targets, const HnIntList *ks,
                     double *out);

#endif
