#!/usr/bin/env bash
# Runs the example `heartbeats`, and checks its figures and how it runs: that its output fits the
# terminal, that signals and the time that was asked for end it, that it compares itself with async-io,
# and that it goes on when nobody reads what it writes. 15 seconds.
#
#   ci/heartbeats.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/heartbeats.sh
no_arguments "$@"
cd "$root"
make_scratch
need_program script bsdutils
need_program timeout coreutils
failures=0

cargo build --release --locked --example heartbeats
heartbeats=$(absolute_directory "${CARGO_TARGET_DIR:-target}")/release/examples/heartbeats

# ends CODE LIMIT COMMAND ...: it must end with this code, in so many seconds. Its output goes to
# `out`, and to `err`.
ends() {
  local code=0
  timeout -k 1 "$2" "${@:3}" > "$scratch/out" 2> "$scratch/err" || code=$?
  [ "$code" -eq "$1" ] || fail "exit code $code, not $1: ${*:3}"
}

# has TEXT ...: the output has each of these.
has() {
  local text
  for text; do grep -qF -- "$text" "$scratch/out" || fail "no '$text' in the output"; done
}

fail() {
  failures=$((failures + 1))
  echo "NOT SO  $1" >&2
  cat "$scratch/out" "$scratch/err" >&2 2> /dev/null || true
}

# fits COLUMNS: no line of the output is longer. The last one, of JSON, may be.
fits() {
  local widest
  widest=$(sed '/^{/d' "$scratch/out" | LC_ALL=C.UTF-8 wc -L)
  [ "$widest" -le "$1" ] || fail "a line of $widest columns"
}

# A full run, with its bounds. Connections may be silent for as long as a busy machine may let threads
# wait.
ends 0 20 "$heartbeats" --seconds 3 --idle 1s --json --check
cat "$scratch/out"
fits 80
has '"verdict":{"grade":' "limited by "

# The time that was asked for is the bound, however many beats it is too short for.
ends 0 20 "$heartbeats" --seconds 1 --period 1us --idle 10s --connections 200
has "beats not sent"
fits 80

# Both runtimes, one after the other.
ends 0 20 "$heartbeats" --seconds 1.5 --idle 1s --compare --json
has "ratio" '"async_io":{"runtime":"async-io"'
fits 80

# A signal ends it, with what was measured so far.
for arguments in "--json" "--compare" "--listen 127.0.0.1:0"; do
  # `timeout` would say that it was the signal.
  # shellcheck disable=SC2086 # options
  "$heartbeats" --seconds 60 --idle 10s $arguments > "$scratch/out" 2> "$scratch/err" &
  process=$!
  sleep 1
  code=0 started=$SECONDS
  kill -INT "$process"
  wait "$process" || code=$?
  [[ $code == 0 && $((SECONDS - started)) -lt 20 ]] || fail "exit code $code after a signal: $arguments"
  has "interrupted" "processor time"
done

# Nobody reads: neither the figures nor what is wrong.
rm "$scratch/out" "$scratch/err"
for arguments in "--seconds 0.6 --idle 10s" "--no-such-option"; do
  # shellcheck disable=SC2086 # options
  {
    sleep 0.1
    code=0
    "$heartbeats" $arguments || code=$?
    echo $code > "$scratch/code"
  } 2>&1 | true
  code=$(cat "$scratch/code")
  [[ $code == 0 || $code == 2 ]] || fail "exit code $code with a closed pipe: $arguments"
done

# The help fits, too, and so does a terminal that is narrow.
ends 0 20 "$heartbeats" --help
fits 80
ends 0 20 script -qec "stty cols 20 rows 5; exec '$heartbeats' --seconds 0.6 --idle 10s" /dev/null

[ $failures -eq 0 ]
