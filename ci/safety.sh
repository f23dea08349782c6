#!/usr/bin/env bash
# Checks that docs/safety.md lists the uses of `unsafe` in src/: each file, with as many as are there.
# That each says why it may is for clippy to check.
#
#   ci/safety.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/safety.sh
no_arguments "$@"
cd "$root"

# The code only: no comments, and not the names of lints.
in_source() {
  grep -r --include='*.rs' '' src | sed 's,//.*,,' | grep -E ':.*\bunsafe\b' | cut -d: -f1 |
    sort | uniq -c | awk '{ print $2, $1 }'
}

# The lines of the table: the file's name, and how many uses it has.
in_document() {
  sed -nE 's/^\| `(src\/[^`]+\.rs)` \| ([0-9]+) \|.*/\1 \2/p' docs/safety.md | sort
}

if ! diff --label docs/safety.md <(in_document) --label src <(in_source) -u; then
  echo "docs/safety.md does not list what is in src/" >&2
  exit 1
fi
in_source | awk '{ total += $2 } END { print total " uses of `unsafe` in " NR " files, all listed" }'
