#include "fixture.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "llm/files/tensors.h"

enum { MOST_PATHS = 4096, PATH_BYTES = 512 };

const char *const fixture_cases[] = {"llama", "llama_linear", "llama3",   "mistral", "qwen2",
                                     "qwen3", "bert",         "bert_old", "nomic",   NULL};

static char root[PATH_BYTES];
static char *paths[MOST_PATHS]; /* all that were handed out, until fixture_close */
static unsigned n_paths, n_folders;

static const char *path_of(const char *folder, const char *name) {
    char *path = malloc(PATH_BYTES);
    assert_true(path != NULL && n_paths < MOST_PATHS);
    paths[n_paths++] = path;
    assert_true((size_t)snprintf(path, PATH_BYTES, "%s/%s", folder, name) < PATH_BYTES);
    return path;
}

int fixture_open(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(root, sizeof root, "%s/hn-lm-XXXXXX", base != NULL ? base : "/tmp");
    hn_log_setup(HN_LOG_ERROR, 0);
    return mkdtemp(root) == NULL ? -1 : 0;
}

int fixture_close(void **state) {
    (void)state;
    while (n_paths > 0) {
        free(paths[--n_paths]);
    }
    return hn_folder_remove(root, NULL) == HN_OK ? 0 : -1;
}

const char *fixture_case(const char *name) {
    return path_of(HN_SOURCE_DIR "/tests/fixtures/golden/lm", name);
}

const char *fixture_new(void) {
    char name[32];
    (void)snprintf(name, sizeof name, "%u", n_folders++);
    const char *folder = path_of(root, name);
    assert_int_equal(hn_folder_make(folder, NULL), HN_OK);
    return folder;
}

const char *fixture_shared(const char *name) {
    const char *base = getenv("HNLMREC_TEST_DATA");
    const char *path = path_of(base != NULL ? base : HN_SOURCE_DIR "/../shared/data", name);
    return hn_file_exists(path) || hn_folder_exists(path) ? path : NULL;
}

/* A tensor of floats of exactly n elements in rows of `width` (0: a vector). */
static void take(HnTensors *tensors, const char *name, uint64_t n, uint64_t width, float *out) {
    HnError err = HN_ERROR_INIT;
    HnTensor tensor;
    const uint64_t dims[2] = {width > 0 ? n / width : n, width};
    if (hn_tensors_take(tensors, name, width > 0 ? 2 : 1, dims, &tensor, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    memcpy(out, tensor.bytes, n * sizeof *out);
}

static void take_ids(HnTensors *tensors, const char *name, uint32_t n, uint32_t *ids) {
    float numbers[N_TOKENS];
    take(tensors, name, n, 0, numbers);
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (uint32_t)numbers[i];
    }
}

void fixture_expect(const char *name, Expected *expected) {
    HnError err = HN_ERROR_INIT;
    HnTensors *tensors = NULL;
    HnLmConfig config;
    if (hn_lm_config_read(fixture_case(name), &config, &err) != HN_OK ||
        hn_tensors_open(path_of(fixture_case(name), "expected"), &tensors, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    expected->width = config.hidden;
    take_ids(tensors, "tokens", N_TOKENS, expected->tokens);
    take_ids(tensors, "tokens_short", N_SHORT, expected->tokens_short);
    take(tensors, "hidden", (uint64_t)N_TOKENS * config.hidden, config.hidden, expected->hidden);
    take(tensors, "hidden_short", (uint64_t)N_SHORT * config.hidden, config.hidden, expected->hidden_short);
    take(tensors, "error_bf16", 2, 0, expected->error_bf16);
    take(tensors, "error_f16", 2, 0, expected->error_f16);
    if (config.causal) {
        take_ids(tensors, "rows", N_ROWS, expected->rows);
        take(tensors, "logits", (uint64_t)N_ROWS * N_VOCAB, N_VOCAB, expected->logits);
    }
    hn_tensors_close(&tensors);
    hn_lm_config_free(&config);
}

void fixture_write(const char *folder, const char *file, const void *bytes, size_t n_bytes) {
    FILE *out = fopen(path_of(folder, file), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n_bytes, out), n_bytes);
    assert_int_equal(fclose(out), 0);
}

const char *fixture_copy(const char *name) {
    const char *from = fixture_case(name), *to = fixture_new();
    char **names = NULL;
    size_t n_names = 0;
    assert_int_equal(hn_folder_list(from, &names, &n_names, NULL), HN_OK);
    for (size_t i = 0; i < n_names; i++) {
        char *bytes = NULL;
        size_t n_bytes = 0;
        if (!hn_folder_exists(path_of(from, names[i]))) {
            assert_int_equal(hn_file_read(path_of(from, names[i]), 1 << 24, &bytes, &n_bytes, NULL), HN_OK);
            fixture_write(to, names[i], bytes, n_bytes);
            hn_free(bytes);
        }
    }
    hn_names_free(&names, n_names);
    return to;
}

void fixture_edit(const char *folder, const char *file, const char *from, const char *to) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(hn_file_read(path_of(folder, file), 1 << 20, &bytes, &n_bytes, NULL), HN_OK);
    char *at = strstr(bytes, from);
    if (at == NULL) {
        fail_msg("%s: no %s", file, from);
    }
    FILE *out = fopen(path_of(folder, file), "wb");
    assert_non_null(out);
    assert_true(fprintf(out, "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from)) > 0);
    assert_int_equal(fclose(out), 0);
    hn_free(bytes);
}

/* model.safetensors in memory, for hn_free; and where a tensor's bytes lie in it. */
static char *read_tensors(const char *folder, size_t *n_bytes) {
    char *bytes = NULL;
    assert_int_equal(hn_file_read(path_of(folder, "model.safetensors"), 1 << 24, &bytes, n_bytes, NULL), HN_OK);
    return bytes;
}

static char *find_tensor(char *bytes, const char *tensor, size_t *n) {
    uint64_t n_header;
    memcpy(&n_header, bytes, sizeof n_header);
    json_t *header = json_loadb(bytes + sizeof n_header, n_header, 0, NULL);
    const json_t *range = json_object_get(json_object_get(header, tensor), "data_offsets");
    if (range == NULL) {
        fail_msg("no tensor %s", tensor);
    }
    const json_int_t begin = json_integer_value(json_array_get(range, 0));
    *n = (size_t)(json_integer_value(json_array_get(range, 1)) - begin);
    json_decref(header);
    return bytes + sizeof n_header + n_header + begin;
}

void fixture_spoil(const char *folder, const char *tensor, Spoil spoil) {
    size_t n_bytes, n;
    char *bytes = read_tensors(folder, &n_bytes), *at = find_tensor(bytes, tensor, &n);
    if (spoil == SPOIL_ZERO) {
        memset(at, 0, n);
    } else {
        for (size_t i = 0; i < n / 2; i++) {
            const char byte = at[i];
            at[i] = at[n / 2 + i];
            at[n / 2 + i] = byte;
        }
    }
    fixture_write(folder, "model.safetensors", bytes, n_bytes);
    hn_free(bytes);
}

void fixture_copy_tensor(const char *folder, const char *from, const char *to) {
    size_t n_bytes, n_from, n_to;
    char *bytes = read_tensors(folder, &n_bytes);
    char *source = find_tensor(bytes, from, &n_from), *target = find_tensor(bytes, to, &n_to);
    assert_int_equal(n_from, n_to);
    memcpy(target, source, n_to);
    fixture_write(folder, "model.safetensors", bytes, n_bytes);
    hn_free(bytes);
}

void fixture_cut_prefix(const char *folder, const char *prefix) {
    size_t n_bytes;
    char *bytes = read_tensors(folder, &n_bytes);
    uint64_t n_header;
    memcpy(&n_header, bytes, sizeof n_header);
    json_t *header = json_loadb(bytes + sizeof n_header, n_header, 0, NULL), *cut = json_object(), *entry;
    const char *name;
    json_object_foreach(header, name, entry) {
        const size_t n = strncmp(name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
        assert_int_equal(json_object_set(cut, name + n, entry), 0);
    }
    char *text = json_dumps(cut, JSON_COMPACT);
    const uint64_t n_text = strlen(text);
    HnText file = {0};
    assert_int_equal(hn_text_append(&file, (const char *)&n_text, sizeof n_text, NULL), HN_OK);
    assert_int_equal(hn_text_append(&file, text, n_text, NULL), HN_OK);
    assert_int_equal(
        hn_text_append(&file, bytes + sizeof n_header + n_header, n_bytes - sizeof n_header - n_header, NULL), HN_OK);
    fixture_write(folder, "model.safetensors", file.data, file.length);
    hn_text_free(&file);
    free(text);
    json_decref(cut);
    json_decref(header);
    hn_free(bytes);
}

HnLm *fixture_lm(const char *folder, HnWeightType weights, bool head, uint32_t max_rows) {
    HnError err = HN_ERROR_INIT;
    HnLm *lm = NULL;
    const HnLmOptions options = {.weights = weights, .head = head, .max_rows = max_rows};
    if (hn_lm_open(folder, &options, &lm, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    return lm;
}

void fixture_hidden(HnLm *lm, const uint32_t *tokens, uint32_t n, float *hidden) {
    HnError err = HN_ERROR_INIT;
    HnKv *kv = NULL;
    HnLmRun run = {.n_tokens = n, .tokens = tokens};
    if (hn_lm_config(lm)->causal) {
        assert_int_equal(hn_kv_create(lm, (n + 31) / 32, 1, &kv, &err), HN_OK);
        run.sequence = hn_kv_begin(kv);
    }
    if (hn_lm_forward(lm, kv, &run, 1, HN_LM_ALL, hidden, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    hn_kv_free(&kv);
}

Difference fixture_difference(const float *a, const float *b, size_t n) {
    double sum = 0, of = 0, most = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        sum += d * d;
        of += (double)b[i] * (double)b[i];
        most = d > most || isnan(d) ? d : most;
        largest = fabs((double)b[i]) > largest ? fabs((double)b[i]) : largest;
    }
    return (Difference){sqrt(sum / of), most / largest};
}
