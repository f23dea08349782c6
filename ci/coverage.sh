#!/usr/bin/env bash
# Runs the tests with all features but `parking_lot`, without the week of heartbeats, measures which
# lines of src/ they run, prints it file by file, and fails if they are fewer than they should be.
#
#   ci/coverage.sh [--lines]       --lines names those that were not run as well
#
# docs/testing.md says why the rest is not. Installs cargo-llvm-cov and, on Debian with root,
# LLVM's tools of the compiler's version, unless rustup has put them there (`rustup component add
# llvm-tools`).
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/coverage.sh [--lines]"
answer_help "$@"
[[ $# -le 1 && ${1---lines} == --lines ]] || usage_error "$*: not known"
cd "$root"
make_scratch

cargo_tool llvm-cov 0.9.1
# A little under what was measured last.
floor=95

host=$(rustc -vV | sed -n 's/^host: //p')
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if [ ! -e "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-cov" ]; then
  need_program "llvm-cov-$llvm" "llvm-$llvm"
  LLVM_COV=$(type -P "llvm-cov-$llvm") LLVM_PROFDATA=$(type -P "llvm-profdata-$llvm")
  export LLVM_COV LLVM_PROFDATA
fi

# The wheel's model needs fewer cases than where it looks for mistakes. A week of a thousand clients
# runs no line that less does not.
export PROPTEST_CASES=${PROPTEST_CASES:-200} RUST_BACKTRACE=0
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
CARGO_TARGET_DIR=$(absolute_directory "${CARGO_TARGET_DIR:-target}/llvm-cov")
export CARGO_TARGET_DIR
# What cargo is to build, and where the binaries write what they have counted.
environment=$(cargo llvm-cov show-env --sh 2> "$scratch/environment") || {
  cat "$scratch/environment" >&2
  exit 1
}
eval "$environment"
cargo llvm-cov clean --workspace
build_tests cargo test --locked --features tracing,serde,test-util --lib --test '*'
run_tests --skip week_of_heartbeats
report=(cargo llvm-cov report --ignore-filename-regex '/(tests|benches|examples)/')
[ "${1:-}" != --lines ] || "${report[@]}" --show-missing-lines | sed -n '/^Uncovered/,$p'
"${report[@]}" --summary-only --fail-under-lines "$floor"
