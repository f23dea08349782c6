#!/usr/bin/env bash
# Does what a newcomer does: clones the repository into an empty directory, and runs what README.md
# prints, as it is printed, in a terminal of 80 columns.
#
#   ci/newcomer.sh              all of it
#   ci/newcomer.sh snippets     its programs only
#   ci/newcomer.sh commands     its commands only
#
# Each program goes into a package of its own beside the clone, outside of its workspace, with
# exactly the dependencies that are printed above it, and is run unless it says `no_run`. A command
# must succeed, ask for nothing, and print no line that is too wide. It must leave the clone as it
# was: the lock file, too. What was not committed is not looked at.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/newcomer.sh [snippets | commands]"
answer_help "$@"
case $#${1+ $1} in
  0) parts="snippets commands" ;;
  '1 snippets' | '1 commands') parts=$1 ;;
  *) usage_error "$*: not known" ;;
esac
need_program git
need_program script bsdutils
make_scratch
# The longest that a command may take, in seconds, with what it builds.
limit=1800

# read_blocks FILE: writes each block of code into `blocks/`, numbered, with its language for an
# extension, and `no_run` before that if it says so.
read_blocks() {
  mkdir "$scratch/blocks"
  awk -v to="$scratch/blocks" '
    /^```/ && inside { inside = 0; close(file); next }
    /^```/ {
      inside = 1
      info = substr($0, 4)
      language = info
      sub(/,.*/, "", language)
      file = sprintf("%s/%02d.%s%s", to, ++count, info ~ /no_run/ ? "no_run." : "", language)
      printf "" > file
      next
    }
    inside { print > file }
  ' "$1"
}

# terminal COMMAND ...: runs it in a terminal of 80 columns, with nothing to read. Its output goes to
# `output`.
terminal() {
  local code=0 command
  command=$(printf '%q ' timeout "$limit" "$@")
  COLUMNS=80 script -qec "stty cols 80 rows 24; exec $command < /dev/null" /dev/null < /dev/null |
    sed $'s/\r$//; s/\e[[(][0-9;?]*[A-Za-z]//g' | tr '\r' '\n' > "$scratch/output" || code=$?
  [ $code -eq 0 ] || fail "exit code $code: $*"
}

# Cargo's own lines, and those of tests, have paths and names in them, and are as wide as these.
fits() {
  local wide
  wide=$(grep -vE '^ *(Blocking|Compiling|Doc-tests|Downloaded|Downloading|Finished|Locking|Running|Updating) |^test ' \
    "$scratch/output" | LC_ALL=C.UTF-8 grep -E -m 1 '.{81}' || true)
  [ -z "$wide" ] || fail "a line of more than 80 columns: $wide"
}

fail() {
  cat "$scratch/output" >&2
  echo "NOT SO  $1" >&2
  exit 1
}

# snippet NAME DEPENDENCIES SOURCE: builds the program, and runs it.
snippet() {
  local package=$scratch/$1 verb=run
  mkdir -p "$package/src"
  {
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2024"\n\n' "$1"
    cat "$2"
  } > "$package/Cargo.toml"
  cp "$3" "$package/src/main.rs"
  [[ $3 != *.no_run.rust ]] || verb=build
  cd "$package"
  terminal cargo "$verb"
  ! grep -q '^warning' "$scratch/output" || fail "warnings: $1"
  echo "$1: $verb"
}

cd "$scratch"
git clone -q "$root" async-wheel
read_blocks async-wheel/README.md
dependencies="" programs=0 commands=0
for block in "$scratch"/blocks/*; do
  start=$SECONDS
  case ${block##*.} in
    toml) dependencies=$block ;;
    rust)
      [ -n "$dependencies" ] || refuse "README.md prints no dependencies above its first program"
      programs=$((programs + 1))
      [[ $parts != *snippets* ]] || snippet "snippet-$programs" "$dependencies" "$block"
      ;;
    sh)
      commands=$((commands + 1))
      [[ $parts == *commands* ]] || continue
      cd "$scratch/async-wheel"
      terminal bash -e "$block"
      fits
      # Neither Cargo's lines, nor those of tests that pass, nor bars of progress.
      grep -vE '^ *[A-Z][a-z-]+ |^test .* ok$|^ *$|^running |% +[0-9]+s$' "$scratch/output" || true
      echo "$(cat "$block"): $((SECONDS - start)) s"
      [ -z "$(git status --porcelain)" ] || fail "the clone has changed: $(git status --porcelain)"
      ;;
    *) refuse "README.md has a block of ${block##*.}, which is neither toml, rust nor sh" ;;
  esac
done
[[ $programs -gt 0 && $commands -gt 0 ]] || refuse "README.md has no programs or no commands"
echo "$programs programs, $commands commands, in $SECONDS s"
