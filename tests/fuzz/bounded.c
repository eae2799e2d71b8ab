/* The bounded run of a target: every known find as it is, then seeds and finds with random damage (mutate.h).
 * `PROGRAM --seeds FOLDER` writes the seeds there instead, for libFuzzer to begin with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "mutate.h"
#include "target.h"

enum { MOST_INPUT_BYTES = 1 << 20 };

typedef struct Input {
    char *bytes;
    size_t n_bytes;
} Input;

static Input *inputs; /* seeds first */
static size_t n_inputs;

static HnStatus add_finds(char *const *names, size_t n_names, const char *folder, HnError *err) {
    for (size_t i = 0; i < n_names; i++) {
        char *path = hn_path_join(folder, names[i], err);
        HnStatus status = path == NULL ? HN_MEMORY
                                       : hn_file_read(path, MOST_INPUT_BYTES, &inputs[n_inputs].bytes,
                                                      &inputs[n_inputs].n_bytes, err);
        hn_free(path);
        HN_TRY(status);
        n_inputs++;
    }
    return HN_OK;
}

static HnStatus add_seeds(HnError *err) {
    for (; n_inputs < FUZZ_TARGET.n_seeds; n_inputs++) {
        HnText text = {0};
        HN_TRY(FUZZ_TARGET.seed(n_inputs, &text, err));
        inputs[n_inputs] = (Input){text.data, text.length};
    }
    return HN_OK;
}

static HnStatus gather(HnError *err) {
    char **names = NULL, *folder = hn_path_join(HN_SOURCE_DIR "/tests/fuzz/inputs", FUZZ_TARGET.name, err);
    size_t n_names = 0;
    HnStatus status = folder == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && hn_folder_exists(folder)) {
        status = hn_folder_list(folder, &names, &n_names, err);
    }
    inputs = status == HN_OK ? hn_alloc(FUZZ_TARGET.n_seeds + n_names, sizeof *inputs, "inputs", err) : NULL;
    status = status == HN_OK && inputs == NULL ? HN_MEMORY : status;
    status = status == HN_OK ? add_seeds(err) : status;
    status = status == HN_OK ? add_finds(names, n_names, folder, err) : status;
    hn_names_free(&names, n_names);
    hn_free(folder);
    return status;
}

/* In a block of the input's own size, so that a sanitizer sees every byte read beyond. */
static bool take_copy(const char *bytes, size_t n_bytes) {
    char *copy = malloc(n_bytes);
    memcpy(copy, bytes, n_bytes);
    const bool fine = fuzz_take(copy, n_bytes);
    free(copy);
    return fine;
}

static bool round_of(unsigned long round) {
    if (round < n_inputs) {
        return take_copy(inputs[round].bytes, inputs[round].n_bytes);
    }
    HnRng rng;
    hn_rng_start(&rng, fuzz_seed(), HN_STREAM_TEST, 3, round);
    const Input *input = &inputs[round % n_inputs];
    char *bytes = malloc(2 * input->n_bytes + 4096);
    memcpy(bytes, input->bytes, input->n_bytes);
    const bool fine = take_copy(bytes, mutate(&rng, bytes, input->n_bytes));
    free(bytes);
    return fine;
}

static HnStatus write_seeds(const char *folder, HnError *err) {
    HN_TRY(hn_folder_make(folder, err));
    for (size_t i = 0; i < FUZZ_TARGET.n_seeds; i++) {
        char *path = hn_path_printf(err, "%s/seed-%zu", folder, i);
        HnStatus status =
            path == NULL ? HN_MEMORY : hn_file_write_atomic(path, inputs[i].bytes, inputs[i].n_bytes, err);
        hn_free(path);
        HN_TRY(status);
    }
    return HN_OK;
}

int main(int n_arguments, char **arguments) {
    HnError err = HN_ERROR_INIT;
    HnStatus status = gather(&err);
    int code = 0;
    if (status == HN_OK && n_arguments == 3 && strcmp(arguments[1], "--seeds") == 0) {
        status = write_seeds(arguments[2], &err);
    } else if (status == HN_OK) {
        status = fuzz_open(&err);
        code = status == HN_OK ? fuzz_run(FUZZ_TARGET.name, round_of) : 1;
    }
    for (size_t i = 0; i < n_inputs; i++) {
        hn_free(inputs[i].bytes);
    }
    hn_free(inputs);
    return status == HN_OK ? code : (fuzz_wrong("cannot prepare", &err), 1);
}
