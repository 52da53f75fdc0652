#!/usr/bin/env bash
# A consumer with a prefetch of 10 is killed with kill -9 twenty times in a row, each time while the broker has ten of its commands out to
# it, unacknowledged, and before it could commit any. No good message is dead-lettered, and afterwards every order completes: attempts are
# counted by us, not by the broker's deliveries.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

prefetch=10 messages=30 kills=20
# The orders wait for inventory longer than all its deaths take.
up --set order:WAYBILL_ORDER_STOCK_SECONDS=240 --set "inventory:WAYBILL_AMQP_PREFETCH=$prefetch"
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"

# Nothing is to be refused for want of stock.
waybill stock set MUG-STONEWARE 1000 >/dev/null

# Starts inventory as the supervisor would, on a disk that takes 400 ms for each write to the database's log: what is delivered to it is
# handled, but not committed, when it dies; a commit of one command alone is a dozen writes. Leaves the process id in inventory.
start_on_a_slow_disk() {
    (
        set -a
        # shellcheck disable=SC1091
        . "$WAYBILL_RUN_DIR/config/inventory-1.env"
        exec strace -f -qq -o /dev/null -P "$WAYBILL_DATABASE-wal" -e trace=pwrite64 -e inject=pwrite64:delay_enter=400000 \
            "$WAYBILL_BIN_DIR/inventory-service" >>"$WAYBILL_RUN_DIR/slow-inventory.log" 2>&1
    ) &
    tracer=$!
    until_true 20 pgrep -P "$tracer" || fail 'inventory did not start'
    inventory=$(pgrep -P "$tracer")
}

reservations() { sqlite3 "file:$WAYBILL_RUN_DIR/data/inventory/inventory.db?mode=ro" 'SELECT count(*) FROM reservations'; }
completed() { waybill order list --status completed --limit 100 --json | wc -l; }
all_are_out() { [ "$(out inventory.inbox)" = "$prefetch" ]; }
all_are_waiting() { [ "$(waiting inventory.inbox)" = "$messages" ]; }

kill -STOP "$(pid_of supervisor)"
kill -9 "$(pid_of inventory-1)"
for _ in $(seq "$messages"); do waybill order place --sku MUG-STONEWARE --json >/dev/null; done
until_true 30 all_are_waiting || fail "$(waiting inventory.inbox) of $messages commands reached the queue"
before=$(reservations)

for round in $(seq "$kills"); do
    start_on_a_slow_disk
    until_true 40 all_are_out || fail "round $round: $(out inventory.inbox) commands are out to inventory, not $prefetch"
    kill -9 "$inventory"
    wait "$tracer" 2>/dev/null || true
    [ "$(reservations)" -eq "$before" ] || fail "round $round came to commit something, so it proved nothing"
    until_true 30 all_are_waiting || fail "round $round: $(waiting inventory.inbox) of $messages commands came back to the queue"
    say "kill $round of $kills: $prefetch commands were out, all $messages are back"
done

kill -CONT "$(pid_of supervisor)"
until_true 60 bash -c "[ \$('$root/scripts/waybill' order list --status completed --limit 100 --json | wc -l) -eq $messages ]" \
    || fail "only $(completed) of $messages orders completed"
expect 0 waiting inventory.inbox.dead
expect 0 out inventory.inbox.dead
expect 0 bash -c "'$root/scripts/waybill' dlq list --state all --json | wc -l"
waybill verify --settle 60
down
