#!/usr/bin/env bash
# Runs what ships of async-wheel on a modelled poller and clock, in random schedules with faults.
#
#   simulation/run.sh --seconds 30       as CI does
#   simulation/run.sh --seconds 3600     an hour
#   simulation/run.sh --replay RUN       the run again that a failure has named
#   simulation/run.sh --help             all there is
#
# Ends with 1 if a property fails, and with 2 if the arguments are wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
cd "$root/simulation"
export RUST_BACKTRACE="${RUST_BACKTRACE:-0}"
cargo build --quiet --release --locked
exec "${CARGO_TARGET_DIR:-target}/release/simulation" "$@"
