#!/usr/bin/env bash
# Measures what a program pays to move from async-io to async-wheel, and back: crates, processor time
# of a build, size of the program; threads, descriptors and memory while it runs. The program is
# the example tcp_echo_with_read_timeout, which uses what both have, built with either of them in turn.
# docs/should-i-move.md has the figures.
#
#   ci/cost.sh           each build three times, of which the median counts
#
# Not part of .ci/run. Needs strip and Linux.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/cost.sh
no_arguments "$@"
cd "$root"
[ -d /proc/self/task ] || refuse "this needs Linux"
need_program strip binutils
make_scratch
# What was built before, or is kept by a cache of compilations, would not count.
export RUSTC_WRAPPER='' CARGO_INCREMENTAL=0
unset CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG CARGO_BUILD_RUSTC_WRAPPER

# package NAME DEPENDENCY: the same program on either crate, under one name.
package() {
  mkdir -p "$scratch/$1/src"
  cp examples/tcp_echo_with_read_timeout.rs "$scratch/$1/src/main.rs"
  cat > "$scratch/$1/Cargo.toml" <<TOML
[package]
name = "$1"
version = "0.0.0"
edition = "2024"
[workspace]
resolver = "3"
[dependencies]
async_wheel = $2
async-executor = "1.13"
futures-lite = "2.6"
[profile.small]
inherits = "release"
opt-level = "z"
lto = true
codegen-units = 1
panic = "abort"
strip = true
TOML
  cargo fetch --quiet --manifest-path "$scratch/$1/Cargo.toml"
}

# seconds COMMAND ...: its processor time and that of what it starts.
seconds() {
  local TIMEFORMAT='%U %S'
  { time "$@" > /dev/null 2>&1; } 2>&1 | awk '{ print $1 + $2 }'
}

median() {
  sort -n | sed -n 2p
}

build() {
  cargo build --locked --profile "$2" --target-dir "$scratch/$1-$2" \
    --manifest-path "$scratch/$1/Cargo.toml"
}

package async-io-program '{ package = "async-io", version = "=2.6.0" }'
package async-wheel-program "{ package = \"async-wheel\", path = \"$root\" }"
programs=(async-io-program async-wheel-program)

for profile in dev release; do
  for _ in 1 2 3; do
    for program in "${programs[@]}"; do
      rm -rf "${scratch:?}/$program-$profile"
      seconds build "$program" "$profile" >> "$scratch/$program-$profile.seconds"
    done
  done
done

for program in "${programs[@]}"; do
  echo "$program"
  cargo tree --quiet --locked --edges normal,build --prefix none \
    --manifest-path "$scratch/$program/Cargo.toml" | awk '{ print $1 }' | sort -u | wc -l |
    awk '{ print "  crates, its own apart: " $1 - 1 }'
  for profile in dev release; do
    echo "  processor time of a build, $profile: $(median < "$scratch/$program-$profile.seconds") s"
  done
  build "$program" small 2> /dev/null
  binary=$scratch/$program-release/release/$program
  strip -o "$scratch/stripped" "$binary"
  echo "  size, release, stripped: $(stat -c %s "$scratch/stripped") bytes"
  echo "  size, smallest: $(stat -c %s "$scratch/$program-small/small/$program") bytes"
  "$binary" 127.0.0.1:0 > "$scratch/out" &
  server=$!
  until grep -q listening "$scratch/out"; do sleep 0.1; done
  sleep 1
  echo "  threads: $(find "/proc/$server/task" -mindepth 1 -maxdepth 1 | wc -l)"
  # Pollers, events and timers.
  echo "  descriptors of the reactor: $(find "/proc/$server/fd" -lname 'anon_inode:*' | wc -l)"
  awk '/^VmHWM/ { print "  resident memory: " $2 " KiB" }' "/proc/$server/status"
  kill "$server"
  wait "$server" 2> /dev/null || true
done
