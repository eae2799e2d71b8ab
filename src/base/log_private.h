/* Shared by log.c, progress.c and error.c only. */
#ifndef HN_BASE_LOG_PRIVATE_H
#define HN_BASE_LOG_PRIVATE_H

#include <stdbool.h>

/* Takes hidden words and terminal controls out of a message, in place; was_cut: its end may hold part of a word. */
void hn_log_redact(char *text, bool was_cut);

bool hn_log_shows_progress(void); /* first rank, and level INFO or finer */

#endif
