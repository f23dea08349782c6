#!/usr/bin/env bash
# Checks the dependencies with cargo-deny: which crates the library is built on, and the licences
# and sources of everything that is built here.
#
#   ci/deny.sh
#
# Known vulnerabilities are not looked up, since that takes the advisory database from the
# network each time. To do so: `cargo deny --all-features check advisories`.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/deny.sh
no_arguments "$@"
cd "$root"

cargo_tool deny 0.20.2

deny() { cargo deny --locked "$@"; }

echo "-- what the library is built on"
deny --exclude-dev --config ci/deny-runtime.toml check bans
for package in . benches/peers compat compat/glib compat/interface compat/two-reactors fuzz loom-tests simulation; do
  echo "-- $package"
  deny --manifest-path "$package/Cargo.toml" --workspace --config deny.toml check bans licenses sources
done
