/* Yelp Open Dataset: review.json (user_id, business_id, stars, text, date) and business.json (business_id, name, city,
 * state, categories, attributes). */
#include <string.h>

#include "reader.h"

enum { USER, BUSINESS, STARS, TEXT, DATE, N_REVIEW_KEYS };
static const char *const review_keys[] = {"user_id", "business_id", "stars", "text", "date"};

static HnStatus interactions(HnReader *reader, HnLine *line, HnEmit *emit, void *context, HnError *err) {
    HnJsonValue v[N_REVIEW_KEYS];
    HnInteraction out = {.has_rating = true, .has_time = true};
    if (!hn_json_line(line->text, line->n_bytes, review_keys, N_REVIEW_KEYS, v, reader->why)) {
        return HN_OK;
    }
    HN_TRY(hn_reader_json_id(reader, "user", &v[USER], &reader->scratch[0], &out.user, err));
    HN_TRY(hn_reader_json_id(reader, "business", &v[BUSINESS], &reader->scratch[1], &out.item, err));
    if (reader->why[0] == '\0' && !hn_json_double(&v[STARS], &out.rating)) {
        return hn_reader_refuse(reader, "\"stars\" is missing or not a finite number");
    }
    char date[32] = "";
    if (v[DATE].kind == HN_JSON_STRING && v[DATE].n_bytes < sizeof date) {
        memcpy(date, v[DATE].text, v[DATE].n_bytes);
        date[v[DATE].n_bytes] = '\0';
    }
    if (reader->why[0] == '\0' && !hn_parse_date(date, &out.time)) {
        return hn_reader_refuse(reader, "\"date\" is missing or not YYYY-MM-DD HH:MM:SS");
    }
    if (reader->with_text) {
        HN_TRY(hn_reader_json_text(reader, "text", &v[TEXT], &reader->scratch[2], &out.text, err));
    }
    return reader->why[0] != '\0' ? HN_OK : emit(context, &out, err);
}

enum { B_ID, B_NAME, B_CITY, B_STATE, B_CATEGORIES, B_ATTRIBUTES, N_BUSINESS_KEYS };
static const char *const business_keys[] = {"business_id", "name", "city", "state", "categories", "attributes"};

static HnStatus item(HnReader *reader, HnLine *line, HnItemText *out, bool *got, HnError *err) {
    HnJsonValue v[N_BUSINESS_KEYS];
    HnSlice part;
    *got = false;
    if (!hn_json_line(line->text, line->n_bytes, business_keys, N_BUSINESS_KEYS, v, reader->why)) {
        return HN_OK;
    }
    HnText *text = reader->scratch, *scratch = &reader->scratch[HN_ITEM_FIELDS];
    HN_TRY(hn_reader_json_id(reader, "business", &v[B_ID], &reader->scratch[HN_ITEM_FIELDS + 1], &out->item, err));
    HN_TRY(hn_reader_json_text(reader, "name", &v[B_NAME], &text[HN_ITEM_TITLE], &out->field[HN_ITEM_TITLE], err));
    HN_TRY(hn_reader_json_text(reader, "categories", &v[B_CATEGORIES], &text[HN_ITEM_CATEGORIES],
                               &out->field[HN_ITEM_CATEGORIES], err));
    out->field[HN_ITEM_DESCRIPTION] = (HnSlice){NULL, 0};
    HnText *attributes = &text[HN_ITEM_ATTRIBUTES];
    hn_text_clear(attributes);
    HN_TRY(hn_reader_json_text(reader, "city", &v[B_CITY], scratch, &part, err));
    HN_TRY(hn_reader_join(attributes, "; ", "city", part.data, part.n, err));
    HN_TRY(hn_reader_json_text(reader, "state", &v[B_STATE], scratch, &part, err));
    HN_TRY(hn_reader_join(attributes, "; ", "state", part.data, part.n, err));
    HnJsonValue key, value;
    for (size_t at = 0; hn_json_next(&v[B_ATTRIBUTES], &at, &key, &value);) {
        hn_text_clear(scratch);
        HN_TRY(hn_json_decode(&key, scratch, err));
        HN_TRY(hn_text_puts(scratch, ": ", err));
        HN_TRY(hn_json_decode(&value, scratch, err));
        HN_TRY(hn_reader_join(attributes, "; ", NULL, scratch->data, scratch->length, err));
    }
    out->field[HN_ITEM_ATTRIBUTES] = (HnSlice){hn_text_get(attributes), attributes->length};
    *got = reader->why[0] == '\0';
    return HN_OK;
}

const HnReaderOps HN_READER_YELP = {.name = "yelp", .has_reviews = true, .interactions = interactions, .item = item};
