#!/usr/bin/env bash
# Runs the tests in the ways that the library has on other systems: one shard with the fallback
# in its seat (Windows, illumos), and interest that is forgotten with each event.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
    echo "error: $1: there are no arguments; usage: ci/other_ways.sh" >&2
    exit 2
fi
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/ways"
target=$(cd "$target" && pwd)
# The wheel, which has no such ways, is tried against its model elsewhere.
export PROPTEST_CASES=${PROPTEST_CASES:-16}
for way in async_wheel_single_shard async_wheel_oneshot; do
    echo "-- $way"
    # Sets the cfg for the packages of the workspace only, so that what they are built on need
    # not be built again. Cargo tells the wrappers, and what they build, apart by their names.
    wrapper=$target/ways/$way
    printf '#!/bin/sh\nexec "$@" --cfg %s\n' "$way" > "$wrapper"
    chmod +x "$wrapper"
    RUSTC_WORKSPACE_WRAPPER=$wrapper cargo test --locked --tests
    # To the comparison the library is not of its workspace.
    RUSTFLAGS="--cfg $way" cargo test --locked --target-dir "$target/ways" --test behaviour \
        --manifest-path compat/interface/Cargo.toml
done
