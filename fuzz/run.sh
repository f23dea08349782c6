#!/usr/bin/env bash
# Builds all fuzz targets and runs each for as many seconds as the argument says, two at a time,
# from the seeds that are checked in. At the end, prints how many inputs each has run and how much
# of the code they came by; of a target that found something, all that it said. Fails then. An input
# that takes longer than 20 seconds is a finding, too.
#
#   fuzz/run.sh SECONDS [TARGET ...]          these targets, all unless some are named
#   fuzz/run.sh --keep SECONDS [TARGET ...]   keeps new inputs in fuzz/corpus, and goes on from there
#   fuzz/run.sh --help
#
# Needs a nightly toolchain (`rustup toolchain install nightly`). Installs cargo-fuzz. Exit code 2
# if an argument is wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="fuzz/run.sh [--keep] SECONDS [TARGET ...]"
answer_help "$@"
keep=false
if [ "${1-}" = --keep ]; then
  keep=true
  shift
fi
# To libFuzzer, zero is without end.
[ $# -ge 1 ] && is_number "$1" 7 || usage_error "${1-}: not a whole number of seconds above zero"
seconds=$1
shift
cd "$root/fuzz"
known=(fuzz_targets/*.rs)
known=("${known[@]#fuzz_targets/}")
known=("${known[@]%.rs}")
check_each target "${known[*]}" "$@"
targets=("$@")
[ $# -gt 0 ] || targets=("${known[@]}")

need_nightly
cargo_tool fuzz 0.13.1
# New inputs do not go to the seeds, so that these stay what they are.
make_scratch
if $keep; then corpus=$root/fuzz/corpus; else corpus=$scratch; fi

# Target $2 of the list, with what it says in a file: libFuzzer ends with a dictionary of hundreds
# of lines, which would bury its statistics.
fuzz() {
  local target=${targets[$2]}
  mkdir -p "$corpus/$target" "seeds/$target"
  cargo +nightly fuzz run "$target" "$corpus/$target" "seeds/$target" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=20 -print_final_stats=1 \
    > "$scratch/$target.log" 2>&1 || touch "$scratch/$target.failed"
}

# What libFuzzer says last of its coverage, and in its statistics.
figure() {
  sed -n "s/.*$2 *\([0-9]\{1,\}\).*/\1/p" "$scratch/$1.log" | tail -n 1
}

for target in "${targets[@]}"; do cargo +nightly fuzz build "$target"; done
echo "-- ${targets[*]}: $seconds s each, two at a time"
in_jobs 2 ${#targets[@]} fuzz

failed=0
for target in "${targets[@]}"; do
  [ -e "$scratch/$target.failed" ] || continue
  failed=$((failed + 1))
  echo "-- $target has found something:"
  sed '/^#[0-9]/d; /NEW_FUNC/d; /Recommended dictionary/,/End of recommended dictionary/d' \
    "$scratch/$target.log"
done
for target in "${targets[@]}"; do
  result=ok
  [ ! -e "$scratch/$target.failed" ] || result=FAILED
  printf '%-12s %8s inputs run, %6s a second, %6s places and %6s features covered: %s\n' \
    "$target" "$(figure "$target" 'stat::number_of_executed_units:')" \
    "$(figure "$target" 'stat::average_exec_per_sec:')" \
    "$(figure "$target" ' cov:')" "$(figure "$target" ' ft:')" "$result"
done
[ $failed -eq 0 ]
