#!/usr/bin/env bash
# Runs every benchmark in its quick form: that all still runs, not how fast.
#
#   ci/benches.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/benches.sh
no_arguments "$@"
cd "$root"

if ! type -P strace > /dev/null && can_install_packages; then
  # Without it, the comparison leaves out the counts of system calls, and says so.
  install_packages strace > /dev/null || true
fi
cargo test --release --locked --quiet -p compare
cargo bench --locked -p benches --bench wheel -- --test
benches/compare.sh --quick
# They are built by then.
target=$(absolute_directory "${CARGO_TARGET_DIR:-target}")
(cd benches/peers && env -u RUSTFLAGS CARGO_TARGET_DIR="$target" cargo test --locked --quiet)
