/* The same on a real device, where there is one. */
#include <stdio.h>

#include "twin.h"

int main(void) {
    if (twin_count_devices() == 0) {
        printf("SKIP: no CUDA device\n");
        return 77;
    }
    return propagate_body_run(&twin_propagate_device, "propagate_cuda") +
           fixed_body_run(&twin_fixed_device, "fixed_cuda");
}
