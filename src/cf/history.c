#include <string.h>

#include "base/alloc.h"
#include "cf/session.h"

static HnStatus grow(void *block_address, uint64_t room, uint64_t more, size_t bytes, HnError *err) {
    return hn_resize(block_address, room * bytes, more, bytes, "training history", err);
}

HnStatus hn_history_add_epoch(HnHistory *history, const double *loss, const char *digest, double seconds,
                              HnError *err) {
    uint64_t n = history->n_epochs;
    if (n == history->epochs_room) {
        uint64_t room = history->epochs_room, more = room == 0 ? 64 : 2 * room;
        HN_TRY(grow(&history->loss, room, more, HN_N_LOSSES * sizeof(double), err));
        HN_TRY(grow(&history->digest, room, more, sizeof *history->digest, err));
        HN_TRY(grow(&history->epoch_seconds, room, more, sizeof(double), err));
        history->epochs_room = more;
    }
    memcpy(history->loss + n * HN_N_LOSSES, loss, HN_N_LOSSES * sizeof(double));
    memcpy(history->digest[n], digest, sizeof history->digest[n]);
    history->epoch_seconds[n] = seconds;
    history->n_epochs++;
    return HN_OK;
}

HnStatus hn_history_add_eval(HnHistory *history, int32_t epoch, const double *metric, double seconds, HnError *err) {
    uint64_t n = history->n_evals;
    size_t row = history->n_metrics * sizeof(double);
    if (n == history->evals_room) {
        uint64_t room = history->evals_room, more = room == 0 ? 64 : 2 * room;
        HN_TRY(grow(&history->eval_epoch, room, more, sizeof(int32_t), err));
        HN_TRY(grow(&history->metric, room, more, row, err));
        HN_TRY(grow(&history->eval_seconds, room, more, sizeof(double), err));
        history->evals_room = more;
    }
    history->eval_epoch[n] = epoch;
    memcpy(history->metric + n * history->n_metrics, metric, row);
    history->eval_seconds[n] = seconds;
    history->n_evals++;
    return HN_OK;
}

void hn_history_free(HnHistory *history) {
    hn_free(history->eval_seconds);
    hn_free(history->metric);
    hn_free(history->eval_epoch);
    hn_free(history->epoch_seconds);
    hn_free(history->digest);
    hn_free(history->loss);
    *history = (HnHistory){0};
}
