#!/usr/bin/env bash
# Runs the tests under sanitizers.
#
#   ci/sanitizers.sh [-d DIR] [address] [thread]
#
#   address   AddressSanitizer with LeakSanitizer; needs a nightly toolchain
#   thread    ThreadSanitizer, with a standard library built for it: one that was not reports
#             races where there are none. Needs the standard library's source, which
#             `ci/cross.sh setup` gets; DIR is where that keeps it, target/cross unless given
#
# Without a name, both. The model tests of the wheel have fewer cases: they have no threads,
# and no `unsafe`.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=target/cross
while getopts d: option; do
  case $option in
    d) dir=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(address thread)
target=$(rustc -vV | sed -n 's/^host: //p')
# The test of the idle process is left out: ThreadSanitizer has a thread of its own, which wakes.
# That of hostile wakers is run by itself: a waker that panics when it is dropped leaks what it
# holds, and what it panicked with, if that panics again, is left alone on purpose.
tests=(--lib)
for file in tests/*.rs; do
  name=$(basename "$file" .rs)
  [ "$name" = idle ] || [ "$name" = hostile_wakers ] || tests+=(--test "$name")
done
export PROPTEST_CASES=${PROPTEST_CASES:-16} RUST_BACKTRACE=0

for step in "${steps[@]}"; do
  echo "== $step"
  case $step in
    address)
      export RUSTFLAGS="-Zsanitizer=address"
      under=(cargo +nightly test --locked --target "$target" --target-dir target/asan)
      "${under[@]}" "${tests[@]}"
      ASAN_OPTIONS=detect_leaks=0 "${under[@]}" --test hostile_wakers
      ;;
    thread)
      [ -d "$dir/tc/lib/rustlib/src" ] || ci/cross.sh -d "$dir" setup
      PATH="$(cd "$dir" && pwd)/tc/bin:$PATH" RUSTC_BOOTSTRAP=1 \
        RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
        TSAN_OPTIONS="halt_on_error=0 exitcode=66" \
        cargo test --locked -Zbuild-std "${tests[@]}" --test hostile_wakers --target "$target" --target-dir target/tsan
      ;;
    *) echo "no such step: $step" >&2; exit 2 ;;
  esac
done
