#!/usr/bin/env bash
# Places 300 orders with all cards while each service, the gateway, RabbitMQ and the event log is killed once with kill -9.
# Afterwards every order has ended, nothing is violated, and the read models are the fold of the log.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up
history=$WAYBILL_RUN_DIR/history.jsonl
say 'offering 300 orders with all cards'
waybill load --orders 300 --rate 12 --cards all --history "$history" --drain 180 --json >"$WAYBILL_RUN_DIR/load.json" &
load=$!

for victim in payment-1 order-1 inventory-1 analytics-1 notification-1 gateway-1 rabbitmq-1 event-log-1; do
    sleep 2.5
    before=$(pid_of "$victim")
    say "kill -9 $victim ($before)"
    kill -9 "$before"
    # It is back when another process has its place.
    until_true 20 bash -c "[ \"\$(cat '$WAYBILL_RUN_DIR/pids/$victim.pid' 2>/dev/null)\" != '$before' ] && [ -s '$WAYBILL_RUN_DIR/pids/$victim.pid' ]" \
        || fail "$victim did not come back"
done

wait "$load" || { cat "$WAYBILL_RUN_DIR/load.json"; fail 'not every accepted order has ended'; }
cat "$WAYBILL_RUN_DIR/load.json"
[ "$(jq .accepted "$WAYBILL_RUN_DIR/load.json")" -eq 300 ] || fail 'not every order was accepted in the end'

say 'verifying'
waybill verify --history "$history" --settle 120
say 'rebuilding the read models'
waybill analytics rebuild
down
