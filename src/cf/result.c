/* The end of a training: model.h5 (final vectors of the selected epoch), then result.h5, whose presence says that this
 * training is done. Rank 0 writes; the others send their user rows in pieces. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cf/result_store.h"
#include "cpu.h"
#include "gemm.h"
#include "shard.h"
#include "store.h"

enum { PIECE_BYTES = 4 << 20 };

static int64_t selected_epoch(const HnSession *session) {
    return session->best_epoch >= 0 ? session->best_epoch : (int64_t)session->trainer->epoch;
}

/* Rank 0 (writer not NULL) takes everyone's user rows; failures are kept until the others have sent theirs. */
static HnStatus gather_users(const HnSession *session, HnStoreWriter *writer, const float *users, float *piece,
                             HnError *err) {
    const HnUserShards *shards = &session->trainer->shards;
    const uint64_t row = (uint64_t)session->trainer->width * sizeof(float);
    const uint64_t at_once = PIECE_BYTES / row > 0 ? PIECE_BYTES / row : 1;
    const int size = hn_comm_size(session->comm), rank = hn_comm_rank(session->comm);
    HnStatus written = HN_OK;
    for (int r = 0; r < size; r++) {
        int first, last;
        HN_TRY(hn_shard_of_rank(shards->n_shards, size, r, &first, &last, err));
        for (uint64_t begin = shards->begin[first]; begin < shards->begin[last]; begin += at_once) {
            uint64_t left = shards->begin[last] - begin, n = left < at_once ? left : at_once;
            if (r == rank) {
                memcpy(piece, users + (begin - shards->user_begin) * (uint64_t)session->trainer->width, n * row);
            }
            HN_TRY(hn_comm_broadcast(session->comm, piece, n * row, r, err));
            if (writer != NULL && written == HN_OK) {
                written = hn_store_write_rows(writer, "user/embedding", begin, n, piece, err);
            }
        }
    }
    return written;
}

static HnStatus start_model(const HnSession *session, const float *items, HnStoreWriter **writer, HnError *err) {
    const HnTrainer *trainer = session->trainer;
    const uint64_t dim = (uint64_t)trainer->width;
    const uint64_t user_dims[2] = {trainer->shards.n_users, dim}, item_dims[2] = {trainer->shards.n_items, dim};
    HN_TRY(hn_result_store_create(session, "model.h5", &HN_SCHEMA_MODEL, writer, err));
    HN_TRY(hn_store_set_text(*writer, "variant", session->job->variant, err));
    HN_TRY(hn_store_set_text(*writer, "backbone", trainer->model->name, err));
    HN_TRY(hn_store_set_i64(*writer, "dim", trainer->width, err));
    HN_TRY(hn_store_set_i64(*writer, "epoch", selected_epoch(session), err));
    HN_TRY(hn_store_write(*writer, "item/embedding", item_dims, items, err));
    return hn_store_define(*writer, "user/embedding", user_dims, err);
}

static HnStatus write_model(HnSession *session, const float *users, const float *items, HnError *err) {
    const uint64_t row = (uint64_t)session->trainer->width * sizeof(float);
    HnStoreWriter *writer = NULL;
    float *piece = hn_alloc(1, PIECE_BYTES > row ? PIECE_BYTES : row, "user rows on their way", err);
    HnStatus status = piece == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK && hn_comm_rank(session->comm) == 0) {
        status = start_model(session, items, &writer, err);
    }
    status = hn_comm_agree(session->comm, status, err);
    if (status == HN_OK) {
        status = gather_users(session, writer, users, piece, err);
        if (status == HN_OK && writer != NULL) {
            status = hn_store_seal(&writer, err);
        }
        status = hn_comm_agree(session->comm, status, err);
    }
    if (writer != NULL) {
        hn_store_abandon(&writer);
    }
    hn_free(piece);
    return status;
}

typedef struct RankFacts {
    uint64_t users, pairs, memory_bytes, bytes_moved;
} RankFacts;

static HnStatus put_ranks(HnStoreWriter *writer, const RankFacts *ranks, uint64_t n, uint64_t *column, HnError *err) {
    static const char *const fields[] = {"rank/users", "rank/pairs", "rank/memory_bytes", "rank/bytes_moved"};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (uint64_t r = 0; r < n; r++) {
            const uint64_t facts[] = {ranks[r].users, ranks[r].pairs, ranks[r].memory_bytes, ranks[r].bytes_moved};
            column[r] = facts[f];
        }
        HN_TRY(hn_result_put(writer, fields[f], n, 0, column, err));
    }
    return HN_OK;
}

static HnStatus put_attributes(HnStoreWriter *writer, const HnSession *session, const HnSamplerFacts *sampler,
                               uint64_t n_test_users, HnError *err) {
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"best_epoch", selected_epoch(session)},
                   {"epochs_run", (int64_t)session->trainer->epoch},
                   {"batches", (int64_t)session->trainer->order.n_batches},
                   {"n_test_users", (int64_t)n_test_users},
                   {"n_vectors_used", (int64_t)sampler->pairs_with_vector},
                   {"n_pairs_without_vector", (int64_t)sampler->pairs_without_vector},
                   {"reproducible", session->job->reproducible},
                   {"ranks", hn_comm_size(session->comm)},
                   {"threads", session->job->threads}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        HN_TRY(hn_store_set_i64(writer, numbers[i].name, numbers[i].value, err));
    }
    if (sampler->product_seconds > 0.0) {
        HN_TRY(hn_store_set_text(writer, "product_library", hn_gemm_library(), err));
        HN_TRY(hn_store_set_f64(writer, "adapter_product_gflops",
                                sampler->product_flops / sampler->product_seconds * 1e-9, err));
    }
    return hn_store_set_text(writer, "variant", session->job->variant, err);
}

/* Names first, then numbers, a field after the other. */
static HnStatus put_groups(HnStoreWriter *writer, const HnGroups *groups, HnError *err) {
    static const char *const fields[] = {"group/least", "group/most", "group/members", "group/users"};
    const size_t n = groups->n;
    if (n == 0) {
        return HN_OK;
    }
    int64_t *column = hn_alloc(n, sizeof *column, "groups", err);
    HnStatus status = column == NULL ? HN_MEMORY : hn_store_strings_begin(writer, "group/kind", n, err);
    for (size_t g = 0; g < n && status == HN_OK; g++) {
        const char *kind = groups->groups[g].kind;
        status = hn_store_strings_add(writer, "group/kind", kind, strlen(kind), err);
    }
    status = status == HN_OK ? hn_store_strings_begin(writer, "group/name", n, err) : status;
    for (size_t g = 0; g < n && status == HN_OK; g++) {
        const char *name = groups->groups[g].name;
        status = hn_store_strings_add(writer, "group/name", name, strlen(name), err);
    }
    for (size_t f = 0; f < sizeof fields / sizeof *fields && status == HN_OK; f++) {
        for (size_t g = 0; g < n; g++) {
            const HnGroup *group = &groups->groups[g];
            const int64_t facts[] = {group->least, group->most, group->members, group->users};
            column[g] = facts[f];
        }
        status = hn_result_put(writer, fields[f], n, 0, column, err);
    }
    hn_free(column);
    status = status == HN_OK ? hn_result_put(writer, "group/value", n, groups->n_metrics, groups->metric, err) : status;
    return status == HN_OK ? hn_result_put(writer, "group/recall_share", n, groups->n_ks, groups->recall_share, err)
                           : status;
}

static HnStatus write_result(const HnSession *session, const HnSamplerFacts *sampler, const RankFacts *ranks,
                             uint64_t *column, const double *test, uint64_t n_test_users, const HnGroups *groups,
                             HnError *err) {
    HnStoreWriter *writer = NULL;
    HN_TRY(hn_result_store_create(session, "result.h5", &HN_SCHEMA_RESULT, &writer, err));
    HnStatus status = put_attributes(writer, session, sampler, n_test_users, err);
    status = status == HN_OK ? hn_result_put_names(writer, session, err) : status;
    status = status == HN_OK ? hn_result_put_history(writer, &session->history, err) : status;
    status = status == HN_OK ? hn_result_put(writer, "test/value", session->history.n_metrics, 0, test, err) : status;
    status = status == HN_OK ? put_groups(writer, groups, err) : status;
    status = status == HN_OK ? put_ranks(writer, ranks, (uint64_t)hn_comm_size(session->comm), column, err) : status;
    if (status != HN_OK) {
        hn_store_abandon(&writer);
        return status;
    }
    return hn_store_seal(&writer, err);
}

/* What each rank held and moved, for people; the same numbers stand in the result. */
static void log_ranks(const HnSession *session, const RankFacts *ranks) {
    const uint64_t steps = session->trainer->steps;
    for (int r = 0; r < hn_comm_size(session->comm) && steps > 0; r++) {
        char memory[32], moved[32];
        hn_log(HN_LOG_INFO, "%s, seed %lld, rank %d: %llu users, %llu pairs, %s of memory, %s handed to collectives",
               session->job->variant, (long long)session->job->seed, r, (unsigned long long)ranks[r].users,
               (unsigned long long)ranks[r].pairs,
               hn_format_bytes((double)ranks[r].memory_bytes, memory, sizeof memory),
               hn_format_bytes((double)ranks[r].bytes_moved, moved, sizeof moved));
    }
}

HnStatus hn_result_write(HnSession *session, const float *users, const float *items, const double *test,
                         uint64_t n_test_users, const HnGroups *groups, HnError *err) {
    HnTrainer *trainer = session->trainer;
    const int size = hn_comm_size(session->comm);
    HnSamplerFacts sampler;
    HN_TRY(write_model(session, users, items, err));
    HN_TRY(trainer->sampler->facts(trainer->sampler_state, &sampler, err));
    RankFacts mine = {hn_user_shards_count(&trainer->shards), trainer->shards.n_local_pairs,
                      hn_trainer_memory_bytes(trainer), hn_comm_bytes_moved(session->comm) - session->moved_before};
    RankFacts *ranks = hn_alloc((size_t)size, sizeof *ranks, "facts of the ranks", err);
    size_t *n_bytes = hn_alloc((size_t)size, sizeof *n_bytes, "facts of the ranks", err);
    uint64_t *column = hn_alloc((size_t)size, sizeof *column, "facts of the ranks", err);
    HnStatus status = hn_comm_agree(session->comm, ranks && n_bytes && column ? HN_OK : HN_MEMORY, err);
    for (int r = 0; r < size && status == HN_OK; r++) {
        n_bytes[r] = sizeof mine;
    }
    status = status == HN_OK ? hn_comm_gather_all(session->comm, &mine, ranks, n_bytes, err) : status;
    if (status == HN_OK) {
        if (hn_comm_rank(session->comm) == 0) {
            log_ranks(session, ranks);
            status = write_result(session, &sampler, ranks, column, test, n_test_users, groups, err);
        }
        status = hn_comm_agree(session->comm, status, err);
    }
    hn_free(column);
    hn_free(n_bytes);
    hn_free(ranks);
    return status;
}
