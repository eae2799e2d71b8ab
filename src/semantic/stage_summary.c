/* What a sealed text store holds, in numbers: the noise report. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"
#include "stage.h"

enum { BLOCK_ROWS = 65536, MAX_STATUS = 16 };

typedef struct Totals {
    uint64_t n, of[MAX_STATUS], attempts, prompt_tokens, answer_tokens;
} Totals;

static HnStatus add_counts(const HnStore *store, const char *field, uint64_t row, uint64_t n, uint64_t width,
                           uint32_t *scratch, uint64_t *total, HnError *err) {
    HN_TRY(hn_store_read_rows(store, field, row, n, scratch, err));
    for (uint64_t i = 0; i < n * width; i++) {
        *total += scratch[i];
    }
    return HN_OK;
}

static HnStatus add_blocks(const HnStore *store, uint64_t n_rows, uint64_t width, uint8_t *status, uint32_t *scratch,
                           Totals *totals, HnError *err) {
    for (uint64_t row = 0; row < n_rows; row += BLOCK_ROWS) {
        uint64_t n = n_rows - row < BLOCK_ROWS ? n_rows - row : BLOCK_ROWS;
        HN_TRY(hn_store_read_rows(store, "status", row, n, status, err));
        for (uint64_t i = 0; i < n * width; i++) {
            totals->of[status[i] < MAX_STATUS ? status[i] : MAX_STATUS - 1]++;
        }
        HN_TRY(add_counts(store, "attempts", row, n, width, scratch, &totals->attempts, err));
        HN_TRY(add_counts(store, "prompt_tokens", row, n, width, scratch, &totals->prompt_tokens, err));
        HN_TRY(add_counts(store, "answer_tokens", row, n, width, scratch, &totals->answer_tokens, err));
    }
    totals->n = n_rows * width;
    return HN_OK;
}

static HnStatus read_totals(const char *path, Totals *totals, HnError *err) {
    HnStore *store = NULL;
    uint64_t dims[HN_MAX_DIMS] = {0};
    uint8_t *bytes = NULL;
    uint32_t *words = NULL;
    HN_TRY(hn_store_open(path, NULL, &store, err));
    HnStatus status = hn_store_dims(store, "status", dims, err);
    uint64_t width = hn_store_has(store, "item") ? dims[1] : 1;
    if (status == HN_OK) {
        bytes = hn_alloc(BLOCK_ROWS * width, 1, "statuses", err);
        words = hn_alloc(BLOCK_ROWS * width, sizeof *words, "counts", err);
        status = bytes && words ? add_blocks(store, dims[0], width, bytes, words, totals, err) : HN_MEMORY;
    }
    hn_free(bytes);
    hn_free(words);
    hn_store_close(&store);
    return status;
}

static void tell(const char *what, const Totals *totals, const char *const *names, int n_names, bool noisy) {
    char line[512], number[32];
    int used = snprintf(line, sizeof line, "%s: %s", what, hn_format_count(totals->n, number, sizeof number));
    for (int i = 0; i < n_names && used > 0 && used < (int)sizeof line; i++) {
        if (totals->of[i] > 0) {
            used += snprintf(line + used, sizeof line - (size_t)used, ", %s %s", names[i],
                             hn_format_count(totals->of[i], number, sizeof number));
        }
    }
    hn_log(noisy ? HN_LOG_WARN : HN_LOG_INFO, "%s", line);
}

HnStatus hn_stage_summary(const HnStageContext *context, const char *what, const char *path, const char *const *names,
                          int n_names, unsigned noise_mask, int lost_status, HnStageReport *report, HnError *err) {
    Totals totals = {0};
    HnStatus status = HN_OK;
    if (hn_comm_rank(context->workers) == 0) {
        status = read_totals(path, &totals, err);
    }
    HN_TRY(hn_comm_agree(context->workers, status, err));
    HN_TRY(hn_comm_broadcast(context->workers, &totals, sizeof totals, 0, err));
    report->items = totals.n;
    report->attempts = totals.attempts;
    report->prompt_tokens = totals.prompt_tokens;
    report->answer_tokens = totals.answer_tokens;
    for (int i = 0; i < n_names; i++) {
        report->noise += (noise_mask >> i & 1U) ? totals.of[i] : 0;
    }
    report->lost = totals.of[lost_status];
    if (hn_comm_rank(context->workers) == 0) {
        tell(what, &totals, names, n_names, report->noise + report->lost > 0);
    }
    return HN_OK;
}
