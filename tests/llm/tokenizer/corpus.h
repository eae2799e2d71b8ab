/* The nasty corpus of tests/fixtures/tokenizers/corpus.txt, byte for byte as tests/peers/tokenizer_corpus.py makes it.
 */
#ifndef HN_TEST_TOKENIZER_CORPUS_H
#define HN_TEST_TOKENIZER_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

typedef struct Corpus {
    uint32_t (*ranges)[2];
    HnText *texts;
    size_t n_ranges, n_texts;
} Corpus;

/* Ends the program where the file cannot be read. */
void corpus_read(Corpus *corpus);
void corpus_free(Corpus *corpus);
/* A chunk of a little more than 4 KiB into text, which is emptied first. */
void corpus_chunk(const Corpus *corpus, uint64_t number, HnText *text);
/* The code points that are put between others: the i-th, or UINT32_MAX past the last. */
uint32_t corpus_point(size_t i);
/* "a X b", "!X!", " X", "aXb" */
enum { CORPUS_SURROUNDINGS = 4 };
void corpus_surround(uint32_t point, int which, HnText *text);

uint64_t corpus_hash(const void *bytes, size_t n_bytes, uint64_t hash);
#define CORPUS_HASH_START UINT64_C(0xcbf29ce484222325)

#endif
