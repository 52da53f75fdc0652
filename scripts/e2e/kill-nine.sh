#!/usr/bin/env bash
# A consumer that holds prefetched commands is killed with kill -9 twenty times in a row, each time before it could commit any. No good
# message is dead-lettered, and afterwards every order completes: attempts are counted by us, not by the broker's deliveries.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

messages=10 kills=20
# The orders wait for inventory longer than all its deaths take.
up --set order:WAYBILL_ORDER_STOCK_SECONDS=240
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"

# Starts inventory as the supervisor would, on a disk that takes 300 ms for each write to the database's log: what is delivered to it is
# handled, but not committed, when it dies. Leaves the process id in inventory.
start_on_a_slow_disk() {
    (
        set -a
        # shellcheck disable=SC1091
        . "$WAYBILL_RUN_DIR/config/inventory-1.env"
        exec strace -f -qq -o /dev/null -P "$WAYBILL_DATABASE-wal" -e trace=pwrite64 -e inject=pwrite64:delay_enter=300000 \
            "$WAYBILL_BIN_DIR/inventory-service" >>"$WAYBILL_RUN_DIR/slow-inventory.log" 2>&1
    ) &
    tracer=$!
    until_true 20 pgrep -P "$tracer" || fail 'inventory did not start'
    inventory=$(pgrep -P "$tracer")
    until_true 30 curl -sf -m 1 "http://127.0.0.1:$probe/health/ready" || fail 'inventory did not get ready'
}

queue() { curl -sf "$RABBITMQ_MANAGEMENT_URL/api/queues/waybill/$1" | jq "$2"; }
reservations() { sqlite3 "file:$WAYBILL_RUN_DIR/data/inventory/inventory.db?mode=ro" 'SELECT count(*) FROM reservations'; }
completed() { waybill order list --status completed --json | wc -l; }

probe=$(sed -n 's/^WAYBILL_PROBE_PORT=//p' "$WAYBILL_RUN_DIR/config/inventory-1.env")
kill -STOP "$(pid_of supervisor)"
kill -9 "$(pid_of inventory-1)"
for _ in $(seq "$messages"); do waybill order place --sku MUG-STONEWARE --json >/dev/null; done
before=$(reservations)

for round in $(seq "$kills"); do
    start_on_a_slow_disk
    # Ready is before the first delivery, by a few milliseconds.
    sleep 0.3
    kill -9 "$inventory"
    wait "$tracer" 2>/dev/null || true
    [ "$(reservations)" -eq "$before" ] || fail "round $round came to commit something, so it proved nothing"
done
# The broker's own account, which it keeps every ten seconds: all of them were out at (nearly) every death.
redelivered() { [ "$(queue inventory.inbox '.message_stats.redeliver // 0')" -ge $((messages * (kills - 3))) ]; }
until_true 30 redelivered || fail "only $(queue inventory.inbox '.message_stats.redeliver // 0') redeliveries: the messages were not out"
say "killed $kills times with $messages messages out: $(queue inventory.inbox .message_stats.redeliver) redeliveries"

kill -CONT "$(pid_of supervisor)"
until_true 60 bash -c "[ \$('$root/scripts/waybill' order list --status completed --json | wc -l) -eq $messages ]" \
    || fail "only $(completed) of $messages orders completed"
expect 0 queue inventory.inbox.dead .messages
expect 0 bash -c "'$root/scripts/waybill' dlq list --state all --json | wc -l"
waybill verify --settle 60
down
