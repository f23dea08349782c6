#!/usr/bin/env bash
# Builds the documentation of the library, and lets no warning pass.
#
#   ci/docs.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/docs.sh
no_arguments "$@"
cd "$root"

RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features --locked
# The links between private items, too.
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features --locked --document-private-items
