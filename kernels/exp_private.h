/* exp(x) = 2^k (1 + r + r^2 p(r)), k = round(x / ln 2), r = x - k ln 2 in two parts; p from Cephes (Moshier), expf. */
#ifndef HN_KERNEL_EXP_PRIVATE_H
#define HN_KERNEL_EXP_PRIVATE_H

#define HN_EXP_LEAST (-86.0f)
#define HN_EXP_MOST 88.0f
#define HN_EXP_LOG2E 1.44269504088896341f
#define HN_EXP_MAGIC 12582912.0f /* 1.5 * 2^23: added to a small number, its integer part stands in the low bits */
#define HN_EXP_LN2_HIGH 0.693359375f
#define HN_EXP_LN2_LOW (-2.12194440e-4f)

enum { HN_EXP_TERMS = 6 };
extern const float HN_EXP_P[HN_EXP_TERMS]; /* highest power first */

#endif
