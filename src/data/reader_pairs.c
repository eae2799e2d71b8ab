/* Pairs: `user item [rating [time]]`, one a line. The separator is what the first line uses (::, tab, comma or space),
 * and is stated; a first line of column names (user,item or user_id:token<TAB>...) is recognised and announced. One of
 * other names is no pair either, and what tells it from ids is refused. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "reader.h"

static const char *const user_names[] = {"user", "user_id", "userid", "uid", "reviewerid", NULL};
static const char *const item_names[] = {"item",     "item_id", "itemid",      "iid",         "movieid",
                                         "movie_id", "asin",    "parent_asin", "business_id", NULL};
static const char *const rating_names[] = {"rating", "ratings", "overall", "stars", "score", NULL};
static const char *const time_names[] = {"time", "timestamp", "unixreviewtime", NULL};
static const char *const *const column_names[] = {user_names, item_names, rating_names, time_names};

/* A column name, "user_id:token" included (RecBole writes the type behind a colon). */
static bool is_name(const char *field, const char *const *names) {
    size_t n = strcspn(field, ":");
    for (; *names != NULL; names++) {
        if (strlen(*names) == n && strncasecmp(*names, field, n) == 0) {
            return true;
        }
    }
    return false;
}

/* Column of each known name; the line is a header where both user and item are named. */
static bool read_header(HnReader *reader, char **fields, int n) {
    int column[4] = {-1, -1, -1, -1};
    for (int c = 0; c < n; c++) {
        for (int k = 0; k < 4; k++) {
            if (column[k] < 0 && is_name(fields[c], column_names[k])) {
                column[k] = c;
                break;
            }
        }
    }
    if (column[0] < 0 || column[1] < 0) {
        return false;
    }
    memcpy(reader->column, column, sizeof column);
    /* Amazon's 2023 rating tables name the item so, and count milliseconds as the 2023 reviews do. */
    reader->time_ms = strcmp(fields[column[1]], "parent_asin") == 0;
    return true;
}

static bool is_number(const char *field) {
    double value;
    return hn_parse_double(field, &value);
}

/* A header of which one name is known and the other is not. */
static HnStatus refuse_header(const HnReader *reader, char **fields, int n, uint64_t line, HnError *err) {
    bool user = false, item = false;
    for (int c = 0; c < n; c++) {
        user = user || is_name(fields[c], user_names);
        item = item || is_name(fields[c], item_names);
    }
    return user == item
               ? HN_OK
               : hn_fail(err, HN_INPUT,
                         "%s:%llu: this line names a column of %s and none of %s: name them user and item (or user_id "
                         "and item_id), or remove the line where it holds ids",
                         reader->path, (unsigned long long)line, user ? "users" : "items", user ? "items" : "users");
}

/* Words above numbers are names, and not the ids of a user and an item. */
static HnStatus check_second(HnReader *reader, char **fields, HnError *err) {
    const bool numbers = is_number(fields[reader->column[0]]) && is_number(fields[reader->column[1]]);
    const uint64_t words = reader->words_line;
    reader->words_line = 0;
    return words == 0 || !numbers
               ? HN_OK
               : hn_fail(err, HN_INPUT,
                         "%s:%llu: words, and numbers below them: a header whose names are not known. Name its columns "
                         "user and item, or remove the line",
                         reader->path, (unsigned long long)words);
}

static bool learn(HnReader *reader, char **fields, int n, uint64_t line) {
    bool header = read_header(reader, fields, n);
    if (!header && (n < 2 || n > 4)) {
        hn_reader_refuse(reader, "%d fields where user, item and perhaps rating and time are expected", n);
        return false;
    }
    for (int k = 0; !header && k < 4; k++) {
        reader->column[k] = k < n ? k : -1;
    }
    reader->known = true;
    reader->n_columns = n;
    reader->words_line = !header && n == 2 && !is_number(fields[0]) && !is_number(fields[1]) ? line : 0;
    hn_log(HN_LOG_INFO, "%s: separator %s, %d columns%s", reader->path, hn_separator_name(reader->separator), n,
           reader->time_ms ? ", named by a header line, time in ms"
           : header        ? ", named by a header line"
                           : "");
    return header;
}

static bool read_numbers(HnReader *reader, char **fields, HnInteraction *out) {
    int rating = reader->column[2], time = reader->column[3];
    if (rating >= 0) {
        out->has_rating = true;
        if (!hn_parse_double(fields[rating], &out->rating)) {
            hn_reader_refuse(reader, "the rating \"%.24s\" is not a finite number", fields[rating]);
            return false;
        }
    }
    if (time >= 0) {
        double seconds;
        out->has_time = true;
        if (!hn_parse_i64(fields[time], &out->time)) {
            if (!hn_parse_double(fields[time], &seconds) || seconds > 1e15 || seconds < -1e15) {
                hn_reader_refuse(reader, "the time \"%.24s\" is not a number", fields[time]);
                return false;
            }
            out->time = (int64_t)seconds;
        }
        if (reader->time_ms && out->time < HN_LEAST_MS) {
            hn_reader_refuse(reader, "the timestamp %lld is not in milliseconds", (long long)out->time);
            return false;
        }
        out->time = reader->time_ms ? out->time / 1000 : out->time;
        return hn_reader_time_ok(reader, out->time);
    }
    return true;
}

static HnStatus interactions(HnReader *reader, HnLine *line, HnEmit *emit, void *context, HnError *err) {
    char *fields[HN_MAX_COLUMNS];
    if (!reader->known) {
        reader->separator = hn_separator_find(line->text);
        if (reader->separator == HN_SEP_NONE) {
            return hn_reader_refuse(reader, "one field only: user and item are expected");
        }
    }
    int n = hn_fields_cut(line->text, reader->separator, fields);
    for (int c = 0; c < n; c++) { /* "1, 2" means 1 and 2: blanks around a field are no part of an id */
        fields[c] += strspn(fields[c], " \t");
        for (size_t end = strlen(fields[c]); end > 0 && strchr(" \t", fields[c][end - 1]) != NULL; end--) {
            fields[c][end - 1] = '\0';
        }
    }
    const bool first = !reader->known;
    if (first && n > 0) {
        const bool header = learn(reader, fields, n, line->number);
        HN_TRY(header ? HN_OK : refuse_header(reader, fields, n, line->number, err));
        if (header) {
            return HN_OK;
        }
    }
    if (reader->why[0] != '\0') {
        return HN_OK;
    }
    if (n != reader->n_columns) {
        return hn_reader_refuse(reader, "not %d fields as in the first line (separator %s)", reader->n_columns,
                                hn_separator_name(reader->separator));
    }
    HN_TRY(first ? HN_OK : check_second(reader, fields, err));
    HnInteraction out = {.has_rating = false};
    out.user = (HnSlice){fields[reader->column[0]], strlen(fields[reader->column[0]])};
    out.item = (HnSlice){fields[reader->column[1]], strlen(fields[reader->column[1]])};
    if (out.user.data[0] == '"' || out.item.data[0] == '"') {
        return hn_reader_refuse(reader, "quoted fields are not supported: write the ids without quotes");
    }
    if (!hn_reader_id_ok(reader, "user", out.user) || !hn_reader_id_ok(reader, "item", out.item) ||
        !read_numbers(reader, fields, &out)) {
        return HN_OK;
    }
    return emit(context, &out, err);
}

const HnReaderOps HN_READER_PAIRS = {.name = "pairs", .interactions = interactions, .item = hn_reader_item_any};
