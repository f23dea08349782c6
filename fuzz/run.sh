#!/bin/sh
# Builds all fuzz targets and runs each for as many seconds as the argument says, from the
# seeds that are checked in. Fails on any finding.
#
#   fuzz/run.sh SECONDS
#
# Needs a nightly toolchain (`rustup toolchain install nightly`). Installs cargo-fuzz.
set -eu

version=0.13.1

usage() {
    echo "usage: fuzz/run.sh SECONDS, a whole number above zero" >&2
    exit 2
}
[ $# -eq 1 ] || usage
# To libFuzzer, zero is without end.
case $1 in '' | 0* | *[!0-9]*) usage ;; esac
seconds=$1

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "error: there is no nightly toolchain: rustup toolchain install nightly" >&2
    exit 1
fi

cd "$(dirname "$0")"

if ! cargo fuzz --version 2>/dev/null | grep -q " $version\$"; then
    cargo install --locked cargo-fuzz --version "$version"
fi

# New inputs go to a scratch directory, so that the seeds stay what they are.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cargo +nightly fuzz build
for target in $(cargo +nightly fuzz list); do
    mkdir -p "$scratch/$target" "seeds/$target"
    echo "== $target: $seconds s"
    cargo +nightly fuzz run "$target" "$scratch/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=20 -print_final_stats=1
done
