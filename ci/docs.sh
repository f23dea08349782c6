#!/usr/bin/env bash
# Builds the documentation of the library, as docs.rs does and with the private items, and lets no
# warning pass. Checks that each link between Markdown files leads to a file, and each link of what
# docs.rs would show to a page and to a place on it. The guides are made of pages in docs/, whose
# links are for the repository: src/guide.rs leads them elsewhere.
#
#   ci/docs.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/docs.sh
no_arguments "$@"
cd "$root"
need_nightly

# Prints the Markdown files, each with a file that it links to or shows.
links_of_files() {
  # A template's links are right where its page goes.
  git ls-files '*.md' ':!*/page.md' | xargs grep -oE '(\]\(|^\[[^]]*\]: )[^) ]+' /dev/null |
    sed -E 's/:(\]\(|\[[^]]*\]: )/ /; s/#.*//' | grep -vE ' (https?:.*|)$' | sort -u
}

checked=0 dead=0
while read -r page file; do
  checked=$((checked + 1))
  [ -e "$(dirname "$page")/$file" ] || {
    echo "$page links to $file, which is not there" >&2
    dead=$((dead + 1))
  }
done < <(links_of_files)
echo "$checked links between files, $dead lead nowhere"
[[ $dead -eq 0 && $checked -gt 0 ]] || exit 1

target=${CARGO_TARGET_DIR:-target}/docs-rs
rm -rf "$target/doc"
RUSTDOCFLAGS="-D warnings --cfg docsrs" cargo +nightly doc --no-deps --all-features --locked \
  --target-dir "$target"
# The links between private items, too.
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features --locked --document-private-items

# Each link, unless it leads out, to the page of a source or into a script of rustdoc's. Left out is
# what `tracing` says of its traits, which all types have: its links are for its own documentation.
links() {
  grep -roE --include='*.html' '<a [^>]*href="[^"]+"' async_wheel | sed -E 's/:<a .*href="/ /; s/"$//' |
    grep -vE ' (https?:|[^#]*/src/|javascript:|#$)' |
    grep -vE ' (crate::Span|super::Span::current\(\)|super::Subscriber|dispatcher#.*)$'
}

# Reads the pages, the places on them and the links, each from a file.
cd "$target/doc"
awk '
  FILENAME == ARGV[1] { pages[$1]; next }
  FILENAME == ARGV[2] { pages[$1 "#" $2]; next }
  {
    links++
    to = $2
    if (to ~ /^#/) to = $1 to
    else { from = $1; sub(/[^\/]*$/, "", from); to = from to }
    while (sub(/[^\/.]+\/\.\.\//, "", to)) { }
    if (!(to in pages) && !(seen[to]++)) { print $1 " links to " $2 ", which leads nowhere"; dead++ }
  }
  END { print links " links, " dead + 0 " lead nowhere"; exit dead > 0 || links == 0 }
' <(find async_wheel -name '*.html') \
  <(grep -roE --include='*.html' ' id="[^"]+"' async_wheel | sed -E 's/: id="/ /; s/"$//') <(links)
