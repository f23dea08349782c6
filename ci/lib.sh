# shellcheck shell=bash disable=SC2034 # the scripts use what is set here
# What the scripts of this repository share. Each one sources it first:
#
#   set -euo pipefail
#   . "$(dirname "$0")/../ci/lib.sh"
#
# A script ends with 2 if it cannot do what it is asked: `refuse`, `usage_error`.

# The directory of the repository.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The script itself.
script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

# refuse MESSAGE: ends with exit code 2 and one line.
refuse() {
  echo "error: $1" >&2
  exit 2
}

# usage_error MESSAGE: the same, with the usage of the script, which has set `usage`.
usage_error() {
  refuse "$1; usage: ${usage:?}"
}

# answer_help "$@": prints the comment at the head of the script if -h or --help is an argument.
answer_help() {
  local argument
  for argument; do
    case $argument in
      -h | --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"
        exit 0
        ;;
    esac
  done
}

# no_arguments "$@": for a script that has none.
no_arguments() {
  answer_help "$@"
  [ $# -eq 0 ] || usage_error "$1: there are no arguments"
}

# read_options SPEC "$@": reads the options that SPEC lists, as for `getopts`, into `options`, and
# what follows them into `arguments`.
declare -A options=()
arguments=()
read_options() {
  local spec=$1 option OPTIND=1 OPTARG
  shift
  answer_help "$@"
  while getopts ":$spec" option; do
    case $option in
      :) usage_error "-$OPTARG needs a directory" ;;
      \?) usage_error "-$OPTARG: no such option" ;;
      *) options[$option]=${OPTARG-} ;;
    esac
  done
  shift $((OPTIND - 1))
  arguments=("$@")
}

# check_each WHAT "WORD ..." "$@": each argument is one of the words.
check_each() {
  local what=$1 known=" $2 " word
  shift 2
  for word; do
    [[ $word != *' '* && $known == *" $word "* ]] || usage_error "$word: no such $what"
  done
}

# is_number TEXT [DIGITS]: TEXT is a whole number above zero with at most so many digits.
is_number() {
  [[ $1 =~ ^[1-9][0-9]{0,$((${2-4} - 1))}$ ]]
}

# The number of commits so far, by which a share of a long list is another one after each commit.
commits() {
  git -C "$root" rev-list --count HEAD 2> /dev/null || date +%j
}

need_nightly() {
  cargo +nightly --version > /dev/null 2>&1 ||
    refuse "there is no nightly toolchain: rustup toolchain install nightly"
}

# path_with_source DIR: prints a PATH whose toolchain has the standard library's source: this one's,
# or else that of a copy in DIR, which `ci/cross.sh source` makes. Returns 3 if it is not to be had.
path_with_source() {
  if [ ! -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.toml" ]; then
    "$root/ci/cross.sh" -d "$1" source >&2 || return
    PATH="$(cd "$1" && pwd)/tc/bin:$PATH"
  fi
  echo "$PATH"
}

# cargo_tool NAME VERSION: installs cargo-NAME, unless it is there in this version. Compiling it
# is what takes the time, so that it is not optimized.
cargo_tool() {
  ! cargo "$1" --version 2> /dev/null | grep -q " $2\$" || return 0
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked "cargo-$1" --version "$2" \
    --target-dir "${CARGO_TARGET_DIR:-$root/target}/tools"
}

can_install_packages() {
  [ "$(id -u)" = 0 ] && type -P apt-get > /dev/null
}

# install_packages PACKAGE ...: Debian's.
install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  apt-get -qy install --no-install-recommends "$@"
}

# need_program PROGRAM [PACKAGE]: installs the Debian package unless the program is there.
need_program() {
  type -P "$1" > /dev/null && return
  can_install_packages || refuse "$1 is needed: install the package ${2-$1}"
  install_packages "${2-$1}" > /dev/null
}

# Makes the directory `scratch`, which goes when the script ends.
make_scratch() {
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
}

# absolute_directory DIR: makes it, and prints it as an absolute path.
absolute_directory() {
  mkdir -p "$1"
  (cd "$1" && pwd)
}

# in_jobs JOBS COUNT COMMAND: calls COMMAND JOB N for each N below COUNT, JOBS at a time. Job J
# does each JOBS-th, from J on, and ends where a command fails. Fails if a job has.
in_jobs() {
  local jobs=$1 count=$2 job n process failed=0
  local -a processes=()
  for ((job = 0; job < jobs; job++)); do
    for ((n = job; n < count; n += jobs)); do "$3" "$job" "$n"; done &
    processes+=($!)
  done
  for process in "${processes[@]}"; do
    wait "$process" || failed=1
  done
  return $failed
}

# build_tests COMMAND ...: builds the tests that such a command, which is `cargo test` with options,
# would run. The paths of the binaries are in `binaries` then.
binaries=()
build_tests() {
  "$@" --no-run --message-format=json-render-diagnostics > "$scratch/messages"
  mapfile -t binaries < <(
    sed -nE '/"profile":\{[^}]*"test":true\}/s/.*"executable":"([^"]+)".*/\1/p' "$scratch/messages" | sort
  )
  [ ${#binaries[@]} -gt 0 ] || refuse "there are no tests: $*"
}

# run_tests ARGUMENT ...: runs the binaries of `build_tests` with these arguments, two at a time, since
# most tests wait for most of their time. Prints what each has said when it ends. Fails if one does.
run_tests() {
  test_arguments=("$@")
  : > "$scratch/failed"
  in_jobs 2 ${#binaries[@]} run_binary
  [ ! -s "$scratch/failed" ] || { sed 's/^/failed: /' "$scratch/failed" >&2; return 1; }
}
run_binary() {
  local name code=0
  name=$(basename "${binaries[$2]%-*}")
  echo "-- $name" > "$scratch/job$1"
  # None takes a tenth of that.
  timeout 900 "${binaries[$2]}" "${test_arguments[@]}" >> "$scratch/job$1" 2>&1 || code=$?
  cat "$scratch/job$1"
  [ $code -eq 0 ] || echo "$name, with exit code $code" >> "$scratch/failed"
}

# --- Mutations: changes of the source, one at a time, that a test or a model must notice ---

# read_mutation_arguments "$@": --jobs N, --share K and words, into `jobs`, `share` and `words`.
read_mutation_arguments() {
  jobs=$(nproc 2> /dev/null || echo 2) share=1 words=()
  answer_help "$@"
  while [ $# -gt 0 ]; do
    case $1 in
      --jobs=* | --share=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        ;;
      --jobs | --share)
        is_number "${2-}" 2 || refuse "$1: not a number from 1 to 99: '${2-}'"
        if [ "$1" = --jobs ]; then jobs=$2; else share=$2; fi
        shift 2
        ;;
      -*) refuse "unknown option $1; see --help" ;;
      *) words+=("$1"); shift ;;
    esac
  done
}

# read_mutations LIST ...: of mutation N of these files, the fields are in the elements N of
# `names`, `files` and so on. A mutation has a name, the file, the text to be replaced (`- `),
# which occurs once, and what replaces it (`+ `). Some lists say more: the models, or the target,
# the tests and the seconds that they may take.
names=() files=() olds=() news=() models=() targets=() tests=() limits=()
read_mutations() {
  local line name="" file="" old="" new="" model="" target="" test="" limit=""
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      '#'*) ;;
      'name: '*) name=${line#name: } old="" new="" test="" limit=120 ;;
      'file: '*) file=${line#file: } ;;
      'models: '*) model=${line#models: } ;;
      'target: '*) target=${line#target: } ;;
      'tests: '*) test=${line#tests: } ;;
      'limit: '*) limit=${line#limit: } ;;
      '- '*) old+="${old:+$'\n'}${line#- }" ;;
      '+ '*) new+="${new:+$'\n'}${line#+ }" ;;
      '')
        if [ -n "$old" ]; then
          names+=("$name") files+=("$file") olds+=("$old") news+=("$new")
          models+=("$model") targets+=("$target") tests+=("$test") limits+=("$limit")
        fi
        old=""
        ;;
    esac
  done < <(for line; do cat "$line"; echo; done)
}

# mutation_list DIR: the list of that directory, or the one that MUTATIONS names, there or here.
mutation_list() {
  local list=${MUTATIONS:-mutations}
  [[ -n ${MUTATIONS-} && -f $list ]] || list=$1/$list
  [[ -f $list && -r $list ]] || refuse "$list cannot be read"
  echo "$list"
}

# choose_mutations EACH FROM WORD ...: puts into `chosen` the numbers of the mutations whose names
# contain one of the words, all if there are none, and of these each EACH-th, from FROM (0 is the
# first) on.
chosen=()
choose_mutations() {
  local each=$1 from=$(($2 % $1)) seen=0 n word
  shift 2
  chosen=()
  for n in "${!names[@]}"; do
    for word in "${@-}"; do
      [[ ${names[n]} == *"$word"* ]] || continue
      ((seen++ % each != from)) || chosen+=("$n")
      break
    done
  done
}

# apply_mutation N DIR: writes the file of mutation N, changed, into DIR. Fails if the text to be
# replaced is not in it just once.
apply_mutation() {
  local old=${olds[$1]} text rest
  text=$(cat "$root/${files[$1]}")
  rest=${text#*"$old"}
  [[ $rest != "$text" && $rest != *"$old"* ]] || return 1
  printf '%s\n' "${text%%"$old"*}${news[$1]}$rest" > "$2/${files[$1]}"
}

# undo_mutation N DIR: what ships is there again.
undo_mutation() {
  cp "$root/${files[$1]}" "$2/${files[$1]}"
}

# result WORD N TEXT: one line that says what came of mutation N.
result() {
  printf '%-7s %-58s %s\n' "$1" "${names[$2]}" "$3"
}

# finish_mutations FILE: counts the results in FILE. Fails unless all chosen ones were caught.
finish_mutations() {
  local count=${#chosen[@]} caught
  caught=$(grep -c '^caught' "$1" || true)
  echo "$count mutations, $caught caught, $((count - caught)) not, in $SECONDS s"
  [[ $caught -eq $count && $count -gt 0 ]]
}
