#!/usr/bin/env bash
# Explores the models of async-wheel's protocols between threads.
#
#   loom-tests/run.sh                all models, under 10 minutes on 2 processors
#   loom-tests/run.sh parker seat    those whose names contain one of the words
#   loom-tests/run.sh --list         their names
#
# For each model it prints whether the property holds, how long it took, how many executions
# were explored and with how many preemptions. Any failure makes it end with 1.
#
# Environment:
#   LOOM_MAX_PREEMPTIONS=n   explores n preemptions in every model, instead of its own default
#   LOOM_MORE_PREEMPTIONS=n  explores n more than each model's default. 1 is the deeper setting:
#                            for chosen models; see README.md
#   LOOM_KILL_AFTER=s        gives each model s seconds; one that needs more counts as failed
#   LOOM_JOBS=n              models explored side by side; by default one a processor
#   LOOM_LOCATION=1          loom's reports name source lines (slow)
set -euo pipefail
cd "$(dirname "$0")"
export RUST_BACKTRACE="${RUST_BACKTRACE:-0}"
cargo build --quiet --release --locked
target="${CARGO_TARGET_DIR:-target}/release"
if [[ "${1:-}" == --list ]]; then
    "$target/models" --list
    "$target/models-one-poller" --list
    exit
fi
status=0 chosen=0
for models in models models-one-poller; do
    # Only those that have a model of that name.
    if [[ $# -gt 0 ]]; then
        names=$("$target/$models" --list)
        match=0
        for word in "$@"; do [[ "$names" == *"$word"* ]] && match=1; done
        [[ $match -eq 1 ]] || continue
    fi
    chosen=1
    "$target/$models" "$@" || status=1
done
if [[ $chosen -eq 0 ]]; then
    echo "no model has such a name; see --list" >&2
    exit 1
fi
exit $status
