#define _DEFAULT_SOURCE /* madvise and MADV_HUGEPAGE, where the system has them */

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)64)
#define HUGE_PAGE ((size_t)2 << 20)

static atomic_uint_fast64_t live_blocks;
static atomic_uint_fast64_t fail_countdown; /* 0 = no fault planned */

/* True for exactly one allocation: the one that a test planned to fail. */
static bool fault_is_due(void) {
    uint_fast64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (left != 0) {
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1)) {
            return left == 1;
        }
    }
    return false;
}

/* Large tables whose rows are gathered in any order want large pages: with small ones, part of a gather's time goes to
 * finding the page. Only a wish, before the first touch, and for the large pages that lie within the block: blocks that
 * begin with one would all begin in the same sets of the caches. */
static void ask_for_huge_pages(void *block, size_t n_bytes) {
#if defined(MADV_HUGEPAGE)
    const size_t skip = (HUGE_PAGE - (uintptr_t)block % HUGE_PAGE) % HUGE_PAGE;
    if (n_bytes >= skip + HUGE_PAGE) {
        (void)madvise((char *)block + skip, (n_bytes - skip) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    }
#else
    (void)block;
    (void)n_bytes;
#endif
}

void *hn_alloc(size_t count, size_t size, const char *what, HnError *err) {
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) {
        hn_fail(err, HN_MEMORY, "%s: %zu elements of %zu bytes do not fit the address space", what, count, size);
        return NULL;
    }
    size_t n_bytes = count * size;
    size_t padded = n_bytes == 0 ? ALIGNMENT : (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *block = fault_is_due() ? NULL : aligned_alloc(ALIGNMENT, padded);
    if (block == NULL) {
        hn_fail(err, HN_MEMORY, "out of memory: %s needs %zu bytes; use fewer ranks on this host or a smaller setting",
                what, n_bytes);
        return NULL;
    }
    ask_for_huge_pages(block, padded);
    memset(block, 0, padded);
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return block;
}

HnStatus hn_resize(void *block_address, size_t old_bytes, size_t count, size_t size, const char *what, HnError *err) {
    /* block_address is the address of a pointer of any object type; memcpy reads and writes it without aliasing it. */
    void *old_block = NULL;
    memcpy(&old_block, block_address, sizeof old_block);
    void *new_block = hn_alloc(count, size, what, err);
    if (new_block == NULL) {
        return HN_MEMORY;
    }
    size_t kept = old_bytes < count * size ? old_bytes : count * size;
    if (old_block != NULL && kept > 0) {
        memcpy(new_block, old_block, kept);
    }
    hn_free(old_block);
    memcpy(block_address, &new_block, sizeof new_block);
    return HN_OK;
}

char *hn_strndup(const char *text, size_t n_bytes, HnError *err) {
    if (n_bytes == SIZE_MAX) {
        hn_fail(err, HN_MEMORY, "a string of %zu bytes does not fit the address space", n_bytes);
        return NULL;
    }
    char *copy = hn_alloc(n_bytes + 1, 1, "a string", err);
    if (copy != NULL && n_bytes > 0) {
        memcpy(copy, text, n_bytes);
    }
    return copy;
}

char *hn_strdup(const char *text, HnError *err) {
    return hn_strndup(text, strlen(text), err);
}

void hn_free(void *block) {
    if (block != NULL) {
        atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
        free(block);
    }
}

void hn_alloc_fail_at(uint64_t n) {
    atomic_store(&fail_countdown, n);
}

uint64_t hn_alloc_live_blocks(void) {
    return atomic_load(&live_blocks);
}
