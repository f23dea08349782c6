#!/usr/bin/env bash
# Runs the examples as examples/README.md has them, and compares what they print with what stands
# there.
#
#   ci/examples.sh
#
# A block of `console` is a command, after `$`, and what it prints, to the letter. In one of
# `console varies` each number stands for any other: times and ports. In one of `console unordered` the
# lines may come in any order. One of `text` is of a program that another script runs. Each example has
# to be in the index and in a block, and ends within 30 seconds.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/examples.sh
no_arguments "$@"
cd "$root"
make_scratch
index=examples/README.md
# Only what the example prints goes to standard error.
export CARGO_TERM_QUIET=true

failed=0 count=0
fails() {
  echo "FAILED  $*"
  failed=$((failed + 1))
}

# Those that there are: a file, or a directory with a `main.rs`.
for example in examples/*.rs examples/*/main.rs examples/*/src/main.rs; do
  name=${example#examples/}
  name=${name%%/*}
  name=${name%.rs}
  grep -q "^| \[\`$name\`\](#" "$index" || fails "$name is not in the table of $index"
  grep -qE "^\\$ .*(--example|-p) $name( |\$)" "$index" || fails "$name has no output in $index"
done

# Splits the blocks into files: block N has its kind in N.kind, its command and its output.
awk -v dir="$scratch" '
  /^```(console|text)/ && !inside { inside = 1; n++; sub(/^```/, ""); print > (dir "/" n ".kind"); next }
  /^```$/ && inside { inside = 0; next }
  inside && /^\$ / { sub(/^\$ /, ""); print > (dir "/" n ".command"); next }
  inside { print > (dir "/" n ".output") }
' "$index"

# numbers: each number becomes N, and each unit of time U, since a span of time may have either. Columns
# are as wide as their numbers.
numbers() {
  sed -E 's/[0-9]+([.:][0-9]+)*/N/g; s/\bN(ns|µs|ms|s)\b/NU/g; s/ +/ /g; s/ $//' "$1"
}

cargo build --locked --examples
for kind in "$scratch"/*.kind; do
  block=${kind%.kind} code=0
  [ "$(cat "$kind")" != text ] || continue
  command=$(cat "$block.command")
  count=$((count + 1))
  touch "$block.output"
  timeout 30 bash -c "$command" > "$block.seen" 2> "$block.err" < /dev/null || code=$?
  case $(cat "$kind") in
    console) as="cat" ;;
    "console varies") as=numbers ;;
    "console unordered") as="sort" ;;
    *) refuse "$index: a block is neither text nor console, varies or unordered" ;;
  esac
  $as "$block.output" > "$block.expected"
  $as "$block.seen" > "$block.compared"
  if [ $code -ne 0 ] || [ -s "$block.err" ] ||
    ! diff -u --label "$index" --label printed "$block.expected" "$block.compared"; then
    fails "$command: exit code $code (124: not within 30 s)"
    cat "$block.err"
  fi
done
echo "$count examples run as in $index, $failed failures"
[ $failed -eq 0 ] && [ $count -gt 0 ]
