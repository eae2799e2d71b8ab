/* Chats as token ids, with real tokenizers, against the reference libraries'. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "folder.h"
#include "llm/tokenizer/chat_private.h"

enum { MOST_TURNS = 16 };
static json_t *golden, *chats;

static void compare(const json_t *one, const HnTokenizer *tokenizer) {
    HnChatTurn turns[MOST_TURNS];
    HnChat *chat = NULL;
    HnTokens tokens = {0};
    HnError err = HN_ERROR_INIT;
    size_t number = (size_t)json_integer_value(json_object_get(one, "chat"));
    const json_t *conversation = json_array_get(json_object_get(chats, "chats"), number);
    const json_t *ids = json_object_get(one, "ids");
    size_t n = json_array_size(conversation);
    assert_true(n > 0 && n <= MOST_TURNS);
    for (size_t i = 0; i < n; i++) {
        const json_t *turn = json_array_get(conversation, i);
        turns[i] = (HnChatTurn){json_string_value(json_array_get(turn, 0)), json_string_value(json_array_get(turn, 1))};
    }
    const HnChatTemplate *known = hn_chat_template_find(json_string_value(json_object_get(one, "template")));
    assert_non_null(known);
    folder_expect(hn_chat_open_known(known, tokenizer, &chat, &err), HN_OK, &err, NULL);
    HnStatus status = hn_chat_render(chat, turns, n, true, &tokens, &err);
    if (status == HN_OK) { /* test_chat says what may be refused */
        bool same = tokens.n == json_array_size(ids);
        for (size_t i = 0; same && i < tokens.n; i++) {
            same = tokens.ids[i] == (uint32_t)json_integer_value(json_array_get(ids, i));
        }
        if (!same) {
            print_error("%s, chat %zu: %zu ids, not %zu\n", known->name, number, tokens.n, json_array_size(ids));
        }
        assert_true(same);
    } else {
        assert_int_equal(status, HN_INPUT);
    }
    hn_tokens_free(&tokens);
    hn_chat_close(&chat);
}

static void of_folder(const char *name) {
    HnTokenizer *tokenizer = NULL;
    HnError err = HN_ERROR_INIT;
    const char *folder = folder_shared_or_skip(name);
    size_t n = 0;
    folder_expect(hn_tokenizer_open(folder, &tokenizer, &err), HN_OK, &err, NULL);
    const json_t *cases = json_object_get(golden, "cases");
    for (size_t k = 0; k < json_array_size(cases); k++) {
        const json_t *one = json_array_get(cases, k);
        if (strcmp(json_string_value(json_object_get(one, "folder")), name) == 0) {
            compare(one, tokenizer);
            n++;
        }
    }
    assert_true(n > 30);
    hn_tokenizer_close(&tokenizer);
}

static void qwen(void **state) {
    (void)state;
    of_folder("tokenizer-qwen");
}

static void llama2(void **state) {
    (void)state;
    of_folder("tokenizer-llama2");
}

static void llama3(void **state) {
    (void)state;
    of_folder("tokenizer-llama3");
}

static int open_all(void **state) {
    (void)state;
    golden = json_load_file(HN_SOURCE_DIR "/tests/fixtures/golden/chat_ids.json", 0, NULL);
    chats = json_load_file(HN_SOURCE_DIR "/tests/fixtures/golden/chat.json", 0, NULL);
    return golden == NULL || chats == NULL ? -1 : 0;
}

static int close_all(void **state) {
    (void)state;
    json_decref(golden);
    json_decref(chats);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(qwen), cmocka_unit_test(llama2), cmocka_unit_test(llama3)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
