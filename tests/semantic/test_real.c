/* Real profiles: Yelp restricted to users and items with text, profiles imported, extractive negatives and vectors.
 * SKIP where the data is absent.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "data/prepare.h"
#include "semantic/record.h"
#include "staged.h"

enum { SKIPPED = 77 };

static void key_path(char out[600], const char *key, const char *name, bool list) {
    (void)snprintf(out, 600, list ? "%s=[%s]" : "%s=%s", key, fixture_shared(name));
}

static void yelp(void **state) {
    (void)state;
    static const char *const names[] = {"yelp_trn.csv.gz", "yelp_val.csv.gz", "yelp_tst.csv.gz",
                                        "yelp_user_profiles.jsonl", "yelp_item_profiles.jsonl"};
    static const char *const keys[] = {"data.interactions", "data.valid", "data.test"};
    char sets[7][600], name[64];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "xrec-profiles/%s", names[i]);
        if (i < 3) {
            key_path(sets[i], keys[i], name, true);
        } else {
            key_path(sets[i], i == 3 ? "data.keep_users" : "data.keep_items", name, false);
            key_path(sets[i + 2], i == 3 ? "llm.import_user_profiles" : "llm.import_item_profiles", name, false);
        }
    }
    HnExperiment *experiment = fixture_experiment("data.format=pairs", "data.split=given", sets[0], sets[1], sets[2],
                                                  sets[3], sets[4], sets[5], sets[6], NULL);
    HnPrepareReport prepared;
    HnError err = HN_ERROR_INIT;
    assert_int_equal(hn_prepare(&experiment->data, "", fixture_path("yelp.h5"), &prepared, &err), HN_OK);
    assert_int_equal(prepared.users, 2228);
    assert_int_equal(prepared.items, 2473);
    assert_int_equal(prepared.n_train, 28089);
    Run run;
    double started = hn_clock_seconds();
    open_run(&run, "yelp", "yelp.h5", experiment);
    run_all(&run);
    print_message("28,089 pairs: negatives %.1f s, vectors %.1f s, all %.1f s\n", run.negatives.seconds,
                  run.vectors.seconds, hn_clock_seconds() - started);
    assert_int_equal(count_status(file(&run, "items.h5"), HN_PROFILE_IMPORTED), 2473);
    assert_int_equal(count_status(file(&run, "users.h5"), HN_PROFILE_IMPORTED), 2228);
    assert_int_equal(count_status(file(&run, "negatives.h5"), HN_NEGATIVE_OK), 28089);
    assert_int_equal(run.vectors.noise, 0);
    assert_true(run.vectors.items > 500 && run.vectors.items <= 2473); /* texts embedded once each */
    close_run(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(yelp)};
    if (!fixture_shared("xrec-profiles/yelp_trn.csv.gz")) {
        (void)fprintf(stderr, "SKIP: xrec-profiles is not there (HNLMREC_TEST_DATA)\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
