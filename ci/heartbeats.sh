#!/usr/bin/env bash
# Runs the example `heartbeats` for three seconds, and checks its figures.
#
#   ci/heartbeats.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/heartbeats.sh
no_arguments "$@"
cd "$root"

cargo run --release --locked --example heartbeats -- --seconds 3 --json --check
