#!/usr/bin/env bash
# Shows that the models bite: applies each weakening of the file `mutations` by itself to a
# copy of the sources, and requires some model to fail, and the execution that failed to fail
# again when it is replayed.
#
#   loom-tests/mutate.sh             all of them; it prints how long it took
#   loom-tests/mutate.sh parker      those whose names contain one of the words
#   loom-tests/mutate.sh --jobs 1    one at a time; by default as many as there are processors
#   loom-tests/mutate.sh --share 6   every sixth, as CI does: other ones after each commit, so
#                                    that six commits cover all
#
# MUTATIONS=file takes another list.
#
# Prints one line a mutation, with the model that caught it, and at the end how many were
# caught and how long it took. Ends with 1 if one was missed, does not apply any more, or does
# not compile, and with 2 if it cannot do what it is asked.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
here=$root/loom-tests
read_mutation_arguments "$@"
list=$(mutation_list "$here")
read_mutations "$list"
choose_mutations "$share" "$(commits)" "${words[@]}"
target="${CARGO_TARGET_DIR:-$here/target}/loom-mutations"
count=${#chosen[@]}
[[ $count -gt 0 ]] || refuse "no mutation has such a name: ${words[*]}"
[[ $jobs -le $count ]] || jobs=$count

# What a mutation does not change is not built again, whatever the environment says.
export CARGO_INCREMENTAL=1
export RUST_BACKTRACE=0 LOOM_STOP_AT_FAILURE=1 LOOM_KILL_AFTER="${LOOM_KILL_AFTER:-120}"
[[ $jobs -eq 1 ]] || export LOOM_JOBS=1

# What the first failure's report says of the execution, or what replaying it says.
execution() { sed -n '/^  again/q; /^  property/,$p' "$1"; }

# Applies the chosen mutation $2 in the directory of job $1, runs the models that it names, and
# undoes it.
try() {
    local job=$target/job$1 n=${chosen[$2]}
    local copy=$job/copy bin=models found
    if ! apply_mutation "$n" "$copy"; then
        result STALE "$n" "${files[$n]} has that text not once"
        return
    fi
    [[ "${models[$n]}" == *one_poller* ]] && bin="models-one-poller"
    if ! cargo build --quiet --locked --profile mutation --bin "$bin" --target-dir "$job" \
        --manifest-path "$copy/loom-tests/Cargo.toml" > "$job/log" 2>&1; then
        result BROKEN "$n" "does not compile: $job/log.$n"
        cp "$job/log" "$job/log.$n"
    else
        # shellcheck disable=SC2086
        "$job/mutation/$bin" --own ${models[$n]} > "$job/log" 2>&1 || true
        found=$(sed -n 's/^FAILED  *\([^ ]*\).*/\1/p' "$job/log" | head -n 1)
        if [[ -z "$found" ]]; then
            local why=by
            grep -q '^TIMEOUT' "$job/log" && why="out of time (LOOM_KILL_AFTER):"
            result MISSED "$n" "$why ${models[$n]}"
        elif "$job/mutation/$bin" --replay "$job/mutation/failures/${found/::/.}.json" \
            > "$job/again" 2>&1 || [[ $? -ne 1 ]] ||
            ! cmp -s <(execution "$job/log") <(execution "$job/again"); then
            result FICKLE "$n" "$found fails otherwise when replayed"
        else
            result caught "$n" "$found"
        fi
    fi
    undo_mutation "$n" "$copy"
}

mkdir -p "$target"
for ((job = 0; job < jobs; job++)); do
    # The dependencies are built once.
    [[ $job -eq 0 || -d "$target/job$job" ]] || cp -r "$target/job0" "$target/job$job"
    copy=$target/job$job/copy
    rm -rf "$copy"
    mkdir -p "$copy/loom-tests" "$copy/docs"
    cp -r "$root/src" "$copy/src"
    cp "$root/docs/handoff.md" "$copy/docs/"
    cp -r "$here/src" "$here/shared" "$here/Cargo.toml" "$here/Cargo.lock" "$copy/loom-tests/"
    cargo build --quiet --locked --profile mutation --target-dir "$target/job$job" \
        --manifest-path "$copy/loom-tests/Cargo.toml"
done
in_jobs "$jobs" "$count" try | tee "$target/results"
finish_mutations "$target/results"
