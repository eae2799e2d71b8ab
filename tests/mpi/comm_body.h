/* One test body for every back end of comm.h: the one-rank group and MPI run the same checks. */
#ifndef TEST_COMM_BODY_H
#define TEST_COMM_BODY_H

#include "comm.h"

/* The group under test; set by main before the tests run. */
extern HnComm *test_world;

int comm_body_run(void);

#endif
