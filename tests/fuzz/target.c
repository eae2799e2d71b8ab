#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static char folder[] = "/dev/shm/hn-fuzz-XXXXXX";
static char path[256];
static pid_t owner; /* children of the bounded run end without taking the folder along */

static const char *path_of(const char *name) {
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

const char *fuzz_folder(void) {
    return folder;
}

bool fuzz_write(const char *name, const void *bytes, size_t n_bytes) {
    FILE *file = fopen(path_of(name), "wb");
    const bool written = file != NULL && (n_bytes == 0 || fwrite(bytes, 1, n_bytes, file) == n_bytes);
    return file != NULL && fclose(file) == 0 && written;
}

void fuzz_unlink(const char *name) {
    (void)unlink(path_of(name));
}

bool fuzz_wrong(const char *what, const HnError *err) {
    printf("%s: %s\n", what, err->message);
    return false;
}

bool fuzz_is_refusal(HnStatus status) {
    return status == HN_FORMAT || status == HN_UNSUPPORTED || status == HN_IO || status == HN_INPUT;
}

static void at_end(void) {
    if (getpid() != owner) {
        return;
    }
    if (FUZZ_TARGET.close != NULL) {
        FUZZ_TARGET.close();
    }
    (void)hn_folder_remove(folder, NULL);
}

HnStatus fuzz_open(HnError *err) {
    if (access("/dev/shm", W_OK) != 0) {
        memcpy(folder, "/tmp/hn-fuzz-XXXXXX", sizeof "/tmp/hn-fuzz-XXXXXX");
    }
    if (mkdtemp(folder) == NULL || atexit(at_end) != 0) {
        return hn_fail(err, HN_IO, "cannot make the folder %s", folder);
    }
    owner = getpid();
    return FUZZ_TARGET.open != NULL ? FUZZ_TARGET.open(err) : HN_OK;
}

bool fuzz_take(const void *bytes, size_t n_bytes) {
    const uint64_t live = hn_alloc_live_blocks();
    const bool fine = FUZZ_TARGET.take(bytes, n_bytes);
    HnError none = HN_ERROR_INIT;
    return hn_alloc_live_blocks() == live ? fine : fuzz_wrong("blocks of memory are left", &none);
}
