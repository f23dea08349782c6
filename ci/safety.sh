#!/usr/bin/env bash
# Checks that docs/safety.md lists each use of `unsafe` in src/: of each file, as many as are there.
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

# The lines of the tables, which begin with the file's name.
in_document() {
  grep -oE '^\| `src/[^`]+\.rs`' docs/safety.md | grep -oE 'src/[^`]+' | sort | uniq -c |
    awk '{ print $2, $1 }'
}

if ! diff --label docs/safety.md <(in_document) --label src <(in_source) -u; then
  echo "docs/safety.md does not list what is in src/" >&2
  exit 1
fi
in_source | awk '{ total += $2 } END { print total " uses of `unsafe` in " NR " files, all listed" }'
