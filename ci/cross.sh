#!/usr/bin/env bash
# Checks the crate for systems other than this one.
#
#   ci/cross.sh [-d DIR] [STEP ...]
#
# Steps, all of them unless some are named:
#
#   setup     a copy of the toolchain that can build for the targets below; done once
#   source    of that, only the copy and the standard library's source, for `ci/sanitizers.sh`;
#             not done unless named
#   clippy    clippy with all targets and features for each target, also for the comparison
#             with async-io in compat/interface, which covers os::kqueue and os::windows
#   docs      the documentation for each target, as docs.rs builds it
#   windows   the test suite, the comparison and the examples for Windows as Windows, under wine
#   aarch64   the same as aarch64 Linux, under qemu-user
#
# DIR holds the copy; target/cross unless given. It takes some minutes and 3 GB to fill.
#
# The standard library is built from its source: that of the toolchain (`rustup component add
# rust-src`), or, where rustup cannot get it, that of the Debian package of the same version,
# from the mirror that this machine already uses. Setting up needs Debian and, unless wine,
# qemu and the cross compilers are there already, root.
#
# Clippy needs no linker and no system, so that it covers what this machine cannot run. Wine's
# completion ports are wine's, not Windows'.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"

targets=(
  x86_64-pc-windows-gnu
  x86_64-apple-darwin
  aarch64-apple-darwin
  x86_64-unknown-freebsd
  x86_64-unknown-illumos
  aarch64-unknown-linux-gnu
)

usage="ci/cross.sh [-d DIR] [setup | source | clippy | docs | windows | aarch64 ...]"
read_options d: "$@"
steps=("${arguments[@]}")
check_each step "setup source clippy docs windows aarch64" "${steps[@]}"
[ ${#steps[@]} -gt 0 ] || steps=(setup clippy docs windows aarch64)
cd "$root"
dir=$(absolute_directory "${options[d]-${CROSS_DIR:-target/cross}}")

say() { printf '== %s\n' "$*"; }

# The tools that run and link for the other systems.
install_tools() {
  local missing=() tool
  for tool in x86_64-w64-mingw32-gcc wine qemu-aarch64 aarch64-linux-gnu-gcc; do
    command -v "$tool" > /dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing what brings ${missing[*]}"
  install_packages gcc-mingw-w64-x86-64-win32 wine64 wine qemu-user gcc-aarch64-linux-gnu \
    libc6-dev-arm64-cross
}

# Puts the standard library's source at $dir/tc/lib/rustlib/src/rust.
fetch_source() {
  local version=$1 mirror release apt package
  [ -e "$dir/tc/lib/rustlib/src/rust/library/Cargo.toml" ] && return
  mkdir -p "$dir"/lists/partial "$dir"/cache/archives/partial "$dir/tc/lib/rustlib/src"
  # The mirror in use, asked for releases that are newer than this one's.
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')
  for release in trixie-backports trixie forky sid; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" \
      > "$dir/sources.list"
    apt=(-q -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=-
      -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o Acquire::Languages=none)
    apt-get "${apt[@]}" update || continue
    package=$(apt-cache "${apt[@]}" madison rust-src |
      awk -v version="$version" 'index($3, version "+") == 1 { print $3; exit }')
    [ -n "$package" ] || continue
    (cd "$dir" && apt-get "${apt[@]}" download "rust-src=$package")
    dpkg -x "$dir"/rust-src_"$version"*.deb "$dir/src"
    ln -sfn "$dir/src/usr/src/rustc-$version" "$dir/tc/lib/rustlib/src/rust"
    return
  done
  echo "no source of the standard library $version is to be had" >&2
  return 3
}

# Builds the standard library for a target into the copy of the toolchain.
build_std() {
  local target=$1 lib="$dir/tc/lib/rustlib/$1/lib" object
  [ -e "$lib/.complete" ] && return
  # The toolchain had it already.
  if compgen -G "$lib/libstd-*.rlib" > /dev/null; then touch "$lib/.complete"; return; fi
  say "building the standard library for $target"
  mkdir -p "$lib" "$dir/empty/src"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' \
    > "$dir/empty/Cargo.toml"
  echo '#![no_std]' > "$dir/empty/src/lib.rs"
  (
    cd "$dir/empty"
    export CARGO_TARGET_DIR=target
    RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo build -q --release \
      -Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro --target "$target"
    rm -f target/"$target"/release/deps/libempty-*
    cp target/"$target"/release/deps/lib*.{rlib,rmeta} "$lib"/
    rm -rf target
  )
  case $target in *-windows-gnu)
    for object in rsbegin rsend; do
      RUSTC_BOOTSTRAP=1 rustc --target "$target" --emit=obj --crate-type=lib \
        -o "$lib/$object.o" "$dir/tc/lib/rustlib/src/rust/library/rtstartup/$object.rs"
    done
  esac
  touch "$lib/.complete"
}

# A prefix for wine, with the one library that Rust's standard library loads and wine 8 lacks.
prepare_wine() {
  local library="$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll"
  [ -e "$library" ] && return
  wineboot -i > /dev/null 2>&1 || wine wineboot -i > /dev/null 2>&1 || true
  cat > "$dir/random.c" <<'C'
unsigned char SystemFunction036(void *buffer, unsigned long length);
__declspec(dllexport) int ProcessPrng(unsigned char *buffer, unsigned long long length) {
    while (length) {
        unsigned long part = length > 1 << 28 ? 1 << 28 : length;
        if (!SystemFunction036(buffer, part)) return 0;
        buffer += part;
        length -= part;
    }
    return 1;
}
C
  x86_64-w64-mingw32-gcc -shared -O2 -o "$library" "$dir/random.c" -ladvapi32
}

use_copy() {
  export PATH="$dir/tc/bin:$PATH" WINEPREFIX="$dir/wine" WINEARCH=win64 DISPLAY='' WINEDEBUG=-all
  unset RUSTUP_TOOLCHAIN
  export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="timeout 600 wine"
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="timeout 600 qemu-aarch64 -L /usr/aarch64-linux-gnu"
  export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$dir/target}"
}

# The copy of the toolchain, with the standard library's source.
source_only() {
  local version root
  version=$(rustc -V | awk '{ print $2 }')
  if [ -e "$dir/version" ] && [ "$(cat "$dir/version")" != "$version" ]; then
    rm -rf "$dir/tc" "$dir/src" "$dir/version"
  fi
  if [ ! -e "$dir/version" ]; then
    rm -rf "$dir/tc"
    mkdir -p "$dir/tc"
    root=$(rustc --print sysroot)
    cp -a "$root/." "$dir/tc/"
    echo "$version" > "$dir/version"
  fi
  fetch_source "$version"
}

setup() {
  local target
  source_only
  install_tools
  use_copy
  for target in "${targets[@]}"; do build_std "$target"; done
  prepare_wine
}

clippy() {
  local target
  for target in "${targets[@]}"; do
    say "clippy for $target"
    cargo clippy --target "$target" --all-targets --all-features -- -D warnings
    cargo clippy --manifest-path compat/interface/Cargo.toml --target "$target" --all-targets \
      -- -D warnings
  done
}

# The features that docs.rs builds with are those of a nightly compiler.
docs() {
  local target
  for target in "${targets[@]}"; do
    say "documentation for $target"
    RUSTC_BOOTSTRAP=1 RUSTDOCFLAGS="-D warnings --cfg docsrs" cargo doc --no-deps --all-features \
      --target "$target"
  done
}

run_tests() {
  local failed=0
  # Some tests panic on purpose, and under an emulator a backtrace takes seconds. The wheel
  # against its model is arithmetic, which has been through many more cases elsewhere.
  export RUST_BACKTRACE=0 PROPTEST_CASES=64
  cargo test --target "$1" --lib --tests --no-fail-fast || failed=1
  cargo test --target "$1" --manifest-path compat/interface/Cargo.toml --no-fail-fast || failed=1
  return $failed
}

windows() {
  say "tests as Windows, under wine"
  run_tests x86_64-pc-windows-gnu
  say "examples for Windows, under wine"
  # expected OUTPUT NAME: the example prints that, but for the ends of lines. Wine before 9 has no Unix
  # sockets, which the example says.
  expected() {
    local printed
    printed=$(cargo run --quiet --target x86_64-pc-windows-gnu --example "$2" | tr -d '\r')
    [[ $printed =~ ^($1)$ ]] || { echo "$2 printed: $printed" >&2; return 1; }
    echo "$printed"
  }
  expected $'exit code: 3\nkilled: TimedOut' windows_command
  expected $'stressed: desserts\ndrawer: reward|This Windows has no Unix sockets: .*' windows_unix_socket
}

aarch64() {
  say "tests as aarch64 Linux, under qemu-user"
  run_tests aarch64-unknown-linux-gnu
}

for step in "${steps[@]}"; do
  case $step in
    setup) setup ;;
    source) source_only ;;
    clippy | docs | windows | aarch64)
      [ -e "$dir/wine" ] || refuse "$dir has no toolchain: run the step 'setup' first"
      use_copy
      "$step"
      ;;
  esac
done
