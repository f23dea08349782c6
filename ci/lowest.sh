#!/usr/bin/env bash
# Checks that the lowest versions that Cargo.toml names will do: with exactly these, the library
# builds with all features, and passes its unit tests and those in tests/ that use it as programs do.
# Those that exhaust, starve or stress it tell nothing more of other crates, and take long.
#
#   ci/lowest.sh
#
# The crates that only examples need are left out, with the examples: what they ask for is no part of
# what the library promises.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/lowest.sh
no_arguments "$@"
cd "$root"
need_nightly
make_scratch

# used CRATE: the library or its tests name it.
used() {
  grep -rqE --include='*.rs' "\b(${1//-/_}::|use ${1//-/_};)" src tests
}

# The manifest, without what is said of examples and of the workspace.
manifest() {
  local section="" line
  while IFS= read -r line; do
    case $line in
      '['*) section=$line ;;
    esac
    case $section in
      '[workspace]' | '[[example]]') continue ;;
      *dev-dependencies]) [[ ! $line =~ ^([A-Za-z0-9_-]+)\ = ]] || used "${BASH_REMATCH[1]}" || continue ;;
    esac
    printf '%s\n' "$line"
  done < Cargo.toml
  printf '[workspace]\n'
}

cp -r build.rs docs src tests "$scratch"
manifest > "$scratch/Cargo.toml"
CARGO_TARGET_DIR=$(absolute_directory "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
cd "$scratch"
cargo +nightly update --quiet -Z direct-minimal-versions
cargo tree --all-features --depth 1 --edges normal,build --prefix none
cargo test --quiet --all-features --lib --test block_on --test delay_queue --test 'io_*' \
  --test readiness --test subscriber --test 'time_*' --test 'timer_*'
