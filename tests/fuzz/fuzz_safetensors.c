/* Damaged safetensors files and indices. Opening, taking and reading everything ends with a status, never a crash; a
 * tensor that is given lies inside its file. An input: which file (of FILES), then the file; the others are whole. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "llm/files/tensors_private.h"
#include "target.h"

/* A single file hides the index and its shard. */
enum { SINGLE, INDEX, SHARD, N_FILES };
static const char *const files[N_FILES] = {"model.safetensors", "model.safetensors.index.json", "s.safetensors"};

static const char index_text[] =
    "{\"weight_map\":{\"a.weight\":\"s.safetensors\",\"b.weight\":\"s.safetensors\",\"c\":\"s.safetensors\"}}";
static const char *const headers[] = {
    "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]},"
    "\"b.weight\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[32,48]},"
    "\"c\":{\"dtype\":\"I64\",\"shape\":[1,2],\"data_offsets\":[48,64]}}",
    "{\"__metadata__\":{\"format\":\"pt\",\"\\u0041\":\"{}\"},"
    "\"lm_head.weight\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[0,2]},"
    "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[2,34]},"
    "\"none\":{\"dtype\":\"F8_E4M3\",\"shape\":[3,0],\"data_offsets\":[34,34]},"
    "\"c\":{\"dtype\":\"U8\",\"shape\":[1,2,1,15],\"data_offsets\":[34,64]}} ",
};
enum { N_HEADERS = sizeof headers / sizeof headers[0], N_DATA = 64 };

static HnStatus put_file(size_t header, HnText *text, HnError *err) {
    char length[8] = {0}, data[N_DATA];
    const size_t n = strlen(headers[header]);
    length[0] = (char)(n & 255);
    length[1] = (char)(n >> 8);
    memset(data, 0x3c, sizeof data);
    HN_TRY(hn_text_append(text, length, sizeof length, err));
    HN_TRY(hn_text_puts(text, headers[header], err));
    return hn_text_append(text, data, sizeof data, err);
}

/* Both files whole, one file and as a shard, and the index. */
static HnStatus seed(size_t which, HnText *input, HnError *err) {
    const char file = (char)(which < N_HEADERS ? SINGLE : which == N_HEADERS ? INDEX : SHARD);
    HN_TRY(hn_text_append(input, &file, 1, err));
    return file == INDEX ? hn_text_puts(input, index_text, err) : put_file(file == SINGLE ? which : 0, input, err);
}

static volatile unsigned reading; /* so that no byte's reading is left out */

/* Takes what the undamaged files have, in its shapes, and reads every byte. */
static bool read_tensors(HnTensors *tensors) {
    static const struct {
        const char *name;
        int n_dims;
        uint64_t dims[2];
    } wanted[] = {{"a.weight", 2, {2, 4}}, {"b.weight", 1, {8, 0}}, {"c", 2, {1, 2}}};
    static const char *const known[] = {".weight", "c", "none"};
    HnTensor tensor;
    HnError err = HN_ERROR_INIT;
    for (size_t k = 0; k < 3; k++) {
        hn_error_clear(&err);
        if (hn_tensors_take(tensors, wanted[k].name, wanted[k].n_dims, wanted[k].dims, &tensor, &err) == HN_OK) {
            for (uint64_t i = 0; i < tensor.n_bytes; i++) {
                reading += ((const unsigned char *)tensor.bytes)[i];
            }
            hn_tensors_drop(&tensor);
        } else if (!fuzz_is_refusal(err.status)) {
            return fuzz_wrong("take", &err);
        }
    }
    hn_error_clear(&err);
    HnStatus status = hn_tensors_finish(tensors, known, 3, "a.weight", NULL, &err);
    return status == HN_OK || fuzz_is_refusal(status) ? true : fuzz_wrong("finish", &err);
}

/* The header in a block of its own size: behind a mapped file comes the rest of a page, whose reading nobody notices.
 */
static bool read_header(const unsigned char *bytes, size_t n_bytes) {
    HnError err = HN_ERROR_INIT;
    HnShard shard = {"a block", bytes, n_bytes};
    HnTensors tensors = {.shards = &shard, .n_shards = 1};
    HnStatus status = hn_arena_create(1 << 12, &tensors.names, &err);
    status = status == HN_OK ? hn_tensors_read_header(&tensors, 0, &err) : status;
    bool inside = true;
    for (size_t i = 0; status == HN_OK && i < tensors.n_entries; i++) {
        const HnTensor *tensor = &tensors.entries[i].tensor;
        const unsigned char *begin = tensor->bytes;
        inside = inside && begin >= bytes + 8 && begin <= bytes + n_bytes &&
                 tensor->n_bytes <= (uint64_t)(bytes + n_bytes - begin);
    }
    hn_free(tensors.entries);
    hn_arena_free(&tensors.names);
    return inside && (status == HN_OK || fuzz_is_refusal(status)) ? true : fuzz_wrong("header", &err);
}

static bool open_folder(void) {
    HnError err = HN_ERROR_INIT;
    HnTensors *tensors = NULL;
    bool fine = true;
    HnStatus status = hn_tensors_open(fuzz_folder(), &tensors, &err);
    if (status == HN_OK) {
        fine = read_tensors(tensors);
        hn_tensors_close(&tensors);
    } else if (!fuzz_is_refusal(status)) {
        fine = fuzz_wrong("open", &err);
    }
    return fine;
}

static HnStatus write_whole(size_t which, HnError *err) {
    HnText text = {0};
    HN_TRY(seed(which, &text, err));
    bool written = fuzz_write(files[(int)text.data[0]], text.data + 1, text.length - 1);
    hn_text_free(&text);
    return written ? HN_OK : hn_fail(err, HN_IO, "cannot write %s", fuzz_folder());
}

/* Otherwise every input would end at the first check. */
static HnStatus opens(HnError *err) {
    HnTensors *tensors = NULL;
    HN_TRY(hn_tensors_open(fuzz_folder(), &tensors, err));
    hn_tensors_close(&tensors);
    return HN_OK;
}

static HnStatus open_target(HnError *err) {
    for (size_t which = 0; which < N_HEADERS; which++) {
        HN_TRY(write_whole(which, err));
        HN_TRY(opens(err));
    }
    fuzz_unlink(files[SINGLE]);
    HN_TRY(write_whole(N_HEADERS, err));
    HN_TRY(write_whole(N_HEADERS + 1, err));
    return opens(err);
}

static bool take(const unsigned char *bytes, size_t n_bytes) {
    if (n_bytes == 0) {
        return true;
    }
    HnError err = HN_ERROR_INIT;
    const int file = bytes[0] % N_FILES;
    unsigned char *copy = malloc(n_bytes); /* begins where the file does */
    memcpy(copy, bytes + 1, n_bytes - 1);
    bool fine = fuzz_write(files[file], bytes + 1, n_bytes - 1);
    fine = (file == INDEX || read_header(copy, n_bytes - 1)) && fine;
    fine = open_folder() && fine;
    free(copy);
    if (file == SINGLE) {
        fuzz_unlink(files[SINGLE]);
    } else if (write_whole(file == INDEX ? N_HEADERS : N_HEADERS + 1, &err) != HN_OK) {
        return fuzz_wrong("write", &err);
    }
    return fine;
}

const FuzzTarget FUZZ_TARGET = {
    .name = "safetensors", .n_seeds = N_HEADERS + 2, .seed = seed, .open = open_target, .take = take};
