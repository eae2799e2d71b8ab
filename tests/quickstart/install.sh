#!/bin/sh
# cmake --install, then the folder is moved: the program still finds its experiments and prompts, beside itself and not
# in the source tree, and doctor is content. Usage: install.sh CMAKE BUILD_DIR
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unset HNLMREC_EXPERIMENTS HNLMREC_PROMPTS

"$1" --install "$2" --prefix "$work/here" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
mv "$work/here" "$work/there" && cd "$work" || exit 1
for file in bin/hnlmrec share/hnlmrec/experiments/demo.yaml share/hnlmrec/prompts/hard-negative.txt \
    share/hnlmrec/slurm/run.sbatch share/hnlmrec/slurm/array.sbatch share/doc/hnlmrec/README.md; do
    [ -f "there/$file" ] || { echo "FAIL: $file is not installed" && exit 1; }
done
there/bin/hnlmrec --version || exit 1
there/bin/hnlmrec doctor demo >"$work/log" || { cat "$work/log" && echo "FAIL: doctor" && exit 1; }
grep -q "^OK *experiments *$work/there/.*share/hnlmrec/experiments/demo.yaml" "$work/log" ||
    { cat "$work/log" && echo "FAIL: the shipped experiments beside the program were not taken" && exit 1; }
for subject in MPI HDF5 products kernels memory; do
    grep -qE "^(OK|WARN) +$subject +[^ ]" "$work/log" || { cat "$work/log" && echo "FAIL: doctor says nothing of $subject" && exit 1; }
done
there/bin/hnlmrec doctor no-such-experiment >"$work/log" && { echo "FAIL: doctor liked an absent experiment" && exit 1; }
grep -q '^BROKEN *experiment' "$work/log" || { cat "$work/log" && exit 1; }
there/bin/hnlmrec run demo --plan --out plan --set train.epochs=1 >"$work/log" 2>&1 ||
    { cat "$work/log" && echo "FAIL: the installed program cannot plan the demo" && exit 1; }
echo "ok: installed, moved, working"
