#!/usr/bin/env bash
# Checks the shell scripts themselves with shellcheck, which it installs on Debian with root.
#
#   ci/scripts.sh
set -euo pipefail
. "$(dirname "$0")/../ci/lib.sh"
usage=ci/scripts.sh
no_arguments "$@"
cd "$root"

need_program shellcheck
scripts=(.ci/run ./*/*.sh)
shellcheck --severity=warning "${scripts[@]}"
echo "${#scripts[@]} scripts"
