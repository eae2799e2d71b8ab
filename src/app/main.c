/* hnlmrec: picks the subcommand and runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "base/text.h"
#include "cpu.h"
#include "store.h"

const HnCommand hn_commands[] = {
    {"run", hn_command_run, "run a whole experiment as one MPI job: data, profiles, negatives, training, table"},
    {"prepare", hn_command_prepare, "raw dumps to dataset.h5: filter, split, remap, keep the text"},
    {"synthesize", hn_command_synthesize, "write a synthetic world as raw review files"},
    {"profile", hn_command_run, "run an experiment up to the user and item profiles"},
    {"negatives", hn_command_run, "run an experiment up to the hard-negative texts"},
    {"embed", hn_command_embed, "run an experiment up to its vectors; or, with --model, a file of texts to vectors"},
    {"train", hn_command_run, "run an experiment to its end (the same as run)"},
    {"tune", hn_command_tune, "try settings on validation, and write the experiment of the best"},
    {"report", hn_command_report, "the tables of a run folder: mean, deviation, significance"},
    {"generate", hn_command_generate, "answer prompts with a model folder, as text or JSON lines"},
    {"digest", hn_command_digest, "SHA-256 of what stores contain, to compare two runs"},
    {"doctor", hn_command_doctor, "what this machine offers, and what to do about what is missing"},
    {"help", hn_command_help, "help on a subcommand, or on the keys of an experiment file"},
    {NULL, NULL, NULL},
};

int hn_command_fail(const HnError *err) {
    fprintf(stderr, "hnlmrec: %s: %s\n", hn_status_text(err->status), err->message);
    return (int)err->status;
}

static int unknown_command(const char *name) {
    const char *names[sizeof hn_commands / sizeof hn_commands[0]];
    size_t n = 0;
    for (const HnCommand *command = hn_commands; command->name != NULL; command++) {
        names[n++] = command->name;
    }
    const char *near = hn_nearest_word(name, names, n);
    fprintf(stderr, "hnlmrec: no subcommand \"%s\"%s%s%s; `hnlmrec --help` lists them\n", name,
            near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near, near == NULL ? "" : "\"?)");
    return HN_USAGE;
}

/* Threads that wait for each other should spin for microseconds and then sleep: libgomp's default spins for
 * milliseconds, and where something else runs on the cores each wait then costs a time slice (seen: 100 times slower).
 * libgomp reads its environment before main, so the program starts itself once more. Whoever sets either variable keeps
 * it. */
static void start_with_short_spins(char **argv) {
    if (getenv("GOMP_SPINCOUNT") == NULL && getenv("OMP_WAIT_POLICY") == NULL &&
        setenv("GOMP_SPINCOUNT", "20000", 1) == 0) {
        execv("/proc/self/exe", argv); /* returns only where that is not possible: then spins stay long */
    }
}

int main(int argc, char **argv) {
    start_with_short_spins(argv);
    if (argc < 2) {
        char *help[] = {(char *)"help", NULL};
        hn_command_help(1, help);
        return HN_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("hnlmrec %s (%s)\n", hn_program_version(), hn_program_commit());
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        char *help[] = {(char *)"help", NULL};
        return hn_command_help(1, help);
    }
    if (hn_cpu_cap_unknown() && strcmp(argv[1], "doctor") != 0 && strcmp(argv[1], "help") != 0) {
        /* A run that silently took another path than was meant might have other bits. */
        fprintf(stderr,
                "hnlmrec: HNLMREC_CPU is scalar, avx2, avx512, avx512-bf16 or amx, not \"%s\"; unset it for the "
                "best path that is here\n",
                getenv("HNLMREC_CPU"));
        return HN_USAGE;
    }
    for (const HnCommand *command = hn_commands; command->name != NULL; command++) {
        if (strcmp(argv[1], command->name) == 0) {
            return command->run(argc - 1, argv + 1);
        }
    }
    return unknown_command(argv[1]);
}
