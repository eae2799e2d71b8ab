/* DGCF's loss of its own: factors are to be independent, so the distance correlation (Szekely et al. 2007) of the
 * chunks f and f + 1 of drawn users' and items' final vectors is a loss:
 *
 *     cor = 1 / (F (F + 1) / 2) * sum over f of dCov(f, f+1) / (sqrt(dCov(f, f) dCov(f+1, f+1)) + 1e-10)
 *     dCov(f, g) = sqrt(max(sum of C_f * C_g / n^2, 0) + 1e-8)
 *
 * C_f: the matrix of sqrt(|x_i - x_j|^2 + 1e-8), minus the means of its rows and columns, plus the mean of all. The
 * paper sums over all pairs of factors; the code over neighbours, divided by the number of all pairs with a factor's
 * pair with itself. This is the code's. Every rank computes it from the same rows, in double.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "cf/models/dgcf_private.h"
#include "cf/sums.h"

static const double LEAST_SQUARE = 1e-8, LEAST_PRODUCT = 1e-10;

/* Users and items of the step, without replacement. */
static void draw(Dgcf *model, uint64_t step) {
    const uint64_t n_of[2] = {model->context.shards->n_users, model->n_items};
    for (uint32_t side = 0; side < 2; side++) {
        HnPermutation permutation;
        hn_permutation_start(&permutation, n_of[side], model->context.seed, HN_STREAM_CORRELATION,
                             2 * (uint32_t)step + side);
        for (uint64_t k = 0; k < model->n_drawn; k++) {
            model->drawn[side * model->n_drawn + k] = (int32_t)hn_permute(&permutation, k);
        }
    }
}

/* Final vectors of the drawn rows, on every rank: a user's is zero but on one. */
static HnStatus gather(Dgcf *model, HnError *err) {
    const uint64_t dim = (uint64_t)model->context.dim, n = model->n_drawn;
    memset(model->drawn_rows, 0, n * dim * sizeof(float));
    for (uint64_t k = 0; k < n; k++) {
        const int64_t user = (int64_t)model->drawn[k] - (int64_t)model->context.users->first_row;
        if (user >= 0 && (uint64_t)user < model->n_users) {
            hn_dgcf_pool(model, true, (uint64_t)user, model->drawn_rows + k * dim);
        }
        hn_dgcf_pool(model, false, (uint64_t)model->drawn[n + k], model->drawn_rows + (n + k) * dim);
    }
    return hn_comm_sum_f32(model->context.comm, model->drawn_rows, n * dim, err);
}

/* Distances between chunks f of all drawn rows, and the same centred. */
static void distances(Dgcf *model, int f, double *distance, double *centred) {
    const int64_t n = 2 * (int64_t)model->n_drawn;
    const int64_t dim = model->context.dim, chunk = dim / model->factors;
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t i = 0; i < n; i++) { /* one half, and its mirror image */
        const float *x = model->drawn_rows + i * dim + f * chunk;
        for (int64_t j = i; j < n; j++) {
            const float *y = model->drawn_rows + j * dim + f * chunk;
            double square = 0.0;
            for (int64_t c = 0; c < chunk; c++) {
                const double apart = (double)(x[c] - y[c]);
                square += apart * apart;
            }
            distance[i * n + j] = distance[j * n + i] = sqrt(square + LEAST_SQUARE);
        }
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        double total = 0.0;
        for (int64_t j = 0; j < n; j++) {
            total += distance[i * n + j];
        }
        model->means[i] = total / (double)n;
    }
    double mean = 0.0;
    for (int64_t i = 0; i < n; i++) {
        mean += model->means[i] / (double)n;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            centred[i * n + j] = distance[i * n + j] - model->means[i] - model->means[j] + mean;
        }
    }
}

static double covariance(Dgcf *model, const double *a, const double *b) {
    const int64_t n = 2 * (int64_t)model->n_drawn;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        double total = 0.0;
        for (int64_t j = i * n; j < (i + 1) * n; j++) {
            total += a[j] * b[j];
        }
        model->means[i] = total;
    }
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += model->means[i];
    }
    sum /= (double)n * (double)n;
    return sqrt((sum > 0.0 ? sum : 0.0) + LEAST_SQUARE);
}

/* d_drawn's chunk f += by_own * the gradient of sum(C_f C_f) / 2 plus by_other * that of sum(C_f C_other). */
static void spread(Dgcf *model, int f, const double *distance, const double *own, double by_own, const double *other,
                   double by_other) {
    const int64_t n = 2 * (int64_t)model->n_drawn;
    const int64_t dim = model->context.dim, chunk = dim / model->factors;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const float *x = model->drawn_rows + i * dim + f * chunk;
        double *d = model->d_row + i * dim; /* a row a thread */
        memset(d, 0, (size_t)chunk * sizeof *d);
        for (int64_t j = 0; j < n; j++) {
            const float *y = model->drawn_rows + j * dim + f * chunk;
            const int64_t at = i * n + j;
            const double pull = 2.0 * (by_own * own[at] + by_other * other[at]) / distance[at];
            for (int64_t c = 0; c < chunk; c++) {
                d[c] += pull * ((double)x[c] - (double)y[c]);
            }
        }
        for (int64_t c = 0; c < chunk; c++) {
            model->d_drawn[i * dim + f * chunk + c] += (float)d[c];
        }
    }
}

/* Of one covariance by its sum of products: none where that is not above 0. */
static double slope(double covariance, double n) {
    return covariance * covariance > LEAST_SQUARE ? 1.0 / (2.0 * covariance * n * n) : 0.0;
}

/* The pair (f, f + 1), whose matrices are in places f % 2 and (f + 1) % 2. */
static double correlate(Dgcf *model, int f, double weight) {
    const int a = f % 2, b = 1 - a;
    const double n = 2.0 * (double)model->n_drawn;
    const double both = covariance(model, model->centred[a], model->centred[b]);
    const double first = covariance(model, model->centred[a], model->centred[a]);
    const double second = covariance(model, model->centred[b], model->centred[b]);
    const double root = sqrt(first * second), below = root + LEAST_PRODUCT;
    const double d_both = weight / below * slope(both, n), d_root = -weight * both / (below * below);
    spread(model, f, model->distances[a], model->centred[a], d_root * second / root * slope(first, n),
           model->centred[b], d_both);
    spread(model, f + 1, model->distances[b], model->centred[b], d_root * first / root * slope(second, n),
           model->centred[a], d_both);
    return weight * both / below;
}

HnStatus hn_dgcf_own_loss(void *state, HnBatch *batch, HnLossSums *sums, HnError *err) {
    Dgcf *model = state;
    const int factors = model->factors;
    if (model->n_drawn == 0) {
        return HN_OK;
    }
    draw(model, batch->step);
    HN_TRY(gather(model, err));
    memset(model->d_drawn, 0, 2 * model->n_drawn * (uint64_t)model->context.dim * sizeof(float));
    const double weight = model->context.config->dgcf.correlation / ((double)factors * (factors + 1) / 2.0);
    double loss = 0.0;
    distances(model, 0, model->distances[0], model->centred[0]);
    for (int f = 0; f + 1 < factors; f++) {
        distances(model, f + 1, model->distances[(f + 1) % 2], model->centred[(f + 1) % 2]);
        loss += correlate(model, f, weight);
    }
    model->has_own = true;
    sums->bad = sums->bad || !isfinite(loss);
    if (hn_comm_rank(model->context.comm) == 0 && isfinite(loss)) {
        sums->own += hn_loss_to_fixed(loss * (double)batch->n_used);
    }
    return HN_OK;
}
