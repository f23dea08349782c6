#!/usr/bin/env bash
# Looks at the metrics from outside: runs the example `top` in terminals of tmux and into pipes, and
# the example `prometheus`, whose answers Debian's promtool checks.
#
#   ci/metrics.sh                    half a minute once they are built
#   ci/metrics.sh screenshot FILE    draws `top` as an SVG file, with Debian's package python3-rich
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/metrics.sh [screenshot FILE]"
answer_help "$@"
if [ $# -gt 0 ]; then
  [ "$1" = screenshot ] || usage_error "$1: not known"
  [ $# -eq 2 ] || usage_error "a screenshot goes to one file"
  [[ -d $(dirname "$2") && ! -d $2 ]] || refuse "$2: no such directory"
fi
make_scratch
started=()
trap 'finish; rm -rf "$scratch"' EXIT

finish() {
  local process
  screen kill-server 2> /dev/null || true
  for process in "${started[@]}"; do kill "$process" 2> /dev/null || true; done
  wait 2> /dev/null
}

# fails MESSAGE [FILE]: ends the script; the file shows what was seen.
fails() {
  echo "failed: $1" >&2
  [ -z "${2-}" ] || cat "$2" >&2
  exit 1
}

# eventually SECONDS COMMAND ...: tries the command until it succeeds, ten times a second.
eventually() {
  local tries=$(($1 * 10))
  shift
  for ((; tries > 0; tries--)); do
    ! "$@" || return 0
    sleep 0.1
  done
  return 1
}

# --- A terminal ---

# tmux with a server of our own.
screen() { tmux -S "$scratch/tmux" -f /dev/null "$@"; }

# open_terminal WIDTH HEIGHT: one that runs a shell.
open_terminal() {
  screen new-session -d -x "$1" -y "$2" "env PS1='$ ' bash --norc --noprofile"
  screen set-option -g remain-on-exit off > /dev/null
}

# types TEXT: and the return key.
types() { screen send-keys -l "$1" && screen send-keys Enter; }

shown() { screen capture-pane -p > "$scratch/shown"; }

shows() { shown && grep -qE -- "$1" "$scratch/shown"; }

# expect PATTERN: the terminal shows it soon.
expect() {
  eventually 15 shows "$1" || fails "the terminal does not show $1, but:" "$scratch/shown"
}

# modes: `1 0` on the alternate screen with a hidden cursor, `0 1` on the usual one.
modes() { screen display-message -p '#{alternate_on} #{cursor_flag}'; }

# run_top OPTION ...: in the terminal, with its process in `top.pid`, and how it ended in `top.code`.
run_top() {
  rm -f "$scratch"/top.*
  types "clear; stty -g > $scratch/top.before; bash -c 'echo \$\$ > $scratch/top.pid; exec $top $*' 2> $scratch/top.err; echo \$? > $scratch/top.code"
  expect 'q quits'
  [ "$(modes)" = "1 0" ] || fails "top is not on the alternate screen without a cursor: $(modes)"
}

# ended HOW: top has ended, and the terminal is as it was. It has said nothing, unless it should.
expected_code=0 expected_error=
ended() {
  eventually 5 test -s "$scratch/top.code" || fails "top does not end by $1"
  [ "$(cat "$scratch/top.code")" = $expected_code ] ||
    fails "top ended by $1 with:" "$scratch/top.code"
  if [ -z "$expected_error" ]; then
    [ ! -s "$scratch/top.err" ] || fails "top said, ended by $1:" "$scratch/top.err"
  else
    grep -q "$expected_error" "$scratch/top.err" ||
      fails "top did not say, ended by $1: $expected_error, but:" "$scratch/top.err"
  fi
  rm -f "$scratch/top.after"
  types "stty -g > $scratch/top.after"
  eventually 5 test -s "$scratch/top.after" || fails "no shell after $1"
  cmp "$scratch/top.before" "$scratch/top.after" || fails "stty is not as it was after $1"
  [ "$(modes)" = "0 1" ] || fails "the terminal is not as it was after $1: $(modes)"
}

top_in_terminals() {
  local way process
  open_terminal 80 24
  run_top --clients 100 --every 250ms
  for way in 'timers fired +[1-9]' 'shard 0' 'timers pending now +[1-9]' 'fallback sleeps' \
    'deadline .*█' 'late: p50 <' '<.*█'; do
    expect "$way"
  done
  # As small as it gets, and back.
  screen resize-window -x 20 -y 5
  expect '^p99 late +<'
  [ "$(wc -l < "$scratch/shown")" -eq 5 ] || fails "not five lines:" "$scratch/shown"
  screen resize-window -x 2 -y 2
  sleep 0.5
  screen resize-window -x 120 -y 40
  expect 'fallback sleeps'
  screen resize-window -x 80 -y 24
  screen send-keys x
  screen send-keys q
  ended q
  run_top --clients 10
  screen send-keys C-c
  ended Ctrl-C
  for way in INT TERM; do
    run_top --clients 10
    kill -"$way" "$(cat "$scratch/top.pid")"
    ended "SIG$way"
  done
  run_top --clients 10 --seconds 1
  ended --seconds
  for way in task main; do
    run_top --clients 10 --panic "$way"
    expected_code=101 expected_error='^as it was asked to'
    [ $way = main ] || expected_code=2
    ended "a panic ($way)"
    expected_code=0 expected_error=
  done
  # Terminals that are tiny from the start.
  screen resize-window -x 20 -y 5
  rm -f "$scratch/top.code"
  run_top --clients 10
  screen send-keys q
  ended "q in 20 columns"
  # The terminal goes away.
  run_top --clients 10
  process=$(cat "$scratch/top.pid")
  screen kill-server
  eventually 5 gone "$process" || fails "top goes on without its terminal"
  echo "top: drawn from 2x2 to 120x40, and the terminal is as it was after q, Ctrl-C, signals and panics"
}

gone() { ! kill -0 "$1" 2> /dev/null; }

top_in_pipes() {
  local code=0 codes
  timeout 20 "$top" --clients 10 --every 250ms --seconds 1 > "$scratch/table" 2> "$scratch/err" ||
    fails "top into a file ended with $?:" "$scratch/err"
  grep -qE '^timers fired +[1-9]' "$scratch/table" || fails "no table, but:" "$scratch/table"
  # The reader ends first.
  set +e
  timeout 20 "$top" --clients 10 --every 250ms 2> "$scratch/err" | head -n 3 > "$scratch/table"
  codes=("${PIPESTATUS[@]}")
  set -e
  [[ ${codes[0]} -eq 0 && ! -s $scratch/err ]] ||
    fails "top into a pipe that closes ended with ${codes[0]}:" "$scratch/err"
  # The disk is full.
  timeout 20 "$top" --clients 10 --every 250ms > /dev/full 2> "$scratch/err" || code=$?
  [[ $code -eq 2 && $(wc -l < "$scratch/err") -eq 1 ]] ||
    fails "top onto a full disk ended with $code:" "$scratch/err"
  # A terminal to write to, but none to read from.
  code=0
  setsid -w script -qec "setsid -w timeout 5 $top --clients 10 --seconds 1 < /dev/null" /dev/null \
    < /dev/null > "$scratch/shown" 2>&1 || code=$?
  [[ $code -eq 2 && $(grep -c '^error: ' "$scratch/shown") -eq 1 ]] ||
    fails "top without a terminal of its own ended with $code:" "$scratch/shown"
  echo "top: a table into files and pipes, and one line where it cannot go on"
}

# --- The metrics over HTTP ---

# start_prometheus: sets `process` and `url`.
start_prometheus() {
  : > "$scratch/out"
  "$prometheus" --listen 127.0.0.1:0 --clients 50 > "$scratch/out" 2> "$scratch/err" &
  process=$!
  started+=("$process")
  eventually 10 test -s "$scratch/out" || fails "prometheus did not start:" "$scratch/err"
  url=$(sed 's/^serving //' "$scratch/out")
}

# sum FILE NAME: of all shards.
sum() { awk -v name="$2{" 'index($1, name) == 1 { sum += $2 } END { print sum + 0 }' "$1"; }

check_scrape() {
  local file=$scratch/scrape kind
  sleep 1
  kind=$(curl -sS -o "$file.1" -w '%{http_code} %{content_type}' "$url")
  [ "$kind" = "200 text/plain; version=0.0.4; charset=utf-8" ] || fails "the answer is $kind"
  sleep 0.5
  curl -sS -o "$file.2" "$url"
  # It complains about types, names, units and buckets, too.
  promtool check metrics < "$file.2" > "$scratch/lint" 2>&1 || fails "promtool says:" "$scratch/lint"
  [ ! -s "$scratch/lint" ] || fails "promtool says:" "$scratch/lint"
  for name in timers_armed_total timers_fired_total rounds_total timer_lateness_seconds_count; do
    awk -v a="$(sum "$file.1" "async_wheel_$name")" -v b="$(sum "$file.2" "async_wheel_$name")" \
      'BEGIN { exit !(a > 0 && b > a) }' || fails "$name does not grow"
  done
  [ "$(sum "$file.2" async_wheel_timers_pending)" -ge 50 ] || fails "too few timers wait"
  [ "$(curl -s -o /dev/null -w '%{http_code}' "${url%metrics}")" = 404 ] || fails "no 404"
  [ "$(curl -s -o /dev/null -w '%{http_code}' -d x "$url")" = 405 ] || fails "no 405"
  echo "prometheus: $(grep -vc '^#' "$file.2") samples of" \
    "$(grep -c '^# TYPE' "$file.2") metrics pass promtool check metrics"
}

# scrape N: until the server has gone. Writes how the last try ended.
scrape() {
  local code=0 scrapes=0
  while curl -sS --max-time 10 -o /dev/null "$url" 2> /dev/null; do
    scrapes=$((scrapes + 1))
  done || code=$?
  curl -sS --max-time 10 -o /dev/null "$url" 2> /dev/null || code=$?
  echo "$scrapes $code" > "$scratch/scraper.$1"
}

check_shutdown() {
  local address=${url#http://} n scrapers=() code=0 idle begun start
  address=${address%/metrics}
  # One that says nothing, and one that stops within its request.
  exec {idle}<> "/dev/tcp/${address%:*}/${address##*:}"
  exec {begun}<> "/dev/tcp/${address%:*}/${address##*:}"
  printf 'GET /metrics HTTP/1.1\r\nHost:' >&"$begun"
  for n in 1 2 3 4; do
    scrape "$n" &
    scrapers+=($!)
  done
  sleep 1
  start=$SECONDS
  kill -TERM "$process"
  wait "$process" || code=$?
  [ $code -eq 0 ] || fails "prometheus ended with $code:" "$scratch/err"
  [ $((SECONDS - start)) -le 5 ] || fails "prometheus took $((SECONDS - start)) s to end"
  [ ! -s "$scratch/err" ] || fails "prometheus said:" "$scratch/err"
  wait "${scrapers[@]}"
  exec {idle}>&- {begun}>&-
  # Refused is what remains; no scrape was cut short.
  awk '$1 < 1 || $2 != 7 { exit 1 }' "$scratch"/scraper.* || fails "scrapes ended so:" <(cat "$scratch"/scraper.*)
  echo "prometheus: ended by SIGTERM after $(awk '{ sum += $1 } END { print sum }' "$scratch"/scraper.*) scrapes by four clients at once"
}

check_port_in_use() {
  local code=0 address=${url#http://}
  timeout 20 "$prometheus" --listen "${address%/metrics}" --clients 10 > /dev/null 2> "$scratch/err2" || code=$?
  [[ $code -eq 2 && $(wc -l < "$scratch/err2") -eq 1 ]] ||
    fails "with a port in use, prometheus ended with $code:" "$scratch/err2"
}

# need_promtool: only the program: the package prometheus would start a server of its own.
need_promtool() {
  local tools
  tools=$(absolute_directory "${CARGO_TARGET_DIR:-$root/target}")/tools
  export PATH=$PATH:$tools
  ! type -P promtool > /dev/null || return 0
  can_install_packages || refuse "promtool is needed: install the package prometheus"
  mkdir -p "$tools"
  (
    cd "$scratch"
    apt-get -q update
    apt-get -q download prometheus
    dpkg -x prometheus_*.deb prometheus
    mv prometheus/usr/bin/promtool "$tools"
  ) > /dev/null
}

# screenshot FILE: the terminal as it is, with its colours.
screenshot() {
  open_terminal 80 24
  run_top --clients 1000
  expect 'timers cascaded +[1-9]'
  # Past the first second, which connects.
  sleep 5
  screen capture-pane -e -p > "$scratch/shown"
  screen send-keys q
  ci/screenshot.py "cargo run --release -p top" < "$scratch/shown" > "$scratch/svg"
  mv "$scratch/svg" "$1"
}

need_program tmux
if [ $# -gt 0 ]; then
  # Where the caller is.
  file=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
  /usr/bin/python3 -c "import rich" 2> /dev/null || install_packages python3-rich > /dev/null
fi
cd "$root"
cargo build --release --locked -p top
target=$(absolute_directory "${CARGO_TARGET_DIR:-target}")/release
top=$target/top prometheus=$target/examples/prometheus
if [ $# -gt 0 ]; then
  screenshot "$file"
  exit
fi
need_program curl
need_program script bsdutils
need_promtool
cargo build --release --locked --example prometheus
cargo test --release --locked --quiet -p top

top_in_terminals
top_in_pipes
start_prometheus
check_scrape
check_port_in_use
check_shutdown
