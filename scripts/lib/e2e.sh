# shellcheck shell=bash
# What the end-to-end scripts share. Sourced by them after `set -euo pipefail`.
#
# environment: WAYBILL_BIN_DIR (the programs), WAYBILL_RUN_DIR (an empty folder of this script's own)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
: "${WAYBILL_RUN_DIR:?}" "${WAYBILL_BIN_DIR:?}"
unset AMQP_URL KAFKA_BOOTSTRAP_SERVERS RABBITMQ_MANAGEMENT_URL

# Whatever ends the script, nothing of it stays behind: neither what it runs in the background nor its installations.
installations=("$WAYBILL_RUN_DIR")
leave() {
    local code=$? job folder
    trap '' INT TERM
    for job in $(jobs -p); do
        # What a tracer started lives on without it.
        pkill -KILL -P "$job" 2>/dev/null || true
        kill -KILL "$job" 2>/dev/null || true
    done
    for folder in "${installations[@]}"; do
        [ ! -f "$folder/layout" ] || "$root/scripts/down.sh" --run-dir "$folder" >/dev/null 2>&1 || true
    done
    exit "$code"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

waybill() { "$root/scripts/waybill" "$@"; }

up() { "$root/scripts/up.sh" --run-dir "$WAYBILL_RUN_DIR" "$@"; }

down() { "$root/scripts/down.sh" --run-dir "$WAYBILL_RUN_DIR"; }

say() { printf '== %s  %s\n' "$(date +%T)" "$*"; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# expect WANTED COMMAND…: the command's output is exactly this.
expect() {
    local wanted=$1 got
    shift
    got=$("$@") || true
    [ "$got" = "$wanted" ] || fail "wanted '$wanted', got '$got' from: $*"
}

# until_true SECONDS COMMAND…: the command succeeds within so many seconds.
until_true() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$limit" ] || return 1
        sleep 0.1
    done
}

pid_of() { cat "$WAYBILL_RUN_DIR/pids/$1.pid"; }

# out QUEUE: how many messages of a quorum queue are with consumers, not acknowledged. Asked of the queue itself: the statistics of the
# management interface are seconds old.
out() {
    "$root/scripts/lib/rabbitmq.sh" ctl "$WAYBILL_RUN_DIR" eval \
        "{ok, {_, N}, _} = ra:leader_query({'waybill_$1', node()}, fun rabbit_fifo:query_messages_checked_out/1), N."
}

# waiting QUEUE: how many messages of a quorum queue wait for a consumer.
waiting() {
    "$root/scripts/lib/rabbitmq.sh" ctl "$WAYBILL_RUN_DIR" eval \
        "{ok, {_, N}, _} = ra:leader_query({'waybill_$1', node()}, fun rabbit_fifo:query_messages_ready/1), N."
}
