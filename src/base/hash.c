#include "base/hash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <xxhash.h>

#include "base/alloc.h"

struct HnSha256 {
    EVP_MD_CTX *context;
    bool failed; /* libcrypto refused an update; finish then gives an impossible digest */
};

uint64_t hn_checksum64(const void *bytes, size_t n_bytes) {
    return XXH3_64bits(n_bytes == 0 ? "" : bytes, n_bytes);
}

HnStatus hn_sha256_start(HnSha256 **hash, HnError *err) {
    *hash = hn_alloc(1, sizeof **hash, "a SHA-256 state", err);
    if (*hash == NULL) {
        return HN_MEMORY;
    }
    (*hash)->context = EVP_MD_CTX_new();
    if ((*hash)->context == NULL || EVP_DigestInit_ex((*hash)->context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free((*hash)->context);
        hn_free(*hash);
        *hash = NULL;
        return hn_fail(err, HN_INTERNAL, "libcrypto offers no SHA-256; check the OpenSSL configuration of this host");
    }
    return HN_OK;
}

void hn_sha256_update(HnSha256 *hash, const void *bytes, size_t n_bytes) {
    if (n_bytes > 0 && EVP_DigestUpdate(hash->context, bytes, n_bytes) != 1) {
        hash->failed = true;
    }
}

static void write_hex(const unsigned char *digest, size_t n_bytes, char *hex) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n_bytes; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * n_bytes] = '\0';
}

void hn_sha256_finish(HnSha256 **hash, char hex[65]) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned int n_bytes = 0;
    if ((*hash)->failed || EVP_DigestFinal_ex((*hash)->context, digest, &n_bytes) != 1 || n_bytes != 32) {
        memset(hex, '!', 64); /* equal to no digest: a comparison with it fails, as it must */
        hex[64] = '\0';
    } else {
        write_hex(digest, 32, hex);
    }
    EVP_MD_CTX_free((*hash)->context);
    hn_free(*hash);
    *hash = NULL;
}

void hn_sha256_bytes(const void *bytes, size_t n_bytes, char hex[65]) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned int n_digest = 0;
    if (EVP_Digest(n_bytes == 0 ? "" : bytes, n_bytes, digest, &n_digest, EVP_sha256(), NULL) != 1 || n_digest != 32) {
        memset(hex, '!', 64);
        hex[64] = '\0';
        return;
    }
    write_hex(digest, 32, hex);
}

HnStatus hn_sha256_file(const char *path, char hex[65], HnError *err) {
    enum { BLOCK = 1 << 18 };
    HnSha256 *hash = NULL;
    unsigned char *block = NULL;
    HnStatus status = HN_OK;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return hn_fail_errno(err, errno, "cannot open %s", path);
    }
    block = hn_alloc(BLOCK, 1, "a read buffer", err);
    status = block == NULL ? HN_MEMORY : hn_sha256_start(&hash, err);
    if (status != HN_OK) {
        goto cleanup;
    }
    size_t n_read = 0;
    errno = 0;
    while ((n_read = fread(block, 1, BLOCK, file)) > 0) {
        hn_sha256_update(hash, block, n_read);
    }
    if (ferror(file)) {
        status = hn_fail_errno(err, errno, "cannot read %s", path);
    }
    hn_sha256_finish(&hash, hex);
cleanup:
    hn_free(block);
    (void)fclose(file);
    return status;
}
