#!/usr/bin/env bash
# Soaks the reactor for some seconds, 10 unless another number is given, and checks the figures.
#
#   ci/soak.sh [SECONDS]
#
# docs/reliability.md says what is checked, and has the longer form. Needs python3.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 1 ] || ! [[ ${1-10} =~ ^[1-9][0-9]{0,8}$ ]]; then
  echo "error: $*: not a whole number of seconds above zero; usage: ci/soak.sh [SECONDS]" >&2
  exit 2
fi
if ! type -P python3 > /dev/null; then
  echo "error: python3 is needed" >&2
  exit 2
fi
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
cargo run --release --locked --example soak -- --seconds "${1:-10}" --json | tee "$target/soak.out"
python3 ci/check_soak.py < "$target/soak.out"
