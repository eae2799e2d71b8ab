/* The synthetic world as raw files in the Amazon 2018 field names, gzip: reviews.json.gz and meta.json.gz, or their
 * parts. Every BLOCK users (items) are one gzip member and parts are cut between blocks, so the parts put together are
 * the same bytes whatever their number, packed as well as unpacked. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "synthetic_world.h"
#include "vocabulary.h"

enum { BLOCK = 64, LEVEL = 1 };

typedef struct Packed { /* a file being written */
    char *path, *temp;
    FILE *file;
    z_stream zip;
    bool zip_ready;
    HnText text; /* the block at hand */
    uint8_t *out;
    size_t out_capacity;
} Packed;

static void *zip_alloc(void *unused, unsigned count, unsigned size) {
    (void)unused;
    return hn_alloc(count, size, "gzip state", NULL);
}

static void zip_free(void *unused, void *block) {
    (void)unused;
    hn_free(block);
}

static HnStatus packed_open(Packed *packed, const char *folder, const char *name, int part, int n_parts, HnError *err) {
    memset(packed, 0, sizeof *packed);
    packed->text.max_bytes = (size_t)1 << 31;
    packed->path = n_parts == 1 ? hn_path_printf(err, "%s/%s.json.gz", folder, name)
                                : hn_path_printf(err, "%s/%s-%05d-of-%05d.json.gz", folder, name, part, n_parts);
    if (packed->path == NULL) {
        return HN_MEMORY;
    }
    HN_TRY(hn_file_temp_name(packed->path, &packed->temp, err));
    packed->file = fopen(packed->temp, "wb");
    if (packed->file == NULL) {
        return hn_fail_errno(err, errno, "cannot write %s", packed->path);
    }
    packed->zip.zalloc = zip_alloc;
    packed->zip.zfree = zip_free;
    if (deflateInit2(&packed->zip, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return hn_fail(err, HN_MEMORY, "no memory to pack %s", packed->path);
    }
    packed->zip_ready = true;
    return HN_OK;
}

/* The block's text as one gzip member. */
static HnStatus packed_flush(Packed *packed, HnError *err) {
    if (packed->text.length == 0) {
        return HN_OK;
    }
    size_t bound = deflateBound(&packed->zip, (uLong)packed->text.length);
    if (bound > packed->out_capacity) {
        hn_free(packed->out);
        packed->out = hn_alloc(bound, 1, "packed block", err);
        packed->out_capacity = packed->out == NULL ? 0 : bound;
        if (packed->out == NULL) {
            return HN_MEMORY;
        }
    }
    packed->zip.next_in = (Bytef *)packed->text.data;
    packed->zip.avail_in = (uInt)packed->text.length;
    packed->zip.next_out = packed->out;
    packed->zip.avail_out = (uInt)packed->out_capacity;
    if (deflate(&packed->zip, Z_FINISH) != Z_STREAM_END) {
        return hn_fail(err, HN_INTERNAL, "packing a block of %s failed", packed->path);
    }
    size_t n = packed->out_capacity - packed->zip.avail_out;
    if (fwrite(packed->out, 1, n, packed->file) != n) {
        return hn_fail_errno(err, errno, "cannot write %s", packed->path);
    }
    deflateReset(&packed->zip);
    hn_text_clear(&packed->text);
    return HN_OK;
}

static HnStatus packed_commit(Packed *packed, HnError *err) {
    HN_TRY(packed_flush(packed, err));
    int closed = fclose(packed->file);
    packed->file = NULL;
    if (closed != 0) {
        return hn_fail_errno(err, errno, "cannot write %s", packed->path);
    }
    HN_TRY(hn_file_commit(packed->temp, packed->path, err));
    hn_free(packed->temp);
    packed->temp = NULL;
    return HN_OK;
}

static void packed_free(Packed *packed) {
    if (packed->file != NULL) {
        (void)fclose(packed->file);
    }
    if (packed->zip_ready) {
        deflateEnd(&packed->zip);
    }
    if (packed->temp != NULL) {
        (void)unlink(packed->temp);
    }
    hn_text_free(&packed->text);
    hn_free(packed->out);
    hn_free(packed->temp);
    hn_free(packed->path);
}

/* Words of the world hold nothing that JSON would escape. */
static HnStatus put_review(const HnWorld *world, uint64_t user, const HnPick *pick, HnText *out, HnError *err) {
    struct tm day;
    time_t seconds = (time_t)pick->time;
    (void)gmtime_r(&seconds, &day);
    HN_TRY(hn_text_printf(
        out, err, "{\"overall\": %.1f, \"verified\": false, \"reviewTime\": \"%02d %02d, %04d\", \"reviewerID\": \"",
        (double)pick->rating, day.tm_mon + 1, day.tm_mday, day.tm_year + 1900));
    HN_TRY(hn_world_user_id(user, out, err));
    HN_TRY(hn_text_puts(out, "\", \"asin\": \"", err));
    HN_TRY(hn_world_item_id(pick->item, out, err));
    HN_TRY(hn_text_puts(out, "\", \"reviewerName\": \"Synthetic\", \"reviewText\": \"", err));
    HN_TRY(hn_world_review(world, user, pick, out, err));
    HN_TRY(hn_text_puts(out, "\", \"summary\": \"", err));
    HN_TRY(hn_world_summary(world, user, pick, out, err));
    return hn_text_printf(out, err, "\", \"unixReviewTime\": %lld}\n", (long long)pick->time);
}

static HnStatus put_item(const HnWorld *world, uint32_t item, HnText *out, HnError *err) {
    char buffer[HN_WORD_BYTES];
    HN_TRY(hn_text_printf(out, err, "{\"category\": [\"Synthetic\", \"%s\"], \"description\": [\"",
                          hn_vocabulary_category(hn_world_category(world, item), buffer)));
    HN_TRY(hn_world_description(world, item, out, err));
    HN_TRY(hn_text_puts(out, "\"], \"title\": \"", err));
    HN_TRY(hn_world_title(world, item, out, err));
    HN_TRY(hn_text_puts(out, "\", \"brand\": \"", err));
    HN_TRY(hn_world_brand(world, item, out, err));
    HN_TRY(hn_text_puts(out, "\", \"main_cat\": \"Synthetic\", \"asin\": \"", err));
    HN_TRY(hn_world_item_id(item, out, err));
    return hn_text_puts(out, "\"}\n", err);
}

/* Blocks of part `part`: [*begin, *end) of n rows. */
static void cut(uint64_t n, int part, int n_parts, uint64_t *begin, uint64_t *end) {
    uint64_t n_blocks = (n + BLOCK - 1) / BLOCK;
    uint64_t first = n_blocks / (uint64_t)n_parts * (uint64_t)part +
                     n_blocks % (uint64_t)n_parts * (uint64_t)part / (uint64_t)n_parts;
    uint64_t last = n_blocks / (uint64_t)n_parts * (uint64_t)(part + 1) +
                    n_blocks % (uint64_t)n_parts * (uint64_t)(part + 1) / (uint64_t)n_parts;
    *begin = first * BLOCK < n ? first * BLOCK : n;
    *end = last * BLOCK < n ? last * BLOCK : n;
}

static HnStatus write_reviews(const HnWorld *world, Packed *packed, uint64_t begin, uint64_t end, HnError *err) {
    HnPicks picks = {NULL, 0, 0, NULL, 0};
    HnStatus status = HN_OK;
    HnProgress progress;
    hn_progress_start(&progress, "synthetic users", end - begin, 0);
    for (uint64_t user = begin; status == HN_OK && user < end; user++) {
        status = hn_world_picks(world, user, &picks, err);
        for (uint64_t p = 0; status == HN_OK && p < picks.n; p++) {
            status = put_review(world, user, &picks.picks[p], &packed->text, err);
        }
        if (status == HN_OK && (user + 1) % BLOCK == 0) {
            status = packed_flush(packed, err);
            hn_progress_update(&progress, user + 1 - begin);
        }
        if (status == HN_OK && hn_stop_requested()) {
            status = hn_fail(err, HN_INTERRUPTED, "stopped while writing the synthetic world; no file was left");
        }
    }
    hn_picks_free(&picks);
    hn_progress_finish(&progress);
    return status;
}

static HnStatus write_items(const HnWorld *world, Packed *packed, uint64_t begin, uint64_t end, HnError *err) {
    for (uint64_t item = begin; item < end; item++) {
        HN_TRY(put_item(world, (uint32_t)item, &packed->text, err));
        if ((item + 1) % BLOCK == 0) {
            HN_TRY(packed_flush(packed, err));
        }
    }
    return HN_OK;
}

static HnStatus write_file(const HnWorld *world, const char *folder, bool reviews, int part, int n_parts,
                           HnError *err) {
    Packed packed;
    uint64_t begin, end;
    cut(reviews ? world->n_users : world->n_items, part, n_parts, &begin, &end);
    HnStatus status = packed_open(&packed, folder, reviews ? "reviews" : "meta", part, n_parts, err);
    if (status == HN_OK) {
        status = (reviews ? write_reviews : write_items)(world, &packed, begin, end, err);
    }
    if (status == HN_OK) {
        status = packed_commit(&packed, err);
    }
    packed_free(&packed);
    return status;
}

HnStatus hn_synthesize(const HnDataConfig *config, const char *folder, int part, int n_parts, HnError *err) {
    if (n_parts < 1 || n_parts > 99999 || part < 0 || part >= n_parts) {
        return hn_fail(err, HN_USAGE, "part %d of %d: parts are numbered from 0, and there are at most 99999", part,
                       n_parts);
    }
    HnWorld world;
    HN_TRY(hn_world_found(config, &world, err));
    HnStatus status = hn_folder_make(folder, err);
    if (status == HN_OK) {
        status = write_file(&world, folder, true, part, n_parts, err);
    }
    if (status == HN_OK) {
        status = write_file(&world, folder, false, part, n_parts, err);
    }
    hn_world_free(&world);
    return status;
}
