#!/usr/bin/env bash
# Explores the models of async-wheel's protocols between threads.
#
#   loom-tests/run.sh                all models: about 90 s on 2 idle processors
#   loom-tests/run.sh parker seat    those whose names contain one of the words
#   loom-tests/run.sh --list         their names
#   loom-tests/run.sh --replay FILE  the execution that failed once more
#   loom-tests/run.sh --help         the other options, and their variables
#
# For each model it prints whether the property holds, how long it took, how many executions
# were explored and with how many preemptions. For one that fails it prints the property, the
# steps of the execution that failed, and the command that runs this execution again. Ends with
# 1 if a model failed, and with 2 if it cannot do what it is asked.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
export RUST_BACKTRACE="${RUST_BACKTRACE:-0}" LOOM_COMMAND="$script"
target=${CARGO_TARGET_DIR:-$root/loom-tests/target}
[ -e "$target/release/models" ] || echo "building the models, which happens once" >&2
cargo build --quiet --release --locked --manifest-path "$root/loom-tests/Cargo.toml" \
    --target-dir "$target"
exec "$target/release/models" "$@"
