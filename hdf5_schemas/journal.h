/* Frames of a journal; shared by journal.c (append) and journal_scan.c (read).
 *
 * A file begins with a line of text. A frame, all little-endian:
 *    0  magic        u32
 *    4  n_bytes      u32   of the payload
 *    8  checksum     u64   XXH3 of everything from byte 16 on
 *   16  key          u64
 *   24  kind         u32
 *   28  n_bytes      u32   again, where the checksum covers it
 *   32  payload
 * After each fdatasync a MARK (kind UINT32_MAX, no payload, key = its own offset in the file) is appended, without a
 * sync of its own. A whole mark proves that everything before it had reached the disk. So:
 *   - damage with a whole mark behind it has hit committed records: the file is corrupt, and nothing is dropped
 * silently;
 *   - damage with no mark behind it is the torn end of what was never committed, and is cut off.
 */
#ifndef HN_JOURNAL_H
#define HN_JOURNAL_H

#include "store.h"

enum { HN_FRAME_HEADER = 32, HN_JOURNAL_HEADER = 20 };
#define HN_FRAME_MAGIC 0x4e52464aU /* "JFRN" */
#define HN_FRAME_MARK UINT32_MAX
extern const char hn_journal_header[HN_JOURNAL_HEADER + 1]; /* "hnlmrec journal v1\n" and a NUL byte */

typedef struct HnFrame {
    uint64_t key;
    uint32_t kind, n_bytes;
} HnFrame;

void hn_frame_write(unsigned char *out, const HnFrame *frame, const void *payload);
/* Is a whole frame at bytes (n_available of them)? Fills *frame. *n_needed = bytes it would take to tell (0 = this can
 * never be one). */
bool hn_frame_read(const unsigned char *bytes, uint64_t n_available, HnFrame *frame, uint64_t *n_needed);

/* Walks an open journal: each whole record in order (each may be NULL). *n_good = length up to and with the last whole
 * frame; 0 = the header itself is torn. HN_FORMAT: no journal; HN_CORRUPT: damage before committed records. */
HnStatus hn_journal_walk(int descriptor, const char *path, HnJournalFn *each, void *context, uint64_t *n_good,
                         uint64_t *n_records, uint64_t *n_torn, HnError *err);

#endif
