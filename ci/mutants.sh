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
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/mutants.sh all | AREA ... | share K [N], of the areas wheel, reactor, driver"
answer_help "$@"
cd "$root"

areas=(wheel reactor driver)
share=()
case ${1-} in
  '') usage_error "nothing is named" ;;
  all) [ $# -eq 1 ] || usage_error "'all' stands alone" ;;
  share)
    from=${3-$(commits)}
    [[ $# -le 3 && $from =~ ^[0-9]{1,9}$ ]] && is_number "${2-}" 9 ||
      usage_error "$*: K and N are whole numbers"
    share=(--shard "$((10#$from % $2))/$2" --sharding round-robin)
    echo "-- share ${share[1]}"
    ;;
  *)
    areas=("$@")
    check_each area "wheel reactor driver" "$@"
    ;;
esac

cargo_tool mutants 27.1.0

# Builds are what takes the time: no debug information, and what did not change is not built
# again. One at a time, since the tests of the reactor look at the clock.
CARGO_TARGET_DIR=$(absolute_directory "${MUTANTS_TARGET_DIR:-target/mutants}")
export CARGO_TARGET_DIR CARGO_INCREMENTAL=1
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 RUST_BACKTRACE=0
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
        partial_reads placement readiness registration shards short_reads stress system_sources \
        timer_semantics timer_wakes unread; do
        build+=(--test "$test")
      done
      ;;
  esac
  echo "-- $area"
  # shellcheck disable=SC2086 # options are words
  cargo mutants --no-shuffle --jobs 1 --baseline skip --timeout 25 --build-timeout 300 \
    --file "src/$area/**" --output "$CARGO_TARGET_DIR/$area" "${share[@]}" \
    "${build[@]/#/--cargo-arg=}" ${MUTANTS_OPTIONS:-} || {
    # 3: all were noticed, some of them only because the tests hung.
    [ $? -eq 3 ] || failed=1
  }
done
exit $failed
