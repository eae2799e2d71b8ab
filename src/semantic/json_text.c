#include "json_text.h"

#include <string.h>

static HnStatus escape(HnText *out, unsigned char byte, HnError *err) {
    switch (byte) {
    case '"':
        return hn_text_puts(out, "\\\"", err);
    case '\\':
        return hn_text_puts(out, "\\\\", err);
    case '\n':
        return hn_text_puts(out, "\\n", err);
    case '\r':
        return hn_text_puts(out, "\\r", err);
    case '\t':
        return hn_text_puts(out, "\\t", err);
    default:
        return hn_text_printf(out, err, "\\u%04x", byte);
    }
}

/* Well-formed UTF-8 only. */
static HnStatus add_valid(HnText *out, const char *bytes, size_t n_bytes, HnError *err) {
    size_t begin = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F) {
            HN_TRY(hn_text_append(out, bytes + begin, i - begin, err));
            HN_TRY(escape(out, byte, err));
            begin = i + 1;
        }
    }
    return hn_text_append(out, bytes + begin, n_bytes - begin, err);
}

HnStatus hn_json_string(HnText *out, const char *bytes, size_t n_bytes, HnError *err) {
    HN_TRY(hn_text_append(out, "\"", 1, err));
    while (n_bytes > 0) {
        size_t good = 0;
        bool valid = hn_utf8_valid(bytes, n_bytes, &good);
        good = valid ? n_bytes : good;
        HN_TRY(add_valid(out, bytes, good, err));
        if (!valid) {
            HN_TRY(hn_text_puts(out, "\xEF\xBF\xBD", err));
            good++;
        }
        bytes += good;
        n_bytes -= good;
    }
    return hn_text_append(out, "\"", 1, err);
}
