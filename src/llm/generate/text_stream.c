#include "text_stream.h"

#include <string.h>

#include "base/alloc.h"
#include "llm/tokenizer/unicode.h"

HnStatus hn_text_stream_begin(HnTextStream *stream, const char *const *stops, size_t n_stops, HnError *err) {
    *stream = (HnTextStream){0};
    stream->stops = hn_alloc(n_stops, sizeof *stream->stops, "stop strings", err);
    stream->stop_bytes = stream->stops ? hn_alloc(n_stops, sizeof *stream->stop_bytes, "stop strings", err) : NULL;
    HnStatus status = stream->stop_bytes ? HN_OK : HN_MEMORY;
    for (; stream->n_stops < n_stops && status == HN_OK; stream->n_stops++) {
        const char *stop = stops[stream->n_stops];
        stream->stops[stream->n_stops] = hn_strdup(stop, err);
        stream->stop_bytes[stream->n_stops] = strlen(stop);
        status = !stream->stops[stream->n_stops] ? HN_MEMORY
                 : stop[0]                       ? HN_OK
                                                 : hn_fail(err, HN_INPUT, "an empty stop string stops everything");
    }
    if (status != HN_OK) {
        hn_text_stream_free(stream);
    }
    return status;
}

void hn_text_stream_free(HnTextStream *stream) {
    hn_text_free(&stream->waiting);
    hn_text_free(&stream->text);
    for (size_t i = 0; i < stream->n_stops; i++) {
        hn_free(stream->stops[i]);
    }
    hn_free(stream->stop_bytes);
    hn_free(stream->stops);
    *stream = (HnTextStream){0};
}

/* Moves the first n waiting bytes into the text; but for a last character that may go on, unless it is the end. */
static HnStatus settle(HnTextStream *stream, size_t n, bool at_end, HnError *err) {
    const char *bytes = stream->waiting.data;
    size_t at = 0;
    while (at < n) {
        size_t n_good = n - at;
        bool unfinished = false;
        (void)hn_utf8_valid(bytes + at, n - at, &n_good);
        HN_TRY(hn_text_append(&stream->text, bytes + at, n_good, err));
        at += n_good;
        if (at == n) {
            break;
        }
        const size_t n_bad = hn_unicode_bad_length(bytes + at, n - at, &unfinished);
        if (unfinished && !at_end) {
            break;
        }
        HN_TRY(hn_text_puts(&stream->text, "\xEF\xBF\xBD", err));
        at += n_bad;
    }
    if (at > 0) {
        memmove(stream->waiting.data, stream->waiting.data + at, stream->waiting.length - at);
        stream->waiting.length -= at;
        stream->waiting.data[stream->waiting.length] = '\0';
    }
    return HN_OK;
}

/* Where the first whole stop string begins, or, where there is none (*whole false), what may become one. */
static size_t find_stop(const HnTextStream *stream, bool *whole) {
    const HnText *waiting = &stream->waiting;
    size_t begun = waiting->length;
    *whole = false;
    for (size_t at = 0; at < waiting->length; at++) {
        for (size_t i = 0; i < stream->n_stops; i++) {
            size_t left = waiting->length - at, n = stream->stop_bytes[i] < left ? stream->stop_bytes[i] : left;
            if (memcmp(waiting->data + at, stream->stops[i], n) == 0) {
                *whole = *whole || n == stream->stop_bytes[i];
                begun = at < begun ? at : begun;
            }
        }
        if (*whole) {
            return at;
        }
    }
    return begun;
}

HnStatus hn_text_stream_push(HnTextStream *stream, const char *bytes, size_t n_bytes, bool *stopped, HnError *err) {
    *stopped = false;
    HN_TRY(hn_text_append(&stream->waiting, bytes, n_bytes, err));
    size_t at = find_stop(stream, stopped);
    HN_TRY(settle(stream, at, *stopped, err));
    if (*stopped) {
        hn_text_clear(&stream->waiting);
    }
    return HN_OK;
}

HnStatus hn_text_stream_end(HnTextStream *stream, HnError *err) {
    HN_TRY(hn_text_append(&stream->text, "", 0, err)); /* an empty text has memory, too */
    return settle(stream, stream->waiting.length, true, err);
}
