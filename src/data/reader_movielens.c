/* MovieLens 100K (u.data, u.item) and 1M (ratings.dat, movies.dat). Ratings are pairs; of items there are three kinds:
 * u.item (24 fields, |), movies.dat (id::title::genre|genre), and a RecBole table with a header line. */
#include <string.h>

#include "reader.h"

enum { U_ITEM_FIELDS = 24, FIRST_GENRE = 5, N_GENRES = 19, MOVIES_DAT_FIELDS = 3 };

/* The flags of u.item, in the order of u.genre. */
static const char *const genres[N_GENRES] = {"unknown",   "Action",   "Adventure",   "Animation", "Children's",
                                             "Comedy",    "Crime",    "Documentary", "Drama",     "Fantasy",
                                             "Film-Noir", "Horror",   "Musical",     "Mystery",   "Romance",
                                             "Sci-Fi",    "Thriller", "War",         "Western"};

static HnStatus interactions(HnReader *reader, HnLine *line, HnEmit *emit, void *context, HnError *err) {
    return HN_READER_PAIRS.interactions(reader, line, emit, context, err);
}

static HnStatus u_item(HnReader *reader, char **fields, HnItemText *out, HnError *err) {
    HnText *categories = &reader->scratch[HN_ITEM_CATEGORIES], *attributes = &reader->scratch[HN_ITEM_ATTRIBUTES];
    hn_text_clear(categories);
    hn_text_clear(attributes);
    for (int g = 0; g < N_GENRES; g++) {
        const char *flag = fields[FIRST_GENRE + g];
        if (strcmp(flag, "0") != 0 && strcmp(flag, "1") != 0) {
            return hn_reader_refuse(reader, "the genre flag %d is neither 0 nor 1", g);
        }
        if (flag[0] == '1') {
            HN_TRY(hn_reader_join(categories, ", ", NULL, genres[g], strlen(genres[g]), err));
        }
    }
    HN_TRY(hn_reader_join(attributes, "; ", "release date", fields[2], strlen(fields[2]), err));
    out->field[HN_ITEM_ATTRIBUTES] = (HnSlice){hn_text_get(attributes), attributes->length};
    return HN_OK;
}

static HnStatus movies_dat(HnReader *reader, char **fields, HnError *err) {
    HnText *categories = &reader->scratch[HN_ITEM_CATEGORIES];
    hn_text_clear(categories);
    char *names[HN_MAX_COLUMNS];
    int n = hn_fields_cut(fields[2], HN_SEP_BAR, names);
    for (int g = 0; g < n; g++) {
        HN_TRY(hn_reader_join(categories, ", ", NULL, names[g], strlen(names[g]), err));
    }
    return HN_OK;
}

static HnStatus item(HnReader *reader, HnLine *line, HnItemText *out, bool *got, HnError *err) {
    *got = false;
    if (!reader->known) {
        bool bars = strchr(line->text, '|') != NULL, colons = strstr(line->text, "::") != NULL;
        reader->separator = colons ? HN_SEP_COLONS : bars ? HN_SEP_BAR : HN_SEP_TAB;
        reader->known = colons || bars;
    }
    if (reader->separator == HN_SEP_TAB) {
        return hn_reader_item_table(reader, line, out, got, err);
    }
    char *fields[HN_MAX_COLUMNS];
    int n = hn_fields_cut(line->text, reader->separator, fields);
    int expected = reader->separator == HN_SEP_BAR ? U_ITEM_FIELDS : MOVIES_DAT_FIELDS;
    if (n != expected) {
        return hn_reader_refuse(reader, "not the %d fields of a MovieLens item line (separator %s)", expected,
                                hn_separator_name(reader->separator));
    }
    memset(out, 0, sizeof *out);
    out->item = (HnSlice){fields[0], strlen(fields[0])};
    if (!hn_utf8_valid(out->item.data, out->item.n, NULL)) {
        return hn_reader_refuse(reader, "the item id is not valid UTF-8");
    }
    if (!hn_reader_id_ok(reader, "item", out->item)) {
        return HN_OK;
    }
    HN_TRY(expected == U_ITEM_FIELDS ? u_item(reader, fields, out, err) : movies_dat(reader, fields, err));
    if (reader->why[0] != '\0') {
        return HN_OK;
    }
    HnText *categories = &reader->scratch[HN_ITEM_CATEGORIES];
    HN_TRY(hn_reader_to_utf8(reader, fields[1], &reader->scratch[HN_ITEM_TITLE], &out->field[HN_ITEM_TITLE], err));
    out->field[HN_ITEM_CATEGORIES] = (HnSlice){hn_text_get(categories), categories->length};
    *got = true;
    return HN_OK;
}

const HnReaderOps HN_READER_MOVIELENS = {
    .name = "movielens", .input_flags = HN_INPUT_ANY_BYTES, .interactions = interactions, .item = item};
