/* Damaged experiment files: whatever happens to the bytes, the loader accepts or explains, and leaks nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "write_file.h"

static const char *const whole =
    "name: mutant\nseeds: [1, 2]\ntrain: {epochs: 30, batch: 1e3}\ndata:\n  format: yelp\n  interactions: [\"a "
    "b.gz\"]\n"
    "  split_ratio: [0.7, 0.1, 0.2]\nllm:\n  http: {url: \"http://h:1\", key_env: MY_KEY}\neval.ks: &k [10, 20]\n"
    "compare:\n  - {name: \"one: \xc3\xa9\", model.backbone: mf}\n  - {name: two, semantic: {alpha: 0.7}, eval: {ks: "
    "*k}}\n";

/* One blow or three: a byte changed, a piece dropped, a piece repeated, a character with a meaning put in. */
static void damage(HnRng *rng, char *text, size_t *length, size_t room) {
    static const char special[] = "{}[]:,-&*!|>'\"%@`#\n\t ~?.0\x80\xff";
    for (uint32_t blows = hn_rng_below(rng, 3) == 0 ? 3 : 1; blows > 0 && *length > 2; blows--) {
        size_t at = hn_rng_below(rng, (uint32_t)*length);
        size_t span = 1 + hn_rng_below(rng, 20);
        span = at + span > *length ? *length - at : span;
        switch (hn_rng_below(rng, 4)) {
        case 0:
            text[at] = (char)(1 + hn_rng_below(rng, 255));
            break;
        case 1:
            memmove(text + at, text + at + span, *length - at - span + 1);
            *length -= span;
            break;
        case 2:
            if (*length + span < room) {
                memmove(text + at + span, text + at, *length - at + 1);
                *length += span;
            }
            break;
        default:
            text[at] = special[hn_rng_below(rng, sizeof special - 1)];
            break;
        }
    }
}

static void damaged_files_are_explained(void **state) {
    (void)state;
    int n_accepted = 0, n_refused = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        char text[2048];
        size_t length = strlen(whole);
        HnRng rng;
        HnError err = HN_ERROR_INIT;
        HnExperiment *experiment = NULL;
        memcpy(text, whole, length + 1);
        hn_rng_start(&rng, 1, HN_STREAM_TEST, 0, i);
        damage(&rng, text, &length, sizeof text);
        HnStatus status = load_text(text, NULL, &experiment, &err);
        if (status == HN_OK) {
            char *yaml = NULL; /* what is accepted can be written down again */
            assert_int_equal(hn_experiment_dump(experiment, &yaml, &err), HN_OK);
            hn_free(yaml);
            hn_experiment_free(&experiment);
            n_accepted++;
        } else {
            assert_int_equal(status, HN_CONFIG);
            assert_null(experiment);
            assert_non_null(strstr(err.message, "x.yaml"));
            n_refused++;
        }
        assert_int_equal(hn_alloc_live_blocks(), 0);
    }
    if (n_accepted < 100 || n_refused < 100) { /* the blows would be too hard or too soft to tell anything */
        fail_msg("%d accepted, %d refused", n_accepted, n_refused);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_files_are_explained)};
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
