#!/usr/bin/env bash
# Runs the tests in the ways that the library has on other systems: one shard with the fallback
# in its seat (Windows, illumos), and interest that is forgotten with each event.
set -euo pipefail
cd "$(dirname "$0")/.."
for way in async_wheel_single_shard async_wheel_oneshot; do
    echo "-- $way"
    RUSTFLAGS="--cfg $way" cargo test --locked --target-dir target/ways --tests
    RUSTFLAGS="--cfg $way" cargo test --locked --target-dir target/ways --test behaviour \
        --manifest-path compat/interface/Cargo.toml
done
