/* `hnlmrec generate`: what its two ways of working share. */
#ifndef HN_APP_GENERATE_H
#define HN_APP_GENERATE_H

#include "llm/generate/author.h"

enum { HN_GENERATE_MAX_STOPS = 16, HN_GENERATE_MAX_KEYS = 8 };

typedef struct HnGenerateCommand {
    HnAuthorOptions author;
    const char *system, *prompt; /* prompt NULL: lines */
    const char *input, *output;  /* JSON lines; NULL: standard input and output */
    HnSampling sampling;
    uint32_t budget;
    const char *stops[HN_GENERATE_MAX_STOPS];
    size_t n_stops;
    HnGrammarField keys[HN_GENERATE_MAX_KEYS]; /* of the JSON object; none: free text */
    size_t n_keys;
    bool quiet;
} HnGenerateCommand;

/* Answers the lines of command->input, in their order, to command->output; lines that output holds already are not
 * answered again. HN_INTERRUPTED: a stop was asked for; the same command goes on. */
HnStatus hn_generate_lines(const HnGenerateCommand *command, HnAuthor *author, HnGrammar *grammar, HnError *err);

#endif
