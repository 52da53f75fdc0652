#!/usr/bin/env bash
# RabbitMQ's data directory is lost in mid-flow, twice. First an operator has the open commands asked for again: every order completes as if
# nothing had happened. Then nobody does anything: deadlines end every order. No card is charged twice, and nothing is violated.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

# Deadlines short enough for the second half, and long enough not to do the first half's work.
up --set order:WAYBILL_ORDER_STOCK_SECONDS=40 --set order:WAYBILL_ORDER_PAYMENT_SECONDS=40 \
    --set order:WAYBILL_ORDER_CONFIRMATION_SECONDS=40 --set order:WAYBILL_ORDER_COMPENSATION_SECONDS=5

# Nothing is to be refused for want of stock.
waybill stock set SCALE-POCKET 1000 >/dev/null

open_orders() { waybill outbox republish --dry-run --json | jq .orders; }

at_least_20_open() { [ "$(open_orders)" -ge 20 ]; }

# The broker dies by kill -9, full of commands that nobody took, and its data is gone before it is started again. The services that would
# take them are killed first: one that is only frozen goes on with what already lies in its socket, and next to nothing would be lost.
lose_everything() {
    local before
    before=$(pid_of rabbitmq-1)
    kill -STOP "$(pid_of supervisor)"
    kill -9 "$(pid_of inventory-1)" "$(pid_of payment-1)"
    until_true 20 at_least_20_open || fail 'no commands gather in the queues'
    kill -9 "$before"
    # Its parent is stopped and does not bury it: a dead process has no environment any more.
    until_true 5 bash -c "! grep -qz . /proc/$before/environ" || fail 'RabbitMQ does not die'
    rm -rf -- "$WAYBILL_RUN_DIR/data/rabbitmq/mnesia"
    kill -CONT "$(pid_of supervisor)"
    until_true 20 bash -c "[ -s '$WAYBILL_RUN_DIR/pids/rabbitmq-1.pid' ] && [ \"\$(cat '$WAYBILL_RUN_DIR/pids/rabbitmq-1.pid')\" != $before ]" \
        || fail 'the broker was not started again'
    until_true 60 "$root/scripts/status.sh" --run-dir "$WAYBILL_RUN_DIR" || fail 'the broker did not come back'
}

say 'first loss, with an operator'
waybill load --orders 150 --rate 30 --cards tok_visa=2,tok_slow=1 --history "$WAYBILL_RUN_DIR/first.jsonl" --json >"$WAYBILL_RUN_DIR/first.json" &
load=$!
sleep 1 # some have completed, some are under way
lose_everything
open=$(open_orders)
say "RabbitMQ is back and empty; $open orders wait for answers that may be lost"
[ "$open" -ge 20 ] || fail 'little was under way, so little was tested'
waybill outbox republish
wait "$load" || fail 'not every order has ended'
jq -c '{accepted, ended}' "$WAYBILL_RUN_DIR/first.json"
expect '{"completed":150}' jq -c .ended "$WAYBILL_RUN_DIR/first.json"
expect 0 open_orders

say 'second loss, and nobody does anything'
waybill load --orders 60 --rate 30 --cards tok_visa=2,tok_slow=1 --history "$WAYBILL_RUN_DIR/second.jsonl" --json >"$WAYBILL_RUN_DIR/second.json" &
load=$!
sleep 1 # some have completed, some are under way
lose_everything
[ "$(open_orders)" -gt 0 ] || fail 'nothing was under way, so nothing was tested'
wait "$load" || fail 'not every order has ended by its deadlines'
jq -c '{accepted, ended}' "$WAYBILL_RUN_DIR/second.json"
[ "$(jq .accepted "$WAYBILL_RUN_DIR/second.json")" -eq 60 ] || fail 'not every order was accepted'
[ "$(jq '.ended.cancelled // 0' "$WAYBILL_RUN_DIR/second.json")" -gt 0 ] || fail 'nothing was lost, so deadlines had nothing to do'

say 'verifying: every order has ended, no double charge'
waybill verify --history "$WAYBILL_RUN_DIR/first.jsonl" --settle 60
expect 0 bash -c "'$root/scripts/waybill' dlq list --json | wc -l"
down
