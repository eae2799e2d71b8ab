#!/bin/sh
# A kernel with one mistake put in must fail the test that the kernel itself passes, and for a reason that tells.
# Usage: check_mutant.sh TEST_PROGRAM
set -u
output=$("$1" 2>&1)
code=$?
evidence='AddressSanitizer: (heap|stack)-buffer-overflow|runtime error:|emulator: block|\[  FAILED  \]'
if [ "$code" -eq 0 ]; then
    echo "the mistake went unseen"
    exit 1
fi
if ! printf '%s\n' "$output" | grep -qE "$evidence"; then
    printf '%s\n' "$output" | tail -n 20
    echo "failed with code $code, but not by a test, the emulator or a sanitizer"
    exit 1
fi
printf '%s\n' "$output" | grep -E "$evidence" | head -n 1
