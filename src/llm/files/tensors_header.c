/* The header of one safetensors file: 8 bytes of length, then JSON, then the tensors without gap or overlap. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "tensors_private.h"

enum { MAX_HEADER_BYTES = 100 * 1000 * 1000, MAX_TENSOR_BYTES = 4096 /* of one description */ };

static const struct {
    const char *dtype;
    uint32_t n_bytes;
    int element; /* HnElement, or -1: weights are not read from it */
} dtypes[] = {
    {"F32", 4, HN_ELEMENT_F32},
    {"F16", 2, HN_ELEMENT_F16},
    {"BF16", 2, HN_ELEMENT_BF16},
    {"F64", 8, -1},
    {"I64", 8, -1},
    {"U64", 8, -1},
    {"C64", 8, -1},
    {"I32", 4, -1},
    {"U32", 4, -1},
    {"I16", 2, -1},
    {"U16", 2, -1},
    {"I8", 1, -1},
    {"U8", 1, -1},
    {"BOOL", 1, -1},
    {"F8_E4M3", 1, -1},
    {"F8_E5M2", 1, -1},
    {"F8_E8M0", 1, -1},
};

/* What is wrong with one tensor of a file. */
typedef struct Place {
    const char *path, *name;
} Place;

static HnStatus read_dtype(Place place, const json_t *fields, HnTensorEntry *entry, uint64_t *element_bytes,
                           HnError *err) {
    const char *dtype = json_string_value(json_object_get(fields, "dtype"));
    for (size_t k = 0; dtype != NULL && k < sizeof dtypes / sizeof dtypes[0]; k++) {
        if (strcmp(dtype, dtypes[k].dtype) == 0) {
            entry->dtype = dtypes[k].dtype;
            entry->readable = dtypes[k].element >= 0;
            entry->tensor.type = entry->readable ? (HnElement)dtypes[k].element : HN_ELEMENT_F32;
            *element_bytes = dtypes[k].n_bytes;
            return HN_OK;
        }
    }
    return hn_fail(err, dtype == NULL ? HN_FORMAT : HN_UNSUPPORTED,
                   "%s: the tensor %s has %s%s; weights are read as F32, F16 or BF16", place.path, place.name,
                   dtype == NULL ? "no dtype" : "the unknown dtype ", dtype == NULL ? "" : dtype);
}

/* Shape, and the bytes that it takes. */
static HnStatus read_shape(Place place, const json_t *fields, HnTensorEntry *entry, uint64_t *n_bytes, HnError *err) {
    const json_t *shape = json_object_get(fields, "shape");
    size_t n_dims = json_array_size(shape);
    if (!json_is_array(shape) || n_dims > HN_TENSOR_MAX_DIMS) {
        return hn_fail(err, HN_FORMAT, "%s: the tensor %s has no shape of at most %d sizes", place.path, place.name,
                       (int)HN_TENSOR_MAX_DIMS);
    }
    bool overflows = false;
    for (size_t d = 0; d < n_dims; d++) {
        const json_t *size = json_array_get(shape, d);
        if (!json_is_integer(size) || json_integer_value(size) < 0) {
            return hn_fail(err, HN_FORMAT, "%s: the tensor %s has a size that is no number from 0 up", place.path,
                           place.name);
        }
        uint64_t dim = (uint64_t)json_integer_value(size);
        entry->tensor.dims[d] = dim;
        overflows = overflows || (dim != 0 && *n_bytes > UINT64_MAX / dim);
        *n_bytes *= dim;
    }
    entry->tensor.n_dims = (int)n_dims;
    return overflows ? hn_fail(err, HN_FORMAT, "%s: the tensor %s has an absurd shape", place.path, place.name) : HN_OK;
}

static HnStatus read_range(Place place, const json_t *fields, uint64_t n_bytes, uint64_t n_data, HnTensorEntry *entry,
                           HnError *err) {
    const json_t *range = json_object_get(fields, "data_offsets");
    const json_t *begin = json_array_get(range, 0), *end = json_array_get(range, 1);
    if (json_array_size(range) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin)) {
        return hn_fail(err, HN_FORMAT, "%s: the tensor %s has no data_offsets [begin, end]", place.path, place.name);
    }
    uint64_t from = (uint64_t)json_integer_value(begin), to = (uint64_t)json_integer_value(end);
    if (to > n_data) {
        return hn_fail(err, HN_FORMAT,
                       "%s is cut short: the tensor %s ends at byte %" PRIu64 " of %" PRIu64
                       " that are there; fetch the file again",
                       place.path, place.name, to, n_data);
    }
    if (to - from != n_bytes) {
        return hn_fail(err, HN_FORMAT, "%s: the tensor %s has %" PRIu64 " bytes, but its shape and dtype take %" PRIu64,
                       place.path, place.name, to - from, n_bytes);
    }
    entry->begin = from;
    entry->tensor.n_bytes = n_bytes;
    return HN_OK;
}

static HnStatus read_tensor(HnTensors *tensors, uint32_t shard, const char *name, const json_t *fields,
                            uint64_t data_at, HnError *err) {
    const HnShard *file = &tensors->shards[shard];
    HnTensorEntry entry = {.shard = shard};
    uint64_t n_bytes = 0;
    Place place = {file->path, name};
    if (name[0] == '\0') {
        return hn_fail(err, HN_FORMAT, "%s: a tensor has no name", place.path);
    }
    HN_TRY(read_dtype(place, fields, &entry, &n_bytes, err));
    HN_TRY(read_shape(place, fields, &entry, &n_bytes, err));
    HN_TRY(read_range(place, fields, n_bytes, file->n_bytes - data_at, &entry, err));
    entry.tensor.bytes = file->bytes + data_at + entry.begin;
    entry.tensor.name = hn_arena_strndup(tensors->names, name, strlen(name), err);
    if (entry.tensor.name == NULL) {
        return HN_MEMORY;
    }
    tensors->entries[tensors->n_entries++] = entry;
    tensors->n_bytes += n_bytes;
    return HN_OK;
}

static int by_place(const void *a, const void *b) {
    const HnTensorEntry *one = a, *two = b;
    if (one->begin != two->begin) {
        return one->begin < two->begin ? -1 : 1;
    }
    return one->tensor.n_bytes < two->tensor.n_bytes ? -1 : one->tensor.n_bytes > two->tensor.n_bytes;
}

/* Every byte behind the header belongs to exactly one tensor. */
static HnStatus check_places(const HnShard *file, HnTensorEntry *entries, size_t n, uint64_t n_data, HnError *err) {
    uint64_t at = 0;
    if (n > 0) {
        qsort(entries, n, sizeof *entries, by_place);
    }
    for (size_t i = 0; i < n; i++) {
        if (entries[i].begin != at) {
            return hn_fail(err, HN_FORMAT,
                           "%s: the tensor %s begins at byte %" PRIu64 ", but the one before ends at %" PRIu64
                           ": tensors %s",
                           file->path, entries[i].tensor.name, entries[i].begin, at,
                           entries[i].begin < at ? "overlap" : "leave a hole");
        }
        at += entries[i].tensor.n_bytes;
    }
    return at == n_data ? HN_OK
                        : hn_fail(err, HN_FORMAT, "%s: %" PRIu64 " bytes at the end belong to no tensor", file->path,
                                  n_data - at);
}

/* ---- reading ---- */

/* The header's text, read tensor by tensor, so that memory is bounded by the tensors that there are. */
typedef struct Scan {
    const char *path, *at, *end;
} Scan;

static HnStatus bad_json(const Scan *scan, const char *what, HnError *err) {
    return hn_fail(err, HN_FORMAT, "%s: the header is no valid JSON: %s (%zu bytes before its end)", scan->path, what,
                   (size_t)(scan->end - scan->at));
}

static char next_sign(Scan *scan) { /* NUL: there is none */
    while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4) != NULL) {
        scan->at++;
    }
    return scan->at < scan->end ? *scan->at : '\0';
}

/* Takes a string with its quotes; false where it does not end. */
static bool take_string(Scan *scan) {
    for (scan->at++; scan->at < scan->end && *scan->at != '"'; scan->at++) {
        scan->at += *scan->at == '\\' && scan->at + 1 < scan->end;
    }
    bool ends = scan->at < scan->end;
    scan->at += ends;
    return ends;
}

/* Takes an object up to its closing brace; what is inside is checked by who parses it. */
static bool take_object(Scan *scan) {
    int64_t depth = 0;
    do {
        char sign = *scan->at;
        if (sign == '"') {
            if (!take_string(scan)) {
                return false;
            }
            continue;
        }
        depth += (sign == '{') - (sign == '}');
        scan->at++;
    } while (depth > 0 && scan->at < scan->end);
    return depth == 0;
}

/* "name": {...}, both as slices. */
static HnStatus take_member(Scan *scan, const char **name_end, const char **fields, HnError *err) {
    if (next_sign(scan) != '"' || !take_string(scan)) {
        return bad_json(scan, "a name in quotes is expected", err);
    }
    *name_end = scan->at;
    if (next_sign(scan) != ':') {
        return bad_json(scan, "a colon is expected behind a name", err);
    }
    scan->at++;
    bool object = next_sign(scan) == '{';
    *fields = scan->at;
    return object && take_object(scan) ? HN_OK : bad_json(scan, "an object is expected behind a name", err);
}

static json_t *parse(const char *begin, const char *end) {
    return json_loadb(begin, (size_t)(end - begin), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static HnStatus make_room(HnTensors *tensors, HnError *err) {
    if (tensors->n_entries < tensors->capacity) {
        return HN_OK;
    }
    size_t wanted = 2 * tensors->capacity + 64;
    HN_TRY(hn_resize(&tensors->entries, tensors->capacity * sizeof *tensors->entries, wanted, sizeof *tensors->entries,
                     "table of tensors", err));
    tensors->capacity = wanted;
    return HN_OK;
}

static HnStatus read_member(HnTensors *tensors, uint32_t shard, Scan *scan, uint64_t data_at, HnError *err) {
    const char *begin = scan->at, *name_end = NULL, *fields = NULL;
    HN_TRY(make_room(tensors, err));
    HN_TRY(take_member(scan, &name_end, &fields, err));
    json_t *name = parse(begin, name_end);
    const char *text = json_string_value(name);
    HnStatus status = HN_OK;
    if (text == NULL) {
        status = bad_json(scan, "a name is malformed", err);
    } else if (strcmp(text, "__metadata__") != 0) {
        bool huge = scan->at - fields > MAX_TENSOR_BYTES;
        json_t *object = huge ? NULL : parse(fields, scan->at);
        status = object == NULL
                     ? bad_json(scan, huge ? "a tensor's description is endless" : "a tensor's description", err)
                     : read_tensor(tensors, shard, text, object, data_at, err);
        json_decref(object);
    }
    json_decref(name);
    return status;
}

static HnStatus read_tensors(HnTensors *tensors, uint32_t shard, Scan *scan, uint64_t data_at, HnError *err) {
    if (next_sign(scan) != '{') {
        return hn_fail(err, HN_FORMAT, "%s: the header is no JSON object", scan->path);
    }
    scan->at++;
    char sign = next_sign(scan);
    while (sign != '}') {
        HN_TRY(read_member(tensors, shard, scan, data_at, err));
        sign = next_sign(scan);
        if (sign != ',' && sign != '}') {
            return bad_json(scan, "a comma or a closing brace is expected", err);
        }
        scan->at += sign == ',';
        (void)next_sign(scan);
    }
    scan->at++;
    return next_sign(scan) == '\0' && scan->at == scan->end ? HN_OK
                                                            : bad_json(scan, "something follows the object", err);
}

HnStatus hn_tensors_read_header(HnTensors *tensors, uint32_t shard, HnError *err) {
    const HnShard *file = &tensors->shards[shard];
    uint64_t length = 0;
    if (file->n_bytes < 8) {
        return hn_fail(err, HN_FORMAT, "%s is cut short: %zu bytes hold no safetensors header; fetch the file again",
                       file->path, file->n_bytes);
    }
    for (int k = 7; k >= 0; k--) { /* little-endian */
        length = length << 8 | file->bytes[k];
    }
    if (length > MAX_HEADER_BYTES) {
        return hn_fail(err, HN_FORMAT, "%s: a header of %" PRIu64 " bytes (at most %d): this is no safetensors file",
                       file->path, length, (int)MAX_HEADER_BYTES);
    }
    if (length > file->n_bytes - 8) {
        return hn_fail(err, HN_FORMAT,
                       "%s is cut short: the header has %" PRIu64 " bytes, the file %zu; fetch the file again",
                       file->path, length, file->n_bytes);
    }
    const char *text = (const char *)file->bytes + 8;
    Scan scan = {file->path, text, text + length};
    size_t first = tensors->n_entries;
    HN_TRY(read_tensors(tensors, shard, &scan, 8 + length, err));
    return check_places(file, tensors->entries + first, tensors->n_entries - first, file->n_bytes - 8 - length, err);
}
