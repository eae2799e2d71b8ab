/* Softmax over the drawn negatives of a pair (Wu et al. 2023, BSL's SL): with c the cosines of the user's vector,
 *
 *     -c_p / tau + ln sum_k exp(c_k / tau)        the positive is not in the denominator
 *
 * Of vector x with z = x / |x| a slope s of the cosine with z_u gives d x = s (z_u - c z) / |x|. */
#include <math.h>

#include "cf/loss.h"
#include "cf/rows.h"
#include "row.h"

typedef struct Vector {
    const float *x;
    float inverse; /* of its length */
    float cosine;  /* with the user */
} Vector;

static Vector vector_of(const HnRowOps *ops, const float *x, const Vector *user, int n) {
    const float inverse = 1.0f / hn_row_length(x, n);
    return (Vector){x, inverse, user == NULL ? 1.0f : ops->dot(user->x, x, n) * user->inverse * inverse};
}

/* An item's gradient, and what its cosine adds to the user's. */
static void through_cosine(const HnRowOps *ops, const Vector *user, const Vector *item, float slope, float *d_user,
                           float *d_item, int n) {
    const float both = slope * user->inverse * item->inverse, own = slope * item->cosine;
    ops->mix(d_item, both, user->x, -own * item->inverse * item->inverse, item->x, n);
    ops->axpy(d_user, both, item->x, n);
    ops->axpy(d_user, -own * user->inverse * user->inverse, user->x, n);
}

float hn_loss_sampled_softmax(HnBatch *batch, uint32_t k, const HnRanking *ranking) {
    const HnRowOps *ops = hn_row_ops_cpu();
    const int dim = batch->width, n = batch->negatives;
    const size_t d = (size_t)dim, first = (size_t)k * (size_t)n;
    const float tau = ranking->tau, scale = 1.0f / (tau * ranking->divisor);
    const float *negatives = batch->negative_vectors + first * d;
    const Vector user = vector_of(ops, batch->user_vectors + (size_t)batch->user_row[k] * d, NULL, dim);
    const Vector positive = vector_of(ops, batch->item_vectors + (size_t)batch->positive_row[k] * d, &user, dim);
    Vector vectors[HN_MOST_NEGATIVES];
    float shares[HN_MOST_NEGATIVES], top = -1.0f, sum = 0.0f, *d_user = batch->d_user + (size_t)k * d;
    for (int m = 0; m < n; m++) {
        vectors[m] = vector_of(ops, negatives + (size_t)m * d, &user, dim);
        top = fmaxf(top, vectors[m].cosine);
    }
    for (int m = 0; m < n; m++) {
        shares[m] = expf((vectors[m].cosine - top) / tau);
        sum += shares[m];
    }
    ops->scale(d_user, 0.0f, user.x, dim);
    through_cosine(ops, &user, &positive, -scale, d_user, batch->d_positive + (size_t)k * d, dim);
    for (int m = 0; m < n; m++) {
        through_cosine(ops, &user, &vectors[m], scale * shares[m] / sum, d_user,
                       batch->d_negative + (first + (size_t)m) * d, dim);
    }
    return (top - positive.cosine) / tau + logf(sum);
}
