#!/usr/bin/env bash
# Shows that the promises of docs/reliability.md are tested: applies each mutation of the files in
# tests/mutations by itself to a copy of the sources, and requires the tests that it names, which
# are those of its row, to fail.
#
# Each mutation has a name, the file, the test target and the tests in it that must fail (all if none
# are named), the text to be replaced, which occurs once, and what replaces it. Not part of .ci/run.
#
#   ci/promises.sh all           all of them: about 15 minutes
#   ci/promises.sh NAME ...      those whose names contain one of the words
#   ci/promises.sh share K [N]   each K-th, from the N-th on; N is 1 unless given
#
# Prints one line a mutation. Tests that run for longer than the mutation's `limit`, by default 120
# seconds, have failed. Ends with 1 if a mutation was missed, does not apply any more, or does not
# compile; with 2 if the arguments are wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
lists=(tests/mutations/*)

wrong() {
  echo "error: $1; usage: ci/promises.sh all | NAME ... | share K [N]" >&2
  exit 2
}

words=() each=1 from=1
case ${1-} in
  '') wrong "no mutations are named" ;;
  -*) wrong "no such option: $1" ;;
  all) [ $# -eq 1 ] || wrong "'all' stands alone" ;;
  share)
    each=${2-} from=${3-1}
    [[ $# -le 3 && $each =~ ^[1-9][0-9]{0,3}$ && $from =~ ^[1-9][0-9]{0,3}$ ]] ||
      wrong "K and N are whole numbers above zero"
    ;;
  *)
    words=("$@")
    for word; do
      grep -qF -- "$word" <(grep -h "^name: " "${lists[@]}") || wrong "no mutation's name contains '$word'"
    done
    ;;
esac

root=$PWD
work=${CARGO_TARGET_DIR:-$root/target}/promises
mkdir -p "$work"
work=$(cd "$work" && pwd)
copy=$work/copy
rm -rf "$copy"
mkdir "$copy"
# The workspace, without what was built.
cp -r Cargo.toml Cargo.lock build.rs README.md src tests examples benches "$copy/"
export CARGO_TARGET_DIR=$work/build CARGO_INCREMENTAL=1 RUST_BACKTRACE=0
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0

missed=0 count=0 number=0

chosen() {
  local word
  number=$((number + 1))
  if [ ${#words[@]} -eq 0 ]; then
    [ $((number % each)) -eq $((from % each)) ]
    return
  fi
  for word in "${words[@]}"; do [[ $name != *"$word"* ]] || return 0; done
  return 1
}

fail() {
  printf '%-7s %-52s %s\n' "$1" "$name" "$2"
  missed=$((missed + 1))
}

# Applies one mutation, runs the tests that it names, and undoes it.
try() {
  chosen || return 0
  count=$((count + 1))
  local text rest code=0 start=$SECONDS
  text=$(cat "$root/$file")
  rest=${text#*"$old"}
  if [[ $rest == "$text" || $rest == *"$old"* ]]; then
    fail STALE "$file has that text not once"
    return 0
  fi
  printf '%s\n' "${text%%"$old"*}$new$rest" > "$copy/$file"
  # shellcheck disable=SC2086 # options are words
  if ! (cd "$copy" && cargo test --quiet --locked $target --no-run) > "$work/log" 2>&1; then
    fail BROKEN "does not compile: $work/log"
  else
    # shellcheck disable=SC2086
    (cd "$copy" && timeout "$limit" cargo test --quiet --locked $target -- $tests) > "$work/log" 2>&1 ||
      code=$?
    if [ $code -eq 0 ]; then
      fail MISSED "by $target $tests"
    else
      printf 'caught  %-52s %s, %d s\n' "$name" "${tests:-$target}" $((SECONDS - start))
    fi
  fi
  cp "$root/$file" "$copy/$file"
}

name="" file="" target="" tests="" limit="" old="" new=""
while IFS= read -r line || [[ -n $line ]]; do
  case $line in
    '#'*) ;;
    'name: '*) name=${line#name: } old="" new="" tests="" limit=120 ;;
    'file: '*) file=${line#file: } ;;
    'target: '*) target=${line#target: } ;;
    'tests: '*) tests=${line#tests: } ;;
    'limit: '*) limit=${line#limit: } ;;
    '- '*) old+="${old:+$'\n'}${line#- }" ;;
    '+ '*) new+="${new:+$'\n'}${line#+ }" ;;
    '') [ -z "$old" ] || try; old="" ;;
  esac
done < <(for list in "${lists[@]}"; do cat "$list"; echo; done)

echo "$count mutations, $missed not caught"
[ $missed -eq 0 ] && [ $count -gt 0 ]
