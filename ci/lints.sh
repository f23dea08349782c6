#!/usr/bin/env bash
# Checks all Rust code with clippy, and lets no warning pass.
#
#   ci/lints.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/lints.sh
no_arguments "$@"
cd "$root"

# lint PACKAGE OPTION ...
lint() {
  cargo clippy --workspace --locked --manifest-path "$1/Cargo.toml" "${@:2}" -- -D warnings
}

lint . --all-targets --all-features
# What those leave out: with all features, the locks are parking_lot's, there are no tests of forks, and
# nothing of what is there for want of a feature.
cargo clippy --locked --lib --tests -- -D warnings
lint compat --all-targets --all-features
for package in benches/peers compat/interface compat/two-reactors; do lint "$package" --all-targets; done
# The tests in the files that these share with the library are the library's.
for package in fuzz loom-tests simulation; do lint "$package" --bins; done
