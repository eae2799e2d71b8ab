/* The small tokenizers of tests/fixtures/tokenizers, one of each kind and form of files: the ids of the reference
 * libraries. */
#include "../../hdf5_schemas/cmocka_all.h"
#include "golden.h"

static void same_ids(void **state) {
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/tests/fixtures/tokenizers/%s", HN_SOURCE_DIR, (const char *)*state);
    golden_check(*state, folder);
}

int main(void) {
    static char names[][24] = {"sentencepiece", "sentencepiece-trim", "tiktoken",    "qwen",           "gpt2",
                               "wordpiece",     "json-bytes",         "json-pieces", "json-metaspace", "json-words"};
    enum { N_NAMES = sizeof names / sizeof names[0] };
    struct CMUnitTest tests[N_NAMES];
    for (size_t i = 0; i < N_NAMES; i++) {
        tests[i] = (struct CMUnitTest){names[i], same_ids, NULL, NULL, names[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
