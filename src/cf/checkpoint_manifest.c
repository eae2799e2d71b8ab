#include "cf/checkpoint_manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "store.h"

#define MANIFEST_HEAD "hnlmrec checkpoint 1, parts: %d"

char *hn_checkpoint_part_path(const char *folder, int part, int n_parts, HnError *err) {
    return hn_path_printf(err, "%s/part-%d-of-%d.h5", folder, part, n_parts);
}

HnStatus hn_manifest_write(const char *folder, const HnManifest *manifest, HnError *err) {
    HnText text = {0};
    HnStatus status = hn_text_printf(&text, err, MANIFEST_HEAD "\n", manifest->n_parts);
    for (int i = 0; i < manifest->n_parts && status == HN_OK; i++) {
        const HnManifestPart *part = &manifest->parts[i];
        status = hn_text_printf(&text, err, "%s %" PRIu64 " %" PRIu64 "\n", part->content_id, part->user_begin,
                                part->user_end);
    }
    char *path = status == HN_OK ? hn_path_join(folder, "manifest", err) : NULL;
    if (path != NULL) {
        status = hn_file_write_atomic(path, text.data, text.length, err);
    } else if (status == HN_OK) {
        status = HN_MEMORY;
    }
    hn_free(path);
    hn_text_free(&text);
    return status;
}

static HnStatus parse(const char *text, const char *path, HnManifest *manifest, HnError *err) {
    int n_parts = 0, used = 0;
    if (sscanf(text, MANIFEST_HEAD "\n%n", &n_parts, &used) != 1 || n_parts < 1 || n_parts > 1 << 20 || used == 0) {
        return hn_fail(err, HN_CORRUPT, "%s: not a checkpoint manifest", path);
    }
    manifest->parts = hn_alloc((size_t)n_parts, sizeof *manifest->parts, "manifest", err);
    if (manifest->parts == NULL) {
        return HN_MEMORY;
    }
    manifest->n_parts = n_parts;
    for (int i = 0; i < n_parts; i++) {
        HnManifestPart *part = &manifest->parts[i];
        text += used;
        used = 0;
        if (sscanf(text, "%64[0-9a-f] %" SCNu64 " %" SCNu64 "\n%n", part->content_id, &part->user_begin,
                   &part->user_end, &used) != 3) {
            return hn_fail(err, HN_CORRUPT, "%s: line %d is not a part", path, i + 2);
        }
    }
    return HN_OK;
}

HnStatus hn_manifest_read(const char *folder, HnManifest *manifest, HnError *err) {
    *manifest = (HnManifest){0};
    char *path = hn_path_join(folder, "manifest", err), *text = NULL;
    size_t n_bytes = 0;
    HnStatus status = path == NULL ? HN_MEMORY : hn_file_read(path, (size_t)256 << 20, &text, &n_bytes, err);
    if (status == HN_OK) {
        status = parse(text, path, manifest, err);
    }
    hn_free(text);
    hn_free(path);
    if (status != HN_OK) {
        hn_manifest_free(manifest);
    }
    return status;
}

HnStatus hn_manifest_check(const char *folder, const HnManifest *manifest, HnError *err) {
    for (int i = 0; i < manifest->n_parts; i++) {
        char hex[65] = "", *path = hn_checkpoint_part_path(folder, i, manifest->n_parts, err);
        HnStatus status = path == NULL ? HN_MEMORY : hn_store_content_id(path, hex, err);
        if (status == HN_OK && strcmp(hex, manifest->parts[i].content_id) != 0) {
            status = hn_fail(err, HN_CORRUPT, "%s is not the part that the manifest names", path);
        }
        hn_free(path);
        HN_TRY(status);
    }
    return HN_OK;
}

void hn_manifest_free(HnManifest *manifest) {
    hn_free(manifest->parts);
    *manifest = (HnManifest){0};
}
