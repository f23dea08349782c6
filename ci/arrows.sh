#!/usr/bin/env bash
# Checks that docs/architecture.md lists the arrows between the top-level modules of src/ as they
# are, and that none goes up: in the table `| module | uses | … |`, a module uses only modules of
# the rows below its own. And that each file there belongs to a module: nothing would build, or look
# at, one that none names.
#
# An arrow is any path that begins with `crate::`, outside of comments and tests. A name that
# src/lib.rs re-exports counts for the module that it comes from.
#
#   ci/arrows.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/arrows.sh
no_arguments "$@"
cd "$root"

# Prints a source file without comments and tests: without the item after each `#[cfg(test)]` or
# `#[cfg(all(test, …))]`, which ends with a `}` as far left as the attribute, or with a `;`.
code_only() {
  sed 's,//.*,,' "$1" | awk '
    !skip && /^ *#\[cfg\((all\()?test[,)]/ { match($0, /^ */); indent = RLENGTH; skip = 1; next }
    skip && /^ *#\[/ { next }
    skip {
      match($0, /^ */)
      if (RLENGTH == indent && ($0 ~ /^ *}/ || $0 ~ /[;}]$/)) skip = 0
      next
    }
    { print }'
}

# Prints the first names of the paths after each `crate::`, one a line: of `crate::{a::b, c}` both.
names() {
  tr '\n' ' ' | sed 's/pub *(in [^)]*)//g' |
    { grep -oE '\bcrate::(\{[^;]*;|[A-Za-z_]+)' || true; } | sed 's/^crate:://' | awk '
      /^[A-Za-z_]/ { print; next }
      {
        depth = 0; name = ""; taken = 0
        for (i = 1; i <= length($0); i++) {
          c = substr($0, i, 1)
          if (c == "{") { depth++; continue }
          if (c == "}") { depth--; if (depth == 0) break; continue }
          if (depth == 1 && c == ",") { if (name != "") print name; name = ""; taken = 0; continue }
          if (depth != 1 || taken) continue
          if (c ~ /[A-Za-z_]/) name = name c; else if (name != "") taken = 1
        }
        if (name != "") print name
      }'
}

# Prints `NAME MODULE` for each name that lib.rs re-exports from a module.
re_exports() {
  code_only src/lib.rs | tr '\n' ' ' | grep -oE 'pub use [a-z_]+::[^;]+;' |
    sed -E 's/^pub use ([a-z_]+)::/\1 /; s/[{},;]/ /g' |
    awk '{ for (i = 2; i <= NF; i++) print $i, $1 }'
}

# Prints `FROM TO` for each arrow in the source, sorted, and `FROM FROM` for each module.
in_source() {
  local file module
  find src -name '*.rs' ! -name lib.rs ! -name 'tests.rs' ! -name '*_tests.rs' ! -path '*/tests/*' |
    sort | while read -r file; do
    module=${file#src/} module=${module%%/*} module=${module%.rs}
    echo "$module $module"
    code_only "$file" | names | sed "s/^/$module /"
  done | awk '
    NR == FNR { from[$1] = $2; next }
    { print $1, ($2 in from ? from[$2] : $2) }' <(re_exports) - | sort -u
}

# Prints `MODULE USED USED …` for each row of the table.
rows() {
  awk -F'|' '
    $2 ~ /^ *module *$/ && $3 ~ /^ *uses *$/ { table = 1; next }
    table && !/^\|/ { exit }
    table && $2 !~ /^ *-+ *$/ { gsub(/[`,]/, " ", $2); gsub(/[`,]/, " ", $3); print $2, $3 }
  ' docs/architecture.md
}

# The same as `in_source`, of the table.
in_document() {
  rows | awk '{ print $1, $1; for (i = 2; i <= NF; i++) print $1, $i }' | sort -u
}

# Prints each file of src/ that no `mod NAME;` beside or above it names, and no `path = "…"`.
unnamed() {
  local file name parent
  find src -name '*.rs' ! -path src/lib.rs | sort | while read -r file; do
    name=${file%.rs} name=${name%/mod}
    parent=$(dirname "$name")
    name=$(basename "$name")
    { cat "$parent.rs" "$parent/mod.rs" "$parent/lib.rs" 2> /dev/null || true; } | sed 's,//.*,,' |
      grep -E "\bmod $name;|\bpath = \"([a-z_]+/)*$name\.rs\"" > /dev/null || echo "$file"
  done
}

failed=0
lost=$(unnamed)
if [ -n "$lost" ]; then
  echo "no module names ${lost//$'\n'/, }" >&2
  failed=1
fi
if ! diff --label docs/architecture.md <(in_document) --label src <(in_source) -u; then
  echo "docs/architecture.md does not list the arrows that are in src/" >&2
  failed=1
fi
if ! rows | awk '
  { for (i = 2; i <= NF; i++) if ($i in row) { print $1 " uses " $i ", which stands above it"; up = 1 }
    row[$1] = NR }
  END { exit up }' >&2; then
  failed=1
fi
[ $failed -eq 0 ] || exit 1
in_source | awk '$1 == $2 { modules++; next } { arrows++ }
  END { print arrows " arrows between " modules " modules, all listed, none up" }'
