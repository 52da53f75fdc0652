#!/usr/bin/env bash
# status.sh: what runs and whether it is healthy.
#
# usage: scripts/status.sh [--json] [--run-dir DIR]
#
#   --json         the supervisor's status document instead of a table
#   --run-dir DIR  the run directory (default: WAYBILL_RUN_DIR, else .run in the repository)
#
# exit: 0 everything is up and healthy, 1 something is not, 2 it cannot be told
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"

arguments=()
wanted=''
while [ $# -gt 0 ]; do
    case $1 in
        --json) arguments+=(--json) ;;
        --run-dir)
            [ $# -ge 2 ] || usage_error "--run-dir needs a folder."
            wanted=$2
            shift
            ;;
        -h | --help)
            print_help "$0"
            exit 0
            ;;
        *) usage_error "There is no option '$1'." ;;
    esac
    shift
done
run_dir=$(resolve_run_dir "$wanted")
if [ ! -d "$run_dir" ]; then
    if [ "${#arguments[@]}" -gt 0 ]; then
        printf '{"phase":"stopped","processes":[]}\n'
    else
        printf 'Nothing is running: there is no run directory %s. Start with scripts/up.sh.\n' "$run_dir"
    fi
    exit 1
fi
if ! bin_dir=$(find_bin_dir); then
    complain "The supervisor is not built; scripts/up.sh builds it."
    exit 2
fi
exec "$bin_dir/waybill-supervisor" status --run-dir "$run_dir" "${arguments[@]}"
