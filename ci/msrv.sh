#!/usr/bin/env bash
# Checks that the crate builds with the oldest compiler that Cargo.toml promises.
#
#   ci/msrv.sh [-d DIR]
#
# Takes that compiler from rustup if it has it (`rustup toolchain install 1.85`), otherwise
# unpacks Debian's packages of it into DIR, target/msrv unless given, without installing them.
#
# The library is checked with the default features, with all and with none, and the shim, the tests
# and the examples with it. The benchmarks and the example `top` are not: their crates ask for newer
# compilers.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/msrv.sh [-d DIR]"
read_options d: "$@"
no_arguments "${arguments[@]}"
cd "$root"
dir=${options[d]-${MSRV_DIR:-target/msrv}}
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# Unpacks rustc and cargo of the wanted version, and the libraries they need.
unpack() {
  local rustc cargo
  dir=$(absolute_directory "$dir")
  [ -e "$dir/.complete" ] && return
  newest() { apt-cache madison "$1" | awk -v want="$version" 'index($3, want ".") == 1 { print $3; exit }'; }
  rustc=$(newest rustc-web)
  [ -n "$rustc" ] || apt-get -q update
  rustc=$(newest rustc-web)
  cargo=$(newest cargo-web)
  [[ -n $rustc && -n $cargo ]] || refuse "no compiler $version is to be had"
  (
    cd "$dir"
    # shellcheck disable=SC2046 # one word a package is what is wanted
    apt-get -q download "rustc-web=$rustc" "cargo-web=$cargo" "libstd-rust-web-dev=$rustc" \
      "libstd-rust-web-$version=$rustc" \
      $(apt-cache depends "rustc-web=$rustc" "libstd-rust-web-$version=$rustc" "cargo-web=$cargo" |
        awk '/Depends: lib(llvm|git2|ssh2|http-parser|mbedtls|pcre)/ { print $2 }' | sort -u) libpcre3
    for package in *.deb; do dpkg -x "$package" .; done
    touch .complete
  )
}

if toolchain=$(rustup toolchain list 2> /dev/null | grep -om1 "^${version}[^ ]*"); then
  export RUSTUP_TOOLCHAIN=$toolchain
else
  unpack
  export PATH="$dir/usr/bin:$PATH"
  export LD_LIBRARY_PATH="$dir/usr/lib/x86_64-linux-gnu:$dir/lib/x86_64-linux-gnu"
  unset RUSTUP_TOOLCHAIN
fi
rustc --version | grep -F "rustc $version." || refuse "not the compiler $version"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/msrv-build
cargo check --locked --lib
cargo check --locked --lib --all-features
cargo check --locked --lib --no-default-features
cargo check --locked --all-targets
cargo check --locked --manifest-path compat/Cargo.toml -p async-io --all-features
