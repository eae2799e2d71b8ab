/* Damaged model folders: a safetensors file, a shard's index, config.json. Opening, taking and reading everything ends
 * with a status, never a crash; a tensor that is given lies inside its file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "llm/files/config.h"
#include "llm/files/tensors.h"
#include "mutate.h"

static char folder[] = "/dev/shm/hn-fuzz-XXXXXX"; /* memory, where there is such a folder: more rounds */

/* What is damaged; the others stay whole. */
enum { CONFIG, INDEX, SHARD, N_FILES };
static const char *const names[N_FILES] = {"config.json", "model.safetensors.index.json", "s.safetensors"};
static char shard[600];
static size_t lengths[N_FILES];
static const char *const texts[N_FILES] = {
    "{\"model_type\":\"qwen2\",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":8,\"num_key_value_"
    "heads\":2,\"vocab_size\":99,"
    "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0},"
    "\"layer_types\":[\"full_attention\",\"full_attention\"],\"eos_token_id\":[1,2],\"torch_dtype\":\"float16\"}",
    "{\"weight_map\":{\"a.weight\":\"s.safetensors\",\"b.weight\":\"s.safetensors\",\"c\":\"s.safetensors\"}}", shard};

static bool write_file(int file, const char *bytes, size_t n_bytes) {
    char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", folder, names[file]);
    FILE *out = fopen(path, "wb");
    bool written = out != NULL && fwrite(bytes, 1, n_bytes, out) == n_bytes;
    return out != NULL && fclose(out) == 0 && written;
}

static void make_shard(void) {
    static const char header[] = "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]},"
                                 "\"b.weight\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[32,48]},"
                                 "\"c\":{\"dtype\":\"I64\",\"shape\":[1,2],\"data_offsets\":[48,64]}}";
    shard[0] = (char)(sizeof header - 1);
    memcpy(shard + 8, header, sizeof header - 1);
    lengths[SHARD] = 8 + sizeof header - 1 + 64;
}

static bool is_bad_input(HnStatus status) {
    return status == HN_FORMAT || status == HN_UNSUPPORTED || status == HN_IO || status == HN_INPUT;
}

static bool wrong(const char *what, const HnError *err) {
    printf("%s: %s\n", what, err->message);
    return false;
}

static volatile unsigned reading; /* so that no byte's reading is left out */

/* Takes what the undamaged file has, in its shapes, and reads every byte. */
static bool read_tensors(HnTensors *tensors) {
    static const struct {
        const char *name;
        int n_dims;
        uint64_t dims[2];
    } wanted[] = {{"a.weight", 2, {2, 4}}, {"b.weight", 1, {8, 0}}, {"c", 2, {1, 2}}};
    static const char *const known[] = {".weight", "c"};
    HnTensor tensor;
    HnError err = HN_ERROR_INIT;
    for (size_t k = 0; k < 3; k++) {
        hn_error_clear(&err);
        if (hn_tensors_take(tensors, wanted[k].name, wanted[k].n_dims, wanted[k].dims, &tensor, &err) == HN_OK) {
            for (uint64_t i = 0; i < tensor.n_bytes; i++) {
                reading += ((const unsigned char *)tensor.bytes)[i];
            }
            hn_tensors_drop(&tensor);
        } else if (!is_bad_input(err.status)) {
            return wrong("take", &err);
        }
    }
    hn_error_clear(&err);
    HnStatus status = hn_tensors_finish(tensors, known, 2, "a.weight", NULL, &err);
    return status == HN_OK || is_bad_input(status) ? true : wrong("finish", &err);
}

/* Otherwise every round would end at the first check. */
static bool opens_undamaged(void) {
    HnError err = HN_ERROR_INIT;
    HnTensors *tensors = NULL;
    HnLmConfig config;
    if (hn_lm_config_read(folder, &config, &err) != HN_OK || hn_tensors_open(folder, &tensors, &err) != HN_OK) {
        return wrong("undamaged", &err);
    }
    hn_tensors_close(&tensors);
    hn_lm_config_free(&config);
    return true;
}

static bool round_of(unsigned long round) {
    HnRng rng;
    hn_rng_start(&rng, fuzz_seed(), HN_STREAM_TEST, 3, round);
    int file = (int)hn_rng_below(&rng, N_FILES);
    char *bytes = (char *)malloc(2 * lengths[file] + 4096);
    memcpy(bytes, texts[file], lengths[file]);
    bool written = write_file(file, bytes, mutate(&rng, bytes, lengths[file]));
    free(bytes);
    HnError err = HN_ERROR_INIT;
    uint64_t live = hn_alloc_live_blocks();
    HnTensors *tensors = NULL;
    HnLmConfig config;
    bool fine = written;
    HnStatus status = hn_tensors_open(folder, &tensors, &err);
    if (status == HN_OK) {
        fine = fine && read_tensors(tensors);
        hn_tensors_close(&tensors);
    } else if (!is_bad_input(status)) {
        fine = wrong("open", &err);
    }
    hn_error_clear(&err);
    status = hn_lm_config_read(folder, &config, &err);
    if (status != HN_OK && !is_bad_input(status)) {
        fine = wrong("config", &err);
    }
    hn_lm_config_free(&config);
    fine = write_file(file, texts[file], lengths[file]) && fine;
    return hn_alloc_live_blocks() == live ? fine : wrong("memory is lost", &err);
}

int main(void) {
    int code = 1;
    if (access("/dev/shm", W_OK) != 0) {
        memcpy(folder, "/tmp/hn-fuzz-XXXXXX", sizeof "/tmp/hn-fuzz-XXXXXX");
    }
    lengths[CONFIG] = strlen(texts[CONFIG]);
    lengths[INDEX] = strlen(texts[INDEX]);
    make_shard();
    if (mkdtemp(folder) != NULL && write_file(CONFIG, texts[CONFIG], lengths[CONFIG]) &&
        write_file(INDEX, texts[INDEX], lengths[INDEX]) && write_file(SHARD, shard, lengths[SHARD]) &&
        opens_undamaged()) {
        code = fuzz_run("safetensors", round_of);
    }
    (void)hn_folder_remove(folder, NULL);
    return code;
}
