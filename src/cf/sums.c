#include "cf/sums.h"

#include <math.h>
#include <string.h>

#define LOSS_UNITS 268435456.0 /* 2^28 */

HnStatus hn_agree_max(HnComm *comm, float *values, int n, bool *flag, HnError *err) {
    if (n > HN_AGREE_LIMIT) {
        return hn_fail(err, HN_INTERNAL, "hn_agree_max: %d values, at most %d", n, HN_AGREE_LIMIT);
    }
    int64_t bits[HN_AGREE_LIMIT + 1] = {0};
    for (int i = 0; i < n; i++) {
        float value = isfinite(values[i]) ? fabsf(values[i]) : INFINITY;
        int32_t word;
        memcpy(&word, &value, sizeof word);
        bits[i] = word;
    }
    bits[n] = flag != NULL && *flag;
    HN_TRY(hn_comm_max_i64(comm, bits, (size_t)n + 1, err));
    for (int i = 0; i < n; i++) {
        int32_t word = (int32_t)bits[i];
        memcpy(&values[i], &word, sizeof word);
    }
    if (flag != NULL) {
        *flag = bits[n] != 0;
    }
    return HN_OK;
}

int64_t hn_loss_to_fixed(double value) {
    return (int64_t)llrint(value * LOSS_UNITS);
}

double hn_loss_from_fixed(int64_t sum) {
    return (double)sum / LOSS_UNITS;
}

void hn_sum_add_row(int64_t *y, const int32_t *q, int n) {
    for (int i = 0; i < n; i++) {
        y[i] += (int64_t)q[i];
    }
}
