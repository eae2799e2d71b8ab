/* Amazon reviews and product metadata as JSON lines, in the field names of 2014/2018 (reviewerID, asin, overall,
 * unixReviewTime, reviewText, summary) and of 2023 (user_id, parent_asin, rating, timestamp in ms, text, title). */
#include <string.h>

#include "reader.h"

enum { USER, USER_23, ASIN, PARENT, OVERALL, RATING, TIME, TIMESTAMP, TEXT, TEXT_23, SUMMARY, TITLE, N_REVIEW_KEYS };
static const char *const review_keys[] = {"reviewerID", "user_id", "asin",           "parent_asin",
                                          "overall",    "rating",  "unixReviewTime", "timestamp",
                                          "reviewText", "text",    "summary",        "title"};

static HnStatus read_numbers(HnReader *reader, const HnJsonValue *rating, const HnJsonValue *time, bool ms,
                             HnInteraction *out) {
    if (rating->kind != HN_JSON_ABSENT && rating->kind != HN_JSON_NULL) {
        out->has_rating = true;
        if (!hn_json_double(rating, &out->rating)) {
            return hn_reader_refuse(reader, "the rating is not a finite number");
        }
    }
    if (time->kind != HN_JSON_ABSENT && time->kind != HN_JSON_NULL) {
        out->has_time = true;
        if (!hn_json_i64(time, &out->time)) {
            return hn_reader_refuse(reader, "the time is not a whole number");
        }
        if (ms && out->time < HN_LEAST_MS) {
            return hn_reader_refuse(reader, "the timestamp %lld is not in milliseconds", (long long)out->time);
        }
        out->time = ms ? out->time / 1000 : out->time;
        (void)hn_reader_time_ok(reader, out->time);
    }
    return HN_OK;
}

static HnStatus interactions(HnReader *reader, HnLine *line, HnEmit *emit, void *context, HnError *err) {
    HnJsonValue v[N_REVIEW_KEYS];
    HnInteraction out = {.has_rating = false};
    if (!hn_json_line(line->text, line->n_bytes, review_keys, N_REVIEW_KEYS, v, reader->why)) {
        return HN_OK;
    }
    bool new_names = v[USER_23].kind != HN_JSON_ABSENT;
    if (new_names == (v[USER].kind != HN_JSON_ABSENT)) {
        return hn_reader_refuse(reader, new_names ? "both \"reviewerID\" and \"user_id\""
                                                  : "neither \"reviewerID\" nor \"user_id\"");
    }
    const HnJsonValue *item = new_names && v[PARENT].kind == HN_JSON_STRING ? &v[PARENT] : &v[ASIN];
    HN_TRY(hn_reader_json_id(reader, "user", &v[new_names ? USER_23 : USER], &reader->scratch[0], &out.user, err));
    HN_TRY(hn_reader_json_id(reader, "item", item, &reader->scratch[1], &out.item, err));
    HN_TRY(read_numbers(reader, &v[new_names ? RATING : OVERALL], &v[new_names ? TIMESTAMP : TIME], new_names, &out));
    if (reader->with_text) {
        HN_TRY(hn_reader_json_text(reader, new_names ? "text" : "reviewText", &v[new_names ? TEXT_23 : TEXT],
                                   &reader->scratch[2], &out.text, err));
        HN_TRY(hn_reader_json_text(reader, new_names ? "title" : "summary", &v[new_names ? TITLE : SUMMARY],
                                   &reader->scratch[3], &out.summary, err));
    }
    return reader->why[0] != '\0' ? HN_OK : emit(context, &out, err);
}

enum {
    M_ASIN,
    M_PARENT,
    M_TITLE,
    M_DESCRIPTION,
    M_CATEGORY,
    M_CATEGORIES,
    M_MAIN,
    M_MAIN_23,
    M_BRAND,
    M_STORE,
    M_FEATURE,
    M_FEATURES,
    M_DETAILS,
    N_META_KEYS
};
static const char *const meta_keys[] = {"asin",       "parent_asin", "title",         "description", "category",
                                        "categories", "main_cat",    "main_category", "brand",       "store",
                                        "feature",    "features",    "details"};

/* Appends a string, or the strings of a list (of lists), each once: 2018 category paths repeat their first name. */
static HnStatus join_strings(const HnJsonValue *value, const char *separator, const char *name, HnText *out,
                             HnText *scratch, HnError *err) {
    if (value->kind == HN_JSON_STRING) {
        hn_text_clear(scratch);
        HN_TRY(hn_json_decode(value, scratch, err));
        size_t begin = out->length;
        if (scratch->length > 0 && out->length >= scratch->length &&
            strcmp(out->data + out->length - scratch->length, scratch->data) == 0) {
            begin -= scratch->length;
            if (begin == 0 || (begin >= strlen(separator) &&
                               strncmp(out->data + begin - strlen(separator), separator, strlen(separator)) == 0)) {
                return HN_OK;
            }
        }
        return hn_reader_join(out, separator, name, hn_text_get(scratch), scratch->length, err);
    }
    HnJsonValue member;
    for (size_t at = 0; value->kind == HN_JSON_ARRAY && hn_json_next(value, &at, NULL, &member);) {
        HN_TRY(join_strings(&member, separator, name, out, scratch, err));
        name = NULL;
    }
    return HN_OK;
}

static HnStatus item_attributes(HnReader *reader, const HnJsonValue *v, HnText *out, HnError *err) {
    HnText *scratch = &reader->scratch[HN_ITEM_FIELDS + 1];
    HN_TRY(join_strings(&v[M_BRAND], "; ", "brand", out, scratch, err));
    HN_TRY(join_strings(&v[M_STORE], "; ", "store", out, scratch, err));
    HN_TRY(join_strings(&v[M_FEATURE], "; ", "features", out, scratch, err));
    HN_TRY(join_strings(&v[M_FEATURES], "; ", "features", out, scratch, err));
    /* The details of 2018 are shipping weights and page furniture; those of 2023 describe the product. */
    HnJsonValue key, value;
    for (size_t at = 0; v[M_PARENT].kind != HN_JSON_ABSENT && v[M_DETAILS].kind == HN_JSON_OBJECT &&
                        hn_json_next(&v[M_DETAILS], &at, &key, &value);) {
        if (value.kind != HN_JSON_STRING || value.n_bytes == 0) {
            continue;
        }
        hn_text_clear(scratch);
        HN_TRY(hn_json_decode(&key, scratch, err));
        HN_TRY(hn_text_puts(scratch, ": ", err));
        HN_TRY(hn_json_decode(&value, scratch, err));
        HN_TRY(hn_reader_join(out, "; ", NULL, scratch->data, scratch->length, err));
    }
    return HN_OK;
}

/* Some 2018 categories have page source where the title should be (<span class=...). */
static bool is_markup(const char *title) {
    title += strspn(title, " \t\n");
    return title[0] == '<' && ((title[1] >= 'a' && title[1] <= 'z') || title[1] == '/' || title[1] == '!');
}

static HnStatus item(HnReader *reader, HnLine *line, HnItemText *out, bool *got, HnError *err) {
    HnJsonValue v[N_META_KEYS];
    *got = false;
    if (!hn_json_line(line->text, line->n_bytes, meta_keys, N_META_KEYS, v, reader->why)) {
        return HN_OK;
    }
    const HnJsonValue *id = v[M_PARENT].kind == HN_JSON_STRING ? &v[M_PARENT] : &v[M_ASIN];
    HN_TRY(hn_reader_json_id(reader, "item", id, &reader->scratch[HN_ITEM_FIELDS], &out->item, err));
    HnText *text = reader->scratch, *scratch = &reader->scratch[HN_ITEM_FIELDS + 1];
    for (int f = 0; f < HN_ITEM_FIELDS; f++) {
        hn_text_clear(&text[f]);
    }
    HN_TRY(join_strings(&v[M_TITLE], " ", NULL, &text[HN_ITEM_TITLE], scratch, err));
    if (is_markup(hn_text_get(&text[HN_ITEM_TITLE]))) {
        hn_text_clear(&text[HN_ITEM_TITLE]);
        reader->markup_titles++;
    }
    HN_TRY(join_strings(&v[M_DESCRIPTION], " ", NULL, &text[HN_ITEM_DESCRIPTION], scratch, err));
    HN_TRY(join_strings(&v[M_CATEGORY], ", ", NULL, &text[HN_ITEM_CATEGORIES], scratch, err));
    HN_TRY(join_strings(&v[M_CATEGORIES], ", ", NULL, &text[HN_ITEM_CATEGORIES], scratch, err));
    if (text[HN_ITEM_CATEGORIES].length == 0) {
        HN_TRY(join_strings(&v[M_MAIN], ", ", NULL, &text[HN_ITEM_CATEGORIES], scratch, err));
        HN_TRY(join_strings(&v[M_MAIN_23], ", ", NULL, &text[HN_ITEM_CATEGORIES], scratch, err));
    }
    HN_TRY(item_attributes(reader, v, &text[HN_ITEM_ATTRIBUTES], err));
    for (int f = 0; f < HN_ITEM_FIELDS; f++) {
        out->field[f] = (HnSlice){hn_text_get(&text[f]), text[f].length};
    }
    *got = reader->why[0] == '\0';
    return HN_OK;
}

const HnReaderOps HN_READER_AMAZON = {
    .name = "amazon", .has_reviews = true, .interactions = interactions, .item = item};
