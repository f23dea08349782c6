#!/usr/bin/env bash
# Mutation testing: changes one thing after another in the source, and wants a test to fail each
# time. Fails if a change goes unnoticed; docs/testing.md says what to do then.
#
#   ci/mutants.sh all            every change in all areas: more than an hour
#   ci/mutants.sh AREA ...       every change in these: wheel, reactor, driver
#   ci/mutants.sh share K [N]    of all areas each K-th change, from the N-th on; N is the number
#                                of commits so far unless given, so that K commits cover all
#
# Further options for cargo-mutants go into MUTANTS_OPTIONS, as in
#
#   MUTANTS_OPTIONS="--in-diff changes.diff" ci/mutants.sh all
#
# Exit code 2 if the arguments are wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
version=27.1.0

usage() {
  echo "error: wrong arguments; usage: ci/mutants.sh all | AREA ... | share K [N], of the areas wheel, reactor, driver" >&2
  exit 2
}

areas=(wheel reactor driver)
share=()
case ${1-} in
  all) [ $# -eq 1 ] || usage ;;
  share)
    commits=${3-$(git rev-list --count HEAD 2> /dev/null || date +%j)}
    [[ $# -le 3 && ${2-} =~ ^[1-9][0-9]{0,8}$ && $commits =~ ^[0-9]{1,9}$ ]] || usage
    share=(--shard "$((10#$commits % $2))/$2" --sharding round-robin)
    echo "-- share ${share[1]}"
    ;;
  *)
    areas=("$@")
    [ $# -gt 0 ] || usage
    for area; do
      case $area in wheel | reactor | driver) ;; *) usage ;; esac
    done
    ;;
esac

if ! cargo mutants --version 2> /dev/null | grep -q " $version\$"; then
  cargo install --locked cargo-mutants --version "$version"
fi

# Builds are what takes the time: no debug information, and what did not change is not built
# again. One at a time, since the tests of the reactor look at the clock.
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-target/mutants} CARGO_INCREMENTAL=1
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 RUST_BACKTRACE=0
mkdir -p "$CARGO_TARGET_DIR"
CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)
# The same cases each time, and little time for making a failure small.
export PROPTEST_CASES=128 PROPTEST_RNG_SEED=7 PROPTEST_MAX_SHRINK_TIME=100 STRESS_SECONDS=1

# A change may make a loop allocate for ever.
ulimit -v $((16 * 1024 * 1024))

failed=0
for area in "${areas[@]}"; do
  build=(--locked --lib)
  case $area in
    wheel) build+=(--test wheel_hazards --test wheel_model) ;;
    # Those that are quick and about what these do.
    reactor | driver)
      for test in block_on fallback fork hostile_blocking hostile_drops hostile_wakers new_owner \
        partial_reads readiness registration shards short_reads stress system_sources \
        timer_semantics timer_wakes unread; do
        build+=(--test "$test")
      done
      ;;
  esac
  echo "-- $area"
  # shellcheck disable=SC2086 # options are words
  cargo mutants --no-shuffle --jobs 1 --baseline skip --timeout 20 --build-timeout 300 \
    --file "src/$area/**" --output "$CARGO_TARGET_DIR/$area" "${share[@]}" \
    "${build[@]/#/--cargo-arg=}" ${MUTANTS_OPTIONS:-} || {
    # 3: all were noticed, some of them only because the tests hung.
    [ $? -eq 3 ] || failed=1
  }
done
exit $failed
