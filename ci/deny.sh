#!/usr/bin/env bash
# Checks the dependencies with cargo-deny: which crates the library is built on, and the licences
# and sources of everything that is built here.
#
#   ci/deny.sh
#
# Known vulnerabilities are not looked up, since that takes the advisory database from the
# network each time. To do so: `cargo deny --all-features check advisories`.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  echo "error: $1: there are no arguments; usage: ci/deny.sh" >&2
  exit 2
fi
version=0.20.2

if ! cargo deny --version 2> /dev/null | grep -q " $version\$"; then
  cargo install --locked cargo-deny --version "$version"
fi

deny() { cargo deny --locked "$@"; }

echo "-- what the library is built on"
deny --exclude-dev --config ci/deny-runtime.toml check bans
for package in . compat compat/interface fuzz loom-tests simulation; do
  echo "-- $package"
  deny --manifest-path "$package/Cargo.toml" --workspace --config deny.toml check bans licenses sources
done
