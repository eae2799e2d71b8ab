/* Which ranks write with the language model and which train. A pure function of the world's size and the wishes. */
#include "world.h"

typedef struct Wishes {
    int size;
    int free;                  /* ranks that nobody forced */
    int64_t workers, trainers; /* wanted among the free ranks, -1 = automatic */
    int forced_workers, forced_trainers;
} Wishes;

static HnStatus count_forced(const int *forced, int size, Wishes *wishes, HnError *err) {
    wishes->size = size;
    for (int r = 0; r < size; r++) {
        int role = forced == NULL ? 0 : forced[r];
        if (role < 0 || role > (HN_ROLE_WORKER | HN_ROLE_TRAINER)) {
            return hn_fail(err, HN_CONFIG, "HNLMREC_ROLE of rank %d is none of worker, trainer, both", r);
        }
        wishes->free += role == 0;
        wishes->forced_workers += (role & HN_ROLE_WORKER) != 0;
        wishes->forced_trainers += (role & HN_ROLE_TRAINER) != 0;
    }
    return HN_OK;
}

/* How many of the free ranks a role still needs: -1 where that is left to us. */
static HnStatus still_wanted(const Wishes *wishes, const char *name, int64_t wanted, int forced, int64_t *rest,
                             HnError *err) {
    if (wanted < 0 || wanted > wishes->size) {
        return hn_fail(err, HN_CONFIG,
                       "%lld %s ranks are asked for, but the job has %d: start more ranks or ask for fewer",
                       (long long)wanted, name, wishes->size);
    }
    *rest = wanted == 0 ? -1 : wanted - forced;
    if (wanted > 0 && (*rest < 0 || *rest > wishes->free)) {
        return hn_fail(err, HN_CONFIG,
                       "%lld %s ranks are asked for, but HNLMREC_ROLE makes that impossible: it names %d of them and "
                       "leaves %d ranks open",
                       (long long)wanted, name, forced, wishes->free);
    }
    return HN_OK;
}

/* Fills in the automatic numbers; see hn_roles_assign. */
static void choose_automatic(Wishes *wishes) {
    int64_t free = wishes->free;
    if (wishes->workers < 0 && wishes->trainers < 0) {
        bool one_sided = (wishes->forced_workers > 0) != (wishes->forced_trainers > 0);
        wishes->workers = one_sided && wishes->forced_workers > 0 ? 0 : free;
        wishes->trainers = one_sided && wishes->forced_trainers > 0 ? 0 : free;
    } else if (wishes->trainers < 0) {
        wishes->trainers = free - wishes->workers;
        if (wishes->trainers + wishes->forced_trainers == 0) {
            wishes->trainers = free;
        }
    } else if (wishes->workers < 0) {
        wishes->workers = free - wishes->trainers;
        if (wishes->workers + wishes->forced_workers == 0) {
            wishes->workers = free;
        }
    }
}

HnStatus hn_roles_assign(int size, int64_t workers, int64_t trainers, const int *forced, int *roles, HnError *err) {
    Wishes wishes = {0};
    HN_TRY(count_forced(forced, size, &wishes, err));
    HN_TRY(still_wanted(&wishes, "worker", workers, wishes.forced_workers, &wishes.workers, err));
    HN_TRY(still_wanted(&wishes, "trainer", trainers, wishes.forced_trainers, &wishes.trainers, err));
    choose_automatic(&wishes);
    if (wishes.workers + wishes.forced_workers == 0 || wishes.trainers + wishes.forced_trainers == 0) {
        return hn_fail(err, HN_CONFIG, "HNLMREC_ROLE leaves no %s rank among %d: unset it on at least one rank",
                       wishes.workers + wishes.forced_workers == 0 ? "worker" : "trainer", size);
    }
    if (wishes.workers + wishes.trainers < wishes.free) {
        return hn_fail(err, HN_CONFIG,
                       "%lld worker and %lld trainer ranks leave %lld of %d ranks without work: start fewer ranks, ask "
                       "for more, or leave one of the two numbers automatic (0)",
                       (long long)workers, (long long)trainers,
                       (long long)(wishes.free - wishes.workers - wishes.trainers), size);
    }
    /* Trainers from the front, workers from the back; in between a rank may be both. */
    int64_t position = 0;
    for (int r = 0; r < size; r++) {
        roles[r] = forced == NULL ? 0 : forced[r];
        if (roles[r] == 0) {
            roles[r] = (position < wishes.trainers ? HN_ROLE_TRAINER : 0) |
                       (position >= wishes.free - wishes.workers ? HN_ROLE_WORKER : 0);
            position++;
        }
    }
    return HN_OK;
}
