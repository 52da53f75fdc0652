#!/usr/bin/env bash
# crash-matrix.sh: kills real processes at every named point of the code, amid six journeys of orders, and requires that all is well.
#
# usage: scripts/crash-matrix.sh [options]
#
#   --quick            one cell of each family instead of all (under 90 s)
#   --only CELL        a point (store.before-commit), a service (@payment) or one cell (store.before-commit@payment); may be repeated
#   --apart            each journey alone, in a cell of its own, instead of all six at once: nothing else is under way when the process dies
#   --lanes N          that many installations side by side (1…4, default 1): most of a cell is waiting
#   --json             one JSON line per cell on standard output instead of a table
#   --results FILE     keeps the JSON lines; cells that held in it already are not run again
#   --list             only prints the cells
#
# One installation is started. For each point and each service that has it the point is armed, six orders are placed at once
# (completed, declined, out of stock, cancelled by the customer, gateway timeout, late charge) or one of them (--apart), and the
# process dies at the point once for every order that reaches it there, each time restarted by the supervisor. Then every order
# must reach its expected end, the late charge must be refunded, and `waybill verify` must be clean.
# A run over all cells writes docs/crash-matrix.md. Programs are taken from WAYBILL_BIN_DIR, else the release build, else the debug build.
#
# exit: 0 no cell failed (with --quick: and each was reached), 1 one did, 2 wrong usage or nothing could be run
set -euo pipefail
umask 077
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source=scripts/lib/crash-points.sh
. "$root/scripts/lib/crash-points.sh"
# shellcheck source=scripts/lib/crash-cell.sh
. "$root/scripts/lib/crash-cell.sh"

die() {
    complain "$*"
    exit 2
}

quick=no json=no list=no only=() results='' lanes=1 apart=no must_reach=no
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=yes ;;
        --json) json=yes ;;
        --list) list=yes ;;
        --apart) apart=yes ;;
        --must-reach) must_reach=yes ;;
        --only | --results | --lanes)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            case $1 in
                --only) only+=("$2") ;;
                --results) results=$2 ;;
                --lanes) lanes=$2 ;;
            esac
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
case $lanes in [1-4]) ;; *) usage_error "--lanes is 1 to 4." ;; esac
[ "$lanes" -eq 1 ] || [ "$json" = no ] || usage_error "--json and --lanes do not go together; --results keeps the JSON lines."
if [ "$quick" = yes ]; then
    only+=("${quick_cells[@]}")
    must_reach=yes
fi
differences=$(crash_points_differ)
[ -z "$differences" ] || {
    printf '%s\n' "$differences" >&2
    complain "scripts/lib/crash-points.sh and the code do not name the same points."
    exit 2
}

is_wanted() {
    [ "${#only[@]}" -gt 0 ] || return 0
    local wish
    for wish in "${only[@]}"; do
        case $wish in "$1" | "@$2" | "$1@$2") return 0 ;; esac
    done
    return 1
}

cells=()
for line in "${crash_points[@]}"; do
    IFS='|' read -r point services stimulus _ <<<"$line"
    for service in $services; do
        is_wanted "$point" "$service" || continue
        if [ "$apart" = yes ]; then
            for journey in "${journeys[@]}"; do cells+=("$point|$service|$stimulus|$journey"); done
        else
            cells+=("$point|$service|$stimulus|${journeys[*]}")
        fi
    done
done
[ "${#cells[@]}" -gt 0 ] || usage_error "There is no such cell; see --list."
if [ "$list" = yes ]; then
    printf '%s\n' "${cells[@]}" | awk -F'|' -v apart="$apart" '{ print $1 "@" $2 (apart == "yes" ? " " $4 : "") }'
    exit 0
fi

# The cells, dealt out to lanes by point and service; each lane is this script with its share.
run_lanes() {
    local lane number cell share code=0 places=()
    # A signal is for the lanes as well; each stops its own installation.
    pids=()
    trap 'kill -TERM "${pids[@]}" 2>/dev/null; wait; exit 143' INT TERM
    mapfile -t places < <(printf '%s\n' "${cells[@]}" | awk -F'|' '!seen[$1 "@" $2]++ { print $1 "@" $2 }')
    [ -n "$results" ] || results=$(mktemp "${TMPDIR:-/tmp}/waybill-matrix.XXXXXX")
    touch "$results"
    for ((lane = 0; lane < lanes; lane++)); do
        share=() number=0
        for cell in "${places[@]}"; do
            [ $((number++ % lanes)) -ne "$lane" ] || share+=(--only "$cell")
        done
        [ "${#share[@]}" -gt 0 ] || continue
        [ "$apart" = no ] || share+=(--apart)
        [ "$quick" = no ] || share+=(--must-reach)
        cp -- "$results" "$results.$lane"
        "$0" "${share[@]}" --results "$results.$lane" >"$results.$lane.log" 2>&1 &
        pids+=($!)
        # Two installations that start at the same moment can choose the same ports.
        until grep -q '^Ready' "$results.$lane.log" || ! kill -0 "${pids[-1]}" 2>/dev/null; do sleep 0.2; done
        tail -n +1 -f --pid="${pids[-1]}" "$results.$lane.log" | sed -u "s/^/lane $((lane + 1))  /" &
    done
    for lane in "${pids[@]}"; do wait "$lane" || code=1; done
    wait
    for lane in "$results".[0-9]; do cat -- "$lane" >>"$results"; done
    rm -f -- "$results".[0-9] "$results".[0-9].log
    [ "${#only[@]}" -gt 0 ] || publish_table
    return "$code"
}

publish_table() {
    write_table "$results" >"$root/docs/crash-matrix.md.new"
    mv "$root/docs/crash-matrix.md.new" "$root/docs/crash-matrix.md"
}

for tool in curl jq; do command -v "$tool" >/dev/null || die "$tool is not installed."; done
# The installation is one of this script's own, whatever the caller's shell is set up for.
unset AMQP_URL KAFKA_BOOTSTRAP_SERVERS RABBITMQ_MANAGEMENT_URL
WAYBILL_BIN_DIR=$(find_bin_dir) || {
    complain "The programs are not built; scripts/up.sh builds them."
    exit 2
}
if [ "$lanes" -gt 1 ]; then
    run_lanes
    exit
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/waybill-matrix.XXXXXX")
export WAYBILL_BIN_DIR WAYBILL_RUN_DIR=$work/run
[ -n "$results" ] || results=$work/results.jsonl
touch "$results"

listener=''
# What is found wrong is left to look at.
clean_up() {
    local code=$?
    [ -z "$listener" ] || kill "$listener" 2>/dev/null || true
    if [ "$code" -eq 0 ] || [ ! -e "$work/run/layout" ]; then
        "$root/scripts/down.sh" --run-dir "$work/run" --wipe --yes >/dev/null 2>&1 || true
        rm -rf -- "$work"
    else
        "$root/scripts/down.sh" --run-dir "$work/run" >/dev/null 2>&1 || true
        complain "The data, the logs and the results are kept in $work."
    fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

settings=()
for service in order payment inventory notification analytics gateway event-log; do
    mkdir -p "$work/failpoints/$service"
    settings+=(--set "$service:WAYBILL_FAILPOINTS=$work/failpoints/$service")
done
# Patience cut short, so that a cell takes seconds; the order of things stays: callback, then giving up, then the late charge.
settings+=(
    --set gateway:WAYBILL_GATEWAY_LATE_SECONDS=7 --set gateway:WAYBILL_GATEWAY_CALLBACK_DELAY_MILLISECONDS=400
    --set gateway:WAYBILL_GATEWAY_SLOW_MILLISECONDS=1500 --set payment:WAYBILL_PAYMENT_WINDOW_SECONDS=4
    --set 'notification:WAYBILL_WEBHOOK_SCHEDULE_MS=200,400,800,1600,3200' --set notification:WAYBILL_WEBHOOK_BREAKER_MS=50
)
began=$SECONDS
"$root/scripts/up.sh" --run-dir "$work/run" --no-build "${settings[@]}" >"$work/up.log" 2>&1 || {
    cat "$work/up.log" >&2
    exit 2
}
# shellcheck disable=SC1091
. "$work/run/env"
prepare_cells
[ "$json" = yes ] || printf 'Ready after %s s; %s cells.\n\n' "$((SECONDS - began))" "${#cells[@]}"
[ "$json" = yes ] || cell_heading

failed=0 unreached=0 number=0
for cell in "${cells[@]}"; do
    IFS='|' read -r point service stimulus chosen <<<"$cell"
    number=$((number + 1))
    verdict=$(jq -r --arg point "$point" --arg service "$service" --arg chosen "$chosen" 'select(.point == $point and .service == $service
        and (.journeys | keys_unsorted | join(" ")) == $chosen) | .verdict' "$results" | tail -n 1)
    # Alone, a journey need not come by everywhere.
    case $verdict:$apart in held:* | unreached:yes) continue ;; esac
    run_cell "$point" "$service" "$stimulus" "$chosen"
    printf '%s\n' "$cell_json" >>"$results"
    if [ "$json" = yes ]; then printf '%s\n' "$cell_json"; else cell_line; fi
    case $cell_verdict in
        failed) failed=$((failed + 1)) ;;
        unreached) unreached=$((unreached + 1)) ;;
    esac
done

[ "$apart" = no ] || unreached=0
[ "$json" = yes ] || printf '\n%s cells in %s s: %s deaths, %s failed, %s not reached.\n' "${#cells[@]}" "$((SECONDS - began))" \
    "$(jq -s 'map(.deaths) | add' "$results")" "$failed" "$unreached"
[ "${#only[@]}" -gt 0 ] || publish_table
# Whatever the quick run kills at is reached for certain.
[ "$failed" -eq 0 ] && { [ "$must_reach" = no ] || [ "$unreached" -eq 0 ]; }
