/* The subcommands: one function each, in a file of its name. argv[0] is the subcommand; the result is the exit code. */
#ifndef HN_APP_COMMAND_H
#define HN_APP_COMMAND_H

#include "base/error.h"

typedef struct HnCommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* one line for `hnlmrec --help` */
} HnCommand;

extern const HnCommand hn_commands[]; /* ends with a NULL name */

int hn_command_prepare(int argc, char **argv);
int hn_command_synthesize(int argc, char **argv);
int hn_command_run(int argc, char **argv);
int hn_command_tune(int argc, char **argv);
int hn_command_report(int argc, char **argv);
int hn_command_generate(int argc, char **argv);
int hn_command_embed(int argc, char **argv);
int hn_command_digest(int argc, char **argv);
int hn_command_doctor(int argc, char **argv);
int hn_command_help(int argc, char **argv);

/* Prints "hnlmrec: <message>" to stderr and returns the exit code that belongs to the error. */
int hn_command_fail(const HnError *err);

#endif
