/* Cutting delimited lines: shared by the pair, MovieLens and item-table readers. */
#include <string.h>

#include "base/log.h"
#include "reader.h"

HnSeparator hn_separator_find(const char *line) {
    if (strstr(line, "::") != NULL) {
        return HN_SEP_COLONS;
    }
    if (strchr(line, '\t') != NULL) {
        return HN_SEP_TAB;
    }
    if (strchr(line, ',') != NULL) {
        return HN_SEP_COMMA;
    }
    return strchr(line, ' ') != NULL ? HN_SEP_SPACE : HN_SEP_NONE;
}

const char *hn_separator_name(HnSeparator separator) {
    switch (separator) {
    case HN_SEP_COLONS:
        return "::";
    case HN_SEP_TAB:
        return "tab";
    case HN_SEP_COMMA:
        return "comma";
    case HN_SEP_SPACE:
        return "space";
    case HN_SEP_BAR:
        return "|";
    case HN_SEP_NONE:
        break;
    }
    return "none";
}

int hn_fields_cut(char *line, HnSeparator separator, char *fields[HN_MAX_COLUMNS]) {
    static const char *const marks[] = {"\n", "::", "\t", ",", " ", "|"};
    const char *mark = marks[separator];
    size_t n_mark = strlen(mark);
    int n = 0;
    if (separator == HN_SEP_SPACE) {
        line += strspn(line, " ");
        for (size_t end = strlen(line); end > 0 && line[end - 1] == ' '; end--) {
            line[end - 1] = '\0';
        }
    }
    for (char *at = line;;) {
        if (n == HN_MAX_COLUMNS) {
            return -1;
        }
        fields[n++] = at;
        char *cut = strstr(at, mark);
        if (cut == NULL) {
            return n;
        }
        *cut = '\0';
        at = cut + n_mark;
        if (separator == HN_SEP_SPACE) {
            at += strspn(at, " ");
        }
    }
}

HnStatus hn_reader_to_utf8(HnReader *reader, const char *text, HnText *scratch, HnSlice *out, HnError *err) {
    size_t n = strlen(text);
    *out = (HnSlice){text, n};
    if (hn_utf8_valid(text, n, NULL)) {
        return HN_OK;
    }
    if (!reader->latin1_told) {
        hn_log(HN_LOG_INFO, "%s: lines that are not UTF-8 are read as ISO-8859-1", reader->path);
        reader->latin1_told = true;
    }
    hn_text_clear(scratch);
    for (size_t k = 0; k < n; k++) {
        unsigned char c = (unsigned char)text[k];
        char utf8[2] = {(char)(0xc0 | (c >> 6)), (char)(0x80 | (c & 0x3f))};
        HN_TRY(c < 0x80 ? hn_text_append(scratch, text + k, 1, err) : hn_text_append(scratch, utf8, 2, err));
    }
    *out = (HnSlice){hn_text_get(scratch), scratch->length};
    return HN_OK;
}
