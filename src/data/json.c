#include "json.h"

#include <stdio.h>
#include <string.h>

/* A recursive-descent scanner over one line. `at` moves only over what has been accepted; the NUL behind the line stops
 * every loop. */
typedef struct Scan {
    const char *start, *at;
    bool python;
    int depth;
    const char *fault;
} Scan;

static bool scan_value(Scan *scan, HnJsonValue *value);

static bool refuse(Scan *scan, const char *fault) {
    if (scan->fault == NULL) {
        scan->fault = fault;
    }
    return false;
}

static void skip_space(Scan *scan) {
    while (*scan->at == ' ' || *scan->at == '\t') {
        scan->at++;
    }
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int hex_digit(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* n hexadecimal digits at `at`; -1 where there are not as many. */
static int64_t hex_number(const char *at, int n) {
    int64_t number = 0;
    for (int k = 0; k < n; k++) {
        int digit = hex_digit(at[k]);
        if (digit < 0) {
            return -1;
        }
        number = number * 16 + digit;
    }
    return number;
}

/* One escape, at the backslash: its code point and length. Negative: malformed. A JSON surrogate pair is one escape. */
static int64_t read_escape(const char *at, bool python, size_t *n_bytes) {
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    *n_bytes = 2;
    char c = at[1];
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    if (found != NULL && !(python && c == '/')) {
        return meant[found - plain];
    }
    if (c == 'u') {
        int64_t code = hex_number(at + 2, 4);
        *n_bytes = 6;
        if (code >= 0xd800 && code < 0xdc00 && at[6] == '\\' && at[7] == 'u') {
            int64_t low = hex_number(at + 8, 4);
            if (low >= 0xdc00 && low < 0xe000) {
                *n_bytes = 12;
                return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        return code == 0 || (code >= 0xd800 && code < 0xe000) ? -1 : code;
    }
    if (!python) {
        return -1;
    }
    if (c == 'x' || c == 'U') {
        int digits = c == 'x' ? 2 : 8;
        int64_t code = hex_number(at + 2, digits);
        *n_bytes = 2 + (size_t)digits;
        return code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? -1 : code;
    }
    if (c == '\'' || c == 'a' || c == 'v') {
        return c == '\'' ? '\'' : c == 'a' ? '\a' : '\v';
    }
    return -1;
}

/* At the opening quote. */
static bool scan_string(Scan *scan, HnJsonValue *value) {
    char quote = *scan->at++;
    value->kind = HN_JSON_STRING;
    value->text = scan->at;
    value->escaped = false;
    for (;;) {
        unsigned char c = (unsigned char)*scan->at;
        if (c == (unsigned char)quote) {
            break;
        }
        if (c == '\\') {
            size_t n_bytes;
            if (read_escape(scan->at, scan->python, &n_bytes) < 0) {
                return refuse(scan, "invalid escape in a string");
            }
            value->escaped = true;
            scan->at += n_bytes;
        } else if (c < 0x20) {
            return refuse(scan, c == 0 ? "the line ends inside a string" : "control character in a string");
        } else {
            scan->at++;
        }
    }
    value->n_bytes = (size_t)(scan->at - value->text);
    scan->at++;
    return true;
}

static bool scan_number(Scan *scan, HnJsonValue *value) {
    const char *at = scan->at;
    at += *at == '-';
    if (!is_digit(*at) || (*at == '0' && is_digit(at[1]))) {
        return refuse(scan, "malformed number");
    }
    while (is_digit(*at)) {
        at++;
    }
    if (*at == '.') {
        at++;
        if (!is_digit(*at)) {
            return refuse(scan, "malformed number");
        }
        while (is_digit(*at)) {
            at++;
        }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (!is_digit(*at)) {
            return refuse(scan, "malformed number");
        }
        while (is_digit(*at)) {
            at++;
        }
    }
    value->kind = HN_JSON_NUMBER;
    value->n_bytes = (size_t)(at - value->text);
    scan->at = at;
    return true;
}

static bool scan_word(Scan *scan, HnJsonValue *value) {
    static const struct {
        const char *word;
        bool python;
        HnJsonKind kind;
    } words[] = {{"null", false, HN_JSON_NULL}, {"true", false, HN_JSON_BOOL}, {"false", false, HN_JSON_BOOL},
                 {"None", true, HN_JSON_NULL},  {"True", true, HN_JSON_BOOL},  {"False", true, HN_JSON_BOOL}};
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        size_t n = strlen(words[k].word);
        if (words[k].python == scan->python && strncmp(scan->at, words[k].word, n) == 0) {
            value->kind = words[k].kind;
            value->n_bytes = n;
            scan->at += n;
            return true;
        }
    }
    if (strncmp(scan->at, "NaN", 3) == 0 || strncmp(scan->at, "nan", 3) == 0 || strncmp(scan->at, "Infinity", 8) == 0) {
        return refuse(scan, "NaN and Infinity are no JSON numbers");
    }
    return refuse(scan, *scan->at == '\0' ? "the line ends too early" : "unexpected character");
}

/* Key and colon of an object's member. */
static bool scan_key(Scan *scan, HnJsonValue *key) {
    key->python = scan->python;
    if (scan->python && *scan->at == 'u' && (scan->at[1] == '\'' || scan->at[1] == '"')) {
        scan->at++;
    }
    if (*scan->at != '"' && !(scan->python && *scan->at == '\'')) {
        return refuse(scan, *scan->at == '\0' ? "the line ends too early" : "a key in quotes is expected");
    }
    if (!scan_string(scan, key)) {
        return false;
    }
    skip_space(scan);
    if (*scan->at != ':') {
        return refuse(scan, "a colon is expected after a key");
    }
    scan->at++;
    skip_space(scan);
    return true;
}

/* After a member: true = another follows, *end = the closing bracket was taken. */
static bool scan_separator(Scan *scan, char close, bool *end) {
    skip_space(scan);
    *end = *scan->at == close;
    if (!*end && *scan->at != ',') {
        return refuse(scan, *scan->at == '\0' ? "the line ends too early" : "a comma or a closing bracket is expected");
    }
    scan->at++;
    skip_space(scan);
    return true;
}

/* At the opening bracket of a value whose members nobody asked for yet. */
static bool scan_container(Scan *scan, HnJsonValue *value) {
    bool object = *scan->at == '{';
    char close = object ? '}' : ']';
    if (++scan->depth > HN_JSON_DEPTH) {
        return refuse(scan, "brackets nest deeper than 64");
    }
    scan->at++;
    skip_space(scan);
    bool end = *scan->at == close;
    scan->at += end;
    while (!end) {
        HnJsonValue key, member;
        if ((object && !scan_key(scan, &key)) || !scan_value(scan, &member) || !scan_separator(scan, close, &end)) {
            return false;
        }
    }
    /* skip_space after the closing bracket is harmless, but not part of the value. */
    const char *last = scan->at;
    while (last[-1] != close) {
        last--;
    }
    value->kind = object ? HN_JSON_OBJECT : HN_JSON_ARRAY;
    value->n_bytes = (size_t)(last - value->text);
    scan->depth--;
    return true;
}

static bool scan_value(Scan *scan, HnJsonValue *value) {
    *value = (HnJsonValue){.text = scan->at, .python = scan->python};
    char c = *scan->at;
    if (scan->python && c == 'u' && (scan->at[1] == '\'' || scan->at[1] == '"')) {
        c = *++scan->at;
    }
    if (c == '"' || (scan->python && c == '\'')) {
        return scan_string(scan, value);
    }
    if (c == '{' || c == '[') {
        return scan_container(scan, value);
    }
    return c == '-' || is_digit(c) ? scan_number(scan, value) : scan_word(scan, value);
}

static size_t find_key(const HnJsonValue *key, const char *const *keys, size_t n_keys) {
    for (size_t k = 0; k < n_keys; k++) {
        if (keys[k][0] == key->text[0] && strncmp(keys[k], key->text, key->n_bytes) == 0 &&
            keys[k][key->n_bytes] == '\0') {
            return k;
        }
    }
    return n_keys;
}

bool hn_json_line(const char *line, size_t n_bytes, const char *const *keys, size_t n_keys, HnJsonValue *values,
                  char why[HN_WHY_BYTES]) {
    memset(values, 0, n_keys * sizeof *values);
    Scan scan = {.start = line, .at = line, .depth = 1};
    skip_space(&scan);
    if (*scan.at != '{') {
        refuse(&scan, "the line is no JSON object");
    } else {
        scan.python = strncmp(scan.at, "{'", 2) == 0 || strncmp(scan.at, "{u'", 3) == 0;
        scan.at++;
        skip_space(&scan);
        bool end = *scan.at == '}';
        scan.at += end;
        while (!end) {
            HnJsonValue key, value;
            if (!scan_key(&scan, &key) || !scan_value(&scan, &value) || !scan_separator(&scan, '}', &end)) {
                break;
            }
            size_t k = find_key(&key, keys, n_keys);
            if (k < n_keys && values[k].kind != HN_JSON_ABSENT) {
                (void)snprintf(why, HN_WHY_BYTES, "the key \"%s\" occurs twice", keys[k]);
                return false;
            }
            if (k < n_keys) {
                values[k] = value;
            }
        }
        skip_space(&scan);
        if (scan.fault == NULL && (size_t)(scan.at - line) != n_bytes) {
            refuse(&scan, "something follows the JSON object");
        }
    }
    if (scan.fault != NULL) {
        (void)snprintf(why, HN_WHY_BYTES, "%s (column %zu)", scan.fault, (size_t)(scan.at - line) + 1);
    }
    return scan.fault == NULL;
}

bool hn_json_next(const HnJsonValue *container, size_t *at, HnJsonValue *key, HnJsonValue *value) {
    HnJsonValue unused;
    key = key != NULL ? key : &unused;
    *key = (HnJsonValue){.kind = HN_JSON_ABSENT};
    if (container->kind != HN_JSON_ARRAY && container->kind != HN_JSON_OBJECT) {
        return false;
    }
    Scan scan = {.start = container->text, .at = container->text + *at, .python = container->python, .depth = 1};
    if (*at == 0) {
        scan.at++;
    }
    skip_space(&scan);
    if (*at == 0 ? *scan.at == ']' || *scan.at == '}' : *at >= container->n_bytes) {
        return false;
    }
    bool end;
    char close = container->kind == HN_JSON_OBJECT ? '}' : ']';
    if ((container->kind == HN_JSON_OBJECT && !scan_key(&scan, key)) || !scan_value(&scan, value) ||
        !scan_separator(&scan, close, &end)) {
        return false;
    }
    *at = end ? container->n_bytes : (size_t)(scan.at - container->text);
    return true;
}

static size_t utf8_put(int64_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t k = n; k-- > 1;) {
        out[k] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | code);
    return n;
}

HnStatus hn_json_decode(const HnJsonValue *value, HnText *out, HnError *err) {
    const char *at = value->text, *end = value->text + value->n_bytes;
    while (value->kind == HN_JSON_STRING && value->escaped && at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        if (backslash == NULL) {
            break;
        }
        HN_TRY(hn_text_append(out, at, (size_t)(backslash - at), err));
        size_t n_bytes;
        char utf8[4];
        size_t n = utf8_put(read_escape(backslash, value->python, &n_bytes), utf8);
        HN_TRY(hn_text_append(out, utf8, n, err));
        at = backslash + n_bytes;
    }
    return hn_text_append(out, at, (size_t)(end - at), err);
}

/* The token as a C string of its own: the line goes on behind it. */
static bool number_token(const HnJsonValue *value, char token[64]) {
    if (value->kind != HN_JSON_NUMBER || value->n_bytes >= 64) {
        return false;
    }
    memcpy(token, value->text, value->n_bytes);
    token[value->n_bytes] = '\0';
    return true;
}

bool hn_json_double(const HnJsonValue *value, double *number) {
    char token[64];
    return number_token(value, token) && hn_parse_double(token, number);
}

bool hn_json_i64(const HnJsonValue *value, int64_t *number) {
    char token[64];
    return number_token(value, token) && hn_parse_i64(token, number);
}
