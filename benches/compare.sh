#!/usr/bin/env bash
# How async-wheel compares with async-io and tokio on what a server full of timers does.
#
#   benches/compare.sh               everything, five times by turns; prints the table of medians
#                                    and ratios, with the goals. docs/benchmarks.md says how long
#                                    that took; the machine should have nothing else to do
#   benches/compare.sh --quick       once and little of everything: that all still runs. The
#                                    figures mean nothing
#   benches/compare.sh --only fire,churn
#                                    only these workloads
#   benches/compare.sh --runs 9      more runs
#   benches/compare.sh --json FILE   also all figures of all runs
#   benches/compare.sh --write-docs  also writes docs/benchmarks.md, with charts
#   benches/compare.sh docs FILE     the same from what --json has kept
#   benches/compare.sh run WORKLOAD RUNTIME
#                                    one workload once in a process of its own, as a line of
#                                    JSON: for a profiler. `run --help` lists them
#
# Each run of a workload is a process of its own; the runtimes take turns, and another one
# begins each time. A ratio is taken within a run, and the table has the median of the ratios
# and what they were between. System calls are counted with strace; without it those rows are
# left out.
#
# Exit code 1 if a figure could not be had, 2 if the arguments are wrong. Goals that were
# missed are told and no error.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
cd "$root"
compare=(cargo run --quiet --release --locked -p compare --)
case ${1-} in
  run | docs) exec "${compare[@]}" "$@" ;;
  *) exec "${compare[@]}" table "$@" ;;
esac
