#!/usr/bin/env bash
# Runs the tests under sanitizers.
#
#   ci/sanitizers.sh [-d DIR] [-o] [address] [thread]
#
#   address   AddressSanitizer with LeakSanitizer, over the tests that need no feature, but for the
#             counts of wake-ups and of resident memory; needs a nightly toolchain
#             (`rustup toolchain install nightly`)
#   thread    ThreadSanitizer, over the tests with threads, with a standard library that is built
#             for it: one that is not reports races where there are none. Its source comes from
#             the toolchain (`rustup component add rust-src`) or else from `ci/cross.sh source`,
#             with a copy of the toolchain in DIR, target/cross unless given. If it is not to be
#             had at all, this step fails; with -o it says so and is left out
#
# Without a name, both. The model tests of the wheel have fewer cases: they have no threads,
# and no `unsafe`.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/sanitizers.sh [-d DIR] [-o] [address] [thread]"
read_options d:o "$@"
steps=("${arguments[@]}")
check_each step "address thread" "${steps[@]}"
[ ${#steps[@]} -gt 0 ] || steps=(address thread)
cd "$root"
make_scratch
dir=${options[d]-target/cross}

target=$(rustc -vV | sed -n 's/^host: //p')
# The test of the idle process is left out: ThreadSanitizer has a thread of its own, which wakes.
# That of forks is left out there as well: it starts no threads in a child.
# Those of hostile wakers are run by themselves: a waker that panics when it is dropped leaks what it
# holds, and what it panicked with, if that panics again, is left alone on purpose.
# So is that of forks, by AddressSanitizer: to LeakSanitizer, which looks when a child ends, all is
# leaked that threads hold which the child has not got.
tests=(--lib)
threads=(--test hostile_wakers --test hostile_drops)
for file in tests/*.rs; do
  name=$(basename "$file" .rs)
  case $name in
    # And those of subscribers and of paused time need a feature.
    # Resident memory is the sanitizers' own.
    idle | hostile_wakers | hostile_drops | fork | subscriber* | late_timers | paused_* | exhaustion_resident) ;;
    # One thread only, or about memory or processor time, of which ThreadSanitizer takes some itself.
    auto_traits | exhaustion_memory | dense_timers | wheel_*) tests+=(--test "$name") ;;
    *) tests+=(--test "$name") threads+=(--test "$name") ;;
  esac
done
export PROPTEST_CASES=${PROPTEST_CASES:-16} RUST_BACKTRACE=0
# A report names lines.
export CARGO_PROFILE_DEV_DEBUG=line-tables-only

for step in "${steps[@]}"; do
  echo "== $step"
  case $step in
    address)
      need_nightly
      # LeakSanitizer does not look into mappings, and would take what only a timer's entry
      # holds for leaked.
      export RUSTFLAGS="-Zsanitizer=address --cfg async_wheel_heap"
      under=(cargo +nightly test --locked --target "$target" --target-dir target/asan)
      # These leak on purpose.
      leaking=(panic_in_panics_payload_is_caught timers_wakers_never_run_under_the_lock)
      build_tests "${under[@]}" "${tests[@]}"
      run_tests "${leaking[@]/#/--skip=}"
      for test in "${leaking[@]}"; do ASAN_OPTIONS=detect_leaks=0 "${under[@]}" --lib "$test"; done
      ASAN_OPTIONS=detect_leaks=0 "${under[@]}" --test hostile_wakers --test hostile_drops --test fork
      ;;
    thread)
      path=$(path_with_source "$dir") || {
        [ $? -eq 3 ] || exit 1
        echo "== NOT RUN: ThreadSanitizer needs the standard library's source" >&2
        [ -n "${options[o]+given}" ] || exit 1
        continue
      }
      PATH=$path RUSTC_BOOTSTRAP=1 \
        RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
        build_tests cargo test --locked -Zbuild-std "${threads[@]}" --target "$target" --target-dir target/tsan
      TSAN_OPTIONS="halt_on_error=0 exitcode=66" run_tests
      ;;
  esac
done
