#!/usr/bin/env bash
# Counts the system calls of a TCP connection's life: it is accepted, has one message echoed, and is
# closed. Prints for each call how many a connection takes on async-wheel, async-io and tokio.
#
#   benches/syscalls.sh          the client takes its time, so that the server waits each time
#   benches/syscalls.sh at-once  the message is there when the connection is accepted, mostly
#
# 2,000 connections, one after the other. Only the thread of the server is traced. Those that
# benches/compare.sh counts are the same, without names.
#
# Installs strace on Debian with root. Exit code 2 if the argument is wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="benches/syscalls.sh [at-once]"
answer_help "$@"
[[ $# -le 1 && ${1-at-once} == at-once ]] || usage_error "$*: not known"
workload=connection-waits
[ $# -eq 0 ] || workload=connection
cd "$root"
need_program strace
cargo build --release --locked --quiet -p compare
make_scratch

peers=(async-wheel async-io tokio)
for peer in "${peers[@]}"; do
  # Without -f: the server is in the main thread, the client in another.
  strace -c -o "$scratch/$peer" "${CARGO_TARGET_DIR:-target}/release/compare" \
    run "$workload" "$peer" > "$scratch/figures"
done
# 200 more connections come before those that are timed. Calls of the start are too few to show.
cd "$scratch"
awk '
  function line(name, of, key, peer) {
    printf "%-14s", name
    for (peer = 1; peer < ARGC; peer++) printf " %11.2f", of[key, ARGV[peer]] / 2200
    print ""
  }
  $1 ~ /^[0-9.]+$/ && $NF != "total" {
    calls[$NF, FILENAME] = $4
    if ($4 >= 110) often[$NF]
    total["all", FILENAME] += $4
  }
  END {
    printf "%-14s", "call"
    for (peer = 1; peer < ARGC; peer++) printf " %11s", ARGV[peer]
    print ""
    for (name in often) line(name, calls, name)
    line("all", total, "all")
  }' "${peers[@]}"
