#!/usr/bin/env bash
# Checks the names of tests: that those which docs/reliability.md, the README and tests/mutations refer
# to exist, and that no name in tests/ or compat/ is longer than eight words.
#
#   ci/names.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/names.sh
no_arguments "$@"
cd "$root"
found=0 checked=0

finding() {
  echo "$1" >&2
  found=$((found + 1))
}

# Prints the names of the tests in the given files and folders.
tests_in() {
  grep -rhA4 --include='*.rs' '#\[test\]' "$@" | grep -oE '\bfn [a-z0-9_]+' | cut -c4-
}

# Returns success if some test in the files and folders has a name that contains the first argument.
exists() {
  local name=$1
  shift
  grep -qF -- "$name" <(tests_in "$@")
}

# Prints what the last column of the tables names: `file`, `file::test`, or a unit test.
named_in_tables() {
  # shellcheck disable=SC2016 # backticks are meant
  awk -F'|' '/^\|/ { print $(NF - 1) }' docs/reliability.md README.md | grep -oE '`[a-z0-9_:]+`' |
    tr -d '`'
}

while read -r name; do
  checked=$((checked + 1))
  file=tests/${name%%::*}.rs
  case $name in
    *::*)
      if ! [ -f "$file" ] || ! grep -qx -- "${name#*::}" <(tests_in "$file"); then
        finding "the tables name $name, which is no test"
      fi
      ;;
    *)
      [ -f "$file" ] || [ -f "loom-tests/src/models/$name.rs" ] || grep -qx -- "$name" <(tests_in src) ||
        finding "the tables name $name, which is neither a file of tests nor a unit test"
      ;;
  esac
done < <(named_in_tables)

# Each word of a `tests:` line is a part of the name of a test in one of the targets.
for list in tests/mutations/*; do
  files=() is_target=""
  while read -r key words; do
    case $key in
      target:)
        files=() is_target=""
        for word in $words; do
          case $is_target$word in
            --lib) files+=(src) ;;
            --test) is_target=yes ;;
            yes*)
              is_target=""
              if [ -f "tests/$word.rs" ]; then
                files+=("tests/$word.rs")
              else
                finding "$list: there is no tests/$word.rs"
              fi
              ;;
          esac
        done
        ;;
      tests:)
        for word in $words; do
          checked=$((checked + 1))
          if [ ${#files[@]} -eq 0 ] || ! exists "$word" "${files[@]}"; then
            finding "$list: no test contains $word"
          fi
        done
        ;;
    esac
  done < "$list"
done

while read -r name; do
  finding "$name has more than eight words"
done < <(tests_in tests compat | grep -E '^[^_]+(_[^_]+){8}')

echo "$checked names, $found findings"
[ $found -eq 0 ] && [ $checked -gt 0 ]
