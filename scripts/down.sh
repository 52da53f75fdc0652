#!/usr/bin/env bash
# down.sh: stops everything that up.sh started. Data is kept.
#
# usage: scripts/down.sh [--run-dir DIR] [--wipe [--yes]]
#
#   --run-dir DIR  the run directory (default: WAYBILL_RUN_DIR, else .run in the repository)
#   --wipe         afterwards removes the run directory with all orders, payments, queues and logs; asks first
#   --yes          with --wipe: does not ask
#
# exit: 0 nothing runs any more, 1 something could not be stopped or removed, 2 wrong usage
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
. "$root/scripts/lib/ports.sh"

wanted='' wipe=no yes=no
while [ $# -gt 0 ]; do
    case $1 in
        --run-dir)
            [ $# -ge 2 ] || usage_error "--run-dir needs a folder."
            wanted=$2
            shift
            ;;
        --wipe) wipe=yes ;;
        --yes | -y) yes=yes ;;
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
    printf 'Nothing to stop: there is no run directory %s.\n' "$run_dir"
    exit 0
fi
[ -f "$run_dir/layout" ] || die "$run_dir is not a run directory of Waybill; nothing was touched."

if [ "$wipe" = yes ] && [ "$yes" = no ]; then
    [ -t 0 ] || die "--wipe removes all data in $run_dir; without a terminal to ask on it needs --yes too."
    printf 'Remove %s with all its data? Type yes: ' "$run_dir"
    read -r answer
    [ "$answer" = yes ] || die "Nothing was removed and nothing was stopped."
fi

# Whether the process with the given start time still exists. The start time is field 22, counted after the command's name.
start_time() {
    sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}

failed=0
if pid=$(supervisor_pid "$run_dir"); then
    began=$SECONDS
    started=$(start_time "$pid")
    kill -TERM "$pid" 2>/dev/null || true
    # One that was stopped takes the signal when it goes on.
    kill -CONT "$pid" 2>/dev/null || true
    # The supervisor stops everything within its own 10 s; the rest is for a machine that is very busy.
    for _ in $(seq 1 300); do
        [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] || break
        sleep 0.05
    done
    if [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]; then
        kill -KILL "$pid" 2>/dev/null || true
        complain "The supervisor (process $pid) did not stop in 15 s and was killed; the next up.sh clears up what it leaves behind."
        failed=1
    else
        printf 'Stopped in %s s.' "$((SECONDS - began))"
    fi
    if grep -q '"cleanStop" *: *false' "$run_dir/status.json" 2>/dev/null; then
        printf ' Not everything ended by itself; see %s/logs/supervisor.log.' "$run_dir"
    fi
    printf '\n'
else
    printf 'Nothing was running for %s.\n' "$run_dir"
fi
# Left by a supervisor that was killed: the broker's port mapper is a daemon of its own.
if [ -f "$run_dir/data/rabbitmq/node.env" ]; then
    rabbitmq_dir=$(plain_path "$run_dir")
    "$root/scripts/lib/rabbitmq.sh" stop "$rabbitmq_dir" >/dev/null 2>&1 || true
fi

if [ "$wipe" = yes ]; then
    forget_ports "$run_dir"
    rm -rf -- "$run_dir"
    [ ! -e "$run_dir" ] || die "$run_dir could not be removed completely."
    printf 'Removed %s.\n' "$run_dir"
else
    printf 'Data and logs are kept in %s; scripts/up.sh goes on with them, scripts/down.sh --wipe removes them.\n' "$run_dir"
fi
exit "$failed"
