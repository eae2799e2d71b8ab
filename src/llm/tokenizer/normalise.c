/* Texts put into the form that a vocabulary was made for: NFC, and what BERT's normalizer does. */
#include <string.h>

#include "base/alloc.h"
#include "unicode.h"

enum { ROOM = 64 };

/* Code points from one starter up to the next, in which marks are sorted and joined. Long runs of marks grow the block.
 */
typedef struct Run {
    uint32_t *points; /* here, or a block of its own */
    size_t n, capacity;
    uint32_t here[ROOM];
} Run;

static void run_start(Run *run) {
    run->points = run->here;
    run->n = 0;
    run->capacity = ROOM;
}

static void run_free(Run *run) {
    if (run->points != run->here) {
        hn_free(run->points);
    }
}

static HnStatus run_push(Run *run, uint32_t point, HnError *err) {
    if (run->n == run->capacity) {
        uint32_t *more = hn_alloc(2 * run->capacity, sizeof *more, "combining marks", err);
        if (more == NULL) {
            return HN_MEMORY;
        }
        memcpy(more, run->points, run->n * sizeof *more);
        run_free(run);
        run->points = more;
        run->capacity *= 2;
    }
    run->points[run->n++] = point;
    return HN_OK;
}

static HnStatus put(uint32_t point, HnText *out, HnError *err) {
    char bytes[4];
    return hn_text_append(out, bytes, hn_char_put(point, bytes), err);
}

/* Stable sort by combining class from the first mark on. By classes, not by comparing neighbours: a text of a million
 * marks in the wrong order must not take a square's time. */
static HnStatus sort_marks(uint32_t *points, size_t n, HnError *err) {
    bool sorted = true;
    size_t n_of[256] = {0};
    unsigned before = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned class = hn_char_combining_class(points[i]);
        sorted = sorted && class >= before;
        before = class;
        n_of[class]++;
    }
    if (sorted) {
        return HN_OK;
    }
    uint32_t *in_order = hn_alloc(n, sizeof *in_order, "combining marks", err);
    if (in_order == NULL) {
        return HN_MEMORY;
    }
    size_t place[256], sum = 0;
    for (int class = 0; class < 256; class ++) {
        place[class] = sum;
        sum += n_of[class];
    }
    for (size_t i = 0; i < n; i++) {
        in_order[place[hn_char_combining_class(points[i])]++] = points[i];
    }
    memcpy(points, in_order, n * sizeof *points);
    hn_free(in_order);
    return HN_OK;
}

static bool is_starter(uint32_t point) {
    return (hn_char_flags(point) & HN_CHAR_COMBINES) == 0;
}

/* Joins each mark to the starter where they have a composition and nothing between them has the mark's class or a
 * higher one (UAX #15). Keeps what is left, in order. */
static void run_compose(Run *run) {
    size_t kept = 1;
    unsigned before = 0; /* class of the last one kept behind the starter */
    for (size_t i = 1; i < run->n; i++) {
        const unsigned class = hn_char_combining_class(run->points[i]);
        const bool blocked = kept > 1 && before >= class;
        const uint32_t both = blocked ? 0 : hn_char_compose(run->points[0], run->points[i]);
        if (both != 0) {
            run->points[0] = both;
        } else {
            run->points[kept++] = run->points[i];
            before = class;
        }
    }
    run->n = kept;
}

/* Sorts the marks behind a starter and joins them to it. The first point may be a mark itself, at the beginning of a
 * text. */
static HnStatus run_finish(Run *run, HnError *err) {
    const size_t from = is_starter(run->points[0]) ? 1 : 0;
    if (run->n >= from + 2) {
        HN_TRY(sort_marks(run->points + from, run->n - from, err));
    }
    if (from == 1) {
        run_compose(run);
    }
    return HN_OK;
}

static HnStatus run_flush(Run *run, HnText *out, HnError *err) {
    for (size_t i = 0; i < run->n; i++) {
        HN_TRY(put(run->points[i], out, err));
    }
    run->n = 0;
    return HN_OK;
}

bool hn_unicode_is_stable(const char *text, size_t n_bytes) {
    size_t at = 0;
    while (at < n_bytes) {
        uint64_t eight;
        if (n_bytes - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t length = 1;
        if ((hn_char_flags(hn_char_at(text + at, &length)) & HN_CHAR_UNSTABLE) != 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/* One decomposed code point behind the others. A starter ends the run, unless it joins the run's starter directly
 * (Hangul vowels and tails, a few Indic signs). */
static HnStatus nfc_take(Run *run, uint32_t point, HnText *out, HnError *err) {
    if (is_starter(point) && run->n > 0) {
        HN_TRY(run_finish(run, err));
        const uint32_t both = run->n == 1 ? hn_char_compose(run->points[0], point) : 0;
        if (both != 0) {
            run->points[0] = both;
            return HN_OK;
        }
        HN_TRY(run_flush(run, out, err));
    }
    return run_push(run, point, err);
}

HnStatus hn_unicode_nfc(const char *text, size_t n_bytes, HnText *out, HnError *err) {
    Run run;
    run_start(&run);
    HnStatus status = HN_OK;
    for (size_t at = 0, length; at < n_bytes && status == HN_OK; at += length) {
        uint32_t parts[HN_CHAR_MOST_PARTS];
        const size_t n_parts = hn_char_decompose(hn_char_at(text + at, &length), parts);
        for (size_t i = 0; i < n_parts && status == HN_OK; i++) {
            status = nfc_take(&run, parts[i], out, err);
        }
    }
    if (status == HN_OK && run.n > 0) {
        status = run_finish(&run, err);
        status = status == HN_OK ? run_flush(&run, out, err) : status;
    }
    run_free(&run);
    return status;
}

static HnStatus put_lower(uint32_t point, bool lower, HnText *out, HnError *err) {
    if (!lower || (hn_char_flags(point) & HN_CHAR_LOWERS) == 0) {
        return put(point, out, err);
    }
    uint32_t parts[HN_CHAR_MOST_PARTS];
    const size_t n = hn_char_lower(point, parts);
    for (size_t i = 0; i < n; i++) {
        HN_TRY(put(parts[i], out, err));
    }
    return HN_OK;
}

/* Accents off: of what combines with the character before, which is out already, marks are dropped; the few that are
 * no marks stay, in the order of their classes. */
static HnStatus strip_flush(Run *run, bool lower, HnText *out, HnError *err) {
    if (run->n > 1) {
        HN_TRY(sort_marks(run->points, run->n, err));
    }
    for (size_t i = 0; i < run->n; i++) {
        if ((hn_char_flags(run->points[i]) & HN_CHAR_MARK) == 0) {
            HN_TRY(put_lower(run->points[i], lower, out, err));
        }
    }
    run->n = 0;
    return HN_OK;
}

static HnStatus bert_take(HnBertText how, uint32_t point, Run *run, HnText *out, HnError *err) {
    if (!how.strip) {
        return put_lower(point, how.lower, out, err);
    }
    uint32_t parts[HN_CHAR_MOST_PARTS] = {point};
    const size_t n_parts = (hn_char_flags(point) & HN_CHAR_DECOMPOSES) != 0 ? hn_char_decompose(point, parts) : 1;
    for (size_t i = 0; i < n_parts; i++) {
        const unsigned flags = hn_char_flags(parts[i]);
        if ((flags & HN_CHAR_COMBINES) != 0) {
            HN_TRY(run_push(run, parts[i], err));
            continue;
        }
        if (run->n > 0) {
            HN_TRY(strip_flush(run, how.lower, out, err));
        }
        if ((flags & HN_CHAR_MARK) == 0) {
            HN_TRY(put_lower(parts[i], how.lower, out, err));
        }
    }
    return HN_OK;
}

static HnStatus bert_char(HnBertText how, uint32_t point, Run *run, HnText *out, HnError *err) {
    const unsigned flags = hn_char_flags(point);
    if (how.clean && (flags & HN_CHAR_CONTROL) != 0) {
        return HN_OK;
    }
    if (how.clean && (flags & HN_CHAR_SPACE) != 0) {
        point = ' ';
    }
    const bool apart = how.cjk && (flags & HN_CHAR_CJK) != 0;
    if (apart) {
        HN_TRY(bert_take(how, ' ', run, out, err));
    }
    HN_TRY(bert_take(how, point, run, out, err));
    return apart ? bert_take(how, ' ', run, out, err) : HN_OK;
}

HnStatus hn_unicode_bert(HnBertText how, const char *text, size_t n_bytes, HnText *out, HnError *err) {
    Run run;
    run_start(&run);
    HnStatus status = HN_OK;
    for (size_t at = 0, length; at < n_bytes && status == HN_OK; at += length) {
        status = bert_char(how, hn_char_at(text + at, &length), &run, out, err);
    }
    if (status == HN_OK) {
        status = strip_flush(&run, how.lower, out, err);
    }
    run_free(&run);
    return status;
}
