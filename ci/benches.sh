#!/usr/bin/env bash
# Runs every benchmark in its quick form: that all still runs, not how fast.
set -euo pipefail
cd "$(dirname "$0")/.."
WHEEL_BENCH_QUICK=1 cargo bench --locked -p benches
