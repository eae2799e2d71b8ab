/* Files that are whole or absent: temporary name, fsync, rename, fsync of the folder. */
#ifndef HN_BASE_FILE_H
#define HN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

bool hn_file_exists(const char *path);
bool hn_folder_exists(const char *path);
HnStatus hn_folder_make(const char *path, HnError *err);   /* with parents; an existing folder is fine */
HnStatus hn_folder_sync(const char *path, HnError *err);   /* fsync of the folder itself */
HnStatus hn_folder_remove(const char *path, HnError *err); /* recursive; an absent folder is fine */

/* Writes all bytes to path so that a reader, or a crash at any point, sees the old file or the whole new one. */
HnStatus hn_file_write_atomic(const char *path, const void *bytes, size_t n_bytes, HnError *err);
/* The same in two steps, for writers of their own: temporary path beside `path` into temp (freed by hn_free), and then
 * fsync + rename + fsync(folder). */
HnStatus hn_file_temp_name(const char *path, char **temp, HnError *err);
HnStatus hn_file_commit(const char *temp, const char *path, HnError *err);
/* Whether a process of this host, named by a file that it left, writes no more. One that was killed and that nobody
 * waits for (containers often have a first process that does not) keeps its number for good, and is gone all the same.
 */
bool hn_process_is_gone(long process);

/* Reads a whole file (at most max_bytes) into a NUL-terminated block that the caller frees with hn_free. */
HnStatus hn_file_read(const char *path, size_t max_bytes, char **bytes, size_t *n_bytes, HnError *err);

/* "a/b" from its parts; the caller frees with hn_free. */
char *hn_path_join(const char *folder, const char *name, HnError *err);
/* printf into a fresh path. */
char *hn_path_printf(HnError *err, const char *format, ...) HN_PRINTF(2, 3);

HnStatus hn_free_space(const char *path, uint64_t *n_bytes,
                       HnError *err); /* of path's (or its nearest parent's) disk */

/* Names in a folder, sorted bytewise, without "." and "..": an array of strings, all freed by hn_names_free. */
HnStatus hn_folder_list(const char *path, char ***names, size_t *n_names, HnError *err);
void hn_names_free(char ***names, size_t n_names);

#endif
