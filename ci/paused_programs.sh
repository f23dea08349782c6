#!/usr/bin/env bash
# Runs the tests in paused time that no other step runs, since they need the feature test-util: those
# of the examples, those of crates of the ecosystem on the shim, and the examples of the documentation.
# tests/paused_* are run with all features by ci/coverage.sh.
#
#   ci/paused_programs.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/paused_programs.sh
no_arguments "$@"
cd "$root"

cargo test --locked --features test-util --example heartbeats --example ttl_server -- paused_time
cargo test --locked --features test-util --doc -- time_in_tests src/time/paused
cargo test --locked --manifest-path compat/Cargo.toml --package ecosystem --features test-util \
  --test paused_process --test paused_time
