/* Angles of the rotary embedding at far positions, for the settings of released models, against transformers'. */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "llm/model/lm_private.h"

enum { N_SETTINGS = 3, N_POSITIONS = 6, ROTARY = 128 };

static void angles_agree(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnTensors *tensors = NULL;
    HnTensor tensor;
    static float expected[N_SETTINGS][N_POSITIONS][ROTARY], angles[N_POSITIONS][ROTARY];
    const int32_t positions[N_POSITIONS] = {1, 100, 4095, 8192, 32767, 131071};
    const uint64_t dims[3] = {N_SETTINGS, N_POSITIONS, ROTARY};
    HnLmConfig configs[N_SETTINGS] = {
        {.rope = {.theta = 1e6, .rotary = ROTARY}},
        {.rope = {.theta = 1e4, .rotary = ROTARY, .scaling = HN_ROPE_LINEAR, .factor = 4.0}},
        {.rope = {.theta = 5e5,
                  .rotary = ROTARY,
                  .scaling = HN_ROPE_LLAMA3,
                  .factor = 8.0,
                  .low_freq_factor = 1.0,
                  .high_freq_factor = 4.0,
                  .original_positions = 8192}}};
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/expected", fixture_case("rope"));
    if (hn_tensors_open(folder, &tensors, &err) != HN_OK ||
        hn_tensors_take(tensors, "angles", 3, dims, &tensor, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    memcpy(expected, tensor.bytes, sizeof expected);
    hn_tensors_close(&tensors);
    for (int s = 0; s < N_SETTINGS; s++) {
        float inv_freq[ROTARY / 2];
        hn_lm_rope_frequencies(&configs[s], inv_freq);
        hn_lm_rope_angles(N_POSITIONS, ROTARY, inv_freq, positions, angles[0]);
        double most = 0.0;
        for (int p = 0; p < N_POSITIONS; p++) {
            double off = 0.0;
            for (int i = 0; i < ROTARY; i++) {
                off = fmax(off, fabs((double)angles[p][i] - (double)expected[s][p][i]));
            }
            print_message("setting %d, position %d: largest difference %.1e\n", s, positions[p], off);
            most = fmax(most, off);
        }
        /* A frequency may be rounded otherwise by one bit; angles from double precision would be off by 1e-3. */
        assert_true(most <= 1e-5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(angles_agree)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
