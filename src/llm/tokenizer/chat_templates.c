/* The templates that have a renderer, by the SHA-256 of their text as tokenizer_config.json (decoded) or
 * chat_template.jinja holds it; where a text ends with a line end, with and without it. A new one: its hash here, its
 * cases by tests/peers/make_golden_chat.py, and a new style only where none fits. */
#include <string.h>

#include "chat_private.h"

static const HnChatTemplate chatml = {.name = "chatml", .style = HN_CHAT_ML};
static const HnChatTemplate qwen2 = {.name = "qwen2", .style = HN_CHAT_ML, .system = "You are a helpful assistant."};
static const HnChatTemplate qwen2_5 = {.name = "qwen2.5",
                                       .style = HN_CHAT_ML,
                                       .system =
                                           "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."};
static const HnChatTemplate qwen3 = {.name = "qwen3", .style = HN_CHAT_ML, .thinks = true, .may_not_think = true};
static const HnChatTemplate qwen3_2507 = {.name = "qwen3-2507", .style = HN_CHAT_ML, .thinks = true};
static const HnChatTemplate llama_2 = {.name = "llama-2",
                                       .style = HN_CHAT_INSTRUCT,
                                       .where = HN_CHAT_SYSTEM_FIRST,
                                       .marked = true,
                                       .strip = true,
                                       .open = "[INST] ",
                                       .close = " [/INST]",
                                       .before = " ",
                                       .after = ""};
static const HnChatTemplate llama_3 = {.name = "llama-3", .style = HN_CHAT_LLAMA3};
static const HnChatTemplate llama_3_1 = {.name = "llama-3.1", .style = HN_CHAT_LLAMA3, .dated = true};
static const HnChatTemplate mistral_spaced = {.name = "mistral-v0.1",
                                              .style = HN_CHAT_INSTRUCT,
                                              .open = "[INST] ",
                                              .close = " [/INST]",
                                              .before = "",
                                              .after = " "};
static const HnChatTemplate mistral_tight = {.name = "mistral-v0.2",
                                             .style = HN_CHAT_INSTRUCT,
                                             .open = "[INST] ",
                                             .close = " [/INST]",
                                             .before = "",
                                             .after = ""};
static const HnChatTemplate mistral_led = {.name = "mistral-v0.2",
                                           .style = HN_CHAT_INSTRUCT,
                                           .open = "[INST] ",
                                           .close = " [/INST]",
                                           .before = " ",
                                           .after = ""};
static const HnChatTemplate mistral_system = {.name = "mistral-v0.2",
                                              .style = HN_CHAT_INSTRUCT,
                                              .where = HN_CHAT_SYSTEM_FIRST,
                                              .open = " [INST] ",
                                              .close = " [/INST]",
                                              .before = " ",
                                              .after = ""};
static const HnChatTemplate mistral_v3 = {.name = "mistral-v0.3",
                                          .style = HN_CHAT_INSTRUCT,
                                          .where = HN_CHAT_SYSTEM_LAST,
                                          .strip = true,
                                          .special = true,
                                          .open = "[INST] ",
                                          .close = "[/INST]",
                                          .before = " ",
                                          .after = ""};
static const HnChatTemplate mistral_nemo = {.name = "mistral-nemo",
                                            .style = HN_CHAT_INSTRUCT,
                                            .where = HN_CHAT_SYSTEM_LAST,
                                            .special = true,
                                            .open = "[INST]",
                                            .close = "[/INST]",
                                            .before = "",
                                            .after = ""};

static const struct {
    const char *sha256;
    const HnChatTemplate *model;
} known[] = {
    /* ChatML */
    {"153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3", &chatml},
    /* ChatML, with a default for add_generation_prompt */
    {"58c1a1f04baa7adaeaba1f90267c3d57d9396f0c1f0129bdde9e76d3c6784af7", &chatml},
    /* Qwen3-*-Instruct-2507 */
    {"64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326", &chatml},
    /* Qwen2-*-Instruct */
    {"793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb", &qwen2},
    /* Qwen2.5-*-Instruct, first revision */
    {"89d726e7795b101935db5c909c75a7d403a47deedad53a64947e9b079ba94def", &qwen2},
    {"e7ef0c0550d1e3baa43eda35eaaf927e2e0af29a5c052c45c811201acbea4090", &qwen2},
    /* Qwen2.5-*, the base models */
    {"44d5f08f3f72b837eaad09f13a54c1f9f4eb58d75240334548b7fd52a5437fa5", &qwen2},
    {"4039eed0f28b7aaa337e70c76cfedba3271ee32505835a095a8c92e536b3c355", &qwen2},
    /* Qwen2.5-*-Instruct, second revision */
    {"d5495a1e5db0611132a97e46a65dbb64a642a499421228b9c8b93229097fa9a4", &qwen2_5},
    {"4e9918361c284a93880606d182d64da6a9fe97cdc1f5c5a78c1c8840444246fc", &qwen2_5},
    /* Qwen2.5-*-Instruct */
    {"cd8e9439f0570856fd70470bf8889ebd8b5d1107207f67a5efb46e342330527f", &qwen2_5},
    {"55b2f4a26ac9ee719330a61a0c39d9e538b0e9322212f048326318cff4f8674a", &qwen2_5},
    /* Qwen3-*, first revision */
    {"87a2728cb8dc9fe424d624542f6060ec05a1d285ebbec578bb078900e33396b5", &qwen3},
    /* Qwen3-* */
    {"a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8", &qwen3},
    /* Qwen3-*-Instruct-2507, first revision */
    {"40c21f34cf67d8c760ef72f8ad3ae5afad514299d4b06e91dd9a8d705af7b541", &qwen3_2507},
    /* Llama-2-*-chat-hf */
    {"e8d5b5a546d3f19df16a5320c614fab05bdc4edd50e850f1afd947b503ea41cf", &llama_2},
    /* Meta-Llama-3-*-Instruct, first revision: it opens an answer always, here when asked */
    {"b48c47f6443892716176eb200bf4ef108f64e06ca26ed0fa8ebc0a4b3992fcb2", &llama_3},
    /* Meta-Llama-3-*-Instruct */
    {"ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122", &llama_3},
    /* Llama-3.1-*-Instruct, Llama-3.3-*-Instruct */
    {"e10ca381b1ccc5cf9db52e371f3b6651576caee0a630b452e2816b2d404d4b65", &llama_3_1},
    {"93c0e9aa3629bbd77e68dbc0f5621f6e6b23aa8d74b932595cdb8d64684526d7", &llama_3_1},
    /* Llama-3.2-*-Instruct */
    {"5816fce10444e03c2e9ee1ef8a4a1ea61ae7e69e438613f3b17b69d0426223a4", &llama_3_1},
    {"d82792f95932f1c9cef5c4bd992f171225e3bf8c7b609b4557c9e1ec96be819f", &llama_3_1},
    /* Mistral-7B-Instruct-v0.1, first revision */
    {"7e995b379ec01747807246483647cd99030abf331653f1119e16d7ac041a3495", &mistral_spaced},
    /* Mistral-7B-Instruct-v0.2, first revision */
    {"26a59556925c987317ce5291811ba3b7f32ec4c647c400c6cc7e3a9993007ba7", &mistral_tight},
    /* Mistral-7B-Instruct-v0.1 and -v0.2, second revision */
    {"18f104df66d35dcc5eae04e8831dd58a9b9191f82d54147199fe6bc6c8e5bc4c", &mistral_led},
    /* Mistral-7B-Instruct-v0.1 and -v0.2 */
    {"796853172235ab3aaa4810013ddfe2eab481bda3306dad4f700c00d436eed596", &mistral_system},
    {"bbc58aad99454df60138be9530c9601a0adfe3d8932cda975e1f10b2410ddc51", &mistral_system},
    /* Mistral-7B-Instruct-v0.3 */
    {"e16746b40344d6c5b5265988e0328a0bf7277be86f1c335156eae07e29c82826", &mistral_v3},
    {"cafb64e0e9e5fd2503054b3479593fae39cbdfd52338ce8af9bb4664a8eb05bd", &mistral_v3},
    /* Mistral-Nemo-Instruct-2407 */
    {"e4676cb56dffea7782fd3e2b577cfaf1e123537e6ef49b3ec7caa6c095c62272", &mistral_nemo},
    {"e7deee034838db2bfc7487788a3013d8a307ab69f72f3c54a85f06fd76007d4e", &mistral_nemo},
};

const HnChatTemplate *hn_chat_template_find(const char *sha256) {
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        if (strcmp(known[k].sha256, sha256) == 0) {
            return known[k].model;
        }
    }
    return NULL;
}
