/* HDF5 over plain POSIX files, through a driver of our own, for three reasons:
 *   - no locks: on Lustre and NFS they fail or hang, and a sealed store needs none;
 *   - the errno of the failed call survives, so that a full disk is reported as a full disk, with the file's name;
 *   - HDF5 cannot close a file whose last writes fail (it keeps it open, tries again at exit, and may never end). Here
 * a file that failed once swallows what HDF5 still wants to write; the writer sees the fault and removes the file. Two
 * opens of one file never share state inside HDF5 (cmp), so each keeps its own fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "hdf5_access.h"
#if H5_VERSION_GE(1, 13, 2)
#include <H5FDdevelop.h>
#endif

typedef struct DriverFile {
    H5FD_t hdf5; /* must be first */
    int fd;
    haddr_t end_allocated; /* what HDF5 has reserved */
    haddr_t end_written;   /* length of the file */
    HnFault *fault;
} DriverFile;

enum { MAX_TRANSFER = 1 << 30 }; /* one read or write call; Linux stops at 2 GiB */

static void remember(DriverFile *file, int error_number, bool writing) {
    if (file->fault->error_number == 0) {
        file->fault->error_number = error_number;
        file->fault->writing = writing;
    }
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t max) {
    (void)max;
    HnFault *const *info = (HnFault *const *)H5Pget_driver_info(fapl);
    if (info == NULL) {
        return NULL;
    }
    HnFault *fault = *info;
    int how = (flags & H5F_ACC_RDWR) != 0 ? O_RDWR : O_RDONLY;
    how |= (flags & H5F_ACC_CREAT) != 0 ? O_CREAT : 0;
    how |= (flags & H5F_ACC_TRUNC) != 0 ? O_TRUNC : 0;
    how |= (flags & H5F_ACC_EXCL) != 0 ? O_EXCL : 0;
    int fd = open(name, how | O_CLOEXEC, 0666);
    struct stat status;
    memset(&status, 0, sizeof status);
    /* HDF5 tries an open without creating first; only the last try's errno counts. */
    fault->error_number = fd < 0 || fstat(fd, &status) != 0 ? errno : 0;
    DriverFile *file = fault->error_number == 0 ? (DriverFile *)hn_alloc(1, sizeof *file, "open store", NULL) : NULL;
    if (file == NULL) {
        if (fault->error_number == 0) {
            fault->error_number = ENOMEM;
        }
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    file->fd = fd;
    file->end_written = (haddr_t)status.st_size;
    file->fault = fault;
    return &file->hdf5;
}

static herr_t driver_close(H5FD_t *base) {
    DriverFile *file = (DriverFile *)base;
    if (close(file->fd) != 0 && errno != EINTR) {
        remember(file, errno, true); /* NFS reports a full disk here */
    }
    hn_free(file);
    return 0;
}

static int driver_compare(const H5FD_t *a, const H5FD_t *b) {
    return a < b ? -1 : a > b;
}

static herr_t driver_query(const H5FD_t *base, unsigned long *flags) {
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_get_allocated(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const DriverFile *)base)->end_allocated;
}

static herr_t driver_set_allocated(H5FD_t *base, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((DriverFile *)base)->end_allocated = address;
    return 0;
}

static haddr_t driver_get_end(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const DriverFile *)base)->end_written;
}

static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t n_bytes, void *data) {
    (void)type;
    (void)dxpl;
    DriverFile *file = (DriverFile *)base;
    char *to = (char *)data;
    while (n_bytes > 0) {
        ssize_t got = pread(file->fd, to, n_bytes < MAX_TRANSFER ? n_bytes : MAX_TRANSFER, (off_t)address);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            remember(file, errno, false);
            return -1;
        }
        if (got == 0) { /* behind the end: allocated, never written */
            memset(to, 0, n_bytes);
            return 0;
        }
        to += got;
        address += (haddr_t)got;
        n_bytes -= (size_t)got;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t n_bytes,
                           const void *data) {
    (void)type;
    (void)dxpl;
    DriverFile *file = (DriverFile *)base;
    const char *from = (const char *)data;
    haddr_t end = address + n_bytes;
    while (n_bytes > 0 && file->fault->error_number == 0) {
        ssize_t put = pwrite(file->fd, from, n_bytes < MAX_TRANSFER ? n_bytes : MAX_TRANSFER, (off_t)address);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            remember(file, put < 0 ? errno : EIO, true);
            break;
        }
        from += put;
        address += (haddr_t)put;
        n_bytes -= (size_t)put;
    }
    if (end > file->end_written) {
        file->end_written = end;
    }
    return 0; /* also after a failure: see the top of this file */
}

static herr_t driver_truncate(H5FD_t *base, hid_t dxpl, hbool_t closing) {
    (void)dxpl;
    (void)closing;
    DriverFile *file = (DriverFile *)base;
    if (file->end_allocated != file->end_written) {
        if (file->fault->error_number == 0 && ftruncate(file->fd, (off_t)file->end_allocated) != 0) {
            remember(file, errno, true);
        }
        file->end_written = file->end_allocated;
    }
    return 0;
}

static const H5FD_class_t driver_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)512,
#endif
    .name = "hnlmrec",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(HnFault *),
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_compare,
    .query = driver_query,
    .get_eoa = driver_get_allocated,
    .set_eoa = driver_set_allocated,
    .get_eof = driver_get_end,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* Registered anew for each file (the file keeps its driver alive): HDF5 shuts itself down inside MPI_Finalize, and an
 * id kept across that would be stale. */
static hid_t access_properties(HnFault *fault) {
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* failures are told by HnError, not on stderr */
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    hid_t driver = H5FDregister(&driver_class);
    /* 1.8 format: readable everywhere, and its metadata carries checksums. */
    bool good = fapl >= 0 && driver >= 0 && H5Pset_driver(fapl, driver, &fault) >= 0 &&
                H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 &&
                H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_LATEST) >= 0;
    if (driver >= 0) {
        H5FDunregister(driver);
    }
    if (!good && fapl >= 0) {
        H5Pclose(fapl);
    }
    return good ? fapl : H5I_INVALID_HID;
}

HnStatus hn_hdf5_create(const char *path, HnFault *fault, hid_t *file, HnError *err) {
    *fault = (HnFault){0, false};
    *file = H5I_INVALID_HID;
    hid_t fapl = access_properties(fault);
    if (fapl >= 0) {
        *file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    }
    HnStatus status = *file >= 0 && fault->error_number == 0
                          ? HN_OK
                          : hn_hdf5_fail(err, HN_IO, path, fault, "cannot create this file");
    if (fapl >= 0) {
        H5Pclose(fapl);
    }
    if (status != HN_OK) {
        hn_hdf5_close(file);
    }
    return status;
}

/* HDF5 says little about files that are none of its own, so the first bytes are looked at here. */
static HnStatus check_signature(const char *path, HnError *err) {
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    static const unsigned char zeros[8] = {0};
    unsigned char head[8] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return hn_fail_errno(err, errno, "%s: cannot open this store", path);
    }
    ssize_t got = pread(fd, head, sizeof head, 0);
    int saved = errno;
    close(fd);
    if (got < 0) {
        return hn_fail_errno(err, saved, "%s: cannot read this store", path);
    }
    if (got == 0 || memcmp(head, zeros, sizeof head) == 0) {
        return hn_fail(err, HN_CORRUPT,
                       "%s: %s: it was never finished, or what it held is lost. Delete it and run again what made it",
                       path, got == 0 ? "the file is empty" : "the file begins with zeros");
    }
    if (got < (ssize_t)sizeof head || memcmp(head, signature, sizeof head) != 0) {
        return hn_fail(err, HN_FORMAT, "%s: this is no HDF5 file, so no store of hnlmrec. Check the path", path);
    }
    return HN_OK;
}

HnStatus hn_hdf5_open(const char *path, HnFault *fault, hid_t *file, HnError *err) {
    *fault = (HnFault){0, false};
    *file = H5I_INVALID_HID;
    HN_TRY(check_signature(path, err));
    hid_t fapl = access_properties(fault);
    if (fapl >= 0) {
        *file = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    }
    HnStatus status = *file >= 0
                          ? HN_OK
                          : hn_hdf5_fail(err, HN_CORRUPT, path, fault,
                                         "the file is cut short or damaged. Delete it and run again what made it");
    if (fapl >= 0) {
        H5Pclose(fapl);
    }
    return status;
}

bool hn_hdf5_close(hid_t *file) {
    bool good = true;
    if (*file > 0) {
        /* HDF5 gives up the file's hold on the driver and then still reads the driver's table: these hold it too. */
        hid_t fapl = H5Fget_access_plist(*file);
        good = H5Fclose(*file) >= 0;
        H5Pclose(fapl);
    }
    *file = H5I_INVALID_HID;
    return good;
}

static herr_t keep_first_record(unsigned n, const H5E_error2_t *record, void *context) {
    if (n == 0 && record->desc != NULL) {
        snprintf((char *)context, 256, "%s", record->desc);
    }
    return 0;
}

HnStatus hn_hdf5_fail(HnError *err, HnStatus status, const char *path, const HnFault *fault, const char *what) {
    int number = fault->error_number;
    if (number == ENOMEM) {
        return hn_fail(err, HN_MEMORY, "%s: out of memory: %s", path, what);
    }
    if (number == ENOSPC || number == EDQUOT) {
        return hn_fail_errno(err, number,
                             "%s: %s: the disk is full or a quota used up. Free some space there, or choose another "
                             "output folder, and run the same command again",
                             path, what);
    }
    if (number != 0) {
        return hn_fail_errno(err, number, "%s: %s", path, what);
    }
    char reason[256] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first_record, reason);
    return hn_fail(err, status, "%s: %s (HDF5: %s)", path, what, reason);
}
