/* The one-rank group, linked without MPI. */
#include "check.h"

#include "base/alloc.h"
#include "comm_body.h"

int main(void) {
    HnError err = HN_ERROR_INIT;
    if (hn_comm_self(&test_world, &err) != HN_OK) {
        return 1;
    }
    int failures = comm_body_run();
    hn_comm_free(&test_world);
    return failures + (hn_alloc_live_blocks() != 0);
}
