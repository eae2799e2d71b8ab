#include <utf8proc.h>

#include "base/alloc.h"
#include "base/text.h"

/* Length of the well-formed sequence at bytes (Unicode, table 3-7), or 0. */
static size_t sequence_length(const unsigned char *bytes, size_t n_bytes) {
    unsigned char first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : (first & 0xf0) == 0xe0         ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (length == 0 || length > n_bytes) {
        return 0;
    }
    /* Only the second byte has narrower bounds: they shut out overlong forms, surrogates and points over 10FFFF. */
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool hn_utf8_valid(const char *bytes, size_t n_bytes, size_t *bad_offset) {
    const unsigned char *unsigned_bytes = (const unsigned char *)bytes;
    size_t at = 0;
    while (at < n_bytes) {
        size_t length = sequence_length(unsigned_bytes + at, n_bytes - at);
        if (length == 0) {
            if (bad_offset != NULL) {
                *bad_offset = at;
            }
            return false;
        }
        at += length;
    }
    return true;
}

size_t hn_utf8_prefix(const char *bytes, size_t n_bytes, size_t max_bytes) {
    if (n_bytes <= max_bytes) {
        return n_bytes;
    }
    size_t end = max_bytes;
    while (end > 0 && ((unsigned char)bytes[end] & 0xc0) == 0x80) {
        end--;
    }
    return end;
}

static bool is_space(utf8proc_int32_t point) {
    if (point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85) {
        return true;
    }
    utf8proc_category_t category = utf8proc_category(point);
    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* Appends the points with whitespace runs as one space, none at either end. */
static HnStatus append_folded(const utf8proc_int32_t *points, size_t n_points, HnText *out, HnError *err) {
    bool any = false;
    bool space_due = false;
    for (size_t i = 0; i < n_points; i++) {
        if (is_space(points[i])) {
            space_due = any;
            continue;
        }
        utf8proc_uint8_t bytes[5];
        size_t length = 0;
        if (space_due) {
            bytes[length++] = ' ';
        }
        length += (size_t)utf8proc_encode_char(points[i], bytes + length);
        HN_TRY(hn_text_append(out, (const char *)bytes, length, err));
        any = true;
        space_due = false;
    }
    return HN_OK;
}

HnStatus hn_utf8_fold(const char *bytes, size_t n_bytes, HnText *out, HnError *err) {
    const utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    size_t bad = 0;
    if (!hn_utf8_valid(bytes, n_bytes, &bad)) {
        return hn_fail(err, HN_INPUT, "text is not UTF-8 at byte %zu", bad);
    }
    const utf8proc_uint8_t *text = (const utf8proc_uint8_t *)bytes;
    utf8proc_ssize_t needed = utf8proc_decompose(text, (utf8proc_ssize_t)n_bytes, NULL, 0, options);
    if (needed < 0) {
        return hn_fail(err, HN_INPUT, "text cannot be folded: %s", utf8proc_errmsg(needed));
    }
    utf8proc_int32_t *points = hn_alloc((size_t)needed + 1, sizeof *points, "code points", err);
    if (points == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    utf8proc_ssize_t n_points = utf8proc_decompose(text, (utf8proc_ssize_t)n_bytes, points, needed, options);
    if (n_points >= 0) {
        n_points = utf8proc_normalize_utf32(points, n_points, options);
    }
    if (n_points < 0) {
        status = hn_fail(err, HN_INPUT, "text cannot be folded: %s", utf8proc_errmsg(n_points));
    } else {
        status = append_folded(points, (size_t)n_points, out, err);
    }
    hn_free(points);
    return status;
}
