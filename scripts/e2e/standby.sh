#!/usr/bin/env bash
# Two instances of payment and order: the standby takes over within 2 s of a kill -9 and within 15 s of a freeze.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up --instances payment=2,order=2
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"

probe_port() { sed -n 's/^WAYBILL_PROBE_PORT=//p' "$WAYBILL_RUN_DIR/config/$1.env"; }
# The page is read to its end: behind a `grep -q` that leaves early curl would fail, and with it the pipe.
is_active() { curl -sf -m 1 "http://127.0.0.1:$(probe_port "$1")/metrics" | grep '^waybill_instance_active 1' >/dev/null; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
one_is_active() { is_active "$1-1" || is_active "$1-2"; }
# Which of two instances is active, and which stands by. An instance is ready a moment before it has taken over.
roles() {
    until_true 10 one_is_active "$1" || fail "no instance of $1 is active"
    if is_active "$1-1"; then active=$1-1 standby=$1-2; else active=$1-2 standby=$1-1; fi
    is_active "$active" || fail "no instance of $1 is active"
    ! is_active "$standby" || fail "both instances of $1 are active"
}

takeover() {
    local service=$1 signal=$2 limit=$3 began
    roles "$service"
    began=$(milliseconds)
    kill "-$signal" "$(pid_of "$active")"
    until_true $((limit / 1000 + 2)) is_active "$standby" || fail "$standby did not take over"
    printf '%s: %s took over after %s ms\n' "$service $signal" "$standby" $(($(milliseconds) - began))
    [ $(($(milliseconds) - began)) -le "$limit" ] || fail "the takeover took longer than $limit ms"
}

waybill load --orders 400 --rate 10 --cards visa --history "$WAYBILL_RUN_DIR/history.jsonl" --json >"$WAYBILL_RUN_DIR/load.json" &
load=$!
takeover payment KILL 2000
takeover order KILL 2000
until_true 15 curl -sf "http://127.0.0.1:$(probe_port payment-1)/health/live" || fail 'payment-1 did not come back'
until_true 15 curl -sf "http://127.0.0.1:$(probe_port payment-2)/health/live" || fail 'payment-2 did not come back'
until_true 15 curl -sf "http://127.0.0.1:$(probe_port order-1)/health/live" || fail 'order-1 did not come back'
until_true 15 curl -sf "http://127.0.0.1:$(probe_port order-2)/health/live" || fail 'order-2 did not come back'
takeover payment STOP 15000
takeover order STOP 15000
wait "$load" || fail 'not every accepted order has ended'
jq -c '{accepted, ended, unknown}' "$WAYBILL_RUN_DIR/load.json"
waybill verify --history "$WAYBILL_RUN_DIR/history.jsonl" --settle 60
down
