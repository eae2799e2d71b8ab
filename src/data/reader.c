#include "reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

const HnReaderOps *hn_reader_for(HnDataFormat format) {
    switch (format) {
    case HN_FORMAT_LIGHTGCN:
        return &HN_READER_LIGHTGCN;
    case HN_FORMAT_PAIRS:
        return &HN_READER_PAIRS;
    case HN_FORMAT_AMAZON:
        return &HN_READER_AMAZON;
    case HN_FORMAT_YELP:
        return &HN_READER_YELP;
    case HN_FORMAT_MOVIELENS:
        return &HN_READER_MOVIELENS;
    case HN_FORMAT_SYNTHETIC:
        break;
    }
    return NULL;
}

void hn_reader_start(HnReader *reader, const HnReaderOps *ops, const char *path, bool items, bool with_text) {
    memset(reader, 0, sizeof *reader);
    reader->ops = ops;
    reader->path = path;
    reader->items = items;
    reader->with_text = with_text;
}

void hn_reader_stop(HnReader *reader) {
    for (size_t k = 0; k < sizeof reader->scratch / sizeof reader->scratch[0]; k++) {
        hn_text_free(&reader->scratch[k]);
    }
    for (int c = 0; reader->names != NULL && c < reader->n_columns; c++) {
        hn_free(reader->names[c]);
    }
    hn_free(reader->names);
    reader->names = NULL;
}

HnStatus hn_reader_refuse(HnReader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->why, sizeof reader->why, format, arguments);
    va_end(arguments);
    /* A reason may quote bytes of the line; never cut one in half. */
    reader->why[hn_utf8_prefix(reader->why, strlen(reader->why), sizeof reader->why - 1)] = '\0';
    return HN_OK;
}

bool hn_reader_id_ok(HnReader *reader, const char *what, HnSlice id) {
    if (id.data == NULL || id.n == 0) {
        hn_reader_refuse(reader, "no %s id", what);
        return false;
    }
    if (id.n > HN_ID_MAX) {
        hn_reader_refuse(reader, "the %s id is longer than %d bytes", what, (int)HN_ID_MAX);
        return false;
    }
    return true;
}

bool hn_reader_time_ok(HnReader *reader, int64_t seconds) {
    if (seconds > HN_LEAST_MS || seconds < -HN_LEAST_MS) {
        hn_reader_refuse(reader, "the time %lld is no Unix time in seconds", (long long)seconds);
        return false;
    }
    return true;
}

HnStatus hn_reader_json_id(HnReader *reader, const char *what, const HnJsonValue *value, HnText *scratch, HnSlice *id,
                           HnError *err) {
    *id = (HnSlice){NULL, 0};
    int64_t number;
    if (value->kind == HN_JSON_NUMBER && !hn_json_i64(value, &number)) {
        return hn_reader_refuse(reader, "the %s id is not a whole number", what);
    }
    if (value->kind == HN_JSON_STRING && value->escaped) {
        hn_text_clear(scratch);
        HN_TRY(hn_json_decode(value, scratch, err));
        *id = (HnSlice){scratch->data, scratch->length};
    } else if (value->kind == HN_JSON_STRING || value->kind == HN_JSON_NUMBER) {
        *id = (HnSlice){value->text, value->n_bytes};
    }
    (void)hn_reader_id_ok(reader, what, *id);
    return HN_OK;
}

HnStatus hn_reader_json_text(HnReader *reader, const char *what, const HnJsonValue *value, HnText *scratch,
                             HnSlice *text, HnError *err) {
    *text = (HnSlice){NULL, 0};
    if (value->kind == HN_JSON_ABSENT || value->kind == HN_JSON_NULL) {
        return HN_OK;
    }
    if (value->kind != HN_JSON_STRING) {
        return hn_reader_refuse(reader, "\"%s\" is not a string", what);
    }
    if (!value->escaped) {
        *text = (HnSlice){value->text, value->n_bytes};
        return HN_OK;
    }
    hn_text_clear(scratch);
    HN_TRY(hn_json_decode(value, scratch, err));
    *text = (HnSlice){hn_text_get(scratch), scratch->length};
    return HN_OK;
}

HnStatus hn_reader_join(HnText *out, const char *separator, const char *name, const char *bytes, size_t n_bytes,
                        HnError *err) {
    if (n_bytes == 0) {
        return HN_OK;
    }
    if (out->length > 0) {
        HN_TRY(hn_text_puts(out, separator, err));
    }
    if (name != NULL) {
        HN_TRY(hn_text_puts(out, name, err));
        HN_TRY(hn_text_puts(out, ": ", err));
    }
    return hn_text_append(out, bytes, n_bytes, err);
}
