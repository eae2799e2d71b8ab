/* `hnlmrec help`: the subcommands, one of them, or the reference of every key of an experiment file. */
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "base/alloc.h"
#include "config/experiment.h"
#include "store.h"

static void list_commands(FILE *out) {
    fprintf(out, "hnlmrec: hard negatives written by a language model, for collaborative filtering\n\n"
                 "usage: hnlmrec COMMAND [ARGUMENTS]      (hnlmrec COMMAND --help explains one)\n\n");
    for (const HnCommand *command = hn_commands; command->name != NULL; command++) {
        fprintf(out, "  %-11s %s\n", command->name, command->summary);
    }
    fprintf(out,
            "\n`hnlmrec help config [PREFIX]` explains every key of an experiment file; `hnlmrec help stores` every\n"
            "field of the files it writes. Several ranks: mpirun -n 4 hnlmrec run ..., or the scripts in slurm/.\n"
            "Exit codes: 0 success, 14 interrupted (run again to go on), others name the kind of error.\n");
}

static int help_config(int argc, char **argv) {
    bool markdown = false;
    const char *prefix = "";
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--markdown") == 0) {
            markdown = true;
        } else {
            prefix = argv[i];
        }
    }
    HnError err = HN_ERROR_INIT;
    char *text = NULL;
    if (hn_config_reference(markdown, prefix, &text, &err) != HN_OK) {
        return hn_command_fail(&err);
    }
    fputs(text, stdout);
    hn_free(text);
    return 0;
}

static int help_stores(void) {
    HnError err = HN_ERROR_INIT;
    char *text = NULL;
    if (hn_store_reference(&text, &err) != HN_OK) {
        return hn_command_fail(&err);
    }
    fputs(text, stdout);
    hn_free(text);
    return 0;
}

int hn_command_help(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        list_commands(stdout);
        return 0;
    }
    if (strcmp(argv[1], "config") == 0) {
        return help_config(argc - 2, argv + 2);
    }
    if (strcmp(argv[1], "stores") == 0) {
        return help_stores();
    }
    for (const HnCommand *command = hn_commands; command->name != NULL; command++) {
        if (strcmp(argv[1], command->name) == 0 && command->run != hn_command_help) {
            char *help[] = {argv[1], (char *)"--help", NULL};
            return command->run(2, help);
        }
    }
    fprintf(stderr, "hnlmrec help: nothing is called \"%s\"; try `hnlmrec help`, `help config` or `help stores`\n",
            argv[1]);
    return HN_USAGE;
}
