/* The synthetic world: exact totals, purity, tastes that can be learnt from pairs and from words, files and parts. */
#include "data/synthetic_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "data/vocabulary.h"
#include "fixture.h"

static HnError err;

static HnDataConfig config_of(int64_t users, int64_t items, int64_t interactions) {
    HnDataConfig config;
    memset(&config, 0, sizeof config);
    config.format = HN_FORMAT_SYNTHETIC;
    config.synthetic.users = users;
    config.synthetic.items = items;
    config.synthetic.interactions = interactions;
    config.synthetic.categories = 12;
    config.synthetic.latent_dim = 16;
    config.synthetic.seed = 7;
    config.synthetic.popularity_exponent = 0.8;
    config.synthetic.review_words = 20;
    config.train_share = 1;
    return config;
}

static void totals(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{1, 2, 1},     {100, 50, 100},          {100, 300, 600}, {1000, 600, 20000},
                                {37, 40, 700}, {100000, 5000, 1000000}, {10, 100, 500}};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        HnDataConfig config = config_of(sizes[k][0], sizes[k][1], sizes[k][2]);
        HnWorld world;
        assert_int_equal(hn_world_found(&config, &world, &err), HN_OK);
        uint64_t sum = 0, most = 0;
        for (uint64_t user = 0; user < world.n_users; user++) {
            uint64_t n = hn_world_degree(&world, user);
            assert_true(n >= 1 && n <= world.n_items / 2 + 1); /* + 1: rounding */
            sum += n;
            most = n > most ? n : most;
        }
        assert_int_equal(sum, sizes[k][2]);
        if (k == 5) {
            assert_true(most > 100); /* mean 10: the tail is long */
        }
        hn_world_free(&world);
    }
}

static void impossible(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{100, 50, 99}, {10, 10, 51}, {1, 2, 2}};
    for (size_t k = 0; k < 3; k++) {
        HnDataConfig config = config_of(sizes[k][0], sizes[k][1], sizes[k][2]);
        HnWorld world;
        hn_error_clear(&err);
        assert_int_equal(hn_world_found(&config, &world, &err), HN_CONFIG);
        assert_non_null(strstr(err.message, "data.synthetic."));
    }
    hn_error_clear(&err);
    Prepared prepared;
    fixture_prepare(&prepared, "no.h5", "data.format=synthetic", "data.min_rating=3", NULL);
    fixture_failed(&prepared, HN_CONFIG, "data.format: synthetic", NULL);
}

static int compare_items(const void *left, const void *right) {
    const HnPick *a = left, *b = right;
    return (a->item > b->item) - (a->item < b->item);
}

static void picks_are_pure(void **state) {
    (void)state;
    HnDataConfig config = config_of(200, 150, 6000);
    HnWorld world, other;
    HnPicks picks = {NULL, 0, 0, NULL, 0}, again = {NULL, 0, 0, NULL, 0};
    assert_int_equal(hn_world_found(&config, &world, &err), HN_OK);
    config.synthetic.seed = 8;
    assert_int_equal(hn_world_found(&config, &other, &err), HN_OK);
    uint64_t different = 0;
    for (uint64_t k = 0; k < 200; k++) {
        uint64_t user = k * 77 % 200; /* in any order */
        assert_int_equal(hn_world_picks(&world, user, &picks, &err), HN_OK);
        assert_int_equal(picks.n, hn_world_degree(&world, user));
        for (uint64_t p = 0; p < picks.n; p++) {
            assert_true(picks.picks[p].item < 150);
            assert_int_equal(picks.picks[p].position, p);
            assert_true(picks.picks[p].rating >= 1 && picks.picks[p].rating <= 5);
            assert_true(p == 0 || picks.picks[p].time > picks.picks[p - 1].time);
        }
        hn_picks_free(&again);
        assert_int_equal(hn_world_picks(&world, user, &again, &err), HN_OK);
        assert_memory_equal(picks.picks, again.picks, picks.n * sizeof *picks.picks);
        qsort(picks.picks, picks.n, sizeof *picks.picks, compare_items);
        for (uint64_t p = 1; p < picks.n; p++) {
            assert_true(picks.picks[p].item > picks.picks[p - 1].item);
        }
        assert_int_equal(hn_world_picks(&other, user, &again, &err), HN_OK);
        different += again.n != picks.n || again.picks[0].item != picks.picks[0].item;
    }
    assert_true(different > 100);
    hn_picks_free(&picks);
    hn_picks_free(&again);
    hn_world_free(&world);
    hn_world_free(&other);
}

enum { USERS = 1000, ITEMS = 600 };

/* Recall@20 of one held-out item a user: by popularity, and by co-occurrence with the user's train items (what any
 * collaborative method lives on). */
static void learnable_from_pairs(void **state) {
    (void)state;
    HnDataConfig config = config_of(USERS, ITEMS, 20000);
    HnWorld world;
    HnPicks picks = {NULL, 0, 0, NULL, 0};
    static uint8_t has[USERS][ITEMS];
    static uint32_t held_out[USERS], popularity[ITEMS];
    static float together[ITEMS][ITEMS];
    assert_int_equal(hn_world_found(&config, &world, &err), HN_OK);
    for (uint32_t u = 0; u < USERS; u++) {
        assert_int_equal(hn_world_picks(&world, u, &picks, &err), HN_OK);
        for (uint64_t p = 0; p + 1 < picks.n; p++) {
            has[u][picks.picks[p].item] = 1;
            popularity[picks.picks[p].item]++;
        }
        held_out[u] = picks.picks[picks.n - 1].item;
        for (uint64_t p = 0; p + 1 < picks.n; p++) {
            for (uint64_t q = 0; q + 1 < picks.n; q++) {
                together[picks.picks[p].item][picks.picks[q].item] += 1.0F / (float)picks.n;
            }
        }
    }
    int hits_popularity = 0, hits_together = 0;
    for (uint32_t u = 0; u < USERS; u++) {
        float score[ITEMS];
        int better_popularity = 0, better_together = 0;
        for (int i = 0; i < ITEMS; i++) {
            score[i] = 0;
            for (int j = 0; j < ITEMS; j++) {
                score[i] += has[u][j] ? together[i][j] / sqrtf(1 + (float)popularity[i]) : 0;
            }
        }
        for (int i = 0; i < ITEMS; i++) {
            better_popularity += !has[u][i] && popularity[i] > popularity[held_out[u]];
            better_together += !has[u][i] && score[i] > score[held_out[u]];
        }
        hits_popularity += better_popularity < 20;
        hits_together += better_together < 20;
    }
    if (hits_together < 2 * hits_popularity || getenv("HN_TEST_LOUD") != NULL) {
        print_error("recall@20: popularity %d, co-occurrence %d of %d\n", hits_popularity, hits_together, USERS);
    }
    assert_true(hits_together > 2 * hits_popularity);
    /* Long tail: the top fifth of the items has far more than a fifth of the pairs. */
    uint32_t sorted[ITEMS], top = 0, all = 0;
    memcpy(sorted, popularity, sizeof sorted);
    for (int i = 1; i < ITEMS; i++) {
        for (int j = i; j > 0 && sorted[j] > sorted[j - 1]; j--) {
            uint32_t swap = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = swap;
        }
    }
    for (int i = 0; i < ITEMS; i++) {
        all += sorted[i];
        top += i < ITEMS / 5 ? sorted[i] : 0;
    }
    if (top * 5 < all * 2) {
        print_error("the top fifth has %u of %u pairs\n", top, all);
    }
    assert_true(top * 5 > all * 2);
    hn_picks_free(&picks);
    hn_world_free(&world);
}

/* How often each flavour's words occur in the text. */
static uint32_t loudest_flavour(const HnWorld *world, const char *text) {
    uint32_t best = 0, most = 0;
    for (uint32_t flavour = 0; flavour < world->n_flavours; flavour++) {
        uint32_t n = 0;
        for (uint32_t k = 0; k < HN_WORDS_A_GROUP; k++) {
            char buffer[HN_WORD_BYTES];
            const char *word = hn_vocabulary_word(HN_WORD_FLAVOUR, flavour, k, buffer);
            for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
                n++;
            }
        }
        if (n > most) {
            most = n;
            best = flavour;
        }
    }
    return best;
}

static void learnable_from_words(void **state) {
    (void)state;
    HnDataConfig config = config_of(USERS, ITEMS, 20000);
    HnWorld world;
    HnPicks picks = {NULL, 0, 0, NULL, 0};
    HnText text = {NULL, 0, 0, 0};
    assert_int_equal(hn_world_found(&config, &world, &err), HN_OK);
    assert_true(world.n_flavours > 2 && world.n_categories == 12);
    uint32_t users_right = 0, items_right = 0;
    for (uint32_t u = 0; u < 200; u++) {
        HnTaste taste;
        hn_text_clear(&text);
        assert_int_equal(hn_world_picks(&world, u, &picks, &err), HN_OK);
        for (uint64_t p = 0; p < picks.n; p++) {
            assert_int_equal(hn_world_review(&world, u, &picks.picks[p], &text, &err), HN_OK);
        }
        hn_world_taste(&world, u, &taste);
        users_right += loudest_flavour(&world, text.data) == taste.flavour[0];
    }
    for (uint32_t item = 0; item < 200; item++) {
        hn_text_clear(&text);
        assert_int_equal(hn_world_description(&world, item, &text, &err), HN_OK);
        assert_true(hn_utf8_valid(text.data, text.length, NULL));
        items_right += loudest_flavour(&world, text.data) == hn_world_flavour(&world, item);
        hn_text_clear(&text);
        assert_int_equal(hn_world_title(&world, item, &text, &err), HN_OK);
        assert_int_equal(strncmp(text.data, "Synthetic ", 10), 0);
    }
    assert_true(users_right > 160 && items_right > 190);
    hn_text_free(&text);
    hn_picks_free(&picks);
    hn_world_free(&world);
}

static void words_differ(void **state) {
    (void)state;
    /* Groups past the English ones: made-up words, no two alike. */
    static char words[2 * 100 * HN_WORDS_A_GROUP][HN_WORD_BYTES];
    uint32_t n = 0;
    for (uint32_t group = 0; group < 100; group++) {
        for (uint32_t k = 0; k < HN_WORDS_A_GROUP; k++) {
            char buffer[HN_WORD_BYTES];
            for (int kind = 0; kind < 2; kind++) {
                (void)snprintf(words[n++], HN_WORD_BYTES, "%s",
                               hn_vocabulary_word(kind == 0 ? HN_WORD_CATEGORY : HN_WORD_FLAVOUR, group, k, buffer));
            }
        }
    }
    qsort(words, n, HN_WORD_BYTES, (int (*)(const void *, const void *))strcmp);
    for (uint32_t k = 1; k < n; k++) {
        assert_string_not_equal(words[k - 1], words[k]);
    }
}

/* All files of a folder whose name begins with `prefix`, one behind the other. */
static size_t concatenate(const char *folder, const char *prefix, char *out, size_t room) {
    char **names = NULL;
    size_t n_names, n = 0;
    assert_int_equal(hn_folder_list(folder, &names, &n_names, &err), HN_OK);
    for (size_t k = 0; k < n_names; k++) {
        if (strncmp(names[k], prefix, strlen(prefix)) == 0) {
            char path[8192];
            (void)snprintf(path, sizeof path, "%s/%s", folder, names[k]);
            FILE *file = fopen(path, "rb");
            assert_non_null(file);
            n += fread(out + n, 1, room - n, file);
            assert_int_equal(fclose(file), 0);
        }
    }
    hn_names_free(&names, n_names);
    assert_true(n < room);
    return n;
}

static void parts(void **state) {
    (void)state;
    static char whole[2][1 << 20], joined[1 << 20];
    static const char *const prefixes[] = {"reviews", "meta"};
    HnDataConfig config = config_of(300, 200, 3000);
    size_t n_whole[2];
    const int counts[] = {1, 2, 3, 7};
    for (size_t k = 0; k < 4; k++) {
        char name[32];
        (void)snprintf(name, sizeof name, "parts-%d", counts[k]);
        const char *folder = fixture_path(name);
        for (int part = counts[k] - 1; part >= 0; part--) {
            assert_int_equal(hn_synthesize(&config, folder, part, counts[k], &err), HN_OK);
        }
        for (int f = 0; f < 2; f++) {
            size_t n = concatenate(folder, prefixes[f], k == 0 ? whole[f] : joined, sizeof joined);
            if (k == 0) {
                n_whole[f] = n;
                assert_true(n > 1000);
            } else {
                assert_int_equal(n, n_whole[f]);
                assert_memory_equal(joined, whole[f], n);
            }
        }
    }
    assert_int_equal(hn_synthesize(&config, fixture_path("no"), 2, 2, &err), HN_USAGE);
    hn_error_clear(&err);
}

/* The index of each user or item of a data set, from its raw id's number. */
static uint32_t number_of(const HnDataset *dataset, HnTextField field, uint64_t row) {
    const char *id = fixture_row(dataset, field, row);
    return (uint32_t)strtoul(id + 5, NULL, 10);
}

/* The world written as dumps and read back is the world written as a data set: same pairs, same texts. */
static void dumps_and_store_agree(void **state) {
    (void)state;
    enum { U = 150, I = 120 };
    static uint8_t direct[U][I], dumped[U][I];
    Prepared a, b;
    memset(direct, 0, sizeof direct);
    memset(dumped, 0, sizeof dumped);
    HnDataConfig config = config_of(U, I, 2500);
    assert_int_equal(hn_synthesize(&config, fixture_path("dump"), 0, 2, &err), HN_OK);
    assert_int_equal(hn_synthesize(&config, fixture_path("dump"), 1, 2, &err), HN_OK);
    fixture_prepare(&a, "direct.h5", "data.format=synthetic", "data.synthetic.users=150", "data.synthetic.items=120",
                    "data.synthetic.interactions=2500", "data.synthetic.seed=7", "data.synthetic.categories=12",
                    "data.synthetic.latent_dim=16", "data.synthetic.popularity_exponent=0.8",
                    "data.synthetic.review_words=20", "data.split=leave_one_out", NULL);
    assert_int_equal(a.status, HN_OK);
    char files[20000], items[20000];
    (void)snprintf(files, sizeof files, "data.interactions=[%s, %s]",
                   fixture_path("dump/reviews-00000-of-00002.json.gz"),
                   fixture_path("dump/reviews-00001-of-00002.json.gz"));
    (void)snprintf(items, sizeof items, "data.items=[%s, %s]", fixture_path("dump/meta-00000-of-00002.json.gz"),
                   fixture_path("dump/meta-00001-of-00002.json.gz"));
    fixture_prepare(&b, "dumped.h5", "data.format=amazon", files, items, "data.split=leave_one_out", NULL);
    assert_int_equal(b.status, HN_OK);
    assert_int_equal(b.report.lines_bad, 0);
    assert_int_equal(b.report.pairs_repeated, 0);
    assert_true(hn_dataset_synthetic(a.dataset));
    for (int set = 0; set < 2; set++) {
        const Prepared *p = set == 0 ? &a : &b;
        for (int part = 0; part < 3; part++) {
            const HnPairs *pairs = &p->pairs[part];
            for (uint64_t u = 0; u < pairs->user_end; u++) {
                uint32_t user = number_of(p->dataset, HN_TEXT_USER_ID, u);
                for (uint64_t k = pairs->offsets[u]; k < pairs->offsets[u + 1]; k++) {
                    uint32_t item = number_of(p->dataset, HN_TEXT_ITEM_ID, (uint64_t)pairs->items[k]);
                    assert_true(user < U && item < I);
                    (set == 0 ? direct : dumped)[user][item] = (uint8_t)(part + 1);
                }
            }
        }
    }
    assert_memory_equal(direct, dumped, sizeof direct);
    /* User 0's first train review, found in both. */
    char review[4096], title[256];
    uint32_t item = (uint32_t)a.pairs[0].items[0];
    (void)snprintf(review, sizeof review, "%s", fixture_row(a.dataset, HN_TEXT_REVIEW, 0));
    (void)snprintf(title, sizeof title, "%s", fixture_row(a.dataset, HN_TEXT_TITLE, item));
    bool found = false;
    for (uint64_t k = b.pairs[0].offsets[0]; k < b.pairs[0].offsets[1]; k++) {
        if (number_of(b.dataset, HN_TEXT_ITEM_ID, (uint64_t)b.pairs[0].items[k]) == item) {
            assert_string_equal(fixture_row(b.dataset, HN_TEXT_REVIEW, k), review);
            assert_string_equal(fixture_row(b.dataset, HN_TEXT_TITLE, (uint64_t)b.pairs[0].items[k]), title);
            found = true;
        }
    }
    assert_true(found);
    fixture_release(&a);
    fixture_release(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals),
        cmocka_unit_test(impossible),
        cmocka_unit_test(picks_are_pure),
        cmocka_unit_test(learnable_from_pairs),
        cmocka_unit_test(learnable_from_words),
        cmocka_unit_test(words_differ),
        cmocka_unit_test(parts),
        cmocka_unit_test(dumps_and_store_agree),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
