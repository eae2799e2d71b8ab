/* The MPI group, as a run starts it, on as many ranks as mpirun gives. */
#include "check.h"

#include <stdio.h>

#include "base/alloc.h"
#include "comm_body.h"
#include "comm_ops.h"
#include "world.h"

static void test_local(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    int local_rank = -1, local_size = -1;
    assert_ok(hn_world_local(test_world, &local_rank, &local_size, &err));
    /* All ranks of a test run on this host. */
    assert_int_equal(local_rank, hn_comm_rank(test_world));
    assert_int_equal(local_size, hn_comm_size(test_world));
}

int main(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    if (hn_world_library()[0] == '\0' || hn_world_start(&argc, &argv, &test_world, &err) != HN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_local)};
    int failures = comm_body_run() + cmocka_run_group_tests_name("world", tests, NULL, NULL);
    test_world->crowded = !test_world->crowded; /* the other way to wait, whatever machine this is */
    failures += comm_body_run();
    hn_world_end(&test_world);
    return failures + (hn_alloc_live_blocks() != 0);
}
