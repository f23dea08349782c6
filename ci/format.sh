#!/usr/bin/env bash
# Checks that all Rust code is formatted.
#
#   ci/format.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/format.sh
no_arguments "$@"
cd "$root"

for package in . benches/peers compat compat/glib compat/interface compat/two-reactors fuzz loom-tests simulation; do
  cargo fmt --all --check --manifest-path "$package/Cargo.toml"
done
