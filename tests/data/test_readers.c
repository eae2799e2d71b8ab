/* Each format's reader on lines whose meaning is known, and on lines that say nothing. */
#include "data/reader.h"

#include <stdio.h>
#include <string.h>

#include "fixture.h"

static HnReader reader;
static HnError err;
static HnText seen; /* "user item rating time summary text|" of each interaction */

static void put_slice(const char *before, HnSlice slice) {
    assert_int_equal(hn_text_puts(&seen, before, &err), HN_OK);
    assert_int_equal(hn_text_append(&seen, slice.data, slice.n, &err), HN_OK);
}

static HnStatus note(void *context, const HnInteraction *in, HnError *error) {
    (void)context;
    put_slice("", in->user);
    put_slice(" ", in->item);
    if (in->has_rating) {
        HN_TRY(hn_text_printf(&seen, error, " r%g", in->rating));
    }
    if (in->has_time) {
        HN_TRY(hn_text_printf(&seen, error, " t%lld", (long long)in->time));
    }
    if (in->summary.n + in->text.n > 0) {
        put_slice(" ", in->summary);
        put_slice("/", in->text);
    }
    return hn_text_puts(&seen, "|", error);
}

static void start(const HnReaderOps *ops, bool items) {
    hn_reader_stop(&reader);
    hn_reader_start(&reader, ops, "test", items, true);
}

/* The interactions of one line, "!" for a malformed one. */
static const char *interactions(const char *text) {
    static char copy[4096];
    (void)snprintf(copy, sizeof copy, "%s", text);
    HnLine line = {copy, strlen(copy), 1, NULL};
    hn_text_clear(&seen);
    reader.why[0] = '\0';
    assert_int_equal(reader.ops->interactions(&reader, &line, note, NULL, &err), HN_OK);
    if (reader.why[0] != '\0') {
        assert_int_equal(seen.length, 0); /* a malformed line leaves nothing behind */
        return "!";
    }
    return hn_text_get(&seen);
}

/* "id;title;description;categories;attributes", "" for a header, "!" for a malformed line. */
static const char *item(const char *text) {
    static char copy[4096];
    (void)snprintf(copy, sizeof copy, "%s", text);
    HnLine line = {copy, strlen(copy), 1, NULL};
    HnItemText out;
    bool got = false;
    memset(&out, 0, sizeof out);
    hn_text_clear(&seen);
    reader.why[0] = '\0';
    assert_int_equal(reader.ops->item(&reader, &line, &out, &got, &err), HN_OK);
    if (reader.why[0] != '\0') {
        assert_false(got);
        return "!";
    }
    if (!got) {
        return "";
    }
    put_slice("", out.item);
    for (int f = 0; f < HN_ITEM_FIELDS; f++) {
        put_slice(";", out.field[f]);
    }
    return hn_text_get(&seen);
}

static void lightgcn(void **state) {
    (void)state;
    start(&HN_READER_LIGHTGCN, false);
    assert_string_equal(interactions("0 0 1344 2024"), "0 0|0 1344|0 2024|");
    assert_string_equal(interactions("7 5 "), "7 5|");
    assert_string_equal(interactions(" 7\t5  6"), "7 5|7 6|");
    assert_string_equal(interactions("7"), ""); /* a user without items */
    assert_string_equal(interactions("2147483646 2147483646"), "2147483646 2147483646|");
    const char *const bad[] = {"x",    "1 x",      "1 -2", "1 2.5", "1,2", "1 2147483647", "1 99999999999999999999999",
                               "01 2", "1 2 3 nan"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_string_equal(interactions(bad[k]), "!");
    }
    assert_string_equal(interactions("1 2147483647"), "!");
    assert_non_null(strstr(reader.why, "out of range"));
}

static void pairs(void **state) {
    (void)state;
    const char *const separators[] = {"\t", ",", "::", " "};
    for (size_t k = 0; k < 4; k++) {
        char line[128];
        start(&HN_READER_PAIRS, false);
        (void)snprintf(line, sizeof line, "u1%si1%s4.5%s1500000000", separators[k], separators[k], separators[k]);
        assert_string_equal(interactions(line), "u1 i1 r4.5 t1500000000|");
        assert_string_equal(interactions("u1 only"), "!");
        (void)snprintf(line, sizeof line, "u1%si1%snan%s1500000000", separators[k], separators[k], separators[k]);
        assert_string_equal(interactions(line), "!");
        (void)snprintf(line, sizeof line, "u1%si1%s3%s1500000000000", separators[k], separators[k], separators[k]);
        assert_string_equal(interactions(line), "!"); /* milliseconds */
        (void)snprintf(line, sizeof line, "u1%si1%sinf%s1", separators[k], separators[k], separators[k]);
        assert_string_equal(interactions(line), "!");
        (void)snprintf(line, sizeof line, "u1%s%s3%s1", separators[k], separators[k], separators[k]);
        assert_string_equal(interactions(line), "!"); /* no item (space: too few fields) */
    }
    start(&HN_READER_PAIRS, false);
    assert_string_equal(interactions("user,item"), "");
    assert_string_equal(interactions("7909,13310"), "7909 13310|");
    assert_string_equal(interactions("user,item"), "user item|"); /* only the first line can be a header */
    start(&HN_READER_PAIRS, false);
    assert_string_equal(interactions("timestamp:float\titem_id:token\tx:float\tuser_id:token\trating:float"), "");
    assert_string_equal(interactions("1.5e9\ti\t9\tu\t3"), "u i r3 t1500000000|");
    start(&HN_READER_PAIRS, false);
    assert_string_equal(interactions("user_id,parent_asin,rating,timestamp"), ""); /* Amazon 2023 */
    assert_string_equal(interactions("A,B,5.0,1588687728923"), "A B r5 t1588687728|");
    assert_string_equal(interactions("A,B,5.0,1588687728"), "!");
    start(&HN_READER_PAIRS, false);
    assert_string_equal(interactions("alone"), "!");
    assert_string_equal(interactions("a b c d e"), "!"); /* five columns without a header: which is which? */
    assert_string_equal(interactions("a  b"), "a b|");
    start(&HN_READER_PAIRS, false);
    assert_string_equal(interactions("\"a\",\"b\""), "!");
}

static void amazon_reviews(void **state) {
    (void)state;
    start(&HN_READER_AMAZON, false);
    assert_string_equal(
        interactions("{\"overall\": 5.0, \"reviewerID\": \"A1\", \"asin\": \"B1\", \"reviewText\": "
                     "\"Gr\\u00e4t.\", \"summary\": \"Five\", \"unixReviewTime\": 1529193600, \"x\": {}}"),
        "A1 B1 r5 t1529193600 Five/Gr\303\244t.|");
    assert_string_equal(interactions("{\"rating\": 4, \"title\": \"T\", \"text\": \"x<br />y\", \"asin\": \"CHILD\", "
                                     "\"parent_asin\": \"B2\", \"user_id\": \"A2\", \"timestamp\": 1588687728923}"),
                        "A2 B2 r4 t1588687728 T/x<br />y|");
    assert_string_equal(interactions("{\"reviewerID\": \"A\", \"asin\": \"B\"}"), "A B|");
    assert_string_equal(interactions("{\"reviewerID\": \"A\", \"asin\": \"B\", \"reviewText\": null}"), "A B|");
    const char *const bad[] = {"{\"asin\": \"B\"}",
                               "{\"reviewerID\": \"A\"}",
                               "{\"reviewerID\": \"\", \"asin\": \"B\"}",
                               "{\"reviewerID\": \"A\", \"user_id\": \"A\", \"asin\": \"B\"}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": NaN}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": \"5\"}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\", \"overall\": 1e400}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\", \"unixReviewTime\": 1529193600000}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\", \"unixReviewTime\": 15.5}",
                               "{\"user_id\": \"A\", \"asin\": \"B\", \"timestamp\": 1529193600}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\", \"reviewText\": 7}",
                               "{\"reviewerID\": \"A\", \"asin\": \"B\""};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_string_equal(interactions(bad[k]), "!");
    }
}

static void amazon_items(void **state) {
    (void)state;
    start(&HN_READER_AMAZON, true);
    assert_string_equal(
        item("{\"category\": [\"Toys\", \"Toys\", \"Games\"], \"description\": [\"One.\", \"\", \"Two.\"], "
             "\"title\": \"T\", \"brand\": \"X\", \"feature\": [\"a\", \"b\"], \"asin\": \"B1\", "
             "\"details\": {\"Weight:\": \"1\"}}"),
        "B1;T;One. Two.;Toys, Games;brand: X; features: a; b");
    assert_string_equal(
        item("{'asin': 'B2', 'title': \"it's\", 'categories': [['A', 'B'], ['C']], 'description': 'd'}"),
        "B2;it's;d;A, B, C;");
    assert_string_equal(item("{\"main_category\": \"Toys\", \"title\": \"T\", \"features\": [], \"description\": [], "
                             "\"store\": \"S\", \"categories\": [], \"details\": {\"Color\": \"red\", \"n\": 3}, "
                             "\"parent_asin\": \"B3\"}"),
                        "B3;T;;Toys;store: S; Color: red");
    assert_string_equal(item("{\"asin\": \"B4\", \"title\": \"<span class=\\\"a\\\">\"}"), "B4;;;;");
    assert_int_equal(reader.markup_titles, 1);
    assert_string_equal(item("{\"asin\": \"B5\", \"title\": \"<3 mug\"}"), "B5;<3 mug;;;");
    assert_string_equal(item("{\"title\": \"T\"}"), "!");
    assert_string_equal(item("{\"asin\": \"B\", \"title\": \"T\""), "!");
}

static void yelp(void **state) {
    (void)state;
    start(&HN_READER_YELP, false);
    assert_string_equal(interactions("{\"review_id\":\"r\",\"user_id\":\"u\",\"business_id\":\"b\",\"stars\":3.0,"
                                     "\"text\":\"a\\/b\",\"date\":\"2012-01-03 15:28:18\"}"),
                        "u b r3 t1325604498 /a/b|");
    assert_string_equal(interactions("{\"user_id\":\"u\",\"business_id\":\"b\",\"stars\":3.0,\"date\":\"2012\"}"), "!");
    assert_string_equal(interactions("{\"user_id\":\"u\",\"business_id\":\"b\",\"date\":\"2012-01-03\"}"), "!");
    assert_string_equal(interactions("{\"user_id\":\"u\",\"stars\":1,\"date\":\"2012-01-03\"}"), "!");
    start(&HN_READER_YELP, true);
    assert_string_equal(item("{\"business_id\":\"b\",\"name\":\"N\",\"city\":\"C\",\"state\":\"S\",\"attributes\":"
                             "{\"WiFi\":\"u'no'\",\"Parking\":\"{'lot': False}\"},\"categories\":\"A, B\"}"),
                        "b;N;;A, B;city: C; state: S; WiFi: u'no'; Parking: {'lot': False}");
    assert_string_equal(item("{\"business_id\":\"b\",\"name\":\"N\",\"attributes\":null,\"categories\":null}"),
                        "b;N;;;");
    assert_string_equal(item("{\"name\":\"N\"}"), "!");
}

static void movielens(void **state) {
    (void)state;
    start(&HN_READER_MOVIELENS, false);
    assert_string_equal(interactions("196\t242\t3\t881250949"), "196 242 r3 t881250949|");
    start(&HN_READER_MOVIELENS, false);
    assert_string_equal(interactions("1::1193::5::978300760"), "1 1193 r5 t978300760|");
    start(&HN_READER_MOVIELENS, true);
    assert_string_equal(item("2|Caf\351 (1995)|01-Jan-1995||http://x|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0"),
                        "2;Caf\303\251 (1995);;Action, Adventure, Thriller;release date: 01-Jan-1995");
    assert_string_equal(item("2|T|d||u|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0"), "!");
    assert_string_equal(item("2|T|d||u|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|7"), "!");
    start(&HN_READER_MOVIELENS, true);
    assert_string_equal(item("1::Toy Story (1995)::Animation|Children's"),
                        "1;Toy Story (1995);;Animation, Children's;");
    assert_string_equal(item("1::Toy Story (1995)"), "!");
    start(&HN_READER_MOVIELENS, true);
    assert_string_equal(item("item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq"), "");
    assert_string_equal(item("1\tToy Story\t1995\tAnimation Comedy"),
                        "1;Toy Story;;Animation Comedy;release_year: 1995");
    assert_string_equal(item("1\tToy Story"), "!");
}

static void generic_items(void **state) {
    (void)state;
    start(&HN_READER_PAIRS, true);
    assert_string_equal(item("{\"iid\": 8, \"title\": \"Luke\", \"profile\": \"Users who ...\"}"),
                        "8;Luke;Users who ...;;");
    assert_string_equal(item("{\"item_id\": \"x\", \"name\": \"N\", \"description\": \"D\", \"profile\": \"P\", "
                             "\"categories\": [\"A\", \"B\"]}"),
                        "x;N;D;A, B;");
    assert_string_equal(item("{\"iid\": 8.5, \"title\": \"Luke\"}"), "!");
    assert_string_equal(item("{\"title\": \"Luke\"}"), "!");
    start(&HN_READER_LIGHTGCN, true);
    assert_string_equal(item("no header"), "!");
}

static int release(void **state) {
    (void)state;
    hn_reader_stop(&reader);
    hn_text_free(&seen);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lightgcn),      cmocka_unit_test(pairs), cmocka_unit_test(amazon_reviews),
        cmocka_unit_test(amazon_items),  cmocka_unit_test(yelp),  cmocka_unit_test(movielens),
        cmocka_unit_test(generic_items),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
