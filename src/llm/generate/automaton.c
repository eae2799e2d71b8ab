#include "automaton.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { MAX_STATES = 4096 };

/* Everything below adds states; the first failure sticks in status. */
typedef struct Builder {
    HnAutomaton *a;
    uint16_t open[HN_MAX_BLANKS + 1]; /* states that wait for what comes next */
    int n_open;
    HnStatus status;
    HnError *err;
} Builder;

static uint16_t add_state(Builder *b) {
    HnAutomaton *a = b->a;
    if (b->status == HN_OK && a->n == a->capacity) {
        uint32_t more = a->capacity ? 2 * a->capacity : 128;
        b->status = more > MAX_STATES
                        ? hn_fail(b->err, HN_RANGE, "the keys of an answer are too long to be enforced")
                        : hn_resize(&a->next, a->n * sizeof *a->next, more, sizeof *a->next, "grammar", b->err);
        b->status = b->status != HN_OK
                        ? b->status
                        : hn_resize(&a->begun, a->n * sizeof *a->begun, more, sizeof *a->begun, "grammar", b->err);
        a->capacity = b->status == HN_OK ? more : a->capacity;
    }
    if (b->status != HN_OK) {
        return 0;
    }
    memset(a->next[a->n], 0xff, sizeof a->next[a->n]);
    a->begun[a->n] = a->n_strings;
    return (uint16_t)a->n++;
}

static void lead(Builder *b, uint16_t from, int low, int high, uint16_t to) {
    for (int byte = low; byte <= high && b->status == HN_OK; byte++) {
        b->a->next[from][byte] = to;
    }
}

static void lead_any(Builder *b, uint16_t from, const char *bytes, uint16_t to) {
    for (; *bytes; bytes++) {
        lead(b, from, (unsigned char)*bytes, (unsigned char)*bytes, to);
    }
}

static void lead_hex(Builder *b, uint16_t from, uint16_t to) {
    lead_any(b, from, "0123456789abcdefABCDEF", to);
}

static uint16_t expect(Builder *b, char byte) {
    uint16_t to = add_state(b);
    for (int i = 0; i < b->n_open; i++) {
        lead(b, b->open[i], (unsigned char)byte, (unsigned char)byte, to);
    }
    b->open[0] = to;
    b->n_open = 1;
    return to;
}

/* Up to HN_MAX_BLANKS blanks. */
static void allow_blanks(Builder *b) {
    while (b->n_open <= HN_MAX_BLANKS) {
        uint16_t to = add_state(b);
        lead_any(b, b->open[b->n_open - 1], " \t\n", to);
        b->open[b->n_open++] = to;
    }
}

/* UTF-8 of more than one byte, well-formed (Unicode 15, table 3-7), from each of n states to `to`. */
static void add_utf8(Builder *b, const uint16_t *from, int n, uint16_t to) {
    uint16_t one = add_state(b), two = add_state(b), three = add_state(b);
    uint16_t e0 = add_state(b), ed = add_state(b), f0 = add_state(b), f4 = add_state(b);
    lead(b, one, 0x80, 0xBF, to);
    lead(b, two, 0x80, 0xBF, one);
    lead(b, three, 0x80, 0xBF, two);
    lead(b, e0, 0xA0, 0xBF, one); /* below: overlong */
    lead(b, ed, 0x80, 0x9F, one); /* above: surrogates */
    lead(b, f0, 0x90, 0xBF, two); /* below: overlong */
    lead(b, f4, 0x80, 0x8F, two); /* above: past U+10FFFF */
    for (int i = 0; i < n; i++) {
        lead(b, from[i], 0xC2, 0xDF, one);
        lead(b, from[i], 0xE1, 0xEF, two);
        lead(b, from[i], 0xE0, 0xE0, e0);
        lead(b, from[i], 0xED, 0xED, ed);
        lead(b, from[i], 0xF1, 0xF3, three);
        lead(b, from[i], 0xF0, 0xF0, f0);
        lead(b, from[i], 0xF4, 0xF4, f4);
    }
}

/* What follows \u up to `to`: no U+0000, which strict readers refuse, and surrogates in pairs only. */
static void add_unicode_escape(Builder *b, uint16_t digits, uint16_t to) {
    uint16_t three = add_state(b), two = add_state(b), one = add_state(b);
    uint16_t zero = add_state(b), zeros = add_state(b), zeross = add_state(b), d = add_state(b);
    uint16_t high_two = add_state(b), high_one = add_state(b), slash = add_state(b), u = add_state(b);
    uint16_t low = add_state(b), low_d = add_state(b);
    lead_hex(b, three, two);
    lead_hex(b, two, one);
    lead_hex(b, one, to);
    lead_hex(b, digits, three);
    lead_any(b, digits, "0", zero);
    lead_any(b, digits, "dD", d);
    lead_hex(b, zero, two);
    lead_any(b, zero, "0", zeros);
    lead_hex(b, zeros, one);
    lead_any(b, zeros, "0", zeross);
    lead_hex(b, zeross, to);
    lead(b, zeross, '0', '0', HN_NO_STATE);
    lead_any(b, d, "01234567", two);
    lead_any(b, d, "89abAB", high_two);
    lead_hex(b, high_two, high_one);
    lead_hex(b, high_one, slash);
    lead_any(b, slash, "\\", u);
    lead_any(b, u, "u", low);
    lead_any(b, low, "dD", low_d);
    lead_any(b, low_d, "cdefCDEF", two);
}

/* The inside of a string and its closing quote. filled: it begins with a character that is no blank, as itself or as
 * one of \" \\ \/, so that what a reader trims is not all of it. */
static void add_string(Builder *b, bool filled) {
    uint16_t begin = b->open[0], inside = filled ? add_state(b) : begin, escape = add_state(b);
    uint16_t digits = add_state(b), both[2] = {begin, inside};
    lead(b, inside, ' ', 0x7F, inside);
    lead(b, inside, '\\', '\\', escape);
    if (filled) {
        uint16_t first_escape = add_state(b);
        lead(b, begin, '!', 0x7F, inside);
        lead(b, begin, '\\', '\\', first_escape);
        lead(b, begin, '"', '"', HN_NO_STATE);
        lead_any(b, first_escape, "\"\\/", inside);
    }
    lead_any(b, escape, "\"\\/bfnrt", inside);
    lead_any(b, escape, "u", digits);
    add_utf8(b, both, 2, inside);
    add_unicode_escape(b, digits, inside);
    b->open[0] = inside;
    b->n_open = 1;
    expect(b, '"');
}

static void add_field(Builder *b, const HnGrammarField *field) {
    allow_blanks(b);
    expect(b, '"');
    for (const char *c = field->key; *c; c++) {
        expect(b, *c);
    }
    expect(b, '"');
    allow_blanks(b);
    expect(b, ':');
    allow_blanks(b);
    expect(b, '"');
    if (b->status != HN_OK) {
        return;
    }
    if (field->kind != HN_FIELD_NAME) {
        b->a->begun[b->open[0]] = ++b->a->n_strings;
        add_string(b, field->kind == HN_FIELD_FILLED);
    } else {
        b->a->gap = b->open[0];
        b->open[0] = b->a->behind_gap = add_state(b);
    }
}

static HnStatus check_fields(const HnGrammarField *fields, size_t n_fields, HnError *err) {
    int n_name_fields = 0;
    for (size_t i = 0; i < n_fields; i++) {
        n_name_fields += fields[i].kind == HN_FIELD_NAME;
        for (const char *c = fields[i].key; *c; c++) {
            if ((unsigned char)*c < ' ' || (unsigned char)*c > '~' || *c == '"' || *c == '\\') {
                return hn_fail(err, HN_RANGE,
                               "the key \"%s\" of an answer holds a quote, a backslash or more than plain ASCII",
                               fields[i].key);
            }
        }
    }
    if (n_fields == 0 || n_name_fields > 1) {
        return hn_fail(err, HN_RANGE, "an answer has one or more keys, and names in at most one of them");
    }
    return HN_OK;
}

HnStatus hn_automaton_build(const HnGrammarField *fields, size_t n_fields, HnAutomaton *automaton, HnError *err) {
    *automaton = (HnAutomaton){.gap = HN_NO_STATE, .behind_gap = HN_NO_STATE};
    Builder b = {.a = automaton, .err = err, .status = check_fields(fields, n_fields, err)};
    b.open[0] = add_state(&b);
    b.n_open = 1;
    allow_blanks(&b);
    expect(&b, '{');
    for (size_t i = 0; i < n_fields && b.status == HN_OK; i++) {
        if (i > 0) {
            allow_blanks(&b);
            expect(&b, ',');
        }
        add_field(&b, &fields[i]);
    }
    allow_blanks(&b);
    automaton->end = expect(&b, '}');
    if (b.status != HN_OK) {
        hn_automaton_free(automaton);
    }
    return b.status;
}

void hn_automaton_free(HnAutomaton *automaton) {
    hn_free(automaton->next);
    hn_free(automaton->begun);
    *automaton = (HnAutomaton){0};
}
