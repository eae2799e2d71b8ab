/* Shared artefacts: see artefact.h. */
#include "app/artefact.h"

#include <string.h>
#include <time.h>

#include "app/claim.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

/* Rank 0: waits until the artefact stands (*claim stays NULL) or this job holds the claim on making it. */
static HnStatus claim_or_wait(const char *path, HnClaim **claim, HnError *err) {
    char *claim_path = hn_path_printf(err, "%s.claim", path);
    if (claim_path == NULL) {
        return HN_MEMORY;
    }
    HnStatus status = HN_OK;
    bool told = false;
    while (status == HN_OK && !hn_file_exists(path)) {
        status = hn_claim_try(claim_path, claim, err);
        if (status != HN_OK || *claim != NULL) {
            break;
        }
        if (!told) {
            hn_log(HN_LOG_INFO, "waiting for %s, which another job is making", path);
            told = true;
        }
        if (hn_stop_requested()) {
            status = hn_fail(err, HN_INTERRUPTED, "stopped while waiting for %s; run again to go on", path);
        }
        nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    }
    if (*claim != NULL && hn_file_exists(path)) { /* sealed between the look and the claim */
        hn_claim_release(claim);
    }
    hn_free(claim_path);
    return status;
}

static HnStatus artefact_paths(const char *folder, const char *stage, const char *identity, char **path, char **work,
                               HnError *err) {
    char key[65];
    hn_sha256_bytes(identity, strlen(identity), key);
    *path = hn_path_printf(err, "%s/%s-%.12s.h5", folder, stage, key);
    *work = hn_path_printf(err, "%s/%s-%.12s.work", folder, stage, key);
    return *path != NULL && *work != NULL ? HN_OK : HN_MEMORY;
}

HnStatus hn_artefact_get(HnComm *group, const char *folder, const char *stage, const char *identity, HnMakeFn *make,
                         void *context, char **path, bool *found, HnError *err) {
    HnClaim *claim = NULL;
    char *work = NULL;
    bool make_it = false;
    *path = NULL;
    HnStatus status = artefact_paths(folder, stage, identity, path, &work, err);
    if (status == HN_OK && hn_comm_rank(group) == 0) {
        status = hn_folder_make(folder, err);
        if (status == HN_OK) {
            status = claim_or_wait(*path, &claim, err);
        }
        make_it = claim != NULL;
    }
    status = hn_comm_agree(group, status, err);
    if (status == HN_OK) {
        status = hn_comm_broadcast(group, &make_it, sizeof make_it, 0, err);
    }
    if (status == HN_OK && make_it) {
        status = make(context, work, *path, err);
        status = hn_comm_agree(group, status, err);
    }
    if (status == HN_OK && make_it && hn_comm_rank(group) == 0) {
        status = hn_folder_remove(work, err);
    }
    hn_claim_release(&claim);
    hn_free(work);
    if (status != HN_OK) {
        hn_free(*path);
        *path = NULL;
    }
    *found = !make_it;
    return status;
}
