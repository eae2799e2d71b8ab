/* Prompts are files with named fields. A file has two parts, each opened by a line of its own:
 *
 *     [system]    the instruction, plain text
 *     [input]     what is asked about: text in which {{field}} becomes a complete JSON value, quotes and escapes
 * included
 *
 * Lines before [system] that begin with # are comments. A field that the task does not have is an error that names file
 * and line. {{profile_words}} is a plain number in either part.
 */
#ifndef HN_SEMANTIC_PROMPT_H
#define HN_SEMANTIC_PROMPT_H

#include "base/error.h"
#include "base/text.h"
#include "evidence.h"
#include "provider.h"

typedef struct HnPrompt HnPrompt;

/* Finds and reads the prompt of a task. folder "" or NULL: the shipped ones, in $HNLMREC_PROMPTS, beside the installed
 * program, or in the source tree. */
HnStatus hn_prompt_load(const char *folder, HnTask task, HnPrompt **prompt, HnError *err);
void hn_prompt_free(HnPrompt **prompt);
/* SHA-256 of the file: part of a stage's identity. */
const char *hn_prompt_id(const HnPrompt *prompt);

/* What a prompt is about. */
typedef struct HnSubject {
    HnEvidence *evidence;
    uint32_t user, item; /* UINT32_MAX where it does not apply */
    int64_t profile_words;
} HnSubject;

/* Replaces *system and *input by the rendered parts. */
HnStatus hn_prompt_render(const HnPrompt *prompt, const HnSubject *subject, HnText *system, HnText *input,
                          HnError *err);

#endif
