#!/usr/bin/env bash
# The verifier looks on, again and again, while orders with all cards are placed and services and brokers are killed: nothing that must
# hold at any moment is violated at any of its readings. Afterwards everything holds.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up
history=$WAYBILL_RUN_DIR/history.jsonl
receipts=$WAYBILL_RUN_DIR/receipts.jsonl
"$root/scripts/waybill" webhook listen --receipts "$receipts" --fail 20 --json >"$WAYBILL_RUN_DIR/listen.log" &
listener=$!
until_true 20 bash -c "[ -e '$receipts' ]" || fail 'the receiver did not start'
waybill load --orders 400 --rate 10 --cards all --history "$history" --drain 180 --json >"$WAYBILL_RUN_DIR/load.json" &
load=$!
until_true 20 bash -c "[ -s '$history' ]" || fail 'no order was placed'
"$root/scripts/waybill" verify --watch --every 500ms --history "$history" --receipts "$receipts" >"$WAYBILL_RUN_DIR/watch.log" 2>&1 &
watch=$!

for victim in payment-1 order-1 inventory-1 notification-1 analytics-1 event-log-1; do
    sleep 4
    before=$(pid_of "$victim")
    say "kill -9 $victim ($before)"
    kill -9 "$before"
    until_true 20 bash -c "[ \"\$(cat '$WAYBILL_RUN_DIR/pids/$victim.pid' 2>/dev/null)\" != '$before' ] && [ -s '$WAYBILL_RUN_DIR/pids/$victim.pid' ]" \
        || fail "$victim did not come back"
done
wait "$load" || { cat "$WAYBILL_RUN_DIR/load.json"; fail 'not every accepted order has ended'; }
jq -c '{accepted, ended, unknown}' "$WAYBILL_RUN_DIR/load.json"

say 'the watch ends at ctrl-c with the verdict'
kill -0 "$watch" 2>/dev/null || { cat "$WAYBILL_RUN_DIR/watch.log"; fail 'the watch ended by itself'; }
kill -TERM "$watch"
wait "$watch" || { cat "$WAYBILL_RUN_DIR/watch.log"; fail 'something that must hold at any moment did not'; }
tail -n 1 "$WAYBILL_RUN_DIR/watch.log"
[ "$(grep -c '^reading ' "$WAYBILL_RUN_DIR/watch.log")" -ge 5 ] || fail 'the watch had fewer than five readings'

# W1 is about endpoints that are there: the receiver leaves only after the verdict.
waybill verify --history "$history" --receipts "$receipts" --settle 120
kill -TERM "$listener"
wait "$listener" || true
down
