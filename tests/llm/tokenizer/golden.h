/* Golden ids of tests/fixtures/golden/tokenizers.json against a tokenizer's. */
#ifndef HN_TEST_TOKENIZER_GOLDEN_H
#define HN_TEST_TOKENIZER_GOLDEN_H

/* Encodes the corpus and all code points with the tokenizer in folder and compares with the golden hashes of name;
 * fails the cmocka test where one differs, and says which. */
void golden_check(const char *name, const char *folder);

#endif
