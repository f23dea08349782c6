#!/usr/bin/env bash
# Shows that the models bite: applies each weakening of the file `mutations` by itself to a
# copy of the sources, and requires some model to fail.
#
#   loom-tests/mutate.sh             all of them, under 10 minutes on 2 processors
#   loom-tests/mutate.sh parker      those whose names contain one of the words
#
# MUTATIONS=file takes another list.
#
# Prints one line a mutation, with the model that caught it. Ends with 1 if one was missed, does
# not apply any more, or does not compile.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
root=$(dirname "$here")
target="${CARGO_TARGET_DIR:-$here/target}/mutations"
copy="$target/copy"
export RUST_BACKTRACE=0 LOOM_STOP_AT_FAILURE=1 LOOM_KILL_AFTER="${LOOM_KILL_AFTER:-60}"

rm -rf "$copy"
mkdir -p "$copy/loom-tests"
cp -r "$root/src" "$copy/src"
cp -r "$here/src" "$here/Cargo.toml" "$here/Cargo.lock" "$copy/loom-tests/"

missed=0 count=0

# Applies one mutation, runs the models it names, and undoes it.
try() {
    local wanted=1 word
    if [[ ${#words[@]} -gt 0 ]]; then
        wanted=0
        for word in "${words[@]}"; do [[ "$name" == *"$word"* ]] && wanted=1; done
    fi
    [[ $wanted -eq 1 ]] || return 0
    count=$((count + 1))
    local original="$root/$file" text rest
    text=$(cat "$original")
    rest=${text#*"$old"}
    if [[ "$rest" == "$text" || "$rest" == *"$old"* ]]; then
        printf 'STALE   %-44s %s has that text not once\n' "$name" "$file"
        missed=$((missed + 1))
        return 0
    fi
    printf '%s\n' "${text%%"$old"*}$new$rest" > "$copy/$file"
    local bin=models found=""
    [[ "$models" == *one_poller* ]] && bin=models-one-poller
    if ! (cd "$copy/loom-tests" && cargo build --quiet --locked --profile mutation \
        --bin "$bin" --target-dir "$target") > "$target/log" 2>&1; then
        printf 'BROKEN  %-44s does not compile: %s\n' "$name" "$target/log"
        missed=$((missed + 1))
    else
        # shellcheck disable=SC2086
        "$target/mutation/$bin" $models > "$target/log" 2>&1 || true
        found=$(sed -n 's/^FAILED  *\([^ ]*\).*/\1/p' "$target/log" | head -n 1)
        if [[ -n "$found" ]]; then
            printf 'caught  %-44s %s\n' "$name" "$found"
        else
            printf 'MISSED  %-44s by %s\n' "$name" "$models"
            missed=$((missed + 1))
        fi
    fi
    cp "$original" "$copy/$file"
}

words=("$@")
name="" file="" models="" old="" new=""
while IFS= read -r line || [[ -n "$line" ]]; do
    case "$line" in
        '#'*) ;;
        'name: '*) name=${line#name: } old="" new="" ;;
        'file: '*) file=${line#file: } ;;
        'models: '*) models=${line#models: } ;;
        '- '*) old+="${old:+$'\n'}${line#- }" ;;
        '+ '*) new+="${new:+$'\n'}${line#+ }" ;;
        '') [[ -z "$old" ]] || try; old="" ;;
    esac
done < <(cat "${MUTATIONS:-mutations}"; echo)

echo "$count mutations, $missed not caught"
[[ $missed -eq 0 && $count -gt 0 ]]
