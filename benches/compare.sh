#!/usr/bin/env bash
# How async-wheel compares with async-io, tokio and other peers on what a server full of timers does.
#
#   benches/compare.sh               everything, five times by turns, and less often what takes
#                                    long; prints the tables of medians and ratios, with the goals,
#                                    and which workload took how long. docs/benchmarks.md says how
#                                    long the whole took; the machine should have nothing else to do
#   benches/compare.sh --quick       once and little of everything: that all still runs. The
#                                    figures mean nothing
#   benches/compare.sh --only fire,churn
#                                    only these workloads
#   benches/compare.sh --peers tokio,monoio
#                                    only these peers
#   benches/compare.sh --plan        says what would be run
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
# Peers that are heavy to build are in a package of their own, benches/peers, which is built only
# when one of them takes part, and with tokio_unstable, for tokio's alternative timer. Where the
# system refuses io_uring, what needs it is not run, and the table says so.
#
# Exit code 1 if a figure could not be had, 2 if the arguments are wrong. Goals that were
# missed are told and no error.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
cd "$root"
target=$(absolute_directory "${CARGO_TARGET_DIR:-target}")

compare() {
  cargo run --quiet --release --locked -p compare -- "$@"
}

# Builds the further peers. The flag for tokio is in benches/peers/.cargo/config.toml, which
# RUSTFLAGS would hide.
build_peers() {
  (cd benches/peers && env -u RUSTFLAGS CARGO_TARGET_DIR="$target" cargo build --quiet --locked "$@")
}

case ${1-} in
  docs) compare "$@" ;;
  run)
    case ${3-} in
      "" | -* | async-wheel | async-io | tokio) compare "$@" ;;
      *)
        build_peers --release
        "$target/release/peers" "$@"
        ;;
    esac
    ;;
  *)
    for argument; do
      case $argument in
        -h | --help | --plan)
          compare table "$@"
          exit
          ;;
      esac
    done
    # It also refuses what is wrong, before anything is built for it.
    plan=$(compare table --plan "$@")
    if grep -q 'benches/peers' <<< "$plan"; then
      # Figures that mean nothing need no optimization, which takes longer than the runs.
      if [[ " $* " == *' --quick '* ]]; then
        build_peers
        further=$target/debug/peers
      else
        build_peers --release
        further=$target/release/peers
      fi
      set -- --further "$further" "$@"
    fi
    compare table "$@"
    ;;
esac
