/* The machine as `doctor` sees it: processor, cores, memory, shared memory, disk, limits. Linux' /proc where it is. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "app/doctor.h"
#include "base/file.h"
#include "base/text.h"
#include "cpu.h"

static const double GIB = 1024.0 * 1024.0 * 1024.0;

/* The value of the first line "key ...: value" of a /proc file, without the newline; false where there is none. */
static bool proc_value(const char *path, const char *key, char *value, size_t n_bytes) {
    char line[8192];
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (colon != NULL && strncmp(line, key, strlen(key)) == 0) {
            snprintf(value, n_bytes, "%s", colon + 1 + strspn(colon + 1, " \t"));
            value[strcspn(value, "\n")] = '\0';
            found = true;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + n, word)) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static void processor(HnDoctor *doctor) {
    /* What the kernels and oneDNN choose between; the first two are what the fast path needs at least. */
    static const char *const wanted[] = {"avx2",        "fma",         "f16c",     "avx512f",
                                         "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_tile"};
    char model[256] = "unknown", flags[8192] = "", present[256] = "";
    proc_value("/proc/cpuinfo", "model name", model, sizeof model);
    if (!proc_value("/proc/cpuinfo", "flags", flags, sizeof flags)) {
        proc_value("/proc/cpuinfo", "Features", flags, sizeof flags);
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (has_word(flags, wanted[i])) {
            size_t length = strlen(present);
            snprintf(present + length, sizeof present - length, " %s", wanted[i]);
        }
    }
    hn_doctor_say(doctor, HN_DOCTOR_OK, "processor", "%s;%s", model, present[0] != '\0' ? present : " no AVX2");
    HnCpuPath path = hn_cpu_level();
    const char *cap = getenv("HNLMREC_CPU");
    if (hn_cpu_cap_unknown()) {
        hn_doctor_broken(doctor, HN_USAGE, "kernels",
                         "HNLMREC_CPU=%s names no path: run and generate refuse it; unset it (here: %s)", cap,
                         hn_cpu_path_name(path));
    } else if (cap != NULL && cap[0] != '\0' && strcmp(cap, hn_cpu_path_name(path)) != 0) {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "kernels", "path %s; HNLMREC_CPU=%s names no path that is here: ignored",
                      hn_cpu_path_name(path), cap);
    } else if (cap != NULL && cap[0] != '\0') {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "kernels",
                      "path %s, capped by HNLMREC_CPU=%s (other bits in a native model's products): unset it for full "
                      "speed",
                      hn_cpu_path_name(path), cap);
    } else if (path == HN_CPU_SCALAR) {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "kernels", "path scalar: correct, but several times slower than AVX2");
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "kernels", "path %s", hn_cpu_path_name(path));
    }
}

/* A limit of the control group (v2) that holds this process, or 0 where there is none. "max" is no limit. */
static double cgroup_limit(const char *path) {
    char line[64] = "";
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fgets(line, sizeof line, file) == NULL) {
            line[0] = '\0';
        }
        fclose(file);
    }
    return strtod(line, NULL);
}

static void cores_and_memory(HnDoctor *doctor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    long mine = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : online;
    double quota = cgroup_limit("/sys/fs/cgroup/cpu.max") / 100000.0; /* of periods of 100 ms, the usual length */
    if (quota > 0.0 && quota < (double)mine) {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "cores", "%ld, but the container may use %.1f: set threads accordingly",
                      mine, quota);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "cores", "%ld usable of %ld", mine, online);
    }
    char total[64] = "", available[64] = "";
    proc_value("/proc/meminfo", "MemTotal", total, sizeof total);
    proc_value("/proc/meminfo", "MemAvailable", available, sizeof available);
    double n_available = strtod(available, NULL) * 1024.0, limit = cgroup_limit("/sys/fs/cgroup/memory.max");
    if (limit > 0.0 && limit < n_available) {
        n_available = limit;
    }
    hn_doctor_say(doctor, n_available < GIB ? HN_DOCTOR_WARN : HN_DOCTOR_OK, "memory", "%.1f GiB, %.1f free%s",
                  strtod(total, NULL) * 1024.0 / GIB, n_available / GIB,
                  n_available < GIB ? ": `hnlmrec run ... --plan` says what an experiment needs" : "");
}

static void shared_memory(HnDoctor *doctor) {
    struct statvfs shm;
    if (statvfs("/dev/shm", &shm) != 0) {
        hn_doctor_say(doctor, HN_DOCTOR_MISSING, "/dev/shm",
                      "ranks of one host exchange data there: mount a tmpfs on it, or set OMPI_MCA_btl=self,tcp");
        return;
    }
    double mib = (double)shm.f_bavail * (double)shm.f_frsize / (1024.0 * 1024.0);
    if (mib < 128.0) { /* Open MPI takes some 5 MiB a rank, containers often have 64 */
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "/dev/shm",
                      "%.0f MiB free, little for several ranks: enlarge it (containers: --shm-size=1g), or set "
                      "OMPI_MCA_btl=self,tcp",
                      mib);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "/dev/shm", "%.0f MiB free, for ranks of one host", mib);
    }
}

static void disk(HnDoctor *doctor) {
    enum { NFS = 0x6969, LUSTRE = 0x0BD00BD0 };
    uint64_t n_bytes = 0;
    HnError err = HN_ERROR_INIT;
    struct statfs kind;
    if (access(".", W_OK) != 0) {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "this folder", "not writable: name a run folder elsewhere with --out");
    } else if (hn_free_space(".", &n_bytes, &err) != HN_OK) {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "this folder", "%s", err.message);
    } else {
        bool little = (double)n_bytes < GIB;
        hn_doctor_say(doctor, little ? HN_DOCTOR_WARN : HN_DOCTOR_OK, "this folder", "%.1f GiB free%s",
                      (double)n_bytes / GIB, little ? ": `run --plan` says what an experiment writes" : "");
    }
    const char *locking = getenv("HDF5_USE_FILE_LOCKING");
    if (statfs(".", &kind) == 0 && (kind.f_type == NFS || kind.f_type == LUSTRE)) {
        bool off = locking != NULL && strcmp(locking, "FALSE") == 0;
        hn_doctor_say(doctor, off ? HN_DOCTOR_OK : HN_DOCTOR_WARN, "file system", "%s%s",
                      kind.f_type == NFS ? "NFS" : "Lustre",
                      off ? ", HDF5 file locking off" : ": set HDF5_USE_FILE_LOCKING=FALSE");
    }
}

static void limit_text(rlim_t limit, double unit, char *text, size_t n_bytes) {
    if (limit == RLIM_INFINITY) {
        snprintf(text, n_bytes, "unlimited");
    } else {
        snprintf(text, n_bytes, "%.0f", (double)limit / unit);
    }
}

static void limits(HnDoctor *doctor) {
    struct rlimit files = {0, 0}, core = {0, 0}, stack = {0, 0};
    char files_text[32], core_text[32], stack_text[32];
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_CORE, &core);
    getrlimit(RLIMIT_STACK, &stack);
    limit_text(files.rlim_cur, 1.0, files_text, sizeof files_text);
    limit_text(core.rlim_cur, 1024.0, core_text, sizeof core_text);
    limit_text(stack.rlim_cur, 1024.0, stack_text, sizeof stack_text);
    bool few = files.rlim_cur != RLIM_INFINITY && files.rlim_cur < 1024;
    hn_doctor_say(doctor, few ? HN_DOCTOR_WARN : HN_DOCTOR_OK, "limits",
                  "open files %s, core dumps %s KiB, stack %s KiB%s", files_text, core_text, stack_text,
                  few ? ": raise the first with `ulimit -n 4096`" : "");
}

/* GPUs as the driver lists them: no CUDA call, so that this works in builds without CUDA and on login nodes. */
static void gpus(HnDoctor *doctor) {
    static const char folder[] = "/proc/driver/nvidia/gpus";
    char **names = NULL, model[256] = "", path[512];
    size_t n = 0;
    HnError err = HN_ERROR_INIT;
    if (!hn_folder_exists(folder) || hn_folder_list(folder, &names, &n, &err) != HN_OK || n == 0) {
        hn_doctor_say(doctor, HN_DOCTOR_MISSING, "GPU", "no NVIDIA driver here; everything runs on the processor");
    } else {
        snprintf(path, sizeof path, "%s/%s/information", folder, names[0]);
        proc_value(path, "Model", model, sizeof model);
        hn_doctor_say(doctor, HN_DOCTOR_OK, "GPU", "%zu x %s", n, model);
    }
    hn_names_free(&names, n);
}

void hn_doctor_machine(HnDoctor *doctor) {
    processor(doctor);
    cores_and_memory(doctor);
    gpus(doctor);
    shared_memory(doctor);
    disk(doctor);
    limits(doctor);
}
