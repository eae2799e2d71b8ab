/* One input file, plain or gzip, read line by line in bounded memory.
 *
 * What a file is, its first bytes say (1f 8b: gzip, several members allowed), never its name alone. Lines end in LF or
 * CR LF; the last one may end at the end of the file. A line that no text file holds (longer than 16 MiB, a NUL byte,
 * invalid UTF-8) is handed out with `fault` set, so that it is counted like any other malformed line. A gzip stream
 * that ends early or is damaged fails the read: what is missing behind that point cannot be counted.
 */
#ifndef HN_DATA_INPUT_H
#define HN_DATA_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { HN_LINE_MAX = 16 << 20 }; /* longest line in bytes */

typedef struct HnLine {
    char *text; /* NUL-terminated, without its line end; the reader may overwrite it; valid until the next call */
    size_t n_bytes;
    uint64_t number;   /* from 1 */
    const char *fault; /* NULL, or why no reader can use this line */
} HnLine;

typedef struct HnInput HnInput;
enum {
    HN_INPUT_HASH = 1,     /* compute the SHA-256 of the file's bytes on the way */
    HN_INPUT_ANY_BYTES = 2 /* do not demand UTF-8 (the reader knows the encoding) */
};
HnStatus hn_input_open(const char *path, unsigned flags, HnInput **input, HnError *err);
/* *got = false: the end of the file. */
HnStatus hn_input_next(HnInput *input, HnLine *line, bool *got, HnError *err);
uint64_t hn_input_offset(const HnInput *input); /* bytes of the file (compressed ones) read so far */
uint64_t hn_input_size(const HnInput *input);   /* bytes of the file; 0 = unknown (a pipe) */
/* After the end, with HN_INPUT_HASH. */
void hn_input_sha256(HnInput *input, char hex[65]);
void hn_input_close(HnInput **input);

#endif
