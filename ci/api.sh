#!/usr/bin/env bash
# Compares the public interface with that in docs/public-api.txt, so that no change of it goes
# unnoticed.
#
#   ci/api.sh                exit code 1 if they differ
#   ci/api.sh write          writes the interface of today into docs/public-api.txt
#   ci/api.sh semver REV     asks cargo-semver-checks whether the change since that revision needs a
#                            new major version (a minor one before 1.0); not part of .ci/run, since
#                            it takes minutes to compile
#
# The list is that of Linux with all features. That of other systems is in compat/interface; which
# types are `Send`, `Sync` and so on is in tests/auto_traits.rs.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage="ci/api.sh [write | semver REV]"
answer_help "$@"
case $#${1+ $1} in
  0 | '1 write' | '2 semver') ;;
  *) usage_error "$*: not known" ;;
esac
cd "$root"
list=docs/public-api.txt

if [ "${1-}" = semver ]; then
  git rev-parse --quiet --verify "$2^{commit}" > /dev/null || refuse "$2: no such revision"
  cargo_tool semver-checks 0.51.0
  exec cargo semver-checks --baseline-rev "$2" --all-features
fi

need_nightly
[ $# -eq 1 ] || [ -r $list ] || refuse "$list cannot be read"
cargo_tool public-api 0.52.0
make_scratch
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/docs-rs \
  cargo +nightly public-api --all-features -ss --color never > "$scratch/api.txt"
if [ $# -eq 1 ]; then
  cp "$scratch/api.txt" $list
elif ! diff -u $list "$scratch/api.txt"; then
  echo "the public interface is another one: if that is meant, ci/api.sh write" >&2
  exit 1
fi
echo "$(wc -l < $list) public items"
