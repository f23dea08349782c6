#!/usr/bin/env bash
# Builds all fuzz targets and runs each for as many seconds as the argument says, two at a time,
# from the seeds that are checked in. At the end, prints how many inputs each has run and how much
# of the code they came by; of a target that found something, all that it said. Fails then.
#
#   fuzz/run.sh SECONDS
#   fuzz/run.sh --help
#
# Needs a nightly toolchain (`rustup toolchain install nightly`). Installs cargo-fuzz. Exit code 2
# if the argument is wrong.
set -euo pipefail

version=0.13.1

case ${1-} in
  -h | --help)
    sed -n '2,/^set/{/^#/{s/^# \{0,1\}//;p}}' "$0"
    exit 0
    ;;
esac
# To libFuzzer, zero is without end.
if ! [[ $# -eq 1 && $1 =~ ^[1-9][0-9]{0,6}$ ]]; then
  echo "usage: fuzz/run.sh SECONDS, a whole number above zero" >&2
  exit 2
fi
seconds=$1

if ! cargo +nightly --version > /dev/null 2>&1; then
  echo "error: there is no nightly toolchain: rustup toolchain install nightly" >&2
  exit 2
fi

cd "$(dirname "$0")"

if ! cargo fuzz --version 2> /dev/null | grep -q " $version\$"; then
  cargo install --locked cargo-fuzz --version "$version"
fi

# New inputs go to a scratch directory, so that the seeds stay what they are.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# One target, with what it says in a file: libFuzzer ends with a dictionary of hundreds of lines.
fuzz() {
  mkdir -p "$scratch/$1" "seeds/$1"
  cargo +nightly fuzz run "$1" "$scratch/$1" "seeds/$1" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=20 -print_final_stats=1 \
    > "$scratch/$1.log" 2>&1
}

# What libFuzzer says last of its coverage, and in its statistics.
figure() {
  sed -n "s/.*$2 *\([0-9]\{1,\}\).*/\1/p" "$scratch/$1.log" | tail -n 1
}

cargo +nightly fuzz build
mapfile -t targets < <(cargo +nightly fuzz list)
failed=()
for ((first = 0; first < ${#targets[@]}; first += 2)); do
  pair=("${targets[@]:first:2}")
  echo "-- ${pair[*]}: $seconds s"
  running=()
  for target in "${pair[@]}"; do
    fuzz "$target" &
    running+=($!)
  done
  for index in "${!pair[@]}"; do
    wait "${running[index]}" || failed+=("${pair[index]}")
  done
done

for target in "${failed[@]}"; do
  echo "-- $target has found something:"
  grep -v '^#[0-9]\|NEW_FUNC' "$scratch/$target.log" || true
done
for target in "${targets[@]}"; do
  result=ok
  [[ " ${failed[*]-} " != *" $target "* ]] || result=FAILED
  printf '%-12s %8s inputs run, %6s a second, %6s places and %6s features covered: %s\n' \
    "$target" "$(figure "$target" 'stat::number_of_executed_units:')" \
    "$(figure "$target" 'stat::average_exec_per_sec:')" \
    "$(figure "$target" ' cov:')" "$(figure "$target" ' ft:')" "$result"
done
[ ${#failed[@]} -eq 0 ]
