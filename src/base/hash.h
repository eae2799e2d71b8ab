/* Checksums of records (XXH3, 64 bits) and identity of inputs (SHA-256). */
#ifndef HN_BASE_HASH_H
#define HN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

uint64_t hn_checksum64(const void *bytes, size_t n_bytes);

typedef struct HnSha256 HnSha256; /* opaque; wraps libcrypto */
HnStatus hn_sha256_start(HnSha256 **hash, HnError *err);
void hn_sha256_update(HnSha256 *hash, const void *bytes, size_t n_bytes);
void hn_sha256_finish(HnSha256 **hash, char hex[65]); /* frees *hash; hex gets 64 digits and a NUL */
void hn_sha256_bytes(const void *bytes, size_t n_bytes, char hex[65]);
HnStatus hn_sha256_file(const char *path, char hex[65], HnError *err);

#endif
