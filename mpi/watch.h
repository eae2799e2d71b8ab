/* The watchdog of a process: a thread that does not wait inside MPI, and ends the process when a collective has been
 * pending for longer than a limit (a rank died or hangs, and nobody told us). The launcher then ends the job.
 *
 * Off unless a limit is given (HNLMREC_WATCHDOG_S): a rank may rightly wait for hours where another one's stage is
 * long.
 */
#ifndef HN_WATCH_H
#define HN_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct HnWatch HnWatch;

/* limit_s 0: stamps are kept but nobody looks. */
HnStatus hn_watch_start(int rank, int64_t limit_s, HnWatch **watch, HnError *err);
void hn_watch_stop(HnWatch **watch);

/* Around every collective; name is a string constant. watch may be NULL. */
void hn_watch_enter(HnWatch *watch, const char *name);
void hn_watch_leave(HnWatch *watch);

/* Whether a failure that all ranks have agreed on is told by another rank of the job: hn_world_abort asks, so that the
 * cause is printed once. */
void hn_watch_told_elsewhere(HnWatch *watch, bool yes);
bool hn_watch_is_told_elsewhere(const HnWatch *watch);

#endif
