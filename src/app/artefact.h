/* Shared artefacts: sealed stores named after the SHA-256 of what they are made from, so that the seeds of a job, the
 * elements of an array and later runs make each one once.
 *
 * Jobs that start side by side on one folder meet at a claim file: one makes the artefact, the others wait for it. A
 * claim whose holder died is taken over: at once if the holder was a process of this host, else when its heartbeat has
 * stood still for a minute.
 */
#ifndef HN_APP_ARTEFACT_H
#define HN_APP_ARTEFACT_H

#include "comm.h"

/* Makes out_path (collective over the group); work_folder is for journals and goes away when the artefact is sealed. */
typedef HnStatus HnMakeFn(void *context, const char *work_folder, const char *out_path, HnError *err);

/* Collective over group. *path (hn_free) is folder/<stage>-<key>.h5, made or found; *found says which. */
HnStatus hn_artefact_get(HnComm *group, const char *folder, const char *stage, const char *identity, HnMakeFn *make,
                         void *context, char **path, bool *found, HnError *err);

#endif
