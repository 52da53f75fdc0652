#!/usr/bin/env bash
# chaos.sh: breaks the whole system on purpose, heals it, and has it verified. Real processes, an active and a standby instance of
# each service, real RabbitMQ and event log, a proxy on every link. See docs/chaos.md.
#
# usage: scripts/chaos.sh [options]
#        scripts/chaos.sh --check FOLDER
#
#   --seed N           decides the plan of faults; a new one unless given
#   --minutes M        minutes of faults (default 12)
#   --quick            3 minutes, 14 orders a second, 30 faults a minute: the run of scripts/test.sh
#   --rate N           orders a second (default 21)
#   --faults N         faults a minute, about (default 42)
#   --json             the report as JSON on standard output
#   --no-build         uses the programs as they are built
#   --folder DIR       where everything of the run goes (default: .build/chaos/TIME)
#   --check FOLDER     verifies the history of an earlier run again
#
# environment: WAYBILL_BIN_DIR: a folder with prebuilt programs, used instead of building
# exit: 0 nothing is violated, 1 something is, 2 it could not be carried out
set -euo pipefail
umask 077
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
for part in packages ports build; do
    # shellcheck source=/dev/null
    . "$root/scripts/lib/$part.sh"
done

# 1 is the word of the verifier.
die() {
    complain "$*"
    exit 2
}

arguments=() build=yes folder='' check='' json=no
while [ $# -gt 0 ]; do
    case $1 in
        --seed | --minutes | --rate | --faults | --folder | --check)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            case $1 in
                --faults) arguments+=(--faults-per-minute "$2") ;;
                --folder) folder=$2 ;;
                --check) check=$2 ;;
                *) arguments+=("$1" "$2") ;;
            esac
            shift
            ;;
        --quick) arguments+=(--minutes 3 --rate 14 --faults-per-minute 30 --check-every 45) ;;
        --json)
            json=yes
            arguments+=(--json)
            ;;
        --no-build) build=no ;;
        -h | --help)
            print_help "$0"
            exit 0
            ;;
        *) usage_error "There is no option '$1'." ;;
    esac
    shift
done

# The same evidence, another look: the event log's server on the kept records, the verifier on the kept databases.
check_again() {
    local kept=$1 port bin pid code=0
    [ -f "$kept/history.jsonl" ] && [ -d "$kept/data/event-log" ] || die "$kept is not the folder of a run that came to its end."
    bin=$(find_bin_dir waybill) || die "The programs are not built."
    port=$(comm -23 <(seq 29092 29400 | sort) <(ports_listening | sort) | head -n 1)
    "$bin/event-log" serve --data-dir "$kept/data/event-log" --listen "127.0.0.1:$port" >>"$kept/check.log" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064 # this process, whatever the name means later
    trap "kill -TERM $pid 2>/dev/null || true" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for _ in $(seq 1 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
    local output=()
    [ "$json" = no ] || output=(--json)
    WAYBILL_RUN_DIR=$kept KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$port \
        "$bin/waybill" verify --data-dir "$kept/data" --history "$kept/history.jsonl" --receipts "$kept/webhooks.jsonl" \
        --poison "$kept/poison.txt" --settle 1 "${output[@]}" || code=$?
    kill -TERM "$pid" || true
    wait "$pid" || true
    return "$code"
}
if [ -n "$check" ]; then
    check_again "$check"
    exit
fi

ensure_packages rabbitmq-server
if [ -n "${WAYBILL_BIN_DIR:-}" ]; then build=no; fi
if [ "$build" = yes ]; then
    ensure_packages "${build_packages[@]}"
    ensure_swift
    mkdir -p "$root/.build"
    build_products "$root/.build/chaos-build.log" release >&2
    bin=$(cd "$root/.build/release" && pwd -P)
else
    bin=$(find_bin_dir waybill-chaos) || die "The programs are not built (and --no-build or WAYBILL_BIN_DIR says not to build them)."
fi
[ -n "$folder" ] || folder=$root/.build/chaos/$(date +%Y%m%d-%H%M%S)-$$
case $folder in
    /*) ;;
    *) folder=$PWD/$folder ;;
esac
arguments+=(--root "$root" --programs "$bin" --folder "$folder")

# Whatever ends us, nothing stays behind.
running=''
take_down() {
    if [ -n "$running" ] && kill -TERM "$running" 2>/dev/null; then wait "$running" || true; fi
    [ ! -f "$folder/run/layout" ] || "$root/scripts/down.sh" --run-dir "$folder/run" >/dev/null 2>&1 || true
}
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A disk can only be made full where we may mount one: as root, or as root of a user namespace of our own.
run=("$bin/waybill-chaos")
if unshare -m true 2>/dev/null; then
    run=(unshare -m "$bin/waybill-chaos" --disks)
elif unshare -rm mount -t tmpfs tmpfs /mnt 2>/dev/null; then
    run=(unshare -rm "$bin/waybill-chaos" --disks)
else
    complain "Disks cannot be made full here: that takes the right to mount."
fi
# Beside us, so that a signal is answered at once and not when the run is over.
"${run[@]}" "${arguments[@]}" &
running=$!
code=0
wait "$running" || code=$?
running=''
exit "$code"
