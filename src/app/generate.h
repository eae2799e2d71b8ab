/* `hnlmrec generate`: what its two ways of working share. */
#ifndef HN_APP_GENERATE_H
#define HN_APP_GENERATE_H

#include <jansson.h>
#include <stdio.h>

#include "app/claim.h"
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
    bool mix_bits; /* go on where products have other bits */
} HnGenerateCommand;

/* ---- generate_output.c: answers on their way into a file, or standard output ---- */
typedef struct HnGenerateOutput {
    const char *path; /* NULL: standard output */
    FILE *file;
    HnClaim *claim;    /* OUTPUT.claim: nobody else writes it meanwhile */
    FILE *earlier;     /* the file again, to compare what it holds with the input; NULL: it was empty */
    uint64_t n_before; /* answers of earlier starts */
    char *buffer;
    size_t capacity;
} HnGenerateOutput;
/* What it was begun with stands beside it in OUTPUT.settings. HN_CONFLICT: it holds something else than answers, was
 * begun with other settings, or another process writes it; it stays as it is then. n_lines: of the input, 0 where that
 * cannot be known; a file that answers all of them may have been made with products of other bits. What is no regular
 * file (a pipe, a device) is written as standard output is: nothing to go on with, nothing beside it. */
HnStatus hn_generate_output_open(const HnGenerateCommand *command, FILE *in, uint64_t n_lines, HnGenerateOutput *output,
                                 HnError *err);
/* What stands in an answer of what was asked: the first 16 digits of a SHA-256 over both texts. */
HnStatus hn_generate_asked(const char *system, const char *prompt, char asked[17], HnError *err);
/* Whether its next line is an answer to this line of the input, the number-th from 0: one with its id, to what it asks.
 */
HnStatus hn_generate_output_check(HnGenerateOutput *output, const json_t *line, const char *asked, uint64_t number,
                                  HnError *err);
void hn_generate_output_close(HnGenerateOutput *output);

/* A line of JSON that holds other keys than these (NULL at the end) says something that nobody heeds: HN_INPUT. */
HnStatus hn_line_check_keys(const json_t *line, const char *const *known, HnError *err);

/* Answers the lines of command->input, in their order, to command->output; lines that output holds already are not
 * answered again. HN_INTERRUPTED: a stop was asked for; the same command goes on. */
HnStatus hn_generate_lines(const HnGenerateCommand *command, HnAuthor *author, HnGrammar *grammar, HnError *err);

#endif
