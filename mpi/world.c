#include "world.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "comm_mpi.h"
#include "comm_ops.h"

static long env_number(const char *name) {
    const char *text = getenv(name);
    int64_t value = 0;
    return text != NULL && hn_parse_i64(text, &value) ? (long)value : 0;
}

/* What the launchers of Open MPI, MPICH (hydra) and Slurm's plugins leave in the environment. */
static bool launched_by_mpi(void) {
    static const char *const marks[] = {
        "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_FD", "PMI_PORT", "PMI_JOBID", "PMIX_RANK", "PMIX_NAMESPACE"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (getenv(marks[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* The number of processes that the launcher says it started; 0 where it does not say. */
static long launched_size(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (getenv(names[i]) != NULL) {
            return env_number(names[i]);
        }
    }
    return 0;
}

static HnStatus watch_limit(int64_t *limit_s, HnError *err) {
    *limit_s = 0;
    const char *text = getenv("HNLMREC_WATCHDOG_S");
    if (text == NULL || text[0] == '\0') {
        return HN_OK;
    }
    if (!hn_parse_i64(text, limit_s) || *limit_s < 0) {
        return hn_fail(err, HN_USAGE, "HNLMREC_WATCHDOG_S is '%s', not a number of seconds (0 = no watchdog)", text);
    }
    return HN_OK;
}

static HnStatus world_alone(int64_t limit_s, HnComm **world, HnError *err) {
    HnWatch *watch = NULL;
    HN_TRY(hn_watch_start(0, limit_s, &watch, err));
    HnStatus status = hn_comm_self(world, err);
    if (status != HN_OK) {
        hn_watch_stop(&watch);
        return status;
    }
    (*world)->watch = watch;
    return HN_OK;
}

/* Many worlds of one in place of one world would each do the whole run, into one folder. */
static HnStatus check_size(int size, HnError *err) {
    long started = launched_size();
    if (size == 1 && started > 1) {
        return hn_fail(err, HN_USAGE,
                       "%ld processes were started, but MPI puts each into a world of its own: start hnlmrec with the "
                       "mpirun of the MPI it was built with (%s), or with srun --mpi=pmix",
                       started, hn_world_library());
    }
    return HN_OK;
}

static HnStatus world_of_mpi(int *argc, char ***argv, int64_t limit_s, HnComm **world, HnError *err) {
    int provided = 0, rank = 0, size = 0, running = 0;
    MPI_Initialized(&running);
    if (!running) {
        HN_TRY(hn_mpi_check(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided), "starting MPI", err));
    } else {
        MPI_Query_thread(&provided);
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    HnWatch *watch = NULL;
    HnStatus status = HN_OK;
    if (provided < MPI_THREAD_FUNNELED) {
        status = hn_fail(err, HN_UNSUPPORTED, "this MPI (%s) does not allow threads beside the one that calls it",
                         hn_world_library());
    }
    if (status == HN_OK) {
        status = check_size(size, err);
    }
    if (status == HN_OK) {
        status = hn_watch_start(rank, limit_s, &watch, err);
    }
    if (status == HN_OK) {
        status = hn_comm_from_mpi(MPI_COMM_WORLD, watch, world, err);
    }
    if (status != HN_OK) {
        hn_watch_stop(&watch);
        if (size == 1) {
            MPI_Finalize();
        }
    }
    return status;
}

HnStatus hn_world_start(int *argc, char ***argv, HnComm **world, HnError *err) {
    *world = NULL;
    int64_t limit_s = 0;
    HN_TRY(watch_limit(&limit_s, err));
    if (launched_by_mpi()) {
        return world_of_mpi(argc, argv, limit_s, world, err);
    }
    HN_TRY(check_size(1, err));
    return world_alone(limit_s, world, err);
}

static bool mpi_is_running(void) {
    int started = 0, ended = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    return started && !ended;
}

void hn_world_end(HnComm **world) {
    if (*world == NULL) {
        return;
    }
    HnWatch *watch = (*world)->watch;
    hn_comm_free(world);
    if (mpi_is_running()) {
        MPI_Finalize();
    }
    hn_watch_stop(&watch);
}

/* A failure that all ranks agreed on is told by the rank it began on; the others give it the time to end the job. */
static void let_the_teller_speak(const HnComm *world) {
    if (world != NULL && hn_watch_is_told_elsewhere(world->watch)) {
        struct timespec while_it_speaks = {2, 0};
        nanosleep(&while_it_speaks, NULL);
    }
}

/* A launcher that is told to end the job may drop what it has not read yet of the ranks' output (MPICH's does). */
static void let_the_launcher_read(void) {
    struct timespec while_it_reads = {.tv_nsec = 300000000};
    nanosleep(&while_it_reads, NULL);
}

_Noreturn void hn_world_abort(HnComm *world, const char *stage, const HnError *err) {
    int rank = world == NULL ? 0 : world->rank;
    int code = err == NULL || err->status == HN_OK ? HN_INTERNAL : (int)err->status;
    const char *message = err == NULL || err->message[0] == '\0' ? hn_status_text((HnStatus)code) : err->message;
    let_the_teller_speak(world);
    fprintf(stderr, "hnlmrec: [rank %d] %s: %s\n", rank, stage, message);
    fflush(NULL);
    if (mpi_is_running()) {
        let_the_launcher_read();
        MPI_Abort(MPI_COMM_WORLD, code);
    }
    _exit(code);
}

HnStatus hn_world_local(HnComm *world, int *local_rank, int *local_size, HnError *err) {
    *local_rank = 0;
    *local_size = 1;
    MPI_Comm handle = hn_comm_mpi_handle(world);
    if (handle == MPI_COMM_NULL) {
        return HN_OK;
    }
    MPI_Comm host = MPI_COMM_NULL;
    HN_TRY(hn_mpi_check(MPI_Comm_split_type(handle, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &host),
                        "finding the ranks of this host", err));
    MPI_Comm_rank(host, local_rank);
    MPI_Comm_size(host, local_size);
    MPI_Comm_free(&host);
    return HN_OK;
}

const char *hn_world_library(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    if (text[0] == '\0') {
        int length = 0;
        MPI_Get_library_version(text, &length);
        text[strcspn(text, "\n,")] = '\0'; /* the first phrase names it; MPICH goes on for a page */
        for (char *c = text; *c != '\0'; c++) {
            if (*c == '\t') {
                *c = ' ';
            }
        }
    }
    return text;
}
