/* `hnlmrec doctor`: what this machine offers, and what to do about what is missing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/doctor.h"
#include "base/alloc.h"
#include "config/experiment.h"
#include "gemm.h"
#include "semantic/provider.h"
#include "store.h"
#include "world.h"

static const char usage[] =
    "usage: hnlmrec doctor [EXPERIMENT]\n\n"
    "Says what this machine offers (MPI, HDF5, dense products, processor, GPU, Slurm, memory, disk) and what to do "
    "about\n"
    "what is missing. With an experiment (a file, or a shipped one's name) it is read, and the endpoints of its "
    "language\n"
    "model are tried. Starts no MPI. Exit code 0 unless something is broken that nothing runs without.\n";

static void say(HnDoctorMark mark, const char *subject, const char *format, va_list arguments) {
    static const char *const marks[] = {"OK", "WARN", "MISSING", "BROKEN"};
    char text[4096];
    vsnprintf(text, sizeof text, format, arguments);
    printf("%-8s %-13s ", marks[mark], subject);
    for (const char *at = text; *at != '\0'; at++) {
        putchar(*at);
        if (*at == '\n') {
            printf("%-22s ", "");
        }
    }
    putchar('\n');
}

void hn_doctor_say(HnDoctor *doctor, HnDoctorMark mark, const char *subject, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(mark, subject, format, arguments);
    va_end(arguments);
    doctor->n_warnings += mark == HN_DOCTOR_WARN;
}

void hn_doctor_broken(HnDoctor *doctor, HnStatus status, const char *subject, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(HN_DOCTOR_BROKEN, subject, format, arguments);
    va_end(arguments);
    if (doctor->broken == HN_OK) {
        doctor->broken = status;
    }
}

/* Whether a program of this name can be called; the folder of PATH that holds it goes into `where`. */
static bool in_path(const char *program, char *where, size_t n_bytes) {
    const char *folder = getenv("PATH");
    while (folder != NULL && *folder != '\0') {
        size_t length = strcspn(folder, ":");
        snprintf(where, n_bytes, "%.*s/%s", (int)length, folder, program);
        if (length > 0 && access(where, X_OK) == 0) {
            return true;
        }
        folder += length + (folder[length] == ':');
    }
    return false;
}

/* What launchers tell their ranks, without asking MPI. False: started alone. */
static bool started_by_launcher(int *rank, int *size) {
    static const char *const names[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                           {"PMI_RANK", "PMI_SIZE"},
                                           {"PMIX_RANK", "SLURM_NTASKS"},
                                           {"SLURM_PROCID", "SLURM_NTASKS"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *rank_text = getenv(names[i][0]), *size_text = getenv(names[i][1]);
        if (rank_text != NULL && size_text != NULL) {
            *rank = (int)strtol(rank_text, NULL, 10);
            *size = (int)strtol(size_text, NULL, 10);
            return true;
        }
    }
    return false;
}

static void mpi(HnDoctor *doctor, bool launched, int size) {
    char where[4096];
    const char *library = hn_world_library();
    hn_doctor_say(doctor, HN_DOCTOR_OK, "MPI", "%s", library);
    if (launched) {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "launcher", "started as one of %d ranks", size);
    } else if (in_path("mpirun", where, sizeof where) || in_path("mpiexec", where, sizeof where)) {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "launcher", "%s; this is one rank (four: mpirun -n 4 hnlmrec run ...)",
                      where);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "launcher",
                      "no mpirun in PATH, so one rank only: load the module, or install openmpi-bin");
    }
    bool open_mpi = strstr(library, "Open MPI") != NULL;
    if (open_mpi && geteuid() == 0 && getenv("OMPI_ALLOW_RUN_AS_ROOT") == NULL) {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "root",
                      "Open MPI's mpirun refuses root: set OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1");
    }
}

static void libraries(HnDoctor *doctor) {
    hn_doctor_say(doctor, HN_DOCTOR_OK, "HDF5", "%s", hn_store_library());
    hn_doctor_say(doctor, HN_DOCTOR_OK, "products", "%s", hn_gemm_library());
}

/* Device code is built and tested where the toolkit is; training runs on the processor, so nothing here is needed. */
static void cuda(HnDoctor *doctor) {
    if (HN_BUILT_WITH_CUDA[0] != '\0') {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "CUDA", "kernels compiled by toolkit %s", HN_BUILT_WITH_CUDA);
    } else {
        hn_doctor_say(
            doctor, HN_DOCTOR_MISSING, "CUDA",
            "built without nvcc; the processor path is complete. To have it, put nvcc in PATH and configure anew");
    }
    if (HN_BUILT_WITH_NCCL[0] != '\0') {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "NCCL", "%s", HN_BUILT_WITH_NCCL);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_MISSING, "NCCL",
                      "built without; needed only for device buffers over several GPUs");
    }
}

static void slurm(HnDoctor *doctor) {
    char where[4096];
    const char *job = getenv("SLURM_JOB_ID");
    if (job != NULL) {
        const char *nodes = getenv("SLURM_JOB_NUM_NODES"), *tasks = getenv("SLURM_NTASKS");
        hn_doctor_say(doctor, HN_DOCTOR_OK, "Slurm", "inside job %s (%s nodes, %s tasks)", job,
                      nodes == NULL ? "?" : nodes, tasks == NULL ? "?" : tasks);
    } else if (in_path("sbatch", where, sizeof where) && in_path("srun", where, sizeof where)) {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "Slurm", "%s; not inside a job (batch scripts: slurm/)", where);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_MISSING, "Slurm",
                      "no sbatch and srun in PATH; needed only for the scripts of slurm/");
    }
}

static void extras(HnDoctor *doctor) {
    char where[4096], *demo = NULL;
    HnError err = HN_ERROR_INIT;
    if (in_path("gnuplot", where, sizeof where)) {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "gnuplot", "%s", where);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_MISSING, "gnuplot", "needed only to draw plots: install gnuplot-nox");
    }
    if (hn_experiment_find("demo", &demo, &err) == HN_OK) {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "experiments", "%s and others beside it", demo);
        hn_free(demo);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_WARN, "experiments", "%s", err.message);
    }
}

/* One endpoint of the experiment, asked whether it is there. Other families need nothing from outside. */
static void provider(HnDoctor *doctor, const char *subject, HnProviderFamily family, const HnLlmConfig *config,
                     bool embedder) {
    char line[1024] = "";
    HnError err = HN_ERROR_INIT;
    HnStatus status = hn_provider_check(family, config, embedder, line, sizeof line, &err);
    if (status == HN_OK) {
        hn_doctor_say(doctor, HN_DOCTOR_OK, subject, "%s", line);
    } else {
        hn_doctor_broken(doctor, status, subject, "%s", err.message);
    }
}

static void experiment(HnDoctor *doctor, const char *name) {
    HnExperiment *read = NULL;
    HnError err = HN_ERROR_INIT;
    char *path = NULL;
    HnStatus status = hn_experiment_path(name, &path, &err);
    if (status == HN_OK) {
        status = hn_experiment_load(path, NULL, 0, &read, &err);
    }
    if (status != HN_OK) {
        hn_doctor_broken(doctor, status, "experiment", "%s", err.message);
    } else {
        hn_doctor_say(doctor, HN_DOCTOR_OK, "experiment", "%s reads well (%zu variants, %zu seeds)", path,
                      read->n_variants, read->seeds.n);
        provider(doctor, "profiles by", read->llm.provider, &read->llm, false);
        provider(doctor, "vectors by", read->llm.embedder, &read->llm, true);
    }
    hn_experiment_free(&read);
    hn_free(path);
}

int hn_command_doctor(int argc, char **argv) {
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        return asked ? 0 : HN_USAGE;
    }
    HnDoctor doctor = {0, HN_OK};
    int rank = 0, size = 1;
    bool launched = started_by_launcher(&rank, &size);
    if (rank != 0) { /* every rank would say the same */
        return 0;
    }
    hn_doctor_say(&doctor, HN_DOCTOR_OK, "hnlmrec", "%s (%s)", hn_program_version(), hn_program_commit());
    mpi(&doctor, launched, size);
    libraries(&doctor);
    hn_doctor_machine(&doctor);
    cuda(&doctor);
    slurm(&doctor);
    extras(&doctor);
    if (argc == 2) {
        experiment(&doctor, argv[1]);
    }
    if (doctor.broken != HN_OK) {
        printf("\nSomething is BROKEN that nothing runs without; mend that first.\n");
    } else {
        printf("\nReady to run%s\n", doctor.n_warnings > 0 ? "; the WARN lines say what would make it better." : ".");
    }
    return (int)doctor.broken;
}
