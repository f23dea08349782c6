#!/usr/bin/env bash
# Checks that the figures in README.md are those of docs/benchmarks/figures.json and of the counts in
# docs/performance.md.
#
#   ci/figures.sh          exit code 1 if they are not
#   ci/figures.sh write    writes them into README.md
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/figures.sh [write]"
answer_help "$@"
case $#${1+ $1} in
  0 | '1 write') ;;
  *) usage_error "$*: not known" ;;
esac
cd "$root"
need_program jq
make_scratch
json=docs/benchmarks/figures.json
counts=docs/performance.md
begin="<!-- Figures: ci/figures.sh write -->" end="<!-- End of the figures. -->"
[ -r $json ] || refuse "$json cannot be read"
[ -r $counts ] || refuse "$counts cannot be read"

# The instructions to postpone a timer among a thousand, and among a million.
read -r few many < <(sed -nE 's/^\| postpone \| ([0-9]+), [0-9]+, ([0-9]+) \|.*/\1 \2/p' $counts) ||
  refuse "$counts does not say how many instructions it takes to postpone a timer"

# The table and what it needs beside it.
jq -r --arg few "$few" --arg many "$many" '
  def median: map(select(. != null)) | sort |
    if length == 0 then error("a figure was not measured")
    else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
  def grouped: tostring | if length > 3 then (.[:-3] | grouped) + "," + .[-3:] else . end;
  # Three digits, and no decimals above them.
  def shown: if . >= 99.95 then round | grouped
    elif . >= 9.995 then . * 10 | round | "\(. / 10 | floor).\(. % 10)"
    else . * 100 | round | "\(. / 100 | floor).\(. % 100 / 10 | floor)\(. % 10)" end;
  # Of the path workload/figure, by runtime.
  def figure($path): . as $report | ($path / "/") as [$workload, $name] |
    (.figures[$workload][$name] // error("there is no figure \($path)"));
  def of($path; $peer): figure($path)[$peer] // error("\($peer) has no figure \($path)") | median;
  def row($work; $path; $unit):
    ["async-wheel", "async-io", "tokio"] as $peers | . as $report |
    "| \($work) | " + ([$peers[] | . as $peer | $report | of($path; $peer) | shown + " " + $unit] |
      join(" | ")) + " |";
  . as $report |
  # What a postponement takes among few and among many.
  (if .figures["by-population"] then
    ["a timer", "by-population/push_10", "by-population-1e7/push_10000000", "ten million"]
  else
    ["an entry of a delay queue", "delay-queue/reset_later_random_10",
      "delay-queue/reset_later_random_1000000", "a million"]
  end) as [$what, $least, $most, $million] |
  "**Constant work; what grows is waiting for memory.** To postpone a timer takes \($few) " +
  "instructions among a thousand timers and \($many) among a million. Measured at random, where " +
  "few are in the caches of the processor, to postpone \($what) takes " +
  "\($report | of($least; "async-wheel") | shown) ns among ten and " +
  "\($report | of($most; "async-wheel") | shown) ns among \($million) " +
  "(tokio: \($report | of($least; "tokio") | shown) and " +
  "\($report | of($most; "tokio") | shown)). " +
  "The [page with all figures](docs/benchmarks.md) says when and on which machine.",
  "",
  "| | async-wheel | async-io | tokio |",
  "|---|---:|---:|---:|",
  row("set a timer and cancel it, among 10⁶, due at random"; "create-random/ns"; "ns"),
  row("postpone a timer at random among 10⁶"; "push-random/ns"; "ns"),
  row("touch an idle timeout at random among 10⁶"; "push-idle/random_ns"; "ns"),
  row("memory of a pending timer"; "memory/bytes"; "B"),
  row("lateness of short sleeps, median"; "lateness/p50_us"; "µs"),
  row("TCP round trip, each read with a timeout"; "round-trip-timeout/us"; "µs"),
  "",
  "The table has medians of \(.circumstances.runs) runs by turns, \(.circumstances.date[:10]), " +
  "\(.circumstances.processors) × \(.circumstances.processor). Less is better in each row. " +
  "[docs/benchmarks.md](docs/benchmarks.md) has all rows, those where it is behind too, and says how " +
  "to repeat them."
' $json > "$scratch/figures" 2> "$scratch/error" ||
  refuse "$json: $(sed -E 's/^(jq: )?(parse )?error( \(at [^)]*\))?: *//; q' "$scratch/error")"

for mark in "$begin" "$end"; do
  grep -qxF -- "$mark" README.md || refuse "README.md has no line $mark"
done
awk -v begin="$begin" -v end="$end" -v figures="$scratch/figures" '
  $0 == end { inside = 0 }
  !inside { print }
  $0 == begin { inside = 1; while ((getline line < figures) > 0) print line }
' README.md > "$scratch/README.md"

if [ $# -eq 1 ]; then
  cp "$scratch/README.md" README.md
elif ! diff -u README.md "$scratch/README.md"; then
  echo "README.md does not have the figures of today: ci/figures.sh write" >&2
  exit 1
fi
