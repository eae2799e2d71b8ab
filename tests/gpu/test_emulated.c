/* The .cu sources in the emulator, in every order of threads and blocks: always the plain twin's bits. */
#include <stdio.h>

#include "emulator.h"
#include "twin.h"

static const struct {
    const char *name;
    HnEmuOrder order;
    uint64_t seed;
} orders[] = {
    {"ascending", HN_EMU_ASCENDING, 0},         {"descending", HN_EMU_DESCENDING, 0},
    {"random, seed 1", HN_EMU_RANDOM, 1},       {"random, seed 2", HN_EMU_RANDOM, 2},
    {"random, seed 2026", HN_EMU_RANDOM, 2026},
};

int main(void) {
    int failures = 0;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0] && failures == 0; i++) {
        hn_emu_set_order(orders[i].order, orders[i].seed);
        failures += propagate_body_run(&twin_propagate_device, orders[i].name);
        failures += fixed_body_run(&twin_fixed_device, orders[i].name);
    }
    printf("%llu blocks, %llu waits at barriers and in warp calls\n", (unsigned long long)hn_emu_count_blocks(),
           (unsigned long long)hn_emu_count_waits());
    return failures + (hn_emu_count_waits() == 0);
}
