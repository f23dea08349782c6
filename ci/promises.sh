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
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/promises.sh all | NAME ... | share K [N]"
answer_help "$@"
cd "$root"
read_mutations tests/mutations/*

case ${1-} in
  '') usage_error "no mutations are named" ;;
  -*) usage_error "no such option: $1" ;;
  all)
    [ $# -eq 1 ] || usage_error "'all' stands alone"
    choose_mutations 1 0
    ;;
  share)
    [ $# -le 3 ] && is_number "${2-}" && is_number "${3-1}" ||
      usage_error "K and N are whole numbers above zero"
    choose_mutations "$2" $((${3-1} - 1))
    ;;
  *)
    for word; do
      choose_mutations 1 0 "$word"
      [ ${#chosen[@]} -gt 0 ] || usage_error "no mutation's name contains '$word'"
    done
    choose_mutations 1 0 "$@"
    ;;
esac

work=$(absolute_directory "${CARGO_TARGET_DIR:-target}/promises")
copy=$work/copy
rm -rf "$copy"
mkdir "$copy"
# The workspace, without what was built.
cp -r Cargo.toml Cargo.lock build.rs README.md src tests examples benches "$copy/"
export CARGO_TARGET_DIR=$work/build CARGO_INCREMENTAL=1 RUST_BACKTRACE=0
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0

# Applies mutation $1, runs the tests that it names, and undoes it.
try() {
  local target=${targets[$1]} only=${tests[$1]} code=0 start=$SECONDS
  if ! apply_mutation "$1" "$copy"; then
    result STALE "$1" "${files[$1]} has that text not once"
    return
  fi
  # shellcheck disable=SC2086 # options are words
  if ! (cd "$copy" && cargo test --quiet --locked $target --no-run) > "$work/log" 2>&1; then
    result BROKEN "$1" "does not compile: $work/log"
  else
    # shellcheck disable=SC2086
    (cd "$copy" && timeout "${limits[$1]}" cargo test --quiet --locked $target -- $only) \
      > "$work/log" 2>&1 || code=$?
    if [ $code -eq 0 ]; then
      result MISSED "$1" "by $target $only"
    else
      result caught "$1" "${only:-$target}, $((SECONDS - start)) s"
    fi
  fi
  undo_mutation "$1" "$copy"
}

for n in "${chosen[@]}"; do try "$n"; done | tee "$work/results"
finish_mutations "$work/results"
