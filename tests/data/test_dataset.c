/* Reading a prepared data set by ranges: any cut is the whole. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "fixture.h"
#include "store.h"

static Prepared prepared;

static int open_world(void **state) {
    if (fixture_open(state) != 0) {
        return -1;
    }
    fixture_prepare(&prepared, "world.h5", "data.format=synthetic", "data.synthetic.users=120",
                    "data.synthetic.items=80", "data.synthetic.interactions=1500", NULL);
    return prepared.status == HN_OK ? 0 : -1;
}

static int close_world(void **state) {
    fixture_release(&prepared);
    return fixture_close(state);
}

static void ranges(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnRng rng;
    hn_rng_start(&rng, 1, HN_STREAM_TEST, 3, 0);
    for (int round = 0; round < 200; round++) {
        HnPart part = (HnPart)hn_rng_below(&rng, 3);
        uint64_t begin = hn_rng_below(&rng, 121), end = begin + hn_rng_below(&rng, (uint32_t)(121 - begin));
        const HnPairs *whole = &prepared.pairs[part];
        HnPairs cut;
        assert_int_equal(hn_dataset_pairs(prepared.dataset, part, begin, end, &cut, &err), HN_OK);
        assert_int_equal(cut.user_begin, begin);
        assert_int_equal(cut.user_end, end);
        assert_memory_equal(cut.offsets, whole->offsets + begin, (end - begin + 1) * sizeof *cut.offsets);
        assert_memory_equal(cut.items, whole->items + cut.offsets[0],
                            (cut.offsets[end - begin] - cut.offsets[0]) * sizeof *cut.items);
        hn_pairs_free(&cut);
        assert_null(cut.items);
    }
    uint64_t *offsets = NULL;
    assert_int_equal(hn_dataset_offsets(prepared.dataset, HN_PART_VALID, &offsets, &err), HN_OK);
    assert_memory_equal(offsets, prepared.pairs[HN_PART_VALID].offsets, 121 * sizeof *offsets);
    hn_free(offsets);
}

static void counts(void **state) {
    (void)state;
    assert_int_equal(hn_dataset_users(prepared.dataset), 120);
    assert_int_equal(hn_dataset_items(prepared.dataset), 80);
    assert_true(hn_dataset_synthetic(prepared.dataset));
    assert_int_equal(strlen(hn_dataset_id(prepared.dataset)), 64);
    uint64_t sum = 0;
    for (int part = 0; part < 3; part++) {
        sum += hn_dataset_count(prepared.dataset, (HnPart)part);
    }
    assert_int_equal(sum, 1500);
}

static void refusals(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    HnPairs pairs;
    char *bytes;
    uint64_t *offsets;
    assert_int_equal(hn_dataset_pairs(prepared.dataset, HN_PART_TRAIN, 5, 4, &pairs, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_dataset_pairs(prepared.dataset, HN_PART_TRAIN, 0, 121, &pairs, &err), HN_RANGE);
    hn_error_clear(&err);
    assert_int_equal(hn_dataset_text(prepared.dataset, HN_TEXT_TITLE, 0, 81, &bytes, &offsets, &err), HN_RANGE);
    hn_error_clear(&err);
    HnDataset *dataset = NULL;
    assert_int_not_equal(hn_dataset_open(fixture_path("absent.h5"), &dataset, &err), HN_OK);
    assert_null(dataset);
    hn_error_clear(&err);
    fixture_text("text.h5", "this is no HDF5 file");
    assert_int_not_equal(hn_dataset_open(fixture_path("text.h5"), &dataset, &err), HN_OK);
    assert_null(dataset);
}

/* A field that the data set lacks gives empty strings, as many as were asked for. */
static void absent_text(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    Prepared bare;
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    fixture_text("l.txt", "0 0 1 2\n1 1 2\n");
    char set[8192];
    (void)snprintf(set, sizeof set, "data.interactions=[%s]", fixture_path("l.txt"));
    fixture_prepare(&bare, "bare.h5", "data.format=lightgcn", set, NULL);
    assert_int_equal(bare.status, HN_OK);
    assert_false(hn_dataset_has_text(bare.dataset, HN_TEXT_REVIEW));
    assert_true(hn_dataset_has_text(bare.dataset, HN_TEXT_USER_ID));
    assert_int_equal(hn_dataset_text(bare.dataset, HN_TEXT_TITLE, 0, 3, &bytes, &offsets, &err), HN_OK);
    for (int k = 0; k <= 3; k++) {
        assert_int_equal(offsets[k], 0);
    }
    hn_free(bytes);
    hn_free(offsets);
    fixture_release(&bare);
}

/* A store whose contents contradict each other is named corrupt, not believed. */
static void contradictory_store(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    for (int fault = 0; fault < 4; fault++) {
        HnStoreWriter *writer = NULL;
        HnProvenance provenance = {.config = "", .inputs = "", .seed = -1};
        const uint64_t one = 1, two = 2, none = 0;
        const uint64_t good[] = {0, 1}, zero[] = {0, 0}, descending[] = {1, 1}, beyond[] = {0, 9};
        const int32_t item = fault == 0 ? 7 : 0;
        const char *const ids[] = {"a"};
        const char *path = fixture_path("made.h5");
        assert_int_equal(hn_store_create(path, &HN_SCHEMA_DATASET, &provenance, &writer, &err), HN_OK);
        assert_int_equal(hn_store_strings(writer, "user/raw_id", ids, 1, &err), HN_OK);
        assert_int_equal(hn_store_strings(writer, "item/raw_id", ids, 1, &err), HN_OK);
        assert_int_equal(hn_store_strings(writer, "input/name", ids, 0, &err), HN_OK);
        assert_int_equal(hn_store_strings(writer, "input/sha256", ids, 0, &err), HN_OK);
        assert_int_equal(hn_store_write(writer, "train/offsets", &two, fault == 1 ? beyond : good, &err), HN_OK);
        assert_int_equal(hn_store_write(writer, "train/items", &one, &item, &err), HN_OK);
        assert_int_equal(hn_store_write(writer, "valid/offsets", &two, fault == 2 ? descending : zero, &err), HN_OK);
        assert_int_equal(hn_store_write(writer, "valid/items", &none, &item, &err), HN_OK);
        assert_int_equal(hn_store_write(writer, "test/offsets", &two, zero, &err), HN_OK);
        assert_int_equal(hn_store_write(writer, "test/items", &none, &item, &err), HN_OK);
        const char *const names[] = {"n_users", "n_items", "n_train", "n_valid", "n_test", "lines_read", "lines_bad"};
        for (size_t k = 0; k < 7; k++) {
            int64_t value = k < 3 ? 1 : 0;
            assert_int_equal(hn_store_set_i64(writer, names[k], fault == 3 && k == 0 ? 5 : value, &err), HN_OK);
        }
        assert_int_equal(hn_store_set_f64(writer, "density", 1, &err), HN_OK);
        assert_int_equal(hn_store_set_text(writer, "recipe", "by hand", &err), HN_OK);
        assert_int_equal(hn_store_seal(&writer, &err), HN_OK);
        HnDataset *dataset = NULL;
        HnPairs pairs;
        HnStatus status = hn_dataset_open(path, &dataset, &err);
        if (status == HN_OK) {
            status = hn_dataset_pairs(dataset, HN_PART_TRAIN, 0, 1, &pairs, &err);
        }
        assert_int_equal(status, HN_CORRUPT);
        assert_non_null(strstr(err.message, "prepare"));
        hn_dataset_close(&dataset);
        hn_error_clear(&err);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges), cmocka_unit_test(counts), cmocka_unit_test(refusals),
                                       cmocka_unit_test(absent_text), cmocka_unit_test(contradictory_store)};
    return cmocka_run_group_tests(tests, open_world, close_world);
}
