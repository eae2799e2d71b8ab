/* Shared by log.c and progress.c only. */
#ifndef HN_BASE_LOG_PRIVATE_H
#define HN_BASE_LOG_PRIVATE_H

#include <stdbool.h>

bool hn_log_shows_progress(void); /* first rank, and level INFO or finer */

#endif
