#!/usr/bin/env bash
# Runs every benchmark in its quick form: that all still runs, not how fast.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  echo "error: $1: there are no arguments; usage: ci/benches.sh" >&2
  exit 2
fi
if ! command -v strace > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  # Without it, the comparison leaves out the counts of system calls, and says so.
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -q update && apt-get -qy install --no-install-recommends strace; } > /dev/null || true
fi
cargo test --release --locked --quiet -p compare
cargo bench --locked -p benches --bench wheel -- --quick
benches/compare.sh --quick
