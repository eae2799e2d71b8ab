/* Every shipped experiment is found by name and loads, once it has the files that it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "write_file.h"

static void assert_loads(const char *name, const char *path) {
    static const char *const files[] = {"data.interactions=[a.gz]", "data.valid=[b.gz]", "data.test=[c.gz]",
                                        "llm.native.model=model"};
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    HnStatus status = HN_CONFIG;
    /* With no file, the reviews alone, three parts, or a model: whichever the recipe asks for. */
    static const size_t first[] = {0, 0, 0, 3}, n[] = {0, 1, 3, 1};
    for (size_t i = 0; i < 4 && status != HN_OK; i++) {
        hn_error_clear(&err);
        status = hn_experiment_load(path, files + first[i], n[i], &experiment, &err);
    }
    if (status != HN_OK) {
        fail_msg("%s: %s", name, err.message);
    }
    assert_true(experiment->n_variants >= 2); /* a comparison, not a single run */
    assert_true(experiment->seeds.n >= 2);
    hn_experiment_free(&experiment);
}

static size_t load_folder(const char *folder, const char *prefix) {
    char **names = NULL;
    size_t n_names = 0, n_loaded = 0;
    assert_int_equal(hn_folder_list(folder, &names, &n_names, NULL), HN_OK);
    for (size_t i = 0; i < n_names; i++) {
        char *path = hn_path_join(folder, names[i], NULL), *found = NULL, *name = NULL;
        if (hn_folder_exists(path)) {
            name = hn_path_printf(NULL, "%s%s/", prefix, names[i]);
            n_loaded += load_folder(path, name);
        } else if (strcmp(names[i], "README.md") != 0) {
            HnError err = HN_ERROR_INIT;
            size_t length = strlen(names[i]);
            assert_true(length > 5 && strcmp(names[i] + length - 5, ".yaml") == 0);
            name = hn_path_printf(NULL, "%s%.*s", prefix, (int)(length - 5), names[i]);
            assert_int_equal(hn_experiment_find(name, &found, &err), HN_OK);
            assert_true(hn_file_exists(found));
            assert_loads(name, path);
            n_loaded++;
        }
        hn_free(found);
        hn_free(name);
        hn_free(path);
    }
    hn_names_free(&names, n_names);
    return n_loaded;
}

static void all_shipped_files_load(void **state) {
    (void)state;
    assert_true(load_folder(HN_SOURCE_DIR "/src/experiments", "") >= 6);
}

static void the_papers_recipes_are_there(void **state) {
    (void)state;
    static const struct {
        const char *name, *from, *to;
        double min_rating;
        int64_t core;
    } recipes[] = {{"paper/toys-and-games", "2015-01-01", "2018-01-01", 4, 10},
                   {"paper/cds-and-vinyl", "2014-01-01", "2016-01-01", 4, 10},
                   {"paper/yelp2018", "2015-01-01", "2018-01-01", 4, 10},
                   {"paper/electronics-2023", "2010-01-01", "2018-01-01", 3, 0}};
    static const char *const files[] = {"data.interactions=[a.gz]"};
    for (size_t i = 0; i < 4; i++) {
        HnError err = HN_ERROR_INIT;
        HnExperiment *x = NULL;
        char *path = NULL;
        assert_int_equal(hn_experiment_find(recipes[i].name, &path, &err), HN_OK);
        assert_int_equal(hn_experiment_load(path, files, 1, &x, &err), HN_OK);
        assert_string_equal(x->data.date_from, recipes[i].from);
        assert_string_equal(x->data.date_to, recipes[i].to);
        assert_true(x->data.min_rating == recipes[i].min_rating);
        assert_int_equal(x->data.core_users, recipes[i].core);
        assert_int_equal(x->data.core_items, recipes[i].core);
        assert_int_equal(x->seeds.n, 5);
        hn_experiment_free(&x);
        hn_free(path);
    }
}

static void the_search_can_be_pointed_elsewhere(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnExperiment *x = NULL;
    char *path = NULL;
    assert_int_equal(load_text("", NULL, &x, &err), HN_OK);
    hn_experiment_free(&x);
    assert_int_equal(setenv("HNLMREC_EXPERIMENTS", test_folder(), 1), 0);
    assert_int_equal(hn_experiment_find("x", &path, &err), HN_OK);
    hn_free(path);
    assert_int_equal(hn_experiment_find("demo", &path, &err), HN_USAGE);
    assert_non_null(strstr(err.message, "shipped are: x"));
    assert_null(path);
    hn_error_clear(&err);
    assert_int_equal(setenv("HNLMREC_EXPERIMENTS", "/no/such/folder", 1), 0);
    assert_int_equal(hn_experiment_find("demo", &path, &err), HN_USAGE);
    assert_non_null(strstr(err.message, "HNLMREC_EXPERIMENTS"));
    assert_int_equal(unsetenv("HNLMREC_EXPERIMENTS"), 0);
    const char *const outside[] = {"../config/keys", "/etc/passwd", "", "paper/../demo"};
    for (size_t i = 0; i < 4; i++) {
        hn_error_clear(&err);
        assert_int_equal(hn_experiment_find(outside[i], &path, &err), HN_USAGE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_shipped_files_load),
        cmocka_unit_test(the_papers_recipes_are_there),
        cmocka_unit_test(the_search_can_be_pointed_elsewhere),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
