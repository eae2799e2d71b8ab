/* Damaged config.json and the small files beside it: a status, never a crash, and a configuration without the numbers
 * that nothing can be made of. An input: which file (of FILES), then the file; the others are those of a BERT that
 * embeds. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "llm/files/config.h"
#include "target.h"

static const char *const files[] = {
    "config.json",         "generation_config.json",    "modules.json",
    "pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json"};
enum { N_FILES = sizeof files / sizeof files[0], N_CASES = 30, BERT = 24 };
static const char *const texts[N_FILES] = {
    "",
    "{\"eos_token_id\":[2,1],\"bos_token_id\":1,\"pad_token_id\":0,\"temperature\":0.6}",
    "[{\"idx\":0,\"type\":\"sentence_transformers.models.Transformer\",\"path\":\"\"},"
    "{\"idx\":1,\"type\":\"sentence_transformers.models.Pooling\",\"path\":\"pooling\"},"
    "{\"idx\":2,\"type\":\"sentence_transformers.models.Normalize\",\"path\":\"2_Normalize\"}]",
    "{\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":true,\"include_prompt\":true}",
    "{\"max_seq_length\":128,\"do_lower_case\":false}",
    "{\"prompts\":{\"query\":\"query: \",\"document\":\"passage: \"},\"default_prompt_name\":\"query\"}",
};

/* The golden files of transformers, then the small ones. */
static HnStatus seed(size_t which, HnText *input, HnError *err) {
    const char file = (char)(which < N_CASES ? 0 : which - N_CASES + 1);
    HN_TRY(hn_text_append(input, &file, 1, err));
    if (file > 0) {
        return hn_text_puts(input, texts[(int)file], err);
    }
    json_t *golden = json_load_file(HN_SOURCE_DIR "/tests/fixtures/golden/lm_config.json", 0, NULL);
    const json_t *one = json_array_get(json_object_get(golden, "cases"), which);
    char *text = json_dumps(json_object_get(one, "file"), JSON_COMPACT);
    HnStatus status = text != NULL ? hn_text_puts(input, text, err)
                                   : hn_fail(err, HN_INTERNAL, "lm_config.json has no case %zu", which);
    free(text);
    json_decref(golden);
    return status;
}

static HnText whole[N_FILES]; /* as seeds: with the file's number in front */

static bool write_whole(size_t file) {
    return fuzz_write(files[file], whole[file].data + 1, whole[file].length - 1);
}

static bool is_usable(const HnLmConfig *config) {
    return config->n_layers > 0 && config->hidden > 0 && config->n_heads > 0 && config->n_kv_heads > 0 &&
           config->n_heads % config->n_kv_heads == 0 && config->head_dim > 0 && config->ffn > 0 &&
           config->n_vocab > 0 && config->n_positions > 0 && config->n_eos <= HN_LM_MAX_EOS &&
           config->windowed != NULL && config->query_prefix != NULL && config->document_prefix != NULL &&
           config->max_tokens <= config->n_positions && config->rope.rotary <= config->head_dim;
}

static bool read_folder(void) {
    HnError err = HN_ERROR_INIT;
    HnLmConfig config;
    HnStatus status = hn_lm_config_read(fuzz_folder(), &config, &err);
    bool fine = status == HN_OK ? is_usable(&config) : fuzz_is_refusal(status);
    hn_lm_config_free(&config);
    return fine ? true : fuzz_wrong("config", &err);
}

static HnStatus opens(HnLmConfig *config, HnError *err) {
    HnStatus status = hn_lm_config_read(fuzz_folder(), config, err);
    hn_lm_config_free(config);
    return status;
}

static HnStatus open_target(HnError *err) {
    HnLmConfig config;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/pooling", fuzz_folder());
    HN_TRY(hn_folder_make(path, err));
    for (size_t which = 0; which < N_CASES; which++) { /* otherwise every input would end at the first check */
        hn_text_clear(&whole[0]);
        HN_TRY(seed(which, &whole[0], err));
        HN_TRY(write_whole(0) ? opens(&config, err) : hn_fail(err, HN_IO, "cannot write %s", fuzz_folder()));
    }
    hn_text_clear(&whole[0]);
    for (size_t file = 0; file < N_FILES; file++) {
        HN_TRY(seed(file == 0 ? BERT : N_CASES + file - 1, &whole[file], err));
        HN_TRY(write_whole(file) ? HN_OK : hn_fail(err, HN_IO, "cannot write %s", fuzz_folder()));
    }
    HN_TRY(opens(&config, err));
    const bool read = config.pooling == HN_POOLING_MEAN && config.normalise && config.max_tokens == 128;
    return read ? HN_OK : hn_fail(err, HN_INTERNAL, "the small files were not read");
}

static void close_target(void) {
    for (size_t file = 0; file < N_FILES; file++) {
        hn_text_free(&whole[file]);
    }
}

static bool take(const unsigned char *bytes, size_t n_bytes) {
    if (n_bytes == 0) {
        return true;
    }
    const size_t file = bytes[0] % N_FILES;
    const bool fine = fuzz_write(files[file], bytes + 1, n_bytes - 1) && read_folder();
    return write_whole(file) && fine;
}

const FuzzTarget FUZZ_TARGET = {.name = "config",
                                .n_seeds = N_CASES + N_FILES - 1,
                                .seed = seed,
                                .open = open_target,
                                .take = take,
                                .close = close_target};
