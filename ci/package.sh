#!/usr/bin/env bash
# Checks the crate as it would be published: that nothing is wrong with it, that it builds, and its
# documentation too, from what is packed, and how large that is.
#
#   ci/package.sh
#
# Cargo says that it leaves out each test and example, which is meant: docs/tried.md says what it would
# take to keep it quiet. Any other warning is an error.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/package.sh
no_arguments "$@"
cd "$root"
need_nightly
make_scratch
# In KiB, compressed. Four fifths are the source, half of that its comments. What takes more should be
# worth it: raise the limit with it.
limit=256

target=$(absolute_directory "${CARGO_TARGET_DIR:-target}")
version=$(cargo metadata --no-deps --locked --format-version 1 |
  sed -nE 's/.*"name":"async-wheel","version":"([^"]+)".*/\1/p')
package=$target/package/async-wheel-$version

# What is not committed is packed, too.
cargo publish --dry-run --locked --allow-dirty 2>&1 | tee "$scratch/out"
if grep '^warning' "$scratch/out" |
  grep -vE 'ignoring (test|example) .* is not included in the published package$|aborting upload due to dry run'; then
  echo "cargo publish warns" >&2
  exit 1
fi

RUSTDOCFLAGS="-D warnings --cfg docsrs" cargo +nightly doc --no-deps --all-features --locked \
  --manifest-path "$package/Cargo.toml" --target-dir "$target/docs-rs"

# A dry run leaves it in one place or another.
cargo package --quiet --no-verify --locked --allow-dirty 2> /dev/null
size=$((($(wc -c < "$package.crate") + 1023) / 1024))
echo "packed: $size KiB, $limit at most"
[ $size -le $limit ]
