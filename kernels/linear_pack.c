/* Weights into strips, and single weights out of them. */
#include <math.h>

#include "base/half.h"
#include "linear_private.h"

/* The 16 levels of NF4 (Dettmers et al. 2023, appendix E), rounded to bf16 so that every path has the same weights:
 * quantiles of the normal distribution between -1 and 1, with an exact zero. */
const uint16_t HN_NF4[16] = {0xBF80, 0xBF32, 0xBF06, 0xBECA, 0xBE92, 0xBE3D, 0xBDBA, 0x0000,
                             0x3DA3, 0x3E25, 0x3E7C, 0x3EAD, 0x3EE2, 0x3F10, 0x3F39, 0x3F80};

static int64_t up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static const char *const type_names[] = {"f32", "f16", "bf16", "int8", "nf4"};

const char *hn_weight_type_name(HnWeightType type) {
    return type_names[type];
}

bool hn_weight_type_find(const char *name, HnWeightType *type) {
    for (int t = HN_WEIGHT_F32; t <= HN_WEIGHT_NF4; t++) {
        if (strcmp(name, type_names[t]) == 0) {
            *type = (HnWeightType)t;
            return true;
        }
    }
    return false;
}

HnLinearLayout hn_linear_layout(HnWeightType type, int64_t n, int64_t k) {
    HnLinearLayout layout = {.block = HN_LINEAR_RUN, .n_strips = up(n, HN_STRIP)};
    if (type == HN_WEIGHT_INT8) {
        layout.block = HN_INT8_BLOCK;
        layout.scale_bytes = HN_STRIP * sizeof(float);
    } else if (type == HN_WEIGHT_NF4) {
        layout.block = HN_NF4_BLOCK;
        layout.scale_bytes = HN_STRIP;
        layout.n_groups = up(up(k, HN_NF4_BLOCK), HN_LINEAR_GROUP);
    }
    const int64_t padded = type == HN_WEIGHT_BF16 ? up(k, HN_LINEAR_K_PAD) * HN_LINEAR_K_PAD : k;
    layout.n_blocks = up(k, layout.block);
    layout.pair_bytes = hn_linear_pair_bytes(type);
    layout.header_bytes = (size_t)layout.n_groups * 2 * HN_STRIP * sizeof(float);
    layout.run_bytes =
        (size_t)(HN_LINEAR_RUN / layout.block) * layout.scale_bytes + HN_LINEAR_RUN / 2 * layout.pair_bytes;
    layout.strip_bytes =
        layout.header_bytes + (size_t)layout.n_blocks * layout.scale_bytes + (size_t)up(padded, 2) * layout.pair_bytes;
    return layout;
}

size_t hn_linear_run_scales(const HnLinearLayout *layout, int64_t run) {
    const int64_t blocks = HN_LINEAR_RUN / layout->block, left = layout->n_blocks - run * blocks;
    return (size_t)(left < blocks ? left : blocks) * layout->scale_bytes;
}

size_t hn_weight_bytes(HnWeightType type, int64_t n, int64_t k) {
    const HnLinearLayout layout = hn_linear_layout(type, n, k);
    return (size_t)layout.n_strips * layout.strip_bytes;
}

static unsigned char *strip_of(const HnWeight *weight, const HnLinearLayout *layout, int64_t row) {
    return (unsigned char *)weight->bytes + (size_t)(row / HN_STRIP) * layout->strip_bytes;
}

static unsigned char *run_of(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t run) {
    return strip_of(weight, layout, row) + layout->header_bytes + (size_t)run * layout->run_bytes;
}

/* A block's scales, 64 outputs, and its first pair. */
static unsigned char *scales_of(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t block) {
    const int64_t blocks = HN_LINEAR_RUN / layout->block;
    return run_of(weight, layout, row, block / blocks) + (size_t)(block % blocks) * layout->scale_bytes;
}

static unsigned char *pairs_of(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t block) {
    const int64_t run = block * layout->block / HN_LINEAR_RUN, pair = block * layout->block % HN_LINEAR_RUN / 2;
    return run_of(weight, layout, row, run) + hn_linear_run_scales(layout, run) + (size_t)pair * layout->pair_bytes;
}

/* The first of the steps of a row's group of blocks; its leasts lie HN_STRIP behind. */
static float *group_of(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t group) {
    return (float *)(void *)strip_of(weight, layout, row) + 2 * HN_STRIP * group + row % HN_STRIP;
}

/* ---- reading ---- */

float hn_linear_scale(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t block) {
    const unsigned char *scales = scales_of(weight, layout, row, block);
    const int64_t column = row % HN_STRIP;
    if (weight->type == HN_WEIGHT_INT8) {
        return ((const float *)(const void *)scales)[column];
    }
    if (weight->type == HN_WEIGHT_NF4) {
        const float *group = group_of(weight, layout, row, block / HN_LINEAR_GROUP);
        return fmaf((float)scales[column], group[0], group[HN_STRIP]);
    }
    return 1.0f;
}

float hn_linear_pair_value(HnWeightType type, const void *pair, int64_t column, int64_t odd) {
    switch (type) {
    case HN_WEIGHT_F32:
        return ((const float *)pair)[odd * HN_STRIP + column];
    case HN_WEIGHT_F16:
        return hn_half_to_float(((const uint16_t *)pair)[odd * HN_STRIP + column]);
    case HN_WEIGHT_BF16:
        return hn_bf16_to_float(((const uint16_t *)pair)[2 * column + odd]);
    case HN_WEIGHT_INT8:
        return (float)((const int8_t *)pair)[2 * column + odd];
    default:
        return hn_bf16_to_float(HN_NF4[((const uint16_t *)pair)[2 * (column % 16) + odd] >> column / 16 * 4 & 15]);
    }
}

float hn_linear_value(const HnWeight *weight, const HnLinearLayout *layout, int64_t row, int64_t input) {
    const unsigned char *block = pairs_of(weight, layout, row, input / layout->block);
    const int64_t pair = input % layout->block / 2;
    return hn_linear_pair_value(weight->type, block + (size_t)pair * layout->pair_bytes, row % HN_STRIP, input % 2);
}

void hn_weight_row(const HnWeight *weight, int64_t row, float *out) {
    const HnLinearLayout layout = hn_linear_layout(weight->type, weight->n, weight->k);
    for (int64_t block = 0; block < layout.n_blocks; block++) {
        const float scale = hn_linear_scale(weight, &layout, row, block);
        const int64_t end = (block + 1) * layout.block < weight->k ? (block + 1) * layout.block : weight->k;
        for (int64_t l = block * layout.block; l < end; l++) {
            out[l] = scale * hn_linear_value(weight, &layout, row, l);
        }
    }
}

/* ---- writing ---- */

/* Inputs first .. first+n-1 of one row of the source. */
static void source_read(HnElement source, const void *rows, int64_t first, int64_t n, float *out) {
    const unsigned char *bytes = rows;
    if (source == HN_ELEMENT_F32) {
        memcpy(out, bytes + (size_t)first * sizeof(float), (size_t)n * sizeof(float));
        return;
    }
    uint16_t halves[HN_LINEAR_RUN];
    memcpy(halves, bytes + (size_t)first * sizeof halves[0], (size_t)n * sizeof halves[0]);
    if (source == HN_ELEMENT_F16) {
        hn_half_to_floats(halves, out, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        out[i] = hn_bf16_to_float(halves[i]);
    }
}

/* NaN wins, so that a bad weight is seen in the products. */
static float largest(const float *x, int64_t n) {
    float most = 0.0f;
    for (int64_t i = 0; i < n; i++) {
        most = fabsf(x[i]) <= most ? most : fabsf(x[i]);
        if (isnan(most)) {
            break;
        }
    }
    return most;
}

static void block_store(HnWeightType type, const float *x, int64_t n, int64_t column, void *pairs) {
    float *floats = pairs;
    uint16_t *halves = pairs;
    if (type == HN_WEIGHT_F32) {
        for (int64_t i = 0; i < n; i++) {
            floats[i * HN_STRIP + column] = x[i];
        }
    } else if (type == HN_WEIGHT_F16) {
        uint16_t rounded[HN_LINEAR_RUN];
        hn_half_from_floats(x, rounded, (size_t)n);
        for (int64_t i = 0; i < n; i++) {
            halves[i * HN_STRIP + column] = rounded[i];
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            halves[(i / 2 * HN_STRIP + column) * 2 + i % 2] = hn_bf16_from_float(x[i]);
        }
    }
}

/* Symmetric: the largest magnitude of the block becomes 127. */
static void block_store_int8(const float *x, int64_t n, int64_t column, void *scales, int8_t *pairs) {
    const float most = largest(x, n);
    ((float *)scales)[column] = most / 127.0f;
    for (int64_t i = 0; i < n; i++) {
        const float level = most > 0.0f && most < INFINITY ? x[i] / most * 127.0f : 0.0f;
        pairs[(i / 2 * HN_STRIP + column) * 2 + i % 2] = (int8_t)rintf(level);
    }
}

/* The nearest of the 16 levels. */
static unsigned nf4_level(float x) {
    unsigned level = 0;
    for (unsigned i = 0; i < 15; i++) {
        level += x > 0.5f * (hn_bf16_to_float(HN_NF4[i]) + hn_bf16_to_float(HN_NF4[i + 1]));
    }
    return level;
}

static void block_store_nf4(const float *x, int64_t n, float scale, int64_t column, uint16_t *pairs) {
    const unsigned shift = (unsigned)(column / 16 * 4);
    const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (int64_t i = 0; i < n; i++) {
        uint16_t *word = pairs + i / 2 * (HN_STRIP / 2) + 2 * (column % 16) + i % 2;
        *word = (uint16_t)((*word & ~(15u << shift)) | nf4_level(x[i] * inverse) << shift);
    }
}

/* Scales of up to 256 blocks, linear between their least and largest in 8 bits (the second quantisation of QLoRA). */
static void row_pack_nf4(HnWeight *weight, const HnLinearLayout *layout, HnElement source, const void *from,
                         int64_t row) {
    float x[HN_LINEAR_RUN], scales[HN_LINEAR_GROUP];
    for (int64_t group = 0; group < layout->n_groups; group++) {
        const int64_t first = group * HN_LINEAR_GROUP;
        const int64_t n = layout->n_blocks - first < HN_LINEAR_GROUP ? layout->n_blocks - first : HN_LINEAR_GROUP;
        float least = INFINITY, most = 0.0f;
        for (int64_t i = 0; i < n; i++) {
            const int64_t input = (first + i) * layout->block;
            const int64_t count = weight->k - input < layout->block ? weight->k - input : layout->block;
            source_read(source, from, input, count, x);
            scales[i] = largest(x, count);
            least = scales[i] < least ? scales[i] : least;
            most = isnan(most) || scales[i] <= most ? most : scales[i];
        }
        const float step = (most - least) / 255.0f;
        float *place = group_of(weight, layout, row, group);
        place[0] = step;
        place[HN_STRIP] = least;
        for (int64_t i = 0; i < n; i++) {
            const int64_t input = (first + i) * layout->block;
            const int64_t count = weight->k - input < layout->block ? weight->k - input : layout->block;
            unsigned char *code = scales_of(weight, layout, row, first + i) + row % HN_STRIP;
            const float level = step > 0.0f ? (scales[i] - least) / step : 0.0f;
            *code = (unsigned char)(level <= 255.0f ? rintf(level) : 255.0f);
            source_read(source, from, input, count, x);
            block_store_nf4(x, count, fmaf((float)*code, step, least), row % HN_STRIP,
                            (uint16_t *)(void *)pairs_of(weight, layout, row, first + i));
        }
    }
}

static void row_pack(HnWeight *weight, const HnLinearLayout *layout, HnElement source, const void *from, int64_t row) {
    if (weight->type == HN_WEIGHT_NF4) {
        row_pack_nf4(weight, layout, source, from, row);
        return;
    }
    float x[HN_LINEAR_RUN];
    for (int64_t block = 0; block < layout->n_blocks; block++) {
        const int64_t first = block * layout->block;
        const int64_t n = weight->k - first < layout->block ? weight->k - first : layout->block;
        unsigned char *pairs = pairs_of(weight, layout, row, block);
        source_read(source, from, first, n, x);
        if (weight->type == HN_WEIGHT_INT8) {
            block_store_int8(x, n, row % HN_STRIP, scales_of(weight, layout, row, block), (int8_t *)pairs);
        } else {
            block_store(weight->type, x, n, row % HN_STRIP, pairs);
        }
    }
}

/* A strip belongs to one thread: nf4 outputs share words. */
void hn_weight_pack(HnWeight *weight, HnElement source, const void *rows, int64_t row0, int64_t n_rows) {
    const HnLinearLayout layout = hn_linear_layout(weight->type, weight->n, weight->k);
    const size_t row_bytes = (size_t)weight->k * (source == HN_ELEMENT_F32 ? sizeof(float) : sizeof(uint16_t));
    const int64_t strip0 = row0 / HN_STRIP, strip1 = up(row0 + n_rows, HN_STRIP);
#pragma omp parallel for schedule(static)
    for (int64_t strip = strip0; strip < strip1; strip++) {
        const int64_t first = strip * HN_STRIP > row0 ? strip * HN_STRIP : row0;
        const int64_t end = (strip + 1) * HN_STRIP < row0 + n_rows ? (strip + 1) * HN_STRIP : row0 + n_rows;
        for (int64_t row = first; row < end; row++) {
            row_pack(weight, &layout, source, (const unsigned char *)rows + (size_t)(row - row0) * row_bytes, row);
        }
    }
}
