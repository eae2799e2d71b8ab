/* Who does what: workers, trainers, and how many threads each rank takes. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/run.h"
#include "base/alloc.h"
#include "base/log.h"

int hn_cores_for(int ranks_on_host) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    CPU_ZERO(&set);
    long mine = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : online;
    /* Bound by the launcher: the cores are this rank's own. Otherwise all ranks of the host share what there is. */
    long cores = mine < online ? mine : online / (ranks_on_host > 0 ? ranks_on_host : 1);
    return cores < 1 ? 1 : (int)cores;
}

static HnStatus role_from_environment(int *forced, HnError *err) {
    const char *word = getenv("HNLMREC_ROLE");
    *forced = 0;
    if (word == NULL || word[0] == '\0' || strcmp(word, "auto") == 0) {
        return HN_OK;
    }
    if (strcmp(word, "worker") == 0) {
        *forced = HN_ROLE_WORKER;
    } else if (strcmp(word, "trainer") == 0) {
        *forced = HN_ROLE_TRAINER;
    } else {
        return hn_fail(err, HN_CONFIG, "HNLMREC_ROLE is worker, trainer or auto, not \"%s\"", word);
    }
    return HN_OK;
}

static HnStatus assign(HnRun *run, int *roles, HnError *err) {
    int size = hn_comm_size(run->world);
    int *forced = hn_alloc((size_t)size, sizeof *forced, "roles", err);
    HnStatus status = forced == NULL ? HN_MEMORY : role_from_environment(&forced[hn_comm_rank(run->world)], err);
    status = hn_comm_agree(run->world, status, err);
    if (status == HN_OK) {
        status = hn_comm_sum_i32(run->world, forced, (size_t)size, err);
    }
    if (status == HN_OK) {
        status =
            hn_roles_assign(size, run->experiment->roles.workers, run->experiment->roles.trainers, forced, roles, err);
    }
    hn_free(forced);
    return status;
}

static HnStatus set_threads(HnRun *run, HnError *err) {
    int local_rank = 0, local_size = 1;
    HN_TRY(hn_world_local(run->world, &local_rank, &local_size, err));
    run->threads = run->experiment->threads > 0 ? (int)run->experiment->threads : hn_cores_for(local_size);
    omp_set_num_threads(run->threads);
    return HN_OK;
}

static HnStatus count_workers_on_host(HnRun *run, HnError *err) {
    int local_rank = 0, local_size = 0;
    HnStatus status = run->workers != NULL ? hn_world_local(run->workers, &local_rank, &local_size, err) : HN_OK;
    HN_TRY(hn_comm_agree(run->world, status, err));
    int64_t most = local_size;
    HN_TRY(hn_comm_max_i64(run->world, &most, 1, err));
    run->workers_on_host = (int)most;
    return HN_OK;
}

HnStatus hn_run_roles(HnRun *run, HnError *err) {
    int size = hn_comm_size(run->world), rank = hn_comm_rank(run->world);
    int *roles = hn_alloc((size_t)size, sizeof *roles, "roles", err);
    HnStatus status = roles == NULL ? HN_MEMORY : assign(run, roles, err);
    if (status == HN_OK) {
        for (int r = 0; r < size; r++) {
            run->n_workers += (roles[r] & HN_ROLE_WORKER) != 0;
            run->n_trainers += (roles[r] & HN_ROLE_TRAINER) != 0;
        }
        run->disjoint = run->n_workers + run->n_trainers == size;
        status = hn_comm_split(run->world, roles[rank] & HN_ROLE_WORKER ? 0 : -1, rank, &run->workers, err);
    }
    if (status == HN_OK) {
        status = hn_comm_split(run->world, roles[rank] & HN_ROLE_TRAINER ? 0 : -1, rank, &run->trainers, err);
    }
    hn_free(roles);
    if (status == HN_OK) {
        status = count_workers_on_host(run, err);
    }
    if (status == HN_OK) {
        status = set_threads(run, err);
    }
    if (status == HN_OK) {
        hn_log(HN_LOG_INFO, "%d rank%s: %d language-model workers, %d trainers%s; %d threads a rank", size,
               size == 1 ? "" : "s", run->n_workers, run->n_trainers,
               run->disjoint ? "" : " (ranks take both roles in turn)", run->threads);
    }
    return status;
}
