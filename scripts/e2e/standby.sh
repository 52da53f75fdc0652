#!/usr/bin/env bash
# Two instances of payment, order and inventory: the standby takes over within 2 s of a kill -9 and within 15 s of a freeze, also when the
# frozen one holds commands that it prefetched. One that is thawed before anybody killed it does no harm.
# alone: it times takeovers.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

# A frozen inventory is not to cost an order its deadline.
up --instances payment=2,order=2,inventory=2 --set order:WAYBILL_ORDER_STOCK_SECONDS=240
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"

# Nothing is to be refused for want of stock.
for sku in $(waybill stock list --json | jq -r .sku); do waybill stock set "$sku" 10000 >/dev/null; done

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

# freeze_under_load NAME: offers orders and stops the active instance of inventory in the middle, so that commands are out to it.
freeze_under_load() {
    roles inventory
    until_true 30 curl -sf -m 1 "http://127.0.0.1:$(probe_port "$standby")/health/live" || fail "$standby is not up"
    # The supervisor would kill what is frozen; it is to look on until the commands were seen.
    kill -STOP "$(pid_of supervisor)"
    waybill load --orders 40 --rate 10 --cards visa --history "$WAYBILL_RUN_DIR/$1.jsonl" --json >"$WAYBILL_RUN_DIR/$1.json" &
    load=$!
    until_true 30 [ -s "$WAYBILL_RUN_DIR/$1.jsonl" ] || fail 'the load does not begin'
    kill -STOP "$(pid_of "$active")"
    until_true 10 some_are_out || fail "no command is out to the frozen $active"
    say "$active is frozen and holds $(out inventory.inbox) unacknowledged commands"
}
some_are_out() { [ "$(out inventory.inbox)" -gt 0 ]; }
none_is_out() { [ "$(out inventory.inbox)" -eq 0 ] && [ "$(waiting inventory.inbox)" -gt 0 ]; }
# all_completed NAME: every order of a load has completed, none was compensated.
all_completed() {
    wait "$load" || fail 'not every accepted order has ended'
    expect '{"completed":40}' jq -c .ended "$WAYBILL_RUN_DIR/$1.json"
    expect 0 waiting inventory.inbox.dead
    expect 0 bash -c "'$root/scripts/waybill' dlq list --state all --json | wc -l"
    waybill verify --history "$WAYBILL_RUN_DIR/$1.jsonl" --settle 60
}

say 'frozen with prefetched commands: it is killed, and the standby does its work'
freeze_under_load frozen
began=$(milliseconds)
kill -CONT "$(pid_of supervisor)"
until_true 17 is_active "$standby" || fail "$standby did not take over"
say "$standby took over after $(($(milliseconds) - began)) ms"
[ $(($(milliseconds) - began)) -le 15000 ] || fail 'the takeover took longer than 15 s'
all_completed frozen

say 'frozen with prefetched commands and thawed: the broker has given it up, the lock has not, and it goes on'
freeze_under_load thawed
# The broker misses its heartbeats and takes the commands back. No standby may touch them: the frozen one still owns the database.
until_true 60 none_is_out || fail "the broker still waits for the frozen $active"
! is_active "$standby" || fail "$standby is active beside the frozen $active"
say "$(waiting inventory.inbox) commands are back in the queue; thawing $active"
kill -CONT "$(pid_of "$active")"
until_true 15 is_active "$active" || fail "$active does not go on"
kill -CONT "$(pid_of supervisor)"
all_completed thawed
down
