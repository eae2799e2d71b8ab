/* Readers: one line of a raw file in, interactions or one item's text out.
 *
 * A format is one HnReaderOps in one file. To add one: write reader_<name>.c with these functions, declare its ops
 * here, name it in hn_reader_for and in the configuration's data.format, and add its files to the fuzz test.
 *
 * A reader never guesses: a line that does not say what the format says is malformed, and `why` says what is missing.
 */
#ifndef HN_DATA_READER_H
#define HN_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "config/experiment.h"
#include "data/input.h"
#include "data/json.h"

enum { HN_ID_MAX = 1024, HN_MAX_COLUMNS = 64 }; /* longest raw id in bytes; columns of a delimited file */

/* 10^11: as seconds the year 5138, as milliseconds 1973; no data set reaches from one to the other. */
#define HN_LEAST_MS INT64_C(100000000000)

typedef struct HnSlice { /* borrowed bytes; data NULL = absent */
    const char *data;
    size_t n;
} HnSlice;

typedef struct HnInteraction {
    HnSlice user, item;
    bool has_rating, has_time;
    double rating; /* finite */
    int64_t time;  /* seconds since 1970-01-01 UTC */
    HnSlice summary, text;
} HnInteraction;

typedef enum { HN_ITEM_TITLE, HN_ITEM_DESCRIPTION, HN_ITEM_CATEGORIES, HN_ITEM_ATTRIBUTES, HN_ITEM_FIELDS } HnItemField;
typedef struct HnItemText {
    HnSlice item;
    HnSlice field[HN_ITEM_FIELDS];
} HnItemText;

typedef struct HnReader HnReader;
/* Called for each interaction of a line that is whole and valid; slices live during the call. */
typedef HnStatus HnEmit(void *context, const HnInteraction *interaction, HnError *err);

typedef struct HnReaderOps {
    const char *name;
    unsigned input_flags; /* for hn_input_open */
    bool numeric_ids;     /* ids are numbers, and are numbered in numeric order */
    bool has_reviews;
    HnStatus (*interactions)(HnReader *reader, HnLine *line, HnEmit *emit, void *context, HnError *err);
    /* *got = false: the line holds no item (a header). */
    HnStatus (*item)(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err);
} HnReaderOps;

typedef enum { HN_SEP_NONE, HN_SEP_COLONS, HN_SEP_TAB, HN_SEP_COMMA, HN_SEP_SPACE, HN_SEP_BAR } HnSeparator;

struct HnReader {
    const HnReaderOps *ops;
    const char *path;
    bool items;             /* the file holds items, not interactions */
    bool with_text;         /* reviews are wanted */
    char why[HN_WHY_BYTES]; /* not empty: the last line was malformed */
    /* Delimited files: what their first line told. */
    bool known;
    HnSeparator separator;
    int n_columns;
    int column[4];          /* of user, item, rating, time; -1 = absent (an items table: item only) */
    uint64_t words_line;    /* pairs: the first line, until the second is read, where it holds two words; else 0 */
    bool time_ms;           /* times are milliseconds (Amazon's 2023 tables: an item column parent_asin) */
    char **names;           /* [n_columns] of an items table */
    bool latin1_told;       /* the encoding was announced */
    uint64_t markup_titles; /* titles that are left-over HTML, left out */
    HnText scratch[HN_ITEM_FIELDS + 2];
};

extern const HnReaderOps HN_READER_LIGHTGCN, HN_READER_PAIRS, HN_READER_AMAZON, HN_READER_YELP, HN_READER_MOVIELENS;
const HnReaderOps *hn_reader_for(HnDataFormat format); /* NULL for the synthetic world */

void hn_reader_start(HnReader *reader, const HnReaderOps *ops, const char *path, bool items, bool with_text);
void hn_reader_stop(HnReader *reader);

/* For readers: notes why a line is malformed; returns HN_OK, since the run goes on. */
HnStatus hn_reader_refuse(HnReader *reader, const char *format, ...) HN_PRINTF(2, 3);
/* A raw id: not empty, not longer than HN_ID_MAX. */
bool hn_reader_id_ok(HnReader *reader, const char *what, HnSlice id);
bool hn_reader_time_ok(HnReader *reader, int64_t seconds);
/* An id given as a JSON string or whole number. scratch backs an escaped string. */
HnStatus hn_reader_json_id(HnReader *reader, const char *what, const HnJsonValue *value, HnText *scratch, HnSlice *id,
                           HnError *err);
/* A JSON string as a slice of the line, or of scratch where it had escapes; absent for null. */
HnStatus hn_reader_json_text(HnReader *reader, const char *what, const HnJsonValue *value, HnText *scratch,
                             HnSlice *text, HnError *err);
/* Appends to out, putting `separator` between parts that are not empty. */
HnStatus hn_reader_join(HnText *out, const char *separator, const char *name, const char *bytes, size_t n_bytes,
                        HnError *err);

/* Items of any format as JSON lines ({"iid": 8, "title": "...", "profile": "..."}; keys: items.c), or as a table with a
 * header line ("item_id:token<TAB>title:token_seq"). */
HnStatus hn_reader_item_any(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err);
HnStatus hn_reader_item_json(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err);
HnStatus hn_reader_item_table(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err);

/* Delimited lines (delimited.c). */
HnSeparator hn_separator_find(const char *line); /* the first of :: tab comma space that occurs */
const char *hn_separator_name(HnSeparator separator);
/* Cuts the line in place at the separator; the number of fields, or -1 for more than HN_MAX_COLUMNS. Runs of spaces
 * count as one separator. */
int hn_fields_cut(char *line, HnSeparator separator, char *fields[HN_MAX_COLUMNS]);
/* ISO-8859-1 to UTF-8; valid UTF-8 (plain ASCII above all) stays as it is. */
HnStatus hn_reader_to_utf8(HnReader *reader, const char *text, HnText *scratch, HnSlice *out, HnError *err);

#endif
