/* How much memory this process may still take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lm_private.h"

/* The number behind "key" in a file of "key: number" lines; key "": the file's first number. UINT64_MAX: none. */
static uint64_t read_number(const char *path, const char *key) {
    uint64_t number = UINT64_MAX;
    FILE *file = fopen(path, "r");
    char line[256];
    while (file != NULL && number == UINT64_MAX && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            char *end = NULL;
            const char *digits = line + strlen(key);
            const unsigned long long value = strtoull(digits, &end, 10);
            number = end != digits ? (uint64_t)value : number;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return number;
}

uint64_t hn_lm_free_memory(void) {
    const uint64_t kib = read_number("/proc/meminfo", "MemAvailable:");
    uint64_t available = kib == UINT64_MAX ? UINT64_MAX : kib * 1024;
    /* Files that the group has read count as used, too, until something else wants their pages. */
    static const char *const groups[][4] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file "},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
         "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file "}};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        const uint64_t limit = read_number(groups[g][0], ""), used = read_number(groups[g][1], "");
        if (limit != UINT64_MAX && used != UINT64_MAX) {
            const uint64_t files = read_number(groups[g][2], groups[g][3]);
            const uint64_t held = files < used ? used - files : used;
            const uint64_t left = limit > held ? limit - held : 0;
            available = left < available ? left : available;
        }
    }
    return available;
}
