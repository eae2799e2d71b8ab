/* The small text file that makes a checkpoint whole: written last, by rename. */
#ifndef HN_CF_CHECKPOINT_MANIFEST_H
#define HN_CF_CHECKPOINT_MANIFEST_H

#include <stdint.h>

#include "base/error.h"

typedef struct HnManifestPart {
    char content_id[65]; /* of part-<r>-of-<n>.h5 */
    uint64_t user_begin, user_end;
} HnManifestPart;

typedef struct HnManifest {
    int n_parts;
    HnManifestPart *parts; /* [n_parts] hn_free it */
} HnManifest;

/* "<folder>/part-<r>-of-<n>.h5"; hn_free it. */
char *hn_checkpoint_part_path(const char *folder, int part, int n_parts, HnError *err);
HnStatus hn_manifest_write(const char *folder, const HnManifest *manifest, HnError *err);
/* Fails where it is absent or not well formed. */
HnStatus hn_manifest_read(const char *folder, HnManifest *manifest, HnError *err);
/* Every part is there and holds what the manifest says. */
HnStatus hn_manifest_check(const char *folder, const HnManifest *manifest, HnError *err);
void hn_manifest_free(HnManifest *manifest);

#endif
