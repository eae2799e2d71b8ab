/* Item text of formats that have no metadata of their own: JSON lines, or a table with a header line.
 *
 * JSON keys: the id is iid, item_id, parent_asin, asin, business_id or item; then title or name; description, else
 * profile; categories. A table's first line names its columns (types behind a colon, as RecBole writes them, are
 * dropped): item_id, title or movie_title or name, description, genre or categories; all others become attributes. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/log.h"
#include "reader.h"

enum {
    ID_IID,
    ID_ITEM_ID,
    ID_PARENT,
    ID_ASIN,
    ID_BUSINESS,
    ID_ITEM,
    N_IDS,
    TITLE = N_IDS,
    NAME,
    DESCRIPTION,
    PROFILE,
    CATEGORIES,
    N_KEYS
};
static const char *const item_keys[] = {"iid",   "item_id", "parent_asin", "asin",    "business_id", "item",
                                        "title", "name",    "description", "profile", "categories"};

HnStatus hn_reader_item_json(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err) {
    HnJsonValue v[N_KEYS];
    *got = false;
    memset(item, 0, sizeof *item);
    if (!hn_json_line(line->text, line->n_bytes, item_keys, N_KEYS, v, reader->why)) {
        return HN_OK;
    }
    int id = 0;
    while (id < N_IDS && v[id].kind == HN_JSON_ABSENT) {
        id++;
    }
    if (id == N_IDS) {
        return hn_reader_refuse(reader, "no item id (\"iid\", \"item_id\", ...)");
    }
    HN_TRY(hn_reader_json_id(reader, "item", &v[id], &reader->scratch[HN_ITEM_FIELDS], &item->item, err));
    int title = v[TITLE].kind != HN_JSON_ABSENT ? TITLE : NAME;
    int about = v[DESCRIPTION].kind == HN_JSON_STRING ? DESCRIPTION : PROFILE;
    HN_TRY(hn_reader_json_text(reader, item_keys[title], &v[title], &reader->scratch[HN_ITEM_TITLE],
                               &item->field[HN_ITEM_TITLE], err));
    HN_TRY(hn_reader_json_text(reader, item_keys[about], &v[about], &reader->scratch[HN_ITEM_DESCRIPTION],
                               &item->field[HN_ITEM_DESCRIPTION], err));
    HnText *categories = &reader->scratch[HN_ITEM_CATEGORIES], *scratch = &reader->scratch[HN_ITEM_FIELDS + 1];
    if (v[CATEGORIES].kind == HN_JSON_ARRAY) {
        HnJsonValue member;
        hn_text_clear(categories);
        for (size_t at = 0; hn_json_next(&v[CATEGORIES], &at, NULL, &member);) {
            hn_text_clear(scratch);
            HN_TRY(hn_json_decode(&member, scratch, err));
            HN_TRY(hn_reader_join(categories, ", ", NULL, hn_text_get(scratch), scratch->length, err));
        }
        item->field[HN_ITEM_CATEGORIES] = (HnSlice){hn_text_get(categories), categories->length};
    } else {
        HN_TRY(hn_reader_json_text(reader, "categories", &v[CATEGORIES], categories, &item->field[HN_ITEM_CATEGORIES],
                                   err));
    }
    *got = reader->why[0] == '\0';
    return HN_OK;
}

static HnStatus learn_table(HnReader *reader, HnLine *line, HnError *err) {
    char *fields[HN_MAX_COLUMNS];
    reader->separator = strchr(line->text, '\t') != NULL ? HN_SEP_TAB : HN_SEP_COMMA;
    int n = hn_fields_cut(line->text, reader->separator, fields);
    if (n < 2) {
        return hn_reader_refuse(reader, "no header line that names the columns (item_id<TAB>title ...)");
    }
    reader->column[1] = -1;
    for (int c = 0; c < n; c++) {
        fields[c][strcspn(fields[c], ":")] = '\0';
        if (strcasecmp(fields[c], "item_id") == 0 || strcasecmp(fields[c], "iid") == 0 ||
            strcasecmp(fields[c], "item") == 0 || strcasecmp(fields[c], "asin") == 0) {
            reader->column[1] = c;
        }
    }
    if (reader->column[1] < 0) {
        return hn_reader_refuse(reader, "no header line with an item_id column");
    }
    reader->names = hn_alloc((size_t)n, sizeof *reader->names, "column names", err);
    if (reader->names == NULL) {
        return HN_MEMORY;
    }
    reader->n_columns = n;
    for (int c = 0; c < n; c++) {
        reader->names[c] = hn_strdup(fields[c], err);
        if (reader->names[c] == NULL) {
            return HN_MEMORY;
        }
    }
    reader->known = true;
    hn_log(HN_LOG_INFO, "%s: item table of %d columns, separator %s", reader->path, n,
           hn_separator_name(reader->separator));
    return HN_OK;
}

static HnItemField field_of(const char *name) {
    static const struct {
        const char *name;
        HnItemField field;
    } known[] = {{"title", HN_ITEM_TITLE},         {"movie_title", HN_ITEM_TITLE},
                 {"name", HN_ITEM_TITLE},          {"description", HN_ITEM_DESCRIPTION},
                 {"genre", HN_ITEM_CATEGORIES},    {"genres", HN_ITEM_CATEGORIES},
                 {"category", HN_ITEM_CATEGORIES}, {"categories", HN_ITEM_CATEGORIES},
                 {"class", HN_ITEM_CATEGORIES}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        if (strcasecmp(name, known[k].name) == 0) {
            return known[k].field;
        }
    }
    return HN_ITEM_ATTRIBUTES;
}

HnStatus hn_reader_item_table(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err) {
    *got = false;
    memset(item, 0, sizeof *item);
    if (!hn_utf8_valid(line->text, line->n_bytes, NULL)) {
        return hn_reader_refuse(reader, "the line is not valid UTF-8");
    }
    if (!reader->known) {
        return learn_table(reader, line, err);
    }
    char *fields[HN_MAX_COLUMNS];
    int n = hn_fields_cut(line->text, reader->separator, fields);
    if (n != reader->n_columns) {
        return hn_reader_refuse(reader, "not the %d fields of the header line", reader->n_columns);
    }
    item->item = (HnSlice){fields[reader->column[1]], strlen(fields[reader->column[1]])};
    if (!hn_reader_id_ok(reader, "item", item->item)) {
        return HN_OK;
    }
    for (int f = 0; f < HN_ITEM_FIELDS; f++) {
        hn_text_clear(&reader->scratch[f]);
    }
    for (int c = 0; c < n; c++) {
        if (c != reader->column[1]) {
            HnItemField f = field_of(reader->names[c]);
            const char *name = f == HN_ITEM_ATTRIBUTES ? reader->names[c] : NULL;
            HN_TRY(hn_reader_join(&reader->scratch[f], f == HN_ITEM_ATTRIBUTES ? "; " : ", ", name, fields[c],
                                  strlen(fields[c]), err));
        }
    }
    for (int f = 0; f < HN_ITEM_FIELDS; f++) {
        item->field[f] = (HnSlice){hn_text_get(&reader->scratch[f]), reader->scratch[f].length};
    }
    *got = true;
    return HN_OK;
}

HnStatus hn_reader_item_any(HnReader *reader, HnLine *line, HnItemText *item, bool *got, HnError *err) {
    if (!reader->known && line->text[strspn(line->text, " \t")] == '{') {
        return hn_reader_item_json(reader, line, item, got, err);
    }
    return hn_reader_item_table(reader, line, item, got, err);
}
