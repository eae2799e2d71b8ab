/* One digest of all parameters, the same for any number of ranks: virtual shard v hashes its users' rows and the v-th
 * blocks of the item rows, of the adapter and of the model's own parameters; the digest is the hash of the shards'
 * hashes in order. */
#include "base/alloc.h"
#include "base/hash.h"
#include "cf/trainer.h"
#include "shard.h"

enum { HEX = 64 };

static void add_block(HnSha256 *hash, const HnTable *table, int n_parts, int part) {
    uint64_t begin, end;
    hn_shard_block(table->n_rows, n_parts, part, &begin, &end);
    hn_sha256_update(hash, table->value + begin * (uint64_t)table->dim,
                     (end - begin) * (uint64_t)table->dim * sizeof(float));
}

static HnStatus shard_digest(const HnTrainer *trainer, int shard, char hex[65], HnError *err) {
    const HnUserShards *shards = &trainer->shards;
    const uint64_t dim = (uint64_t)trainer->dim, row = shards->begin[shard] - shards->user_begin;
    HnSha256 *hash = NULL;
    HN_TRY(hn_sha256_start(&hash, err));
    hn_sha256_update(hash, trainer->users.value + row * dim,
                     (shards->begin[shard + 1] - shards->begin[shard]) * dim * sizeof(float));
    add_block(hash, &trainer->items, shards->n_shards, shard);
    const HnTable *own = trainer->sampler->parameters(trainer->sampler_state);
    if (own != NULL) {
        add_block(hash, own, shards->n_shards, shard);
    }
    const HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    if (of_model != NULL) {
        add_block(hash, of_model, shards->n_shards, shard);
    }
    hn_sha256_finish(&hash, hex);
    return HN_OK;
}

static HnStatus own_digests(const HnTrainer *trainer, char *out, HnError *err) {
    const int first = trainer->shards.first, last = trainer->shards.last;
    HnStatus status = HN_OK;
#pragma omp parallel for schedule(dynamic)
    for (int shard = first; shard < last; shard++) {
        HnError own = HN_ERROR_INIT;
        char hex[HEX + 1] = "";
        if (shard_digest(trainer, shard, hex, &own) != HN_OK) {
#pragma omp critical(hn_digest_error)
            status = hn_fail(err, own.status, "%s", own.message);
        }
        for (int i = 0; i < HEX; i++) {
            out[(shard - first) * HEX + i] = hex[i];
        }
    }
    return status;
}

HnStatus hn_trainer_digest(const HnTrainer *trainer, char hex[65], HnError *err) {
    const HnUserShards *shards = &trainer->shards;
    const int size = hn_comm_size(trainer->comm);
    char *mine = hn_alloc((size_t)(shards->last - shards->first), HEX, "digests", err);
    char *all = hn_alloc((size_t)shards->n_shards, HEX, "digests", err);
    size_t *n_bytes = hn_alloc((size_t)size, sizeof *n_bytes, "digests", err);
    HnStatus status = mine && all && n_bytes ? own_digests(trainer, mine, err) : HN_MEMORY;
    for (int r = 0; r < size && status == HN_OK; r++) {
        int first, last;
        status = hn_shard_of_rank(shards->n_shards, size, r, &first, &last, err);
        n_bytes[r] = (size_t)(last - first) * HEX;
    }
    status = hn_comm_agree(trainer->comm, status, err);
    if (status == HN_OK) {
        status = hn_comm_gather_all(trainer->comm, mine, all, n_bytes, err);
    }
    if (status == HN_OK) {
        hn_sha256_bytes(all, (size_t)shards->n_shards * HEX, hex);
    }
    hn_free(n_bytes);
    hn_free(all);
    hn_free(mine);
    return status;
}
