#include "cf/metrics.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sorted.h"
#include "base/text.h"

const char *const HN_METRIC_NAMES[HN_N_METRICS] = {"recall", "ndcg", "precision", "hit", "mrr"};

size_t hn_metrics_count(const HnIntList *ks) {
    return HN_N_METRICS * ks->n;
}

char *hn_metrics_name(const HnIntList *ks, size_t i, HnError *err) {
    HnText text = {0};
    if (hn_text_printf(&text, err, "%s@%lld", HN_METRIC_NAMES[i / ks->n], (long long)ks->items[i % ks->n]) != HN_OK) {
        hn_text_free(&text);
        return NULL;
    }
    return text.data;
}

HnStatus hn_metrics_find(const HnIntList *ks, const char *name, size_t *found, HnError *err) {
    for (size_t i = 0; i < hn_metrics_count(ks); i++) {
        char *candidate = hn_metrics_name(ks, i, err);
        if (candidate == NULL) {
            return HN_MEMORY;
        }
        bool same = strcmp(candidate, name) == 0;
        hn_free(candidate);
        if (same) {
            *found = i;
            return HN_OK;
        }
    }
    return hn_fail(err, HN_CONFIG,
                   "train.stop_metric is \"%s\": write recall, ndcg, precision, hit or mrr, then @ and one of eval.ks",
                   name);
}

void hn_metrics_user(const int32_t *top, int n_top, const int32_t *targets, uint64_t n_targets, const HnIntList *ks,
                     double *out) {
    const size_t n_ks = ks->n;
    for (size_t j = 0; j < n_ks; j++) {
        const int64_t k = ks->items[j];
        double hits = 0.0, gain = 0.0, ideal = 0.0, first = 0.0;
        for (int64_t place = 1; place <= k; place++) {
            double weight = 1.0 / log2((double)place + 1.0);
            ideal += (uint64_t)place <= n_targets ? weight : 0.0;
            if (place <= n_top && top[place - 1] >= 0 && hn_sorted_has(targets, n_targets, top[place - 1])) {
                hits += 1.0;
                gain += weight;
                first = first > 0.0 ? first : 1.0 / (double)place;
            }
        }
        out[0 * n_ks + j] = hits / (double)n_targets;
        out[1 * n_ks + j] = gain / ideal;
        out[2 * n_ks + j] = hits / (double)k;
        out[3 * n_ks + j] = hits > 0.0 ? 1.0 : 0.0;
        out[4 * n_ks + j] = first;
    }
}
