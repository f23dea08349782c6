#!/usr/bin/env bash
# Soaks the reactor for some seconds, 10 unless another number is given, and checks the figures. Then
# passes live connections around among threads, for 30 seconds or as many as are given.
#
#   ci/soak.sh [SECONDS]
#
# docs/reliability.md says what is checked, and has the longer form.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/soak.sh [SECONDS]"
answer_help "$@"
if [ $# -gt 1 ] || ! is_number "${1-10}" 9; then
  usage_error "$*: not a whole number of seconds above zero"
fi
cd "$root"

cargo run --release --locked --example soak -- --seconds "${1:-10}" --json --check
PASS_AROUND_SECONDS=${1:-30} \
  cargo test --release --locked --test pass_around -- --nocapture
