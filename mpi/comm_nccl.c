#include "comm_nccl.h"

#include <cuda_runtime_api.h>
#include <nccl.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"

struct HnNccl {
    ncclComm_t handle;
    int rank, size;
    uint64_t bytes_moved;
};

static HnStatus check_nccl(ncclResult_t result, const char *what, HnError *err) {
    if (result == ncclSuccess || result == ncclInProgress) {
        return HN_OK;
    }
    return hn_fail(err, result == ncclRemoteError ? HN_NETWORK : HN_INTERNAL, "NCCL failed in %s: %s", what,
                   ncclGetErrorString(result));
}

static HnStatus check_cuda(cudaError_t result, const char *what, HnError *err) {
    if (result == cudaSuccess) {
        return HN_OK;
    }
    return hn_fail(err, HN_INTERNAL, "CUDA failed in %s: %s", what, cudaGetErrorString(result));
}

static HnStatus prepare(const HnComm *comm, int device, ncclUniqueId *id, HnNccl **nccl, HnError *err) {
    int n_devices = 0; /* without a driver the call below does not write it */
    HN_TRY(check_cuda(cudaGetDeviceCount(&n_devices), "looking for devices", err));
    if (device < 0 || device >= n_devices) {
        return hn_fail(err, HN_CONFIG, "device %d is asked for, but there are %d", device, n_devices);
    }
    HN_TRY(check_cuda(cudaSetDevice(device), "choosing the device", err));
    *nccl = hn_alloc(1, sizeof **nccl, "device group", err);
    if (*nccl == NULL) {
        return HN_MEMORY;
    }
    (*nccl)->rank = hn_comm_rank(comm);
    (*nccl)->size = hn_comm_size(comm);
    return (*nccl)->rank == 0 ? check_nccl(ncclGetUniqueId(id), "naming the group", err) : HN_OK;
}

HnStatus hn_nccl_start(HnComm *comm, int device, HnNccl **out, HnError *err) {
    *out = NULL;
    HnNccl *nccl = NULL;
    ncclUniqueId id;
    HnStatus status = hn_comm_agree(comm, prepare(comm, device, &id, &nccl, err), err);
    if (status == HN_OK) {
        status = hn_comm_broadcast(comm, &id, sizeof id, 0, err);
    }
    if (status == HN_OK) {
        status = check_nccl(ncclCommInitRank(&nccl->handle, nccl->size, id, nccl->rank), "forming the group", err);
        status = hn_comm_agree(comm, status, err);
    }
    if (status != HN_OK) {
        hn_nccl_free(&nccl);
        return status;
    }
    *out = nccl;
    return HN_OK;
}

void hn_nccl_free(HnNccl **address) {
    HnNccl *nccl = *address;
    if (nccl == NULL) {
        return;
    }
    if (nccl->handle != NULL) {
        ncclCommDestroy(nccl->handle);
    }
    hn_free(nccl);
    *address = NULL;
}

static HnStatus check_usable(const HnNccl *nccl, HnError *err) {
    return nccl->handle != NULL ? HN_OK : hn_fail(err, HN_NETWORK, "the device group was given up after a failure");
}

static HnStatus sum(HnNccl *nccl, void *data, size_t n, size_t size, ncclDataType_t type, void *stream, HnError *err) {
    HN_TRY(check_usable(nccl, err));
    if (n == 0) {
        return HN_OK;
    }
    nccl->bytes_moved += n * size;
    return check_nccl(ncclAllReduce(data, data, n, type, ncclSum, nccl->handle, (cudaStream_t)stream), "a sum", err);
}

HnStatus hn_nccl_sum_f32(HnNccl *nccl, float *data, size_t n, void *stream, HnError *err) {
    return sum(nccl, data, n, sizeof *data, ncclFloat32, stream, err);
}

HnStatus hn_nccl_sum_i64(HnNccl *nccl, int64_t *data, size_t n, void *stream, HnError *err) {
    return sum(nccl, data, n, sizeof *data, ncclInt64, stream, err);
}

HnStatus hn_nccl_broadcast(HnNccl *nccl, void *data, size_t n_bytes, int root, void *stream, HnError *err) {
    HN_TRY(check_usable(nccl, err));
    if (root < 0 || root >= nccl->size) {
        return hn_fail(err, HN_INTERNAL, "broadcast from rank %d in a device group of %d", root, nccl->size);
    }
    if (n_bytes == 0) {
        return HN_OK;
    }
    nccl->bytes_moved += nccl->rank == root ? n_bytes : 0;
    return check_nccl(ncclBroadcast(data, data, n_bytes, ncclUint8, root, nccl->handle, (cudaStream_t)stream),
                      "a broadcast", err);
}

HnStatus hn_nccl_wait(HnNccl *nccl, void *stream, double timeout_s, HnError *err) {
    HN_TRY(check_usable(nccl, err));
    double started = hn_clock_seconds();
    struct timespec pause = {0, 20000};
    HnStatus status = HN_OK;
    while (status == HN_OK) {
        cudaError_t state = cudaStreamQuery((cudaStream_t)stream);
        if (state == cudaSuccess) {
            return HN_OK;
        }
        if (state != cudaErrorNotReady) {
            status = check_cuda(state, "a collective", err);
            break;
        }
        ncclResult_t trouble = ncclSuccess;
        status = check_nccl(ncclCommGetAsyncError(nccl->handle, &trouble), "asking for errors", err);
        if (status == HN_OK) {
            status = check_nccl(trouble, "a collective", err);
        }
        if (status == HN_OK && hn_clock_seconds() - started > timeout_s) {
            status =
                hn_fail(err, HN_NETWORK, "a device collective did not end within %.0f s: a peer is lost", timeout_s);
        }
        nanosleep(&pause, NULL);
    }
    ncclCommAbort(nccl->handle);
    nccl->handle = NULL;
    return status;
}

uint64_t hn_nccl_bytes_moved(const HnNccl *nccl) {
    return nccl->bytes_moved;
}
