/* From the spool to the fields of a text store, in key order, in blocks. */
#include "base/alloc.h"
#include "stage.h"

enum { BLOCK_ROWS = 4096, PAIR_USERS = 4096 };

/* The numbers of a block of keys; the strings go straight to the writer. */
typedef struct Block {
    uint8_t *status;
    int32_t *item;
    uint32_t *attempts, *prompt_tokens, *answer_tokens;
} Block;

static void free_block(Block *block) {
    hn_free(block->status);
    hn_free(block->item);
    hn_free(block->attempts);
    hn_free(block->prompt_tokens);
    hn_free(block->answer_tokens);
}

static HnStatus make_block(size_t n, Block *block, HnError *err) {
    const char *what = "rows to be sealed";
    block->status = hn_alloc(n, sizeof *block->status, what, err);
    block->item = hn_alloc(n, sizeof *block->item, what, err);
    block->attempts = hn_alloc(n, sizeof *block->attempts, what, err);
    block->prompt_tokens = hn_alloc(n, sizeof *block->prompt_tokens, what, err);
    block->answer_tokens = hn_alloc(n, sizeof *block->answer_tokens, what, err);
    return block->status && block->item && block->attempts && block->prompt_tokens && block->answer_tokens ? HN_OK
                                                                                                           : HN_MEMORY;
}

static HnStatus define(HnStoreWriter *writer, uint64_t n_rows, uint64_t per_row, bool samples, const char *text_field,
                       HnError *err) {
    uint64_t dims[] = {n_rows, per_row}, n_keys = n_rows * per_row;
    HN_TRY(hn_store_define(writer, "status", dims, err));
    if (samples) {
        HN_TRY(hn_store_define(writer, "item", dims, err));
    }
    HN_TRY(hn_store_define(writer, "attempts", dims, err));
    HN_TRY(hn_store_define(writer, "prompt_tokens", dims, err));
    HN_TRY(hn_store_define(writer, "answer_tokens", dims, err));
    HN_TRY(hn_store_strings_begin(writer, text_field, n_keys, err));
    HN_TRY(hn_store_strings_begin(writer, "reasoning", n_keys, err));
    return hn_store_strings_begin(writer, "raw", n_keys, err);
}

static HnStatus add_record(HnStoreWriter *writer, const HnRecord *record, const char *text_field, Block *block,
                           size_t at, HnError *err) {
    block->status[at] = record->status;
    block->item[at] = record->item;
    block->attempts[at] = record->attempts;
    block->prompt_tokens[at] = record->prompt_tokens;
    block->answer_tokens[at] = record->answer_tokens;
    HN_TRY(hn_store_strings_add(writer, text_field, record->text, record->n_text, err));
    HN_TRY(hn_store_strings_add(writer, "reasoning", record->reasoning, record->n_reasoning, err));
    return hn_store_strings_add(writer, "raw", record->raw, record->n_raw, err);
}

static HnStatus write_block(HnStoreWriter *writer, const Block *block, uint64_t row0, uint64_t n_rows, bool samples,
                            HnError *err) {
    HN_TRY(hn_store_write_rows(writer, "status", row0, n_rows, block->status, err));
    if (samples) {
        HN_TRY(hn_store_write_rows(writer, "item", row0, n_rows, block->item, err));
    }
    HN_TRY(hn_store_write_rows(writer, "attempts", row0, n_rows, block->attempts, err));
    HN_TRY(hn_store_write_rows(writer, "prompt_tokens", row0, n_rows, block->prompt_tokens, err));
    return hn_store_write_rows(writer, "answer_tokens", row0, n_rows, block->answer_tokens, err);
}

static HnStatus write_rows(HnStoreWriter *writer, HnSpool *spool, uint64_t n_rows, uint64_t per_row, bool samples,
                           const char *text_field, Block *block, HnError *err) {
    for (uint64_t row = 0; row < n_rows; row += BLOCK_ROWS) {
        uint64_t n = n_rows - row < BLOCK_ROWS ? n_rows - row : BLOCK_ROWS;
        for (uint64_t i = 0; i < n * per_row; i++) {
            HnRecord record;
            HN_TRY(hn_spool_get(spool, row * per_row + i, &record, err));
            HN_TRY(add_record(writer, &record, text_field, block, i, err));
        }
        HN_TRY(write_block(writer, block, row, n, samples, err));
    }
    return HN_OK;
}

HnStatus hn_stage_write_texts(HnStoreWriter *writer, HnSpool *spool, uint64_t n_rows, uint64_t per_row,
                              const char *text_field, HnError *err) {
    Block block = {0};
    bool samples = per_row > 0; /* 0: one key a row, no second dimension, no item */
    uint64_t keys = samples ? per_row : 1;
    HnStatus status = make_block((size_t)(BLOCK_ROWS * keys), &block, err);
    if (status == HN_OK) {
        status = define(writer, n_rows, keys, samples, text_field, err);
    }
    if (status == HN_OK) {
        status = write_rows(writer, spool, n_rows, keys, samples, text_field, &block, err);
    }
    free_block(&block);
    return status;
}

static HnStatus write_users(HnStoreWriter *writer, const HnDataset *dataset, uint64_t begin, uint64_t end,
                            HnError *err) {
    HnPairs pairs = {0};
    HN_TRY(hn_dataset_pairs(dataset, HN_PART_TRAIN, begin, end, &pairs, err));
    uint64_t first = pairs.offsets[0], n = pairs.offsets[end - begin] - first;
    int32_t *users = hn_alloc(n, sizeof *users, "users of pairs", err);
    HnStatus status = users ? HN_OK : HN_MEMORY;
    for (uint64_t user = begin; user < end && status == HN_OK; user++) {
        for (uint64_t p = pairs.offsets[user - begin]; p < pairs.offsets[user - begin + 1]; p++) {
            users[p - first] = (int32_t)user;
        }
    }
    if (status == HN_OK && n > 0) {
        status = hn_store_write_rows(writer, "pair/user", first, n, users, err);
    }
    if (status == HN_OK && n > 0) {
        status = hn_store_write_rows(writer, "pair/item", first, n, pairs.items, err);
    }
    hn_free(users);
    hn_pairs_free(&pairs);
    return status;
}

HnStatus hn_stage_write_pairs(HnStoreWriter *writer, const HnDataset *dataset, HnError *err) {
    uint64_t n_pairs = hn_dataset_count(dataset, HN_PART_TRAIN), n_users = hn_dataset_users(dataset);
    HN_TRY(hn_store_define(writer, "pair/user", &n_pairs, err));
    HN_TRY(hn_store_define(writer, "pair/item", &n_pairs, err));
    for (uint64_t begin = 0; begin < n_users; begin += PAIR_USERS) {
        HN_TRY(write_users(writer, dataset, begin, begin + PAIR_USERS < n_users ? begin + PAIR_USERS : n_users, err));
    }
    return HN_OK;
}
