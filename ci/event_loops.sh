#!/usr/bin/env bash
# Runs the examples of event loops that are not ours, and checks what they print: poll(2), calloop,
# tokio with the fallback thread and without, GLib. Those that need no thread beside the loop's must
# have none.
#
#   ci/event_loops.sh
#
# GLib's is a package of its own, `compat/glib`: it needs Debian's libglib2.0-dev, which is installed
# with root. It is checked with clippy here.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/event_loops.sh
no_arguments "$@"
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
make_scratch

# runs NAME FILE LINE ...: the program must end within seconds, with success, and have printed these
# lines among others, each as often as it is given here. What follows " after " is left out.
runs() {
  local name=$1 program=$2 code=0
  shift 2
  timeout 30 "$program" > "$scratch/out" 2> "$scratch/err" || code=$?
  printf '%s\n' "$@" | sort > "$scratch/expected"
  sed 's/ after .*//' "$scratch/out" | sort | grep -Fxf "$scratch/expected" > "$scratch/seen" || true
  if [ $code -ne 0 ] || [ -s "$scratch/err" ] || ! diff "$scratch/expected" "$scratch/seen"; then
    echo "$name: exit code $code (124: not within 30 s); it printed:" >&2
    cat "$scratch/out" "$scratch/err" >&2
    exit 1
  fi
  echo "$name: $# lines as expected"
}

# What examples/event_loops/work.rs prints, but for the number of threads.
work=("beat 1 in time" "beat 2 in time" "beat 3 in time" "echo of one" "echo of two" "echo of three"
  "earlier timer in time")

examples=(poll_loop calloop inside_tokio inside_tokio_without_thread)
cargo build --quiet --locked "${examples[@]/#/--example=}"
seq 2 > "$scratch/input"
runs "poll(2)" "$target/debug/examples/poll_loop" "${work[@]}" "threads: 1" "input 1" "input 2" \
  < "$scratch/input"
# Nothing comes, and there is no end of it.
mkfifo "$scratch/pipe"
runs "poll(2), no input" "$target/debug/examples/poll_loop" "${work[@]}" "threads: 1" \
  0<> "$scratch/pipe"
runs "calloop" "$target/debug/examples/calloop" "${work[@]}" "threads: 1"
runs "tokio" "$target/debug/examples/inside_tokio" one two three
runs "tokio without our thread" "$target/debug/examples/inside_tokio_without_thread" \
  "one thread" "${work[@]}" "threads: 1" "two workers" "${work[@]}" "threads: 3"

if ! type -P pkg-config > /dev/null || ! pkg-config --exists 'glib-2.0 >= 2.66'; then
  can_install_packages || refuse "GLib is needed: install the package libglib2.0-dev"
  install_packages libglib2.0-dev pkg-config > /dev/null
fi
cargo clippy --quiet --locked --manifest-path compat/glib/Cargo.toml -- -D warnings
cargo build --quiet --locked --manifest-path compat/glib/Cargo.toml --target-dir "$target"
runs "GLib" "$target/debug/inside-glib" "${work[@]}" "threads: 1"
