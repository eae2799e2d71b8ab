#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"

enum { RAW_BYTES = 1 << 18, WINDOW_BYTES = 1 << 20 };

struct HnInput {
    int fd;
    char *path;
    unsigned flags;
    uint64_t size, offset; /* of the file; offset counts bytes taken from it */
    HnSha256 *hash;
    char sha256[65];

    uint8_t *raw; /* [RAW_BYTES], bytes of the file; for gzip the compressed ones */
    size_t raw_at, raw_end;
    bool raw_over;
    bool started, gzip, member_open;
    z_stream zip;
    bool zip_ready;

    char *window; /* [capacity + 1], decoded bytes; lines are handed out in place */
    size_t capacity, begin, scanned, end;
    bool over;
    uint64_t line_number;
};

static void *zip_alloc(void *unused, unsigned count, unsigned size) {
    (void)unused;
    return hn_alloc(count, size, "gzip state", NULL);
}

static void zip_free(void *unused, void *block) {
    (void)unused;
    hn_free(block);
}

HnStatus hn_input_open(const char *path, unsigned flags, HnInput **out, HnError *err) {
    *out = NULL;
    HnInput *input = hn_alloc(1, sizeof *input, "input file", err);
    if (input == NULL) {
        return HN_MEMORY;
    }
    input->fd = -1;
    input->flags = flags;
    HnStatus status = HN_MEMORY;
    struct stat info;
    input->path = hn_strdup(path, err);
    if (input->path == NULL) {
        goto fail;
    }
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &info) != 0) {
        status =
            hn_fail_errno(err, errno, "cannot open the input file %s; check its name in data.* and its rights", path);
        goto fail;
    }
    if (S_ISDIR(info.st_mode)) {
        status = hn_fail(err, HN_INPUT, "%s is a folder: name the files in it", path);
        goto fail;
    }
    input->size = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    input->capacity = WINDOW_BYTES;
    input->raw = hn_alloc(RAW_BYTES, 1, "input buffer", err);
    input->window = hn_alloc(input->capacity + 1, 1, "line buffer", err);
    if (input->raw == NULL || input->window == NULL) {
        goto fail;
    }
    if ((flags & HN_INPUT_HASH) != 0) {
        status = hn_sha256_start(&input->hash, err);
        if (status != HN_OK) {
            goto fail;
        }
    }
    *out = input;
    return HN_OK;
fail:
    hn_input_close(&input);
    return status;
}

void hn_input_close(HnInput **address) {
    HnInput *input = *address;
    if (input == NULL) {
        return;
    }
    if (input->zip_ready) {
        inflateEnd(&input->zip);
    }
    if (input->hash != NULL) {
        hn_sha256_finish(&input->hash, input->sha256);
    }
    if (input->fd >= 0) {
        close(input->fd);
    }
    hn_free(input->window);
    hn_free(input->raw);
    hn_free(input->path);
    hn_free(input);
    *address = NULL;
}

uint64_t hn_input_offset(const HnInput *input) {
    return input->offset;
}

uint64_t hn_input_size(const HnInput *input) {
    return input->size;
}

void hn_input_sha256(HnInput *input, char hex[65]) {
    if (input->hash != NULL) {
        hn_sha256_finish(&input->hash, input->sha256);
    }
    memcpy(hex, input->sha256, sizeof input->sha256);
}

/* Refills the raw buffer once it is used up. */
static HnStatus raw_fill(HnInput *input, HnError *err) {
    while (input->raw_at == input->raw_end && !input->raw_over) {
        ssize_t n = read(input->fd, input->raw, RAW_BYTES);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hn_fail_errno(err, errno, "cannot read %s at byte %llu", input->path,
                                 (unsigned long long)input->offset);
        }
        if (n == 0) {
            input->raw_over = true;
            break;
        }
        input->raw_at = 0;
        input->raw_end = (size_t)n;
        input->offset += (uint64_t)n;
        if (input->hash != NULL) {
            hn_sha256_update(input->hash, input->raw, (size_t)n);
        }
    }
    return HN_OK;
}

/* Other packers' magic numbers, so that the message can say "unpack it" instead of "every line is malformed". */
static const char *foreign_format(const uint8_t *bytes, size_t n) {
    static const struct {
        const char *magic;
        size_t n;
        const char *name;
    } known[] = {{"PK\003\004", 4, "zip"},
                 {"BZh", 3, "bzip2"},
                 {"\375"
                  "7zXZ",
                  5, "xz"},
                 {"\050\265\057\375", 4, "zstd"},
                 {"\211HDF", 4, "HDF5"},
                 {"PAR1", 4, "Parquet"}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        if (n >= known[k].n && memcmp(bytes, known[k].magic, known[k].n) == 0) {
            return known[k].name;
        }
    }
    return NULL;
}

static HnStatus start(HnInput *input, HnError *err) {
    input->started = true;
    HN_TRY(raw_fill(input, err));
    size_t n = input->raw_end - input->raw_at;
    const char *foreign = foreign_format(input->raw, n);
    if (foreign != NULL) {
        return hn_fail(err, HN_UNSUPPORTED, "%s is a %s file: unpack it, or convert it to text or .gz first",
                       input->path, foreign);
    }
    input->gzip = n >= 2 && input->raw[0] == 0x1f && input->raw[1] == 0x8b;
    size_t length = strlen(input->path);
    if (!input->gzip && n > 0 && length > 3 && strcmp(input->path + length - 3, ".gz") == 0) {
        return hn_fail(err, HN_INPUT, "%s is named .gz but is not gzip data: rename it, or fetch it again",
                       input->path);
    }
    if (input->gzip) {
        input->zip.zalloc = zip_alloc;
        input->zip.zfree = zip_free;
        if (inflateInit2(&input->zip, 15 + 16) != Z_OK) {
            return hn_fail(err, HN_MEMORY, "no memory to unpack %s", input->path);
        }
        input->zip_ready = true;
        input->member_open = true;
    }
    return HN_OK;
}

/* Between two members: the next one begins with 1f; zero padding up to the end is allowed, as gzip allows it. */
static HnStatus next_member(HnInput *input, HnError *err) {
    bool padding = false;
    for (;;) {
        HN_TRY(raw_fill(input, err));
        if (input->raw_at == input->raw_end) {
            return HN_OK;
        }
        uint8_t byte = input->raw[input->raw_at];
        if (byte == 0) {
            padding = true;
            input->raw_at++;
            continue;
        }
        if (byte != 0x1f || padding) {
            return hn_fail(err, HN_INPUT,
                           "%s: bytes that are not gzip data follow the gzip data near byte %llu: fetch it again",
                           input->path, (unsigned long long)(input->offset - (input->raw_end - input->raw_at)));
        }
        inflateReset(&input->zip);
        input->member_open = true;
        return HN_OK;
    }
}

/* Puts up to `room` decoded bytes at `to`; *n = 0 at the end of the data. */
static HnStatus decode(HnInput *input, char *to, size_t room, size_t *n, HnError *err) {
    *n = 0;
    if (!input->started) {
        HN_TRY(start(input, err));
    }
    if (!input->gzip) {
        HN_TRY(raw_fill(input, err));
        size_t have = input->raw_end - input->raw_at;
        *n = have < room ? have : room;
        memcpy(to, input->raw + input->raw_at, *n);
        input->raw_at += *n;
        return HN_OK;
    }
    while (*n == 0 && input->member_open) {
        HN_TRY(raw_fill(input, err));
        size_t have = input->raw_end - input->raw_at;
        if (have == 0) {
            return hn_fail(
                err, HN_INPUT,
                "%s: the gzip data ends at byte %llu in the middle of a stream: the copy is incomplete, fetch it again",
                input->path, (unsigned long long)input->offset);
        }
        input->zip.next_in = input->raw + input->raw_at;
        input->zip.avail_in = (uInt)have;
        input->zip.next_out = (Bytef *)to;
        input->zip.avail_out = (uInt)room;
        int result = inflate(&input->zip, Z_NO_FLUSH);
        input->raw_at = input->raw_end - input->zip.avail_in;
        *n = room - input->zip.avail_out;
        if (result == Z_STREAM_END) {
            input->member_open = false;
            HN_TRY(next_member(input, err));
        } else if (result == Z_MEM_ERROR) {
            return hn_fail(err, HN_MEMORY, "no memory to unpack %s", input->path);
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            return hn_fail(err, HN_INPUT, "%s: damaged gzip data near byte %llu (%s): fetch it again", input->path,
                           (unsigned long long)(input->offset - input->zip.avail_in),
                           input->zip.msg != NULL ? input->zip.msg : "unknown fault");
        }
    }
    return HN_OK;
}

/* Makes room behind `end`: moves the open line to the front, then doubles, up to the longest line. */
static HnStatus make_room(HnInput *input, HnError *err) {
    if (input->begin > 0) {
        memmove(input->window, input->window + input->begin, input->end - input->begin);
        input->end -= input->begin;
        input->scanned -= input->begin;
        input->begin = 0;
    }
    if (input->end < input->capacity) {
        return HN_OK;
    }
    size_t limit = (size_t)HN_LINE_MAX + 2;
    size_t larger = input->capacity * 2 < limit ? input->capacity * 2 : limit;
    HN_TRY(hn_resize(&input->window, input->capacity + 1, larger + 1, 1, "line buffer", err));
    input->capacity = larger;
    return HN_OK;
}

/* Finds the end of the line that starts at begin; *stop is where its LF is, or the end of the data. A line longer
 * than the limit is cut. */
static HnStatus find_end(HnInput *input, size_t *stop, bool *too_long, HnError *err) {
    *too_long = false;
    for (;;) {
        char *lf = memchr(input->window + input->scanned, '\n', input->end - input->scanned);
        if (lf != NULL) {
            *stop = (size_t)(lf - input->window);
            return HN_OK;
        }
        input->scanned = input->end;
        if (input->end - input->begin > (size_t)HN_LINE_MAX + 1) {
            *too_long = true;
            input->end = input->begin + 1; /* its contents are of no use; only its end is looked for */
            input->scanned = input->end;
        }
        if (input->over) {
            *stop = input->end;
            return HN_OK;
        }
        if (input->end == input->capacity) {
            HN_TRY(make_room(input, err));
        }
        size_t n;
        HN_TRY(decode(input, input->window + input->end, input->capacity - input->end, &n, err));
        input->over = n == 0;
        input->end += n;
    }
}

static const char *line_fault(const HnInput *input, const HnLine *line, bool too_long) {
    if (too_long || line->n_bytes > HN_LINE_MAX) {
        return "the line is longer than 16 MiB";
    }
    if (memchr(line->text, 0, line->n_bytes) != NULL) {
        return "the line holds a NUL byte";
    }
    if ((input->flags & HN_INPUT_ANY_BYTES) == 0 && !hn_utf8_valid(line->text, line->n_bytes, NULL)) {
        return "the line is not valid UTF-8";
    }
    return NULL;
}

HnStatus hn_input_next(HnInput *input, HnLine *line, bool *got, HnError *err) {
    memset(line, 0, sizeof *line);
    *got = false;
    size_t stop = 0;
    bool too_long;
    HN_TRY(find_end(input, &stop, &too_long, err));
    if (stop == input->end && stop == input->begin && input->over) {
        return HN_OK;
    }
    line->text = input->window + input->begin;
    line->n_bytes = stop - input->begin;
    line->number = ++input->line_number;
    bool had_lf = stop < input->end;
    input->begin = had_lf ? stop + 1 : stop;
    input->scanned = input->begin;
    if (line->number == 1 && line->n_bytes >= 3 && memcmp(line->text, "\357\273\277", 3) == 0) {
        line->text += 3; /* a byte order mark is no content */
        line->n_bytes -= 3;
    }
    if (line->n_bytes > 0 && line->text[line->n_bytes - 1] == '\r') {
        line->n_bytes--;
    }
    line->text[line->n_bytes] = '\0';
    line->fault = line_fault(input, line, too_long);
    *got = true;
    return HN_OK;
}
