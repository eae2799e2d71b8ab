/* What `hnlmrec doctor` looks at, and how it says so. Nothing here calls MPI_Init, so it runs on a login node too. */
#ifndef HN_APP_DOCTOR_H
#define HN_APP_DOCTOR_H

#include "base/error.h"

typedef enum HnDoctorMark {
    HN_DOCTOR_OK,
    HN_DOCTOR_WARN,    /* works, but not as well as it could; the line says what to do */
    HN_DOCTOR_MISSING, /* not there; needed only for what the line says */
    HN_DOCTOR_BROKEN   /* nothing will run before this is mended */
} HnDoctorMark;

typedef struct HnDoctor {
    int n_warnings;
    HnStatus broken; /* the first broken thing's status: the exit code */
} HnDoctor;

/* One line: mark, subject, finding. A newline in the text starts an indented continuation. */
void hn_doctor_say(HnDoctor *doctor, HnDoctorMark mark, const char *subject, const char *format, ...) HN_PRINTF(4, 5);
/* As above for what cannot be done without; status becomes the exit code. */
void hn_doctor_broken(HnDoctor *doctor, HnStatus status, const char *subject, const char *format, ...) HN_PRINTF(4, 5);

/* doctor_machine.c: processor, cores, memory, shared memory, disk, limits */
void hn_doctor_machine(HnDoctor *doctor);

#endif
