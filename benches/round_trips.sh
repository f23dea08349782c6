#!/usr/bin/env bash
# Counts what a round trip takes on async-wheel, async-io and tokio: system calls by their names, and
# instructions of the program. docs/performance.md has the results.
#
#   benches/round_trips.sh             all of the following; some minutes
#   benches/round_trips.sh wake        a wake passed to and fro between two threads in `block_on`
#   benches/round_trips.sh fallback    a message and its echo between two threads that never drive
#   benches/round_trips.sh round-trip  the same between two threads in `block_on`
#   benches/round_trips.sh echo        100 connections on two threads, with read timeouts: system
#                                      calls only
#
# Both sides count. What differs between a longer and a shorter run is the round trips': start and end
# are left out. strace counts the calls and callgrind the instructions, which is the same on any
# machine but for sleeps that a thread missed. Under strace a server's threads take so long for 100
# connections that the fallback thread stands in for them: there perf counts, which is left out
# without its trace points.
#
# Installs what it needs on Debian with root. Exit code 2 if the argument is wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="benches/round_trips.sh [wake | fallback | round-trip | echo]"
answer_help "$@"
case $#${1+ $1} in
  0) workloads=(wake fallback round-trip echo) ;;
  '1 wake' | '1 fallback' | '1 round-trip' | '1 echo') workloads=("$1") ;;
  *) usage_error "$*: not known" ;;
esac
cd "$root"
need_program strace
need_program valgrind
cargo build --release --locked --quiet -p compare
compare=${CARGO_TARGET_DIR:-target}/release/compare
make_scratch

# figure NAME: a figure of what `compare run` has printed.
figure() {
  sed -E "s/.*\"$1\":([0-9.e+]+).*/\1/" "$scratch/figures"
}

# counted SCALE TOOL...: runs the workload under the tool, and prints how many round trips it was. A
# tenth more comes before those that are timed.
counted() {
  local scale=$1
  shift
  "$@" "$compare" run "$workload" "$peer" --scale "$scale" >"$scratch/figures" 2>"$scratch/warnings"
  figure operations
}

# The calls of one run, as "NAME COUNT" lines.
calls_of() {
  awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF, $4 }' "$1"
}

# What a run of twice the scale has more, each round trip, if that is not next to nothing.
each_more() {
  awk -v trips="$1" '
    NR == FNR { few[$1] = $2; next }
    { more = ($2 - few[$1]) / (trips * 1.1); all += more
      if (more >= 0.02) found = found sprintf(" %s %.2f", $1, more) }
    END { printf "%.2f (%s)", all, substr(found, 2) }' "$2" "$3"
}

by_strace() {
  local few many
  few=$(counted 0.02 strace -f -c -o "$scratch/trace")
  calls_of "$scratch/trace" | sort >"$scratch/few"
  many=$(counted 0.06 strace -f -c -o "$scratch/trace")
  calls_of "$scratch/trace" | sort >"$scratch/many"
  each_more "$(awk "BEGIN { print $many - $few }")" "$scratch/few" "$scratch/many"
}

instructions() {
  local few many before
  few=$(counted 0.02 valgrind --tool=callgrind --callgrind-out-file="$scratch/out")
  before=$(awk '/^totals:/ { print $2 }' "$scratch/out")
  many=$(counted 0.06 valgrind --tool=callgrind --callgrind-out-file="$scratch/out")
  awk -v trips="$many" -v few="$few" -v before="$before" \
    '/^totals:/ { printf "%.0f", ($2 - before) / ((trips - few) * 1.1) }' "$scratch/out"
}

# A round trip has two messages. Start and end are too few to show.
by_perf() {
  local events=raw_syscalls:sys_enter name
  for name in epoll_pwait epoll_wait epoll_ctl recvfrom sendto futex read write timerfd_settime; do
    events+=,syscalls:sys_enter_$name
  done
  perf stat -x, -e "$events" -o "$scratch/perf" "$compare" run echo-100-2 "$peer" \
    >"$scratch/figures" 2>"$scratch/warnings" || { printf 'perf has no trace points here'; return; }
  awk -F, '
    sub(/.*sys_enter_?/, "", $3) { of[$3] = $1 }
    END {
      trips = of["sendto"] / 2
      for (name in of) if (name != "" && of[name] / trips >= 0.002) {
        found = found sprintf(" %s %.3f", name, of[name] / trips) }
      printf "%.2f (%s)", of[""] / trips, substr(found, 2) }' "$scratch/perf"
}

for workload in "${workloads[@]}"; do
  for peer in async-wheel async-io tokio; do
    if [ "$workload" = echo ]; then
      printf '%-10s %-11s calls %s\n' echo "$peer" "$(by_perf)"
    else
      printf '%-10s %-11s calls %s; instructions %s\n' "$workload" "$peer" "$(by_strace)" \
        "$(instructions)"
    fi
  done
done
