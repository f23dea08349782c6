#!/usr/bin/env bash
# Checks that the wheel needs no standard library: that is what `default-features = false` leaves of
# the crate.
#
#   ci/no_std.sh [-d DIR]
#
# It must depend on allocator-api2 only, pass clippy, its unit tests and the examples in its
# documentation, and build for a microcontroller and for WebAssembly where there is no `std`.
#
# For these targets `core` and `alloc` are built from their source. It comes from the toolchain
# (`rustup component add rust-src`) or else from `ci/cross.sh source`, with a copy of the toolchain
# in DIR, target/cross unless given.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/no_std.sh [-d DIR]"
read_options d: "$@"
no_arguments "${arguments[@]}"
cd "$root"
dir=${options[d]-target/cross}

dependencies=$(cargo tree --locked --no-default-features --target all --edges normal,build \
  --prefix none | awk 'NR > 1 { print $1 }' | sort -u | xargs)
if [ "$dependencies" != allocator-api2 ]; then
  echo "without features the library is built on $dependencies, not on allocator-api2 only" >&2
  exit 1
fi

cargo clippy --locked --no-default-features --lib -- -D warnings
cargo test --locked --no-default-features --lib
cargo test --locked --no-default-features --doc src/wheel

path=$(path_with_source "$dir")
PATH=$path RUSTC_BOOTSTRAP=1 cargo build --locked --no-default-features --lib \
  -Zbuild-std=core,alloc --target thumbv7em-none-eabi --target wasm32-unknown-unknown \
  --target-dir "${CARGO_TARGET_DIR:-target}/no-std"
