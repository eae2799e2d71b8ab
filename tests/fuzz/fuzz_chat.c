/* Chats of random turns and damaged texts over every kind of template, and template files of random bytes: tokens or a
 * status, never a crash; and what a user writes never becomes a special token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "byte_tokenizer.h"
#include "llm/tokenizer/chat_private.h"
#include "mutate.h"

enum { MOST_TURNS = 6, TEXT_BYTES = 400 };

static char folder[] = "/dev/shm/hn-fuzz-XXXXXX"; /* memory, where there is such a folder: more rounds */

/* One of each kind: ChatML, Qwen2.5, Qwen3, Llama 2, Llama 3.1, Mistral 0.1, 0.2, 0.3. */
static const char *const hashes[] = {"153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3",
                                     "cd8e9439f0570856fd70470bf8889ebd8b5d1107207f67a5efb46e342330527f",
                                     "a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8",
                                     "e8d5b5a546d3f19df16a5320c614fab05bdc4edd50e850f1afd947b503ea41cf",
                                     "e10ca381b1ccc5cf9db52e371f3b6651576caee0a630b452e2816b2d404d4b65",
                                     "7e995b379ec01747807246483647cd99030abf331653f1119e16d7ac041a3495",
                                     "796853172235ab3aaa4810013ddfe2eab481bda3306dad4f700c00d436eed596",
                                     "e16746b40344d6c5b5265988e0328a0bf7277be86f1c335156eae07e29c82826"};
enum { N_KINDS = sizeof hashes / sizeof hashes[0] };

static const HnTokenizer tokenizers[] = {
    {.specials = {"<|im_start|>", "<|im_end|>"}, .bos = -1, .eos = 257},
    {.specials = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     .bos = 256,
     .eos = 259},
    {.specials = {"<s>", "</s>", "[INST]", "[/INST]"}, .bos = 256, .eos = 257},
};

static const char seed_text[] = "<think>\n one </think>\n\n two</think> \xe3\x80\x80three\xc2\xa0\n<|im_end|><|eot_id|>"
                                "[/INST]</s><s>[INST] <<SYS>>\n<tool_response>four</tool_response>\n\n\x1c ";

static bool wrong(const char *what, const HnError *err) {
    printf("%s: %s\n", what, err->message);
    return false;
}

static void random_text(HnRng *rng, char text[2 * TEXT_BYTES + 4096]) {
    size_t n = sizeof seed_text - 1;
    memcpy(text, seed_text, n);
    n = mutate(rng, text, n);
    text[n] = '\0'; /* a hole inside ends it early: texts are strings */
}

/* Specials: how many the turns give cause for, and where a chat begins. */
static bool specials_are_right(const HnTokens *tokens, size_t n_turns) {
    size_t n = 0;
    for (size_t i = 0; i < tokens->n; i++) {
        n += tokens->ids[i] >= 256;
    }
    return n <= 4 * (n_turns + 2);
}

static bool render(HnRng *rng, char texts[MOST_TURNS][2 * TEXT_BYTES + 4096]) {
    static const char *const roles[] = {"user", "assistant", "system", "tool"};
    const HnChatTemplate *model = hn_chat_template_find(hashes[hn_rng_below(rng, N_KINDS)]);
    const HnTokenizer *tokenizer = &tokenizers[model->style];
    HnChatTurn turns[MOST_TURNS];
    size_t n_turns = hn_rng_below(rng, MOST_TURNS + 1);
    bool alternating = hn_rng_below(rng, 2) == 0;
    for (size_t i = 0; i < n_turns; i++) {
        random_text(rng, texts[i]);
        turns[i] = (HnChatTurn){roles[alternating                 ? i % 2
                                      : hn_rng_below(rng, 8) == 0 ? 3
                                                                  : hn_rng_below(rng, 3)],
                                texts[i]};
    }
    HnChat *chat = NULL;
    HnTokens tokens = {0};
    HnError err = HN_ERROR_INIT;
    if (hn_chat_open_known(model, tokenizer, &chat, &err) != HN_OK) {
        return wrong("open", &err);
    }
    hn_chat_set_thinking(chat, hn_rng_below(rng, 2) == 0);
    HnStatus status = hn_chat_render(chat, turns, n_turns, hn_rng_below(rng, 2) == 0, &tokens, &err);
    bool fine = status == HN_OK || (status == HN_INPUT && tokens.n == 0);
    fine = fine && (!alternating || n_turns == 0 || status == HN_OK);
    fine = fine && specials_are_right(&tokens, n_turns);
    hn_tokens_free(&tokens);
    hn_chat_close(&chat);
    return fine ? true : wrong("render", &err);
}

static bool open_file(HnRng *rng, char *text) {
    char path[100];
    HnChat *chat = NULL;
    HnError err = HN_ERROR_INIT;
    static const char config[] = "{\"chat_template\":[{\"name\":\"default\",\"template\":\"{{ messages }}\"}]}";
    memcpy(text, config, sizeof config - 1);
    size_t n = mutate(rng, text, sizeof config - 1);
    (void)snprintf(path, sizeof path, "%s/tokenizer_config.json", folder);
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(text, 1, n, file) == n;
    if (file == NULL || fclose(file) != 0 || !written) {
        return false;
    }
    HnStatus status = hn_chat_open(folder, &tokenizers[0], &chat, &err);
    return status == HN_FORMAT || status == HN_UNSUPPORTED ? true : wrong("open of a file", &err);
}

static bool round_of(unsigned long round) {
    static char texts[MOST_TURNS][2 * TEXT_BYTES + 4096];
    HnRng rng;
    hn_rng_start(&rng, fuzz_seed(), HN_STREAM_TEST, 4, round);
    uint64_t live = hn_alloc_live_blocks();
    bool fine = round % 16 == 0 ? open_file(&rng, texts[0]) : render(&rng, texts);
    return fine && hn_alloc_live_blocks() == live;
}

int main(void) {
    if (access("/dev/shm", W_OK) != 0) {
        memcpy(folder, "/tmp/hn-fuzz-XXXXXX", sizeof "/tmp/hn-fuzz-XXXXXX");
    }
    int code = mkdtemp(folder) != NULL ? fuzz_run("chat", round_of) : 1;
    (void)hn_folder_remove(folder, NULL);
    return code;
}
