/* The tokenizers of the models themselves, where they are at hand: the ids of the reference libraries on 1.2 MB of the
 * nasty corpus and around every code point. Skips what is absent. */
#include <jansson.h>

#include "../../hdf5_schemas/cmocka_all.h"
#include "folder.h"
#include "golden.h"
#include "llm/tokenizer/tokenizer.h"

static void same_ids(void **state) {
    golden_check(*state, folder_shared_or_skip(*state));
}

/* Five prompts with the ids of Meta's own tokenizer, from llama2.c. */
static void llama2_cases(void **state) {
    (void)state;
    json_error_t where;
    HnError err = HN_ERROR_INIT;
    HnTokenizer *tokenizer = NULL;
    HnTokens tokens = {0};
    json_t *cases = json_load_file(folder_shared_or_skip("tokenizer-llama2/encode_cases.json"), 0, &where), *one;
    assert_non_null(cases);
    ASSERT_OK(hn_tokenizer_open(folder_shared_or_skip("tokenizer-llama2"), &tokenizer, &err), &err);
    size_t i;
    assert_int_equal(json_array_size(cases), 5);
    json_array_foreach(cases, i, one) {
        const json_t *text = json_object_get(one, "text"), *ids = json_object_get(one, "ids");
        tokens.n = 0;
        ASSERT_OK(
            hn_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), true, &tokens, &err),
            &err);
        assert_int_equal(tokens.n, json_array_size(ids));
        for (size_t j = 0; j < tokens.n; j++) {
            assert_int_equal(tokens.ids[j], json_integer_value(json_array_get(ids, j)));
        }
    }
    hn_tokens_free(&tokens);
    hn_tokenizer_close(&tokenizer);
    json_decref(cases);
}

int main(void) {
    static char names[][24] = {"tokenizer-llama2", "tokenizer-llama3", "tokenizer-qwen", "tokenizer-gpt2",
                               "tokenizer-bert-uncased"};
    enum { N_NAMES = sizeof names / sizeof names[0] };
    struct CMUnitTest tests[N_NAMES + 1];
    if (folder_shared("README.md") == NULL) {
        print_message("SKIP: no shared data; set HNLMREC_TEST_DATA to its folder\n");
        return 77;
    }
    for (size_t i = 0; i < N_NAMES; i++) {
        tests[i] = (struct CMUnitTest){names[i], same_ids, NULL, NULL, names[i]};
    }
    tests[N_NAMES] = (struct CMUnitTest)cmocka_unit_test(llama2_cases);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
