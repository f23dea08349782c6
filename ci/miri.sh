#!/usr/bin/env bash
# Runs under Miri what needs no poller of the system's: the wheel, the handoff, the timers and the
# small parts of the reactor, by their own tests; the reactor with timers and sources, on the
# fuzz targets' modelled poller, by the seeds that are checked in. docs/testing.md says what is
# left out, and why.
#
#   ci/miri.sh [lib | wheel | seeds] ...
#   ci/miri.sh --help
#
#   lib     unit tests but those of mere arithmetic; those with threads under several schedules
#   wheel   the wheel's tests of hazards, and the property test with few cases
#   seeds   the seeds of the fuzz targets `timer`, `delay_queue` and `descriptor`
#
# Without a name, all three. Needs a nightly toolchain (`rustup toolchain install nightly`), to
# which it adds Miri. Exit code 2 if the arguments are wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/miri.sh [lib | wheel | seeds] ..."
answer_help "$@"
steps=("$@")
check_each step "lib wheel seeds" "${steps[@]}"
[ ${#steps[@]} -gt 0 ] || steps=(lib wheel seeds)
cd "$root"

need_nightly
if ! cargo +nightly miri --version > /dev/null 2>&1; then
  rustup component add miri rust-src --toolchain nightly
fi
cargo +nightly miri setup

# Files and clocks are the system's.
isolation=-Zmiri-disable-isolation

run() {
  local start=$SECONDS
  echo "-- $*"
  "$@"
  echo "-- $((SECONDS - start)) s"
}

for step in "${steps[@]}"; do
  case $step in
    lib)
      MIRIFLAGS=$isolation run cargo +nightly miri test --locked --lib -- \
        wheel:: reactor::timers reactor::source::short_read driver::task_poll \
        --skip wheel::slot --skip timers::coalesce
      # Threads that hand on a wake: several schedules, with stale values of atomics.
      MIRIFLAGS="$isolation -Zmiri-many-seeds=0..4" run cargo +nightly miri test --locked --lib -- \
        driver::block_on
      ;;
    wheel)
      PROPTEST_CASES=1 MIRIFLAGS=$isolation run cargo +nightly miri test --locked \
        --test wheel_hazards --test wheel_model
      ;;
    seeds)
      for target in timer delay_queue descriptor; do
        MIRIFLAGS=$isolation run cargo +nightly miri run --locked --manifest-path fuzz/Cargo.toml \
          --bin "$target" -- fuzz/seeds/"$target"/*
      done
      ;;
  esac
done
