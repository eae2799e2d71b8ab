#include <math.h>
#include <stdbool.h>

#include "row.h"

/* The last lanes are padded with zeros up to a whole 16, as a masked vector load does. */
static float dot(const float *a, const float *b, int n) {
    float lane[16] = {0};
    for (int first = 0; first < n; first += 16) {
        for (int i = 0; i < 16; i++) {
            const bool there = first + i < n;
            lane[i] = fmaf(there ? a[first + i] : 0.0f, there ? b[first + i] : 0.0f, lane[i]);
        }
    }
    for (int apart = 8; apart >= 1; apart /= 2) {
        for (int i = 0; i < apart; i++) {
            lane[i] += lane[i + apart];
        }
    }
    return lane[0];
}

static void axpy(float *y, float alpha, const float *x, int n) {
    for (int i = 0; i < n; i++) {
        y[i] = fmaf(alpha, x[i], y[i]);
    }
}

static void scale(float *y, float alpha, const float *x, int n) {
    for (int i = 0; i < n; i++) {
        y[i] = alpha * x[i];
    }
}

static void mix(float *y, float alpha, const float *a, float beta, const float *b, int n) {
    for (int i = 0; i < n; i++) {
        y[i] = fmaf(alpha, a[i], beta * b[i]);
    }
}

const HnRowOps *hn_row_ops_ref(void) {
    static const HnRowOps ops = {dot, axpy, scale, mix};
    return &ops;
}
