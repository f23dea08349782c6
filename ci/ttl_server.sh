#!/usr/bin/env bash
# Runs the example `ttl_server` and Debian's redis-server side by side on this machine's loopback
# addresses. First their replies are compared, to commands and to malformed requests, which must be
# equal. Then both are measured by `ttl_server load` and by redis-benchmark, by turns, and a table
# has the figures.
#
#   ci/ttl_server.sh                 100,000 keys that end within 10 seconds, once
#   ci/ttl_server.sh --full [ROUNDS] a million keys that end within a minute, and medians of 3
#                                    rounds unless another number is given
#
# Fails if a reply differs, or if a key of ours is gone before its end or there two seconds after it.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/ttl_server.sh [--full [ROUNDS]]"
answer_help "$@"
keys=100000 window=10s requests=100000 rounds=1
if [ $# -gt 0 ]; then
  [ "$1" = --full ] || usage_error "$1: no such option"
  if [ $# -gt 2 ] || ! is_number "${2-3}" 2; then
    usage_error "${*:2}: not a number of rounds from 1 to 99"
  fi
  keys=1000000 window=60s requests=1000000 rounds=${2:-3}
fi
cd "$root"
make_scratch
# Those that run, by their process.
declare -A servers=()
trap 'stop_all; rm -rf "$scratch"' EXIT

stop_all() {
  local server
  for server in "${!servers[@]}"; do kill "$server" 2> /dev/null || true; done
  wait 2> /dev/null
}

# Only the programs: the package redis-server would start a server of its own.
need_program redis-check-rdb redis-tools
need_program redis-benchmark redis-tools
need_program timeout coreutils
# It is the server, too, if it is called so.
ln -s "$(type -P redis-check-rdb)" "$scratch/redis-server"
cargo build --release --locked --example ttl_server
ttl_server=$(absolute_directory "${CARGO_TARGET_DIR:-target}")/release/examples/ttl_server

# Each of these starts a server with options, and sets `port` and `process`.
start_ours() {
  local line
  : > "$scratch/ours"
  "$ttl_server" --port 0 "$@" > "$scratch/ours" &
  process=$!
  servers[$process]=yes
  for _ in {1..100}; do
    line=$(cat "$scratch/ours")
    port=${line##*:}
    [ -z "$line" ] || return 0
    sleep 0.1
  done
  echo "ttl_server did not start" >&2
  return 1
}

start_redis() {
  local try
  for try in {1..20}; do
    # Below the ports that the system gives out.
    port=$((10000 + (RANDOM + try) % 20000))
    : > "$scratch/redis"
    "$scratch/redis-server" --port "$port" --bind 127.0.0.1 --save "" --appendonly no \
      --databases 1 --dir "$scratch" "$@" > "$scratch/redis" &
    process=$!
    servers[$process]=yes
    for _ in {1..100}; do
      ! grep -q "Ready to accept connections" "$scratch/redis" || return 0
      kill -0 "$process" 2> /dev/null || break
      sleep 0.1
    done
    # The port was not free.
    stop "$process" 2> /dev/null || true
  done
  echo "redis-server did not start: $(tail -n 1 "$scratch/redis")" >&2
  return 1
}

# stop PROCESS: ends a server, which has to end well.
stop() {
  local code=0
  kill "$1" || true
  wait "$1" || code=$?
  unset "servers[$1]"
  [ $code -eq 0 ] || echo "a server ended with $code" >&2
  return $code
}

# ask PORT: the replies to the commands, each after the number of its line.
ask() {
  awk '{ print "ECHO \"line " NR "\""; print }' ci/ttl_server.commands |
    redis-cli -p "$1" --no-raw
}

# send PORT TEXT: what a connection gets until the server closes it.
send() {
  local connection
  printf '%b' "$2" > "$scratch/request"
  exec {connection}<> "/dev/tcp/127.0.0.1/$1"
  # All at once: a server that closes resets the connection if there is more to read.
  cat "$scratch/request" >&"$connection"
  timeout 10 cat <&"$connection" || echo "not closed"
  exec {connection}>&-
}

# send_all PORT: the same of each line of requests, with the number of the line, and of lines that
# are too long.
send_all() {
  local line number=0 long
  while IFS= read -r line; do
    number=$((number + 1))
    echo "line $number"
    send "$1" "$line"
  done < ci/ttl_server.requests
  long=$(printf '%065537d' 0)
  echo "long lines"
  for line in "$long" "*${long:1}" "*1\r\n\$${long:1}"; do send "$1" "$line"; done
}

# fill PORT: sets keys until there is no memory for more, then does what is possible all the same.
fill() {
  local value number
  value=$(printf '%0100000d' 0)
  for number in {1..60}; do echo "SET key$number $value"; done |
    redis-cli -p "$1" --no-raw | sort | uniq -c | sed 's/^ *[0-9]* //'
  printf '%s\n' "EXPIRE key1 100" "PING" "SET key1" "DEL key1 key2" \
    "EXISTS key1 key2 key3" "SET key1 1" "GET key1" | redis-cli -p "$1" --no-raw
}

# compare WHAT OURS REDIS: the same function for both ports, with the same output.
compare() {
  "$1" "$2" > "$scratch/$1.ours"
  "$1" "$3" > "$scratch/$1.redis"
  if ! diff -a -U 3 --label redis-server --label ttl_server "$scratch/$1.redis" "$scratch/$1.ours"; then
    echo "the replies differ" >&2
    return 1
  fi
}

compare_replies() {
  local ours redis our_port
  start_ours
  ours=$process our_port=$port
  start_redis
  redis=$process
  compare ask "$our_port" "$port"
  compare send_all "$our_port" "$port"
  stop "$ours"
  stop "$redis"
  start_ours --maxmemory 4mb
  ours=$process our_port=$port
  start_redis --maxmemory 4mb
  redis=$process
  compare fill "$our_port" "$port"
  stop "$ours"
  stop "$redis"
  echo "$(wc -l < ci/ttl_server.commands) commands and" \
    "$(wc -l < ci/ttl_server.requests) requests of bytes have the replies of" \
    "$("$scratch/redis-server" --version | cut -d ' ' -f 1-3)"
}

# benchmark NAME PORT: redis-benchmark's figures, as one JSON object in a line.
benchmark() {
  local pipeline
  for pipeline in 1 16; do
    redis-benchmark -p "$2" -t ping_mbulk,set,get -n "$requests" -r "$keys" -d 32 -P "$pipeline" --csv |
      awk -F '"' -v pipeline="$pipeline" '
        $2 ~ /^(PING_MBULK|SET|GET)$/ { printf "\"%s %s\":%s,", $2, pipeline, $4 }'
  done | sed "s/^/{\"name\":\"$1\",\"benchmark\":{/; s/,\$/}}\n/"
}

# measure NAME START OPTION ...: one round of one server.
measure() {
  local name=$1
  "$2"
  "$ttl_server" load "127.0.0.1:$port" --name "$name" --keys "$keys" --window "$window" --json \
    "${@:3}" >> "$scratch/figures"
  benchmark "$name" "$port" >> "$scratch/figures"
  stop "$process"
}

compare_replies
for ((round = 0; round < rounds; round++)); do
  # By turns, so that neither is always the first.
  if ((round % 2 == 0)); then
    measure ttl_server start_ours --latest 2s
    measure redis-server start_redis
  else
    measure redis-server start_redis
    measure ttl_server start_ours --latest 2s
  fi
done
echo "$keys keys that end within $window, rounds: $rounds"
"$ttl_server" table < "$scratch/figures"
