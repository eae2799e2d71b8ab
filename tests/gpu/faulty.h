/* Kernels that show what the emulator does, and that it refuses what it should. */
#ifndef TEST_GPU_FAULTY_H
#define TEST_GPU_FAULTY_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum Fault {
    FAULT_DIVERGENT_BARRIER,
    FAULT_BARRIER_AFTER_EXIT,
    FAULT_TWO_BARRIERS,
    FAULT_MASKS_DIFFER,
    FAULT_LANE_EXITED,
    FAULT_LANE_MISSING,
    FAULT_CALLER_LEFT_OUT,
    FAULT_READS_OUTSIDE_MASK,
    FAULT_WARP_AGAINST_BARRIER,
    FAULT_SHARED_OVERRUN,
    FAULT_GLOBAL_OVERRUN,
    FAULT_NESTED_LAUNCH
} Fault;

/* Runs the faulty kernel: does not come back where the emulator does its duty. */
void faulty_run(Fault fault);

/* out[256]: each thread reads its mirror image's shared slot, with the barrier between or without. */
void faulty_mirror(int *out, int with_barrier);
/* out[32 * 8]: shuffles and ballots of one warp, a row of 32 each; see the test. */
void faulty_warp_calls(unsigned *out);
/* out[0] = sum of all global thread numbers, out[1] = the largest; grid (3, 2), block (4, 3, 2). */
void faulty_count(unsigned *out);
/* Whether a kernel's shared memory is poison at the start of every block, after earlier blocks wrote to it. */
int faulty_shared_is_poisoned(void);
/* What CUDA's launch returns for a block of n threads and n_bytes of shared memory. */
int faulty_launch_code(unsigned n_threads, unsigned n_bytes);

#ifdef __cplusplus
}
#endif
#endif
