#!/usr/bin/env bash
# Shows that the simulation bites: applies each weakening of the file `mutations` by itself to a
# copy of the sources, and requires a run of the simulation to fail, to fail in the same way when
# the schedule that it names is run again, and not to fail there without the weakening.
#
#   simulation/mutate.sh                 all of them
#   simulation/mutate.sh parker          those whose names contain one of the words
#   simulation/mutate.sh --jobs N        N at a time; by default one a processor
#   simulation/mutate.sh --share 6       every sixth, as CI does: other ones after each commit, so
#                                        that six commits cover all
#
# MUTATIONS=file takes another list.
#
# Prints one line a mutation, with the property that failed and where. Ends with 1 if one was
# missed, is fickle, does not apply any more, or does not compile; with 2 if the arguments are wrong.
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
here=$root/simulation
read_mutation_arguments "$@"
list=$(mutation_list "$here")
read_mutations "$list"
choose_mutations "$share" "$(commits)" "${words[@]}"
[[ ${#chosen[@]} -gt 0 ]] || refuse "no mutation has such a name: ${words[*]}"
cd "$here"
work="${CARGO_TARGET_DIR:-$here/target}/simulation-mutations"
# What a mutation does not change is not built again, whatever the environment says.
export CARGO_INCREMENTAL=1 RUST_BACKTRACE=0
# The same schedules each time. They end at the first that fails, and most mutations need a few: the
# number matters to those that one schedule in a thousand finds, which must not be missed by chance.
schedules=${SIMULATION_SCHEDULES:-20000}

# Each job builds in a copy and a target directory of its own. The dependencies are built once.
prepare() {
    local copy=$1
    rm -rf "$copy"
    mkdir -p "$copy/simulation" "$copy/loom-tests"
    cp -r "$root/src" "$copy/src"
    cp -r "$root/loom-tests/shared" "$copy/loom-tests/shared"
    cp -r src Cargo.toml Cargo.lock "$copy/simulation/"
}
build() {
    (cd "$1/copy/simulation" && cargo build --quiet --locked --profile mutation \
        --target-dir "$1/target") > "$1/log" 2>&1
}
mkdir -p "$work/0/target"
# What an earlier build of the package itself has left serves as well.
built="${CARGO_TARGET_DIR:-$here/target}/mutation"
[[ ! -d "$built" || -d "$work/0/target/mutation" ]] || cp -a "$built" "$work/0/target/"
prepare "$work/0/copy"
build "$work/0" || { cat "$work/0/log" >&2; exit 1; }
# What ships as it is must pass a schedule that finds a mutation.
shipped=$work/shipped
cp "$work/0/target/mutation/simulation" "$shipped"
for ((job = 1; job < jobs; job++)); do
    mkdir -p "$work/$job"
    prepare "$work/$job/copy"
    [[ -d "$work/$job/target" ]] || cp -a "$work/0/target" "$work/$job/target"
    # What is half done there is not to be gone on with here.
    rm -rf "$work/$job/target/mutation/incremental"
done

# Applies the chosen mutation $2 in the directory of job $1, runs the simulation, and undoes it.
try() {
    local dir=$work/$1 n=${chosen[$2]} found replay again
    if ! apply_mutation "$n" "$dir/copy"; then
        result STALE "$n" "${files[$n]} has that text not once"
        return
    fi
    if ! build "$dir"; then
        result BROKEN "$n" "does not compile: $dir/log"
    else
        local start=$SECONDS code=0
        timeout 300 "$dir/target/mutation/simulation" --seed 1 --schedules "$schedules" \
            > "$dir/log" 2>&1 || code=$?
        found=$(sed -n 's/^FAILED  *//p' "$dir/log" | head -n 1)
        replay=$(sed -n 's/^  replay with: simulation\/run.sh //p' "$dir/log" | head -n 1)
        local took=$((SECONDS - start))
        if [[ -z "$found" ]]; then
            [[ $code -ne 124 ]] || took="out of time: $took"
            result MISSED "$n" "$took s"
        else
            # shellcheck disable=SC2086
            again=$(timeout 300 "$dir/target/mutation/simulation" $replay 2>&1 | sed -n 's/^FAILED  *//p' | head -n 1) || true
            # shellcheck disable=SC2086
            if ! timeout 300 "$shipped" $replay > "$dir/log" 2>&1; then
                result FICKLE "$n" "fails without the mutation, too: $replay"
            elif [[ "$again" == "$found" ]]; then
                result caught "$n" "$found (${replay#--replay }, $took s)"
            else
                result FICKLE "$n" "$found, then ${again:-nothing}"
            fi
        fi
    fi
    undo_mutation "$n" "$dir/copy"
}

in_jobs "$jobs" "${#chosen[@]}" try | tee "$work/results"
finish_mutations "$work/results"
