#!/usr/bin/env bash
# Runs the tests with the feature `parking_lot`, once as it is and once with its detection of
# deadlocks, which ends a test in which threads wait for one another's locks. The tests of forks are
# left out: a child may hang with this feature.
#
#   ci/parking_lot.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/parking_lot.sh
no_arguments "$@"
cd "$root"
make_scratch

# The wheel, which has no locks, is tried against its model elsewhere.
export PROPTEST_CASES=${PROPTEST_CASES:-16}
echo "-- as it is"
build_tests cargo test --locked --features parking_lot --lib --tests
run_tests

echo "-- with detection of deadlocks"
directory=$(absolute_directory "${CARGO_TARGET_DIR:-target}/parking-lot")
# Sets the cfg for the packages of the workspace only. Cargo tells the wrappers, and what they
# build, apart by their names.
wrapper=$directory/deadlocks
# shellcheck disable=SC2016 # the wrapper expands it
printf '#!/bin/sh\nexec "$@" --cfg async_wheel_deadlocks\n' > "$wrapper"
chmod +x "$wrapper"
# A cache of compilations would take this wrapper for a compiler that it does not know.
RUSTC_WRAPPER='' RUSTC_WORKSPACE_WRAPPER=$wrapper \
  build_tests cargo test --locked --features parking_lot/deadlock_detection --lib --tests
run_tests
