/* The fibres of a block and their scheduling; see emulator.h. */
#include "emulator.h"

#include <algorithm>
#include <bitset>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

/* This file is not instrumented (it would be most of the time), but tells the address sanitizer of the kernels which
 * stack is in use. */
#if defined(HN_EMU_ADDRESS_SANITIZER)
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

constexpr int kLanes = 32;
constexpr size_t kMaxThreads = 1024;
constexpr size_t kMaxShared = 48 * 1024;
constexpr size_t kStackBytes = 128 * 1024; /* one page below it is not accessible */
constexpr size_t kGuardBytes = 4096;
constexpr int kPoison = 0xff;

enum class State { ready, at_barrier, in_warp_call, exited };

struct Fibre {
    void *jump[5]; /* where it goes on: __builtin_setjmp; ucontext would ask the kernel for signal masks each time */
    char *stack;
    void *fake_stack; /* the address sanitizer's, while the fibre does not run */
    State state;
    uint3 index;
    const char *file; /* where it waits */
    int line;
    HnEmuWarpCall call;
    unsigned mask;
    uint64_t value, result;
    int from;
};

/* The emulator of this process: kernels see it through free functions, as they see a device. */
struct Machine {
    HnEmuOrder order = HN_EMU_ASCENDING;
    uint64_t random = 1;
    uint64_t n_blocks = 0, n_waits = 0;
    cudaError_t last_error = cudaSuccess;

    std::vector<Fibre> fibres;         /* made when first used, and kept */
    std::vector<uint32_t> by_priority; /* the threads of the running block, who goes first */
    std::vector<uint32_t> priority;    /* the inverse: a thread's place in it */
    std::bitset<kMaxThreads> ready;    /* by place */
    size_t n_threads = 0;              /* of the running block */
    Fibre *running = nullptr;
    const std::function<void()> *body = nullptr;
    dim3 grid, block;
    uint3 block_index{};
    void *shared = nullptr;

    void *scheduler[5];
    void *scheduler_fake_stack = nullptr;
    const void *scheduler_stack = nullptr;
    size_t scheduler_stack_bytes = 0;
};

Machine machine;

[[noreturn]] __attribute__((format(printf, 1, 2))) void stop(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::fprintf(stderr, "emulator: block (%u,%u,%u): ", machine.block_index.x, machine.block_index.y,
                 machine.block_index.z);
    std::vfprintf(stderr, format, arguments);
    std::fprintf(stderr, "\n");
    va_end(arguments);
    std::abort();
}

int number_of(const Fibre &fibre) {
    return (int)(&fibre - machine.fibres.data());
}

/* splitmix64 */
uint64_t next_random() {
    uint64_t z = machine.random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Puts 0 .. n-1 into the order asked for; for random order, another one each time. */
template <typename T>
void put_in_order(std::vector<T> &queue, size_t n) {
    if (queue.size() != n) {
        queue.resize(n);
    }
    std::iota(queue.begin(), queue.end(), (T)0);
    if (machine.order == HN_EMU_DESCENDING) {
        std::reverse(queue.begin(), queue.end());
    } else if (machine.order == HN_EMU_RANDOM) {
        for (size_t i = n; i > 1; i--) {
            std::swap(queue[i - 1], queue[next_random() % i]);
        }
    }
}

/* ---- switching between fibres and the scheduler ---------------------------------------------------------------- */

/* Jumps must not end in the function that made the mark. */
[[noreturn]] __attribute__((noinline)) void jump_to(void **mark) {
    __builtin_longjmp(mark, 1);
}

__attribute__((noinline)) void to_scheduler(Fibre &fibre) {
#if defined(HN_EMU_ADDRESS_SANITIZER)
    __sanitizer_start_switch_fiber(&fibre.fake_stack, machine.scheduler_stack, machine.scheduler_stack_bytes);
#endif
    if (__builtin_setjmp(fibre.jump) == 0) {
        jump_to(machine.scheduler);
    }
#if defined(HN_EMU_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(machine.running->fake_stack, nullptr, nullptr);
#endif
}

/* A fibre serves thread after thread: what it runs changes from block to block. */
void fibre_main() {
#if defined(HN_EMU_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(nullptr, &machine.scheduler_stack, &machine.scheduler_stack_bytes);
#endif
    for (;;) {
        to_scheduler(*machine.running);
        (*machine.body)();
        machine.running->state = State::exited;
    }
}

/* The first entry, by ucontext, which is what can call a function on another stack. */
void enter(ucontext_t *context) {
    ucontext_t here;
    swapcontext(&here, context);
}

__attribute__((noinline)) void run(Fibre &fibre, ucontext_t *first_entry) {
    machine.running = &fibre;
#if defined(HN_EMU_ADDRESS_SANITIZER)
    __sanitizer_start_switch_fiber(&machine.scheduler_fake_stack, fibre.stack, kStackBytes);
#endif
    if (__builtin_setjmp(machine.scheduler) == 0) {
        if (first_entry != nullptr) {
            enter(first_entry);
        }
        jump_to(fibre.jump);
    }
#if defined(HN_EMU_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(machine.scheduler_fake_stack, nullptr, nullptr);
#endif
    machine.running = nullptr;
}

/* A fibre that waits for its first thread. */
void make_fibre(Fibre &fibre) {
    void *memory = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, kGuardBytes, PROT_NONE) != 0) {
        stop("no memory for the stacks of %zu threads", machine.n_threads);
    }
    fibre.stack = static_cast<char *>(memory) + kGuardBytes;
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = fibre.stack;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, fibre_main, 0);
    run(fibre, &context);
}

/* ---- who goes first -------------------------------------------------------------------------------------------- */

/* Strict priorities, not turns: the first thread that can run does, again and again, so that it (or its warp) gets as
 * far ahead of the others as the kernel's waits allow. That is what a missing barrier does not survive. */
void set_priorities() {
    put_in_order(machine.by_priority, machine.n_threads);
    machine.priority.resize(machine.n_threads);
    for (size_t place = 0; place < machine.n_threads; place++) {
        machine.priority[machine.by_priority[place]] = (uint32_t)place;
    }
}

void make_ready(Fibre &fibre) {
    fibre.state = State::ready;
    machine.ready.set(machine.priority[(size_t)number_of(fibre)]);
}

/* Behind all others. */
void demote(const Fibre &fibre) {
    const uint32_t place = machine.priority[(size_t)number_of(fibre)];
    const uint32_t last = (uint32_t)machine.n_threads - 1;
    const uint32_t other = machine.by_priority[last];
    const bool other_is_ready = machine.ready.test(last);
    std::swap(machine.by_priority[place], machine.by_priority[last]);
    std::swap(machine.priority[(size_t)number_of(fibre)], machine.priority[other]);
    machine.ready.set(place, other_is_ready && other != (uint32_t)number_of(fibre));
    machine.ready.reset(last);
}

void start(Fibre &fibre, size_t number) {
    const dim3 &block = machine.block;
    make_ready(fibre);
    fibre.index = {(unsigned)(number % block.x), (unsigned)(number / block.x % block.y),
                   (unsigned)(number / block.x / block.y)};
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

const char *describe(const Fibre &fibre, char *text, size_t n_bytes) {
    const char *what = fibre.state == State::exited         ? "has exited"
                       : fibre.state == State::at_barrier   ? "waits at __syncthreads"
                       : fibre.state == State::in_warp_call ? "waits in a warp call"
                                                            : "runs";
    if (fibre.state == State::exited || fibre.state == State::ready) {
        std::snprintf(text, n_bytes, "thread %d %s", number_of(fibre), what);
    } else {
        std::snprintf(text, n_bytes, "thread %d %s (%s:%d)", number_of(fibre), what, fibre.file, fibre.line);
    }
    return text;
}

/* Completes a warp call when all lanes of its mask have come; they must agree on everything. */
void try_warp_call(Fibre &last) {
    char here[256], there[256];
    const size_t first = (size_t)number_of(last) / kLanes * kLanes;
    Fibre *lanes = &machine.fibres[first];
    const size_t n_lanes = machine.n_threads - first < kLanes ? machine.n_threads - first : kLanes;
    for (size_t k = 0; k < kLanes; k++) {
        if ((last.mask >> k & 1) == 0) {
            continue;
        }
        if (k >= n_lanes || lanes[k].state == State::exited) {
            stop("%s with mask %08x, which names lane %zu: that lane %s", describe(last, here, sizeof here), last.mask,
                 k, k >= n_lanes ? "does not exist" : "has exited");
        }
        /* A lane may be in another call first, one that does not wait for us. */
        const bool waits_for_us = (lanes[k].mask >> ((size_t)number_of(last) - first) & 1) != 0;
        if (lanes[k].state == State::in_warp_call && waits_for_us &&
            (lanes[k].mask != last.mask || lanes[k].call != last.call || lanes[k].line != last.line)) {
            stop("warp calls do not match: %s with mask %08x, but %s with mask %08x", describe(last, here, sizeof here),
                 last.mask, describe(lanes[k], there, sizeof there), lanes[k].mask);
        }
        if (lanes[k].state != State::in_warp_call || !waits_for_us) {
            return; /* still to come */
        }
    }
    uint64_t ballot = 0;
    for (size_t k = 0; k < n_lanes; k++) {
        ballot |= (uint64_t)((last.mask >> k & 1) != 0 && lanes[k].value != 0) << k;
    }
    for (size_t k = 0; k < n_lanes; k++) {
        if ((last.mask >> k & 1) != 0) {
            const int from = lanes[k].from;
            if (from >= 0 && (last.mask >> from & 1) == 0) {
                stop("%s and reads lane %d, which is not in mask %08x", describe(lanes[k], here, sizeof here), from,
                     last.mask);
            }
            lanes[k].result = last.call == HN_EMU_BALLOT ? ballot : lanes[from < 0 ? (int)k : from].value;
        }
    }
    for (size_t k = 0; k < n_lanes; k++) {
        if ((last.mask >> k & 1) != 0) {
            make_ready(lanes[k]);
        }
    }
}

/* No thread is ready: all have exited (false), or all wait at one barrier, or the kernel is wrong. */
bool release_barrier() {
    char here[256], there[256];
    const Fibre *waiting = nullptr, *other = nullptr;
    for (size_t t = 0; t < machine.n_threads; t++) {
        const Fibre &fibre = machine.fibres[t];
        if (fibre.state == State::in_warp_call) {
            stop("%s with mask %08x for lanes that never come", describe(fibre, here, sizeof here), fibre.mask);
        }
        (fibre.state == State::at_barrier ? waiting : other) = &fibre;
    }
    if (waiting == nullptr) {
        return false;
    }
    if (other != nullptr) {
        stop("divergent barrier: %s, but %s", describe(*waiting, here, sizeof here),
             describe(*other, there, sizeof there));
    }
    for (size_t t = 0; t < machine.n_threads; t++) {
        if (machine.fibres[t].line != waiting->line || machine.fibres[t].file != waiting->file) {
            stop("divergent barrier: %s, but %s", describe(*waiting, here, sizeof here),
                 describe(machine.fibres[t], there, sizeof there));
        }
    }
    set_priorities();
    for (size_t t = 0; t < machine.n_threads; t++) {
        make_ready(machine.fibres[t]);
    }
    return true;
}

void run_block(size_t shared_bytes) {
    /* A block of its own size, so that the sanitizer sees its end; never empty, so that its address is valid. */
    machine.shared = std::malloc(shared_bytes > 0 ? shared_bytes : 1);
    std::memset(machine.shared, kPoison, shared_bytes);
    set_priorities();
    for (size_t t = 0; t < machine.n_threads; t++) {
        start(machine.fibres[t], t);
    }
    do {
        for (size_t place = machine.ready._Find_first(); place < kMaxThreads; place = machine.ready._Find_first()) {
            machine.ready.reset(place);
            run(machine.fibres[machine.by_priority[place]], nullptr);
        }
    } while (release_barrier());
    std::free(machine.shared);
    machine.shared = nullptr;
    machine.n_blocks++;
}

} // namespace

/* ---- what a thread sees ---------------------------------------------------------------------------------------- */

uint3 hn_emu_thread_index() {
    return machine.running->index;
}

uint3 hn_emu_block_index() {
    return machine.block_index;
}

dim3 hn_emu_block_size() {
    return machine.block;
}

dim3 hn_emu_grid_size() {
    return machine.grid;
}

void *hn_emu_shared() {
    return machine.shared;
}

int hn_emu_lane() {
    return number_of(*machine.running) % kLanes;
}

void hn_emu_barrier(const char *file, int line) {
    Fibre &fibre = *machine.running;
    fibre.file = file;
    fibre.line = line;
    fibre.state = State::at_barrier;
    machine.n_waits++;
    to_scheduler(fibre);
}

uint64_t hn_emu_warp(HnEmuWarpCall call, unsigned mask, uint64_t value, int from, const char *file, int line) {
    Fibre &fibre = *machine.running;
    fibre.file = file;
    fibre.line = line;
    fibre.call = call;
    fibre.mask = mask;
    fibre.value = value;
    fibre.from = from;
    fibre.state = State::in_warp_call;
    machine.n_waits++;
    if ((mask >> hn_emu_lane() & 1) == 0) {
        char text[256];
        stop("%s with mask %08x, which leaves itself out", describe(fibre, text, sizeof text), mask);
    }
    try_warp_call(fibre);
    to_scheduler(fibre); /* even when complete: no lane runs ahead of the others for free */
    return fibre.result;
}

void hn_emu_maybe_yield() {
    if (machine.order == HN_EMU_RANDOM && next_random() % 4 == 0) {
        demote(*machine.running);
        make_ready(*machine.running);
        to_scheduler(*machine.running);
    }
}

/* ---- what the host sees ---------------------------------------------------------------------------------------- */

void hn_emu_set_order(HnEmuOrder order, uint64_t seed) {
    machine.order = order;
    machine.random = seed;
}

uint64_t hn_emu_count_blocks(void) {
    return machine.n_blocks;
}

uint64_t hn_emu_count_waits(void) {
    return machine.n_waits;
}

void hn_emu_launch(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body) {
    const uint64_t n_threads = (uint64_t)block.x * block.y * block.z;
    if (n_threads == 0 || n_threads > kMaxThreads || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
        grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535 || shared_bytes > kMaxShared) {
        machine.last_error = cudaErrorInvalidConfiguration;
        return;
    }
    if (machine.running != nullptr) {
        stop("a kernel launches a kernel");
    }
    machine.n_threads = n_threads;
    while (machine.fibres.size() < n_threads) {
        machine.fibres.reserve(kMaxThreads); /* running fibres must not move */
        machine.fibres.emplace_back();
        make_fibre(machine.fibres.back());
    }
    machine.grid = grid;
    machine.block = block;
    machine.body = &body;
    std::vector<uint64_t> blocks;
    put_in_order(blocks, (uint64_t)grid.x * grid.y * grid.z);
    for (uint64_t b : blocks) {
        machine.block_index = {(unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y),
                               (unsigned)(b / grid.x / grid.y)};
        run_block(shared_bytes);
    }
}

cudaError_t cudaMalloc(void **address, size_t n_bytes) {
    *address = std::malloc(n_bytes > 0 ? n_bytes : 1);
    if (*address == nullptr) {
        return cudaErrorMemoryAllocation;
    }
    std::memset(*address, kPoison, n_bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *address) {
    std::free(address);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t n_bytes, cudaMemcpyKind) {
    if (n_bytes > 0) {
        std::memcpy(to, from, n_bytes);
    }
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *address, int value, size_t n_bytes, cudaStream_t) {
    if (n_bytes > 0) {
        std::memset(address, value, n_bytes);
    }
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    const cudaError_t error = machine.last_error;
    machine.last_error = cudaSuccess;
    return error;
}

cudaError_t cudaGetDeviceCount(int *n_devices) {
    *n_devices = 1;
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess                     ? "no error"
           : error == cudaErrorInvalidConfiguration ? "invalid configuration"
                                                    : "error";
}
