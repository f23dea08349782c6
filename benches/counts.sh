#!/usr/bin/env bash
# Counts what operations on timers cost: instructions, references to memory, cache misses, locked
# instructions, system calls. docs/performance.md has the results.
#
#   benches/counts.sh            the counts of each operation; about two minutes
#   benches/counts.sh expire     the counts of a timer that fires; about six minutes
#   benches/counts.sh queue      the counts of each operation on a delay queue; a minute
#   benches/counts.sh clock      what the feature test-util costs where time is not paused; fails if a look
#                                at the clock takes more than two instructions more, or if anything of
#                                the feature is in a program that is built without it
#   benches/counts.sh lines      the cache lines that one operation touches
#   benches/counts.sh moves      how often the wheel moves a timer; about three minutes
#   benches/counts.sh wheels     up to 10^8 timers in virtual time; 4 GB of memory
#   benches/counts.sh calls      system calls, with strace
#   benches/counts.sh memory     bytes of a pending timer
#
# The caches that valgrind simulates are fixed, so that the counts are the same on any machine:
# 32 KiB for data with 8 ways, 32 MiB of the last level with 16, lines of 64 bytes.
#
# Installs what it needs on Debian with root. Exit code 2 if the argument is wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="benches/counts.sh [expire | queue | clock | lines | moves | wheels | calls | memory]"
answer_help "$@"
cd "$root"
case $#${1+ $1} in
  0) work=operations tools=(valgrind) ;;
  '1 expire') work=expire tools=(valgrind) ;;
  '1 queue') work=queue tools=(valgrind) ;;
  '1 clock') work=clock tools=(valgrind nm) ;;
  '1 lines') work=lines tools=(valgrind nm python3) ;;
  '1 moves') work=moves tools=(valgrind) ;;
  '1 wheels') work=wheels tools=() ;;
  '1 calls') work=calls tools=(strace) ;;
  # The program: the shell has a word of that name.
  '1 memory') work=memory tools=(time) ;;
  *) usage_error "$*: not known" ;;
esac
for tool in "${tools[@]}"; do
  need_program "$tool" "${tool/#nm/binutils}"
done
cargo build --release --locked --quiet -p counts
counts=${CARGO_TARGET_DIR:-target}/release/counts
make_scratch

# callgrind OPTIONS... -- WORK...: the totals of what `measured` did, as "EVENT COUNT" lines.
callgrind() {
  valgrind --quiet --tool=callgrind --callgrind-out-file="$scratch/out" \
    --toggle-collect='counts::measured*' "$@" >"$scratch/stdout" 2>"$scratch/warnings"
  awk '/^events:/ { for (i = 2; i <= NF; i++) name[i] = $i }
       /^totals:/ { for (i = 2; i <= NF; i++) print name[i], $i }' "$scratch/out"
}

operations() {
  count_each insert reuse cancel push create
}

queue() {
  count_each queue-insert queue-reset queue-remove queue-expire
}

# Without the feature, and with it.
clock() {
  local with=$scratch/with-test-util kind numbers n left without
  left=$(nm -C "$counts" | grep -cE 'async_wheel::.*(manual|paused|Paused)' || true)
  cp "$counts" "$scratch/without"
  cargo build --release --locked --quiet -p counts --features counts/test-util
  cp "$counts" "$with"
  printf '%-12s %15s %15s\n' 'instr each' 'without feature' 'with test-util'
  for kind in clock insert cancel push; do
    numbers=(10000 5000) n=5000
    [ $kind != clock ] || numbers=(100000) n=100000
    without=$(callgrind "$scratch/without" $kind "${numbers[@]}" | awk '$1 == "Ir" { print $2 }')
    callgrind "$with" $kind "${numbers[@]}" | awk -v kind=$kind -v without="$without" -v n=$n '
      $1 == "Ir" {
        printf "%-12s %15.1f %15.1f\n", kind, without / n, $2 / n
        if (kind == "clock" && $2 / n > without / n + 2) { print "more than two more"; exit 1 }
      }'
  done
  echo "symbols of the feature without it: $left"
  [ "$left" -eq 0 ]
}

# All of the timers fire.
expire() {
  count_each expire expire-tasks
}

# count_each KIND...: the counts of each kind of operation.
count_each() {
  printf '%-12s %9s %8s %8s %8s %8s %8s\n' each pending instr refs D1miss LLmiss locked
  for kind; do
    populations=(1000 100000 1000000)
    [ "$kind" != create ] || populations=(0 1000 100000)
    for pending in "${populations[@]}"; do
      n=$((pending > 0 && pending < 20000 ? pending / 2 : 10000)) numbers=("$pending" "$n")
      case $kind in expire*) n=$pending numbers=("$pending") ;; esac
      callgrind --cache-sim=yes --D1=32768,8,64 --I1=32768,8,64 --LL=33554432,16,64 \
        --collect-bus=yes "$counts" "$kind" "${numbers[@]}" |
        awk -v kind="$kind" -v pending="$pending" -v n="$n" '
          { of[$1] = $2 / n }
          END { printf "%-12s %9d %8.1f %8.1f %8.2f %8.2f %8.2f\n", kind, pending, of["Ir"],
                of["Dr"] + of["Dw"], of["D1mr"] + of["D1mw"], of["DLmr"] + of["DLmw"], of["Ge"] }'
    done
  done
}

# Cache lines that one operation touches, hot ones included.
lines() {
  mark=$(nm -C "$counts" | awk '/counts::MARK/ { print $1 }')
  printf '%-8s %8s %8s %8s\n' each code stack data
  for kind in insert reuse cancel push; do
    valgrind --tool=lackey --trace-mem=yes --log-file="$scratch/trace" "$counts" "$kind" 1000 1
    printf '%-8s %s\n' "$kind" "$(python3 benches/counts/lines.py "$scratch/trace" "$mark")"
  done
}

# What the calls of `link` are beyond one an insert are moves. They are counted in a build that
# leaves the function in one piece, the instructions in the usual one.
moves() {
  cargo build --release --locked --quiet -p counts --config profile.release.opt-level=1 \
    --target-dir "${CARGO_TARGET_DIR:-target}/moves"
  whole=${CARGO_TARGET_DIR:-target}/moves/release/counts
  printf '%-9s %8s %8s %10s %10s\n' timers wheels seconds instr moves
  for work in "1000 1 60" "100000 1 60" "1000000 1 60" "1000000 1 3600" "1562500 1 3600" \
    "1000000 1 36000" "1000000 64 3600"; do
    read -ra numbers <<<"$work"
    instr=$(callgrind "$counts" wheel "${numbers[@]}" | awk '$1 == "Ir" { print $2 }')
    valgrind --quiet --tool=callgrind --callgrind-out-file="$scratch/out" \
      "$whole" wheel "${numbers[@]}" >"$scratch/stdout"
    callgrind_annotate --tree=caller --threshold=100 "$scratch/out" |
      awk -v timers="${numbers[0]}" -v wheels="${numbers[1]}" -v seconds="${numbers[2]}" \
        -v instr="$instr" '
        /=> .*Levels::link \(/ && match($0, /\([0-9,]+x\)/) {
          calls = substr($0, RSTART + 1, RLENGTH - 3); gsub(/,/, "", calls); total += calls }
        END { inserted = timers - timers % wheels
          printf "%-9d %8d %8d %10.1f %10.2f\n", timers, wheels, seconds, instr / inserted,
            total / inserted - 1 }'
  done
}

wheels() {
  "$counts" wheel 10000000 1 3600
  "$counts" wheel 10000000 1 36000
  "$counts" wheel 10000000 64 3600
  "$counts" wheel 100000000 64 3600
}

# trace [-f] WORK...: the system calls of the main thread, or of all, that have to do with waiting
# and locks.
trace() {
  all=()
  if [ "$1" = -f ]; then all=(-f); shift; fi
  strace "${all[@]}" -c -o "$scratch/calls" "$counts" "$@" >"$scratch/stdout"
  awk -v work="${all[*]} $*" '
    $NF ~ /^(epoll_pwait|epoll_ctl|timerfd_settime|write|futex|sched_yield)$/ {
      found = found sprintf(" %s %d", $NF, $4) }
    END { print work ":" found }' "$scratch/calls"
}

calls() {
  trace insert 200000 1
  trace insert 200000 100000
  trace cancel 200000 1
  trace cancel 200000 100000
  trace push 200000 1
  trace push 200000 200000
  trace waits 100
  trace waits 200
  trace life 20000
  trace life 100000
  trace -f churn 2 1000000 1
  trace -f churn 2 1000000 0
}

memory() {
  printf '%-9s %12s\n' timers 'KiB at most'
  for timers in 1000000 2000000 4000000; do
    printf '%-9d %12s\n' "$timers" "$(/usr/bin/env time -f %M "$counts" push "$timers" 1 2>&1)"
  done
}

"$work"
