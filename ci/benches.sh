#!/usr/bin/env bash
# Runs every benchmark in its quick form: that all still runs, not how fast.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked -p benches --bench wheel -- --quick
