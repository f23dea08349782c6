#!/usr/bin/env bash
# Checks what the repository's scripts and programs do with bad input: unknown options, arguments
# and names, numbers that are none, tools that are missing. Each must say in one line what is wrong
# and exit with 2.
#
#   ci/bad_input.sh              the scripts: builds nothing, a few seconds
#   ci/bad_input.sh programs     the examples, the benchmarks, the loom models and the simulation, which it
#                                builds
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/bad_input.sh [programs]"
answer_help "$@"
[[ $# -le 1 && ${1-programs} == programs ]] || usage_error "$*: not known"
cd "$root"
make_scratch
checked=0 wrong=0

# refuses COMMAND ...: it must end with 2, within seconds, with one line on standard error.
refuses() {
  local code=0 lines
  timeout 20 "$@" > /dev/null 2> "$scratch/err" < /dev/null || code=$?
  lines=$(wc -l < "$scratch/err")
  checked=$((checked + 1))
  if [ $code -ne 2 ] || [ "$lines" -ne 1 ]; then
    wrong=$((wrong + 1))
    echo "NOT SO  $*: exit code $code, $lines lines:"
    sed 's/^/        /' "$scratch/err" | head -n 5
  fi
}

# unread COMMAND ...: nobody reads what it writes, or all of it. It must end well, and say nothing of
# it on standard error.
unread() {
  local code=0
  checked=$((checked + 1))
  timeout 20 "$@" 2> "$scratch/err" > >(:) || code=$?
  if [ $code -ne 0 ] || [ -s "$scratch/err" ]; then
    wrong=$((wrong + 1))
    echo "NOT SO  $* | :: exit code $code"
    sed 's/^/        /' "$scratch/err" | head -n 5
  fi
}

# A script of another part of the repository, if that part is there.
refuses_if_there() {
  [ ! -e "$1" ] || refuses "$@"
}

# A directory for PATH, which has the usual tools, a cargo without toolchains, and no others.
usual_tools_only() {
  local tool bin=$scratch/bin
  mkdir "$bin"
  for tool in bash env sh dirname basename cat cut sed awk grep sort uniq wc head tr mkdir mktemp \
    rm id date nproc timeout; do
    ln -s "$(type -P "$tool")" "$bin/$tool"
  done
  printf '#!/bin/sh\nexit 1\n' > "$bin/cargo"
  printf '#!/bin/sh\necho "host: none"\n' > "$bin/rustc"
  chmod +x "$bin/cargo" "$bin/rustc"
  echo "$bin"
}

scripts() {
  local script bin
  for script in .ci/run ci/*.sh; do
    # It is sourced.
    [ "$script" != ci/lib.sh ] || continue
    refuses "$script" --no-such-option
    refuses "$script" no-such-thing
  done
  refuses ci/bad_input.sh programs programs
  refuses ci/coverage.sh --lines --lines
  refuses ci/api.sh semver
  refuses ci/api.sh semver no-such-revision
  refuses ci/figures.sh write write
  refuses ci/newcomer.sh snippets commands
  refuses ci/metrics.sh screenshot
  refuses ci/metrics.sh screenshot "$scratch/no-such-directory/top.svg"
  refuses ci/cross.sh -d
  refuses ci/msrv.sh -d
  refuses ci/no_std.sh -d
  refuses ci/sanitizers.sh -d
  refuses ci/cross.sh -d "$scratch/cross" clippy
  refuses ci/sanitizers.sh address no-such-thing
  refuses ci/paused.sh -n 0
  refuses ci/paused.sh 1
  refuses ci/soak.sh 0
  refuses ci/soak.sh 10 10
  refuses ci/ttl_server.sh --full 0
  refuses ci/ttl_server.sh --full 1 1
  refuses ci/mutants.sh
  refuses ci/mutants.sh share
  refuses ci/mutants.sh share 0
  refuses ci/mutants.sh wheel no-such-thing
  refuses ci/promises.sh
  refuses ci/promises.sh all all
  refuses ci/promises.sh share
  refuses ci/promises.sh share 0
  refuses ci/promises.sh share 10 x
  refuses benches/counts.sh no-such-thing
  refuses benches/syscalls.sh no-such-thing
  refuses benches/round_trips.sh no-such-thing
  refuses benches/counts.sh lines lines
  ! type -P python3 > /dev/null || refuses python3 benches/counts/lines.py
  refuses_if_there fuzz/run.sh
  refuses_if_there fuzz/run.sh no-such-thing
  refuses_if_there fuzz/run.sh 0
  refuses_if_there fuzz/run.sh --keep
  refuses_if_there fuzz/run.sh 1 no-such-thing
  refuses_if_there loom-tests/mutate.sh --no-such-option
  refuses_if_there loom-tests/mutate.sh no-such-thing
  refuses_if_there simulation/mutate.sh --no-such-option

  bin=$(usual_tools_only)
  for script in .ci/run benches/counts.sh ci/docs.sh ci/figures.sh ci/miri.sh; do refuses env PATH="$bin" "$script"; done
  refuses env PATH="$bin" ci/sanitizers.sh address
  [ ! -e fuzz/run.sh ] || refuses env PATH="$bin" fuzz/run.sh 1
}

programs() {
  local target=${CARGO_TARGET_DIR:-target} name
  cargo build --quiet --locked --examples
  cargo build --quiet --locked -p top
  cargo build --quiet --release --locked -p compare -p counts
  for name in accept_loop heartbeats soak; do
    refuses "$target/debug/examples/$name" --no-such-option
    refuses "$target/debug/examples/$name" --seconds none
  done
  # A server by itself does not know what it should have seen.
  name=$target/debug/examples/heartbeats
  refuses "$name" --check --listen 127.0.0.1:0
  # Two runs cannot be compared by one side.
  refuses "$name" --compare --listen 127.0.0.1:0
  refuses "$name" --compare --connect 127.0.0.1:1
  refuses "$name" --check --silent 0
  refuses "$name" --check --seconds 0.3
  refuses "$name" --silent 5 --seconds 3 --idle 4s
  refuses "$name" --silent nan
  refuses "$name" --period 0s
  refuses "$name" --period 1s --idle 1s
  refuses "$name" --period 2s --seconds 1
  refuses "$name" --seconds inf
  refuses "$name" --connect 127.0.0.1:1
  name=$target/debug/top
  refuses "$name" --no-such-option
  refuses "$name" no-such-thing
  refuses "$name" --clients 0
  # More than a process may have open.
  refuses "$name" --clients 1000000
  refuses "$name" --period 0s
  refuses "$name" --seconds none
  refuses "$name" --every 1ms
  refuses "$name" --threads 0
  name=$target/debug/examples/prometheus
  refuses "$name" --no-such-option
  refuses "$name" --listen nonsense
  refuses "$name" --listen 127.0.0.1:65536
  # An address of documentation, which is nobody's.
  refuses "$name" --listen 192.0.2.1:0
  refuses "$name" --listen 127.0.0.1:0 --clients none
  name=$target/debug/examples/ttl_server
  refuses "$name" --no-such-option
  refuses "$name" no-such-thing
  refuses "$name" --port 65536
  refuses "$name" --port 0 --bind nonsense
  refuses "$name" --port 0 --maxmemory much
  refuses "$name" --port 0 --maxmemory 99999999999gb
  refuses "$name" --port 0 --maxclients 0
  refuses "$name" --port 0 --proto-max-bulk-len 2gb
  refuses "$name" --port 0 --proto-max-bulk-len 1gb --query-buffer-limit 1mb
  refuses "$name" --port 0 load 127.0.0.1:1
  refuses "$name" load
  refuses "$name" load no-such-address
  refuses "$name" load 127.0.0.1:1
  refuses "$name" load 127.0.0.1:1 --keys 0
  refuses "$name" load 127.0.0.1:1 --window 0s
  refuses "$name" table
  refuses "$target/debug/examples/connect_with_timeout" no-such-address
  refuses "$target/debug/examples/connect_with_timeout" 127.0.0.1:1 never
  refuses "$target/debug/examples/tcp_echo_with_read_timeout" no-such-address
  refuses benches/compare.sh --no-such-option
  refuses benches/compare.sh --only no-such-thing
  refuses benches/compare.sh --peers no-such-thing
  refuses benches/compare.sh --peers tokio --write-docs
  refuses benches/compare.sh --further "$scratch/no-such-file"
  refuses benches/compare.sh run no-such-thing async-wheel
  refuses benches/compare.sh run delay-queue async-io
  refuses benches/compare.sh docs "$scratch/no-such-file"
  refuses "$target/release/counts" no-such-thing
  refuses "$target/release/counts" insert 10 20
  # Cargo has lines of its own to add, so that it is only asked where the program is.
  name=$(cargo bench --locked -p benches --bench wheel --no-run 2>&1 |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
  refuses "$name" --no-such-option
  refuses "$name" no-such-thing
  if [ -e loom-tests/run.sh ]; then
    # They build, which may take longer than an answer may.
    loom-tests/run.sh --list > /dev/null
    simulation/run.sh --help > /dev/null
    unread loom-tests/run.sh --list
    unread loom-tests/run.sh --help
    unread simulation/run.sh --help
    refuses loom-tests/run.sh --no-such-option
    refuses loom-tests/run.sh no-such-thing
  fi
}

if [ "${1-}" = programs ]; then programs; else scripts; fi
echo "$checked calls with bad input, $wrong not refused as they should be"
[ $wrong -eq 0 ] && [ $checked -gt 0 ]
