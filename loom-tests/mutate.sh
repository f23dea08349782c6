#!/usr/bin/env bash
# Shows that the models bite: applies each weakening of the file `mutations` by itself to a
# copy of the sources, and requires some model to fail, and the execution that failed to fail
# again when it is replayed.
#
#   loom-tests/mutate.sh             all of them; it prints how long it took
#   loom-tests/mutate.sh parker      those whose names contain one of the words
#   loom-tests/mutate.sh --jobs 1    one at a time; by default as many as there are processors
#   loom-tests/mutate.sh --share 3   every third, as CI does: other ones after each commit, so
#                                    that three commits cover all
#
# MUTATIONS=file takes another list.
#
# Prints one line a mutation, with the model that caught it, and at the end how many were
# caught and how long it took. Ends with 1 if one was missed, does not apply any more, or does
# not compile, and with 2 if it cannot do what it is asked.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
target="${CARGO_TARGET_DIR:-$here/target}/mutations"

refuse() {
    echo "error: $1" >&2
    exit 2
}

jobs=$(nproc 2> /dev/null || echo 2) share=1
words=()
while [[ $# -gt 0 ]]; do
    case "$1" in
        -h | --help)
            sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        --jobs)
            jobs=${2-}
            shift
            ;;
        --jobs=*) jobs=${1#--jobs=} ;;
        --share)
            share=${2-}
            shift
            ;;
        --share=*) share=${1#--share=} ;;
        -*) refuse "unknown option $1; see --help" ;;
        *) words+=("$1") ;;
    esac
    shift || true
done
[[ "$jobs" =~ ^[1-9][0-9]?$ ]] || refuse "--jobs: not a number from 1 to 99: '$jobs'"
[[ "$share" =~ ^[1-9][0-9]?$ ]] || refuse "--share: not a number from 1 to 99: '$share'"
turn=$(($(git -C "$root" rev-list --count HEAD 2> /dev/null || echo 0) % share)) seen=0
list=${MUTATIONS:-$here/mutations}
[[ -f "$list" ]] || list=$here/$list
[[ -r "$list" && -f "$list" ]] || refuse "$list cannot be read"

# Splits the list: of mutation n the fields are in the elements n of these arrays.
names=() files=() models=() olds=() news=()
wanted() {
    [[ ${#words[@]} -eq 0 ]] && return
    local word
    for word in "${words[@]}"; do [[ "$1" == *"$word"* ]] && return; done
    return 1
}
name="" file="" model="" old="" new=""
while IFS= read -r line || [[ -n "$line" ]]; do
    case "$line" in
        '#'*) ;;
        'name: '*) name=${line#name: } old="" new="" ;;
        'file: '*) file=${line#file: } ;;
        'models: '*) model=${line#models: } ;;
        '- '*) old+="${old:+$'\n'}${line#- }" ;;
        '+ '*) new+="${new:+$'\n'}${line#+ }" ;;
        '')
            if [[ -n "$old" ]] && wanted "$name" && ((seen++ % share == turn)); then
                names+=("$name") files+=("$file") models+=("$model") olds+=("$old") news+=("$new")
            fi
            old=""
            ;;
    esac
done < <(cat "$list"; echo)
count=${#names[@]}
[[ $count -gt 0 ]] || refuse "no mutation has such a name: ${words[*]}"
[[ $jobs -le $count ]] || jobs=$count

export RUST_BACKTRACE=0 LOOM_STOP_AT_FAILURE=1 LOOM_KILL_AFTER="${LOOM_KILL_AFTER:-120}"
[[ $jobs -eq 1 ]] || export LOOM_JOBS=1

# What the first failure's report says of the execution, or what replaying it says.
execution() { sed -n '/^  again/q; /^  property/,$p' "$1"; }

# Applies mutation $2 in the directory of job $1, runs the models that it names, and undoes it.
try() {
    local job=$1 n=$2
    local copy=$job/copy name=${names[$2]} file=${files[$2]} old=${olds[$2]}
    local text rest bin=models found
    text=$(cat "$root/$file")
    rest=${text#*"$old"}
    if [[ "$rest" == "$text" || "$rest" == *"$old"* ]]; then
        printf 'STALE   %-56s %s has that text not once\n' "$name" "$file"
        return
    fi
    printf '%s\n' "${text%%"$old"*}${news[$n]}$rest" > "$copy/$file"
    [[ "${models[$n]}" == *one_poller* ]] && bin=models-one-poller
    if ! cargo build --quiet --locked --profile mutation --bin "$bin" --target-dir "$job" \
        --manifest-path "$copy/loom-tests/Cargo.toml" > "$job/log" 2>&1; then
        printf 'BROKEN  %-56s does not compile: %s\n' "$name" "$job/log.$n"
        cp "$job/log" "$job/log.$n"
    else
        # shellcheck disable=SC2086
        "$job/mutation/$bin" --own ${models[$n]} > "$job/log" 2>&1 || true
        found=$(sed -n 's/^FAILED  *\([^ ]*\).*/\1/p' "$job/log" | head -n 1)
        if [[ -z "$found" ]]; then
            local why=by
            grep -q '^TIMEOUT' "$job/log" && why="out of time (LOOM_KILL_AFTER):"
            printf 'MISSED  %-56s %s %s\n' "$name" "$why" "${models[$n]}"
        elif "$job/mutation/$bin" --replay "$job/mutation/failures/${found/::/.}.json" \
            > "$job/again" 2>&1 || [[ $? -ne 1 ]] ||
            ! cmp -s <(execution "$job/log") <(execution "$job/again"); then
            printf 'FICKLE  %-56s %s fails otherwise when replayed\n' "$name" "$found"
        else
            printf 'caught  %-56s %s\n' "$name" "$found"
        fi
    fi
    cp "$root/$file" "$copy/$file"
}

# Does every so manieth mutation, in a directory of its own.
work() {
    local n
    for ((n = $1; n < count; n += jobs)); do try "$target/job$1" "$n"; done
}

start=$SECONDS
mkdir -p "$target"
for ((job = 0; job < jobs; job++)); do
    # The dependencies are built once.
    [[ $job -eq 0 || -d "$target/job$job" ]] || cp -r "$target/job0" "$target/job$job"
    copy=$target/job$job/copy
    rm -rf "$copy"
    mkdir -p "$copy/loom-tests" "$copy/docs"
    cp -r "$root/src" "$copy/src"
    cp "$root/docs/handoff.md" "$copy/docs/"
    cp -r "$here/src" "$here/Cargo.toml" "$here/Cargo.lock" "$copy/loom-tests/"
    cargo build --quiet --locked --profile mutation --target-dir "$target/job$job" \
        --manifest-path "$copy/loom-tests/Cargo.toml"
done
for ((job = 0; job < jobs; job++)); do work "$job" & done | tee "$target/results"
caught=$(grep -c '^caught' "$target/results" || true)
echo "$count mutations, $caught caught by a model and replayed, $((count - caught)) not, in" \
    "$((SECONDS - start)) s with $jobs at a time"
[[ $caught -eq $count ]]
