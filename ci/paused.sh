#!/usr/bin/env bash
# Runs the tests of paused time over and over, all their binaries at the same time: tests that pause time
# beside each other, and beside those that do not, must not see each other.
#
#   ci/paused.sh [-n TIMES]
#
#   -n TIMES   how often, 50 unless given
#
# The week of heartbeats is lived through twice, at the end, and what it took is printed.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/paused.sh [-n TIMES]"
read_options n: "$@"
no_arguments "${arguments[@]}"
times=${options[n]-50}
is_number "$times" || usage_error "-n $times: not from 1 to 9999"
cd "$root"
make_scratch

names=()
for file in tests/paused_*.rs; do names+=("$(basename "$file" .rs)"); done
build_tests cargo test --locked --features test-util "${names[@]/#/--test=}"
[ ${#binaries[@]} -eq ${#names[@]} ] || refuse "cargo named ${#binaries[@]} tests, not ${#names[@]}"

# Runs all binaries at once. The long test is left out.
repetition() {
  local binary failed=0 running=()
  for binary in "${binaries[@]}"; do
    "$binary" --skip week_of_heartbeats > "$scratch/$(basename "$binary")" 2>&1 &
    running+=($!)
  done
  for index in "${!running[@]}"; do
    if ! wait "${running[index]}"; then
      cat "$scratch/$(basename "${binaries[index]}")" >&2
      failed=1
    fi
  done
  return $failed
}

for ((time = 1; time <= times; time++)); do
  repetition || {
    echo "repetition $time of $times failed" >&2
    exit 1
  }
done
echo "$times repetitions of ${#binaries[@]} binaries, all in parallel: no failure"
cargo test --locked --features test-util --test paused_process week_of_heartbeats -- --nocapture |
  grep -oE 'run [12]: .*'
