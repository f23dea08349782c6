#!/usr/bin/env bash
# Shows that the simulation bites: applies each weakening of the file `mutations` by itself to a
# copy of the sources, and requires a run of the simulation to fail, and to fail in the same way
# when the schedule that it names is run again.
#
#   simulation/mutate.sh                 all of them
#   simulation/mutate.sh parker          those whose names contain one of the words
#   simulation/mutate.sh --jobs N        N at a time; by default one a processor
#   simulation/mutate.sh --share K       every K-th
#
# MUTATIONS=file takes another list.
#
# Prints one line a mutation, with the property that failed and where. Ends with 1 if one was
# missed, does not apply any more, or does not compile; with 2 if the arguments are wrong.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
root=$(dirname "$here")
work="${CARGO_TARGET_DIR:-$here/target}/mutations"
export RUST_BACKTRACE=0
# The same schedules each time, as many as a run without a mutation does in a quarter of a minute.
schedules=${SIMULATION_SCHEDULES:-2500}

wrong() {
    echo "error: $1" >&2
    exit 2
}

jobs=$(nproc) share=1 words=()
while [[ $# -gt 0 ]]; do
    case "$1" in
        --jobs | --share)
            [[ "${2:-}" =~ ^[1-9][0-9]{0,3}$ ]] || wrong "$1 takes a number from 1 to 9999"
            if [[ "$1" == --jobs ]]; then jobs=$2; else share=$2; fi
            shift 2
            ;;
        --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;;
        -*) wrong "$1 is no option; see --help" ;;
        *) words+=("$1"); shift ;;
    esac
done
list=${MUTATIONS:-mutations}
[[ -r "$list" ]] || wrong "$list cannot be read"

# Each job builds in a copy and a target directory of its own. The dependencies are built once.
prepare() {
    local copy=$1
    rm -rf "$copy"
    mkdir -p "$copy/simulation"
    cp -r "$root/src" "$copy/src"
    cp -r src Cargo.toml Cargo.lock "$copy/simulation/"
}
build() {
    (cd "$1/copy/simulation" && cargo build --quiet --locked --profile mutation \
        --target-dir "$1/target") > "$1/log" 2>&1
}
mkdir -p "$work/1/target"
# What an earlier build of the package itself has left serves as well.
built="${CARGO_TARGET_DIR:-$here/target}/mutation"
[[ ! -d "$built" || -d "$work/1/target/mutation" ]] || cp -a "$built" "$work/1/target/"
prepare "$work/1/copy"
build "$work/1" || { cat "$work/1/log" >&2; exit 1; }
# What ships as it is must pass the schedules that are to find the mutations.
if ! "$work/1/target/mutation/simulation" --seed 1 --schedules "$schedules" > "$work/1/log" 2>&1; then
    cat "$work/1/log" >&2
    echo "without a mutation a property fails already" >&2
    exit 1
fi
for ((job = 2; job <= jobs; job++)); do
    mkdir -p "$work/$job"
    prepare "$work/$job/copy"
    [[ -d "$work/$job/target" ]] || cp -a "$work/1/target" "$work/$job/target"
    # What is half done there is not to be gone on with here.
    [[ $job -eq 1 ]] || rm -rf "$work/$job/target/mutation/incremental"
done

# Applies one mutation, runs the simulation, and undoes it.
try() {
    local dir=$1 name=$2 file=$3 old=$4 new=$5
    local original="$root/$file" text rest found replay again
    text=$(cat "$original")
    rest=${text#*"$old"}
    if [[ "$rest" == "$text" || "$rest" == *"$old"* ]]; then
        printf 'STALE   %-58s %s has that text not once\n' "$name" "$file"
        return
    fi
    printf '%s\n' "${text%%"$old"*}$new$rest" > "$dir/copy/$file"
    if ! build "$dir"; then
        printf 'BROKEN  %-58s does not compile: %s\n' "$name" "$dir/log"
    else
        local start=$SECONDS
        timeout 120 "$dir/target/mutation/simulation" --seed 1 --schedules "$schedules" \
            > "$dir/log" 2>&1 || true
        found=$(sed -n 's/^FAILED  *//p' "$dir/log" | head -n 1)
        replay=$(sed -n 's/^  replay with: simulation\/run.sh //p' "$dir/log" | head -n 1)
        local took=$((SECONDS - start))
        if [[ -z "$found" ]]; then
            printf 'MISSED  %-58s %s s\n' "$name" "$took"
        else
            # shellcheck disable=SC2086
            again=$("$dir/target/mutation/simulation" $replay 2>&1 | sed -n 's/^FAILED  *//p' | head -n 1) || true
            if [[ "$again" == "$found" ]]; then
                printf 'caught  %-58s %s (%s, %s s)\n' "$name" "$found" "${replay#--replay }" "$took"
            else
                printf 'UNLIKE  %-58s %s, then %s\n' "$name" "$found" "${again:-nothing}"
            fi
        fi
    fi
    cp "$original" "$dir/copy/$file"
}

names=() files=() olds=() news=()
wanted() {
    local word
    [[ ${#words[@]} -eq 0 ]] && return 0
    for word in "${words[@]}"; do [[ "$name" == *"$word"* ]] && return 0; done
    return 1
}
count=0
add() {
    wanted || return 0
    if ((count++ % share == 0)); then
        names+=("$name") files+=("$file") olds+=("$old") news+=("$new")
    fi
}
name="" file="" old="" new=""
while IFS= read -r line || [[ -n "$line" ]]; do
    case "$line" in
        '#'*) ;;
        'name: '*) name=${line#name: } old="" new="" ;;
        'file: '*) file=${line#file: } ;;
        '- '*) old+="${old:+$'\n'}${line#- }" ;;
        '+ '*) new+="${new:+$'\n'}${line#+ }" ;;
        '') [[ -z "$old" ]] || add; old="" ;;
    esac
done < <(cat "$list"; echo)

# Job n takes every n-th of those that are left.
for ((job = 1; job <= jobs; job++)); do
    for ((index = job - 1; index < ${#names[@]}; index += jobs)); do
        try "$work/$job" "${names[index]}" "${files[index]}" "${olds[index]}" "${news[index]}"
    done > >(tee "$work/$job/results") &
done
wait
sleep 0.2
results=$(for ((job = 1; job <= jobs; job++)); do cat "$work/$job/results"; done)
caught=$(grep -c '^caught' <<< "$results" || true)
echo "${#names[@]} mutations, $caught found in $SECONDS s"
[[ $caught -eq ${#names[@]} && $caught -gt 0 ]]
