/* Every reader on truncated, damaged and random files: each run ends with success or a named fault, and frees all.
 * Meant to be run under the address and undefined-behaviour sanitizers too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/text.h"
#include "fixture.h"

typedef struct Sample {
    const char *format;
    const char *interactions, *items;
} Sample;

static const Sample samples[] = {
    {"lightgcn", "0 0 1344 2024\n1 0 791\n2 7 8 9\n", "item_id:token\ttitle:token\n0\tZero\n791\tOther\n"},
    {"pairs",
     "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\ti1\t4.5\t1500000000\nu2\ti1\t3\t15e8\n"
     "u2\ti2\t3\t1.4e9\n",
     "{\"iid\": \"i1\", \"title\": \"One\", \"profile\": \"p\"}\n{\"item_id\": \"i2\", \"categories\": [\"a\"]}\n"},
    {"amazon",
     "{\"overall\": 5.0, \"reviewerID\": \"A1\", \"asin\": \"B1\", \"reviewText\": \"Gr\\u00e4t \\ud83d\\ude00.\", "
     "\"summary\": \"Five\", \"unixReviewTime\": 1529193600, \"style\": {\"a:\": [1, 2.5e1, null]}}\n"
     "{\"rating\": 4, \"title\": \"T\", \"text\": \"x\", \"parent_asin\": \"B2\", \"user_id\": \"A2\", \"timestamp\": "
     "1588687728923}\n",
     "{'asin': 'B1', 'title': \"it's\", 'categories': [['A', 'B'], ['C']], 'description': 'd\\x41'}\n"
     "{\"parent_asin\": \"B2\", \"details\": {\"k\": \"v\"}, \"description\": [\"a\", \"b\"], \"features\": []}\n"},
    {"yelp",
     "{\"user_id\":\"u\",\"business_id\":\"b\",\"stars\":3.0,\"text\":\"a\\/b\",\"date\":\"2012-01-03 15:28:18\"}\n"
     "{\"user_id\":\"v\",\"business_id\":\"b\",\"stars\":1,\"text\":\"\",\"date\":\"2013-01-03\"}\n",
     "{\"business_id\":\"b\",\"name\":\"N\",\"city\":\"C\",\"attributes\":{\"WiFi\":\"no\"},\"categories\":\"A, "
     "B\"}\n"},
    {"movielens", "196\t242\t3\t881250949\n196\t243\t5\t881250950\n197\t242\t1\t881250951\n",
     "242|Caf\351 (1995)|01-Jan-1995||http://x|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0\n"
     "243|Two (1996)|||u|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|1\n"},
};

/* One preparation of what is given; only these outcomes are known. */
static void run(const Sample *sample, const char *interactions, size_t n, const char *items, size_t n_items) {
    uint64_t live = hn_alloc_live_blocks();
    char format[64], in[8192], meta[8192];
    Prepared prepared;
    fixture_write("in.txt", interactions, n);
    fixture_write("meta.txt", items, n_items);
    (void)snprintf(format, sizeof format, "data.format=%s", sample->format);
    (void)snprintf(in, sizeof in, "data.interactions=[%s]", fixture_path("in.txt"));
    (void)snprintf(meta, sizeof meta, "data.items=[%s]", fixture_path("meta.txt"));
    fixture_prepare(&prepared, "fuzz.h5", format, in, meta, "data.max_bad_share=1", NULL);
    if (prepared.status != HN_OK && prepared.status != HN_INPUT && prepared.status != HN_UNSUPPORTED) {
        print_error("%s: status %d: %s\n", sample->format, (int)prepared.status, prepared.err.message);
        fail();
    }
    if (prepared.status == HN_OK) {
        assert_int_equal(remove(fixture_path("fuzz.h5")), 0);
    }
    fixture_release(&prepared);
    assert_int_equal(hn_alloc_live_blocks(), live);
}

static void whole_and_cut(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof samples / sizeof samples[0]; k++) {
        const Sample *s = &samples[k];
        size_t n = strlen(s->interactions), n_items = strlen(s->items);
        for (size_t cut = 0; cut <= n; cut += cut % 7 == 0 ? 5 : 9) {
            run(s, s->interactions, cut, s->items, n_items);
        }
        for (size_t cut = 0; cut <= n_items; cut += cut % 5 == 0 ? 6 : 11) {
            run(s, s->interactions, n, s->items, cut);
        }
    }
}

/* HN_TEST_ROUNDS=30 looks thirty times as long. */
static uint32_t rounds(uint32_t usual) {
    int64_t factor = 1;
    const char *given = getenv("HN_TEST_ROUNDS");
    return given != NULL && hn_parse_i64(given, &factor) && factor > 0 ? usual * (uint32_t)factor : usual;
}

static void damaged(void **state) {
    (void)state;
    char text[2][1024];
    for (uint32_t k = 0; k < sizeof samples / sizeof samples[0]; k++) {
        for (uint32_t round = 0; round < rounds(40); round++) {
            HnRng rng;
            hn_rng_start(&rng, 2, HN_STREAM_TEST, k, round);
            const char *given[] = {samples[k].interactions, samples[k].items};
            size_t n[2];
            for (int f = 0; f < 2; f++) {
                n[f] = strlen(given[f]);
                memcpy(text[f], given[f], n[f]);
                for (uint32_t edits = hn_rng_below(&rng, 8); edits > 0; edits--) {
                    uint32_t at = hn_rng_below(&rng, (uint32_t)n[f]);
                    text[f][at] = hn_rng_below(&rng, 2) == 0 ? (char)hn_rng_below(&rng, 256)
                                                             : text[f][hn_rng_below(&rng, (uint32_t)n[f])];
                }
            }
            run(&samples[k], text[0], n[0], text[1], n[1]);
        }
    }
}

static void garbage(void **state) {
    (void)state;
    static char text[1 << 16];
    for (uint32_t k = 0; k < sizeof samples / sizeof samples[0]; k++) {
        for (uint32_t round = 0; round < rounds(12); round++) {
            HnRng rng;
            hn_rng_start(&rng, 3, HN_STREAM_TEST, k, round);
            size_t n = 1 + hn_rng_below(&rng, sizeof text - 1);
            /* Bytes of all kinds; printable ones; few different ones, brackets above all. */
            static const char few[] = "{}[]\"':,|\t 01\n\n";
            for (size_t at = 0; at < n; at++) {
                text[at] = round % 3 == 0   ? (char)hn_rng_below(&rng, 256)
                           : round % 3 == 1 ? (char)(' ' + hn_rng_below(&rng, 95))
                                            : few[hn_rng_below(&rng, sizeof few - 1)];
            }
            run(&samples[k], text, n, text, n);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_and_cut), cmocka_unit_test(damaged),
                                       cmocka_unit_test(garbage)};
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
