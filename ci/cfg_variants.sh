#!/usr/bin/env bash
# Runs the tests with the cfg variants, which are code paths of other systems: one shard with the
# fallback in its seat (Windows, illumos), and interest that is forgotten with each event.
#
#   ci/cfg_variants.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/cfg_variants.sh
no_arguments "$@"
cd "$root"
make_scratch

variants=$(absolute_directory "${CARGO_TARGET_DIR:-target}/cfg-variants")
# The wheel, which has no such code paths, is tried against its model elsewhere.
export PROPTEST_CASES=${PROPTEST_CASES:-16}
for variant in async_wheel_single_shard async_wheel_oneshot; do
  echo "-- $variant"
  # Sets the cfg for the packages of the workspace only, so that what they are built on need
  # not be built again. Cargo tells the wrappers, and what they build, apart by their names.
  wrapper=$variants/$variant
  # shellcheck disable=SC2016 # the wrapper expands it
  printf '#!/bin/sh\nexec "$@" --cfg %s\n' "$variant" > "$wrapper"
  # To the comparison the library is not of its workspace, and cargo does not tell these apart.
  # shellcheck disable=SC2016
  printf '#!/bin/sh\ncase " $* " in *" --crate-name async_wheel "*) set -- "$@" --cfg %s ;; esac\nexec "$@"\n' \
    "$variant" > "$wrapper-comparison"
  chmod +x "$wrapper" "$wrapper-comparison"
  comparison=(--locked --target-dir "$variants" --manifest-path compat/interface/Cargo.toml)
  RUSTC_WORKSPACE_WRAPPER=$wrapper build_tests cargo test --locked --tests
  run_tests
  cargo clean --quiet -p async-wheel "${comparison[@]}"
  # Only the library has variants.
  RUSTC_WRAPPER=$wrapper-comparison cargo test "${comparison[@]}" --test behaviour -- \
    wheel:: differences::
done
