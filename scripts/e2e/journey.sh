#!/usr/bin/env bash
# A newcomer's path: start, look, place an order with each card, cancel one, run out of stock, send nonsense, start again.
# alone: it times stopping.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up --set gateway:WAYBILL_GATEWAY_LATE_SECONDS=16
"$root/scripts/status.sh" --run-dir "$WAYBILL_RUN_DIR" || fail 'status.sh finds something unhealthy'
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"

end_of() { waybill order place --sku MUG-STONEWARE --card "$1" --wait --json | jq -r '.status + (if .reason then " " + .reason else "" end)'; }
say 'each card behaves as it is said to'
expect 'completed' end_of tok_visa
expect 'cancelled card-declined' end_of tok_declined
expect 'cancelled insufficient-funds' end_of tok_insufficient_funds
expect 'completed' end_of tok_flaky
expect 'completed' end_of tok_slow
expect 'completed' end_of tok_garbage
expect 'completed' end_of tok_timeout
expect 'cancelled gateway-unresolved' end_of tok_late

say 'stock is refused, not oversold'
waybill stock set SCALE-POCKET 1 >/dev/null
expect 'completed' bash -c "'$root/scripts/waybill' order place --sku SCALE-POCKET --wait --json | jq -r .status"
expect 'rejected out-of-stock' bash -c "'$root/scripts/waybill' order place --sku SCALE-POCKET --wait --json | jq -r '.status + \" \" + .reason'"

say 'a customer cancels in the middle'
id=$(waybill order place --sku MUG-STONEWARE --card tok_slow --json | jq -r .id)
waybill order cancel "$id" --wait --json >/dev/null || fail 'the order could not be cancelled'
expect cancelled bash -c "'$root/scripts/waybill' order get '$id' --json | jq -r .status"

say 'nonsense is answered with the right problem and changes nothing'
orders=$WAYBILL_ORDER_URL/v1/orders
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
post() { status -X POST "$orders" -H 'content-type: application/json' -H "idempotency-key: n-$RANDOM-$RANDOM" -d "$1"; }
before=$(waybill order list --limit 1000 --json | wc -l)
line='{"sku":"MUG-STONEWARE","quantity":1}'
expect 400 post 'nope'
expect 422 post "{\"customer\":\"a\",\"card\":\"tok_visa\",\"lines\":[$line],\"x\":1}"
expect 422 post "{\"customer\":\"a\",\"customer\":\"b\",\"card\":\"tok_visa\",\"lines\":[$line]}"
for quantity in 0 -1 1000000000000000000; do
    expect 422 post "{\"customer\":\"a\",\"card\":\"tok_visa\",\"lines\":[{\"sku\":\"MUG-STONEWARE\",\"quantity\":$quantity}]}"
done
expect 422 post "{\"customer\":\"a\",\"card\":\"tok_visa\",\"lines\":[{\"sku\":\"MUG-STONEWARE\",\"quantity\":1e2}]}"
expect 422 post "{\"customer\":\"a\",\"card\":\"tok_visa\",\"lines\":[{\"sku\":\"NOT-THERE\",\"quantity\":1}]}"
expect 422 post "{\"customer\":\"a\",\"card\":\"tok_visa\",\"lines\":[$(for n in $(seq 101); do printf '{"sku":"S%s","quantity":1},' "$n"; done | sed 's/,$//')]}"
expect 400 status -X POST "$orders" -H 'content-type: application/json' -d '{}'
expect 415 status -X POST "$orders" -H 'idempotency-key: k' -d '{}'
head -c 10000000 /dev/zero | tr '\0' 'a' >"$WAYBILL_RUN_DIR/big"
expect 413 status -X POST "$orders" -H 'content-type: application/json' -H 'idempotency-key: k' --data-binary "@$WAYBILL_RUN_DIR/big"
expect 404 status "$orders/00000000-0000-7000-8000-000000000000"
expect 404 status "$orders/..%2f..%2fetc%2fpasswd"
expect 401 status "$WAYBILL_ORDER_OPERATOR_URL/operator/outbox"
expect 401 status -H 'authorization: Bearer wrong-token-of-some-length' "$WAYBILL_ORDER_OPERATOR_URL/operator/outbox"
expect 401 status -X POST "$WAYBILL_PAYMENT_URL/v1/gateway-callbacks" -H 'content-type: application/json' -d '{}'
expect "$before" bash -c "'$root/scripts/waybill' order list --limit 1000 --json | wc -l"

say 'the same key gives the same order, another body is refused'
body="{\"customer\":\"a\",\"card\":\"tok_visa\",\"lines\":[$line]}"
again() { curl -s -X POST "$orders" -H 'content-type: application/json' -H 'idempotency-key: once' -d "$1"; }
first=$(again "$body" | jq -r .id)
expect "$first" bash -c "curl -s -X POST '$orders' -H 'content-type: application/json' -H 'idempotency-key: once' -d '$body' | jq -r .id"
expect 422 status -X POST "$orders" -H 'content-type: application/json' -H 'idempotency-key: once' -d "${body/tok_visa/tok_slow}"

say 'orders are accepted while the brokers are away, and catch up'
kill -STOP "$(pid_of supervisor)"
kill -9 "$(pid_of rabbitmq-1)" "$(pid_of event-log-1)"
id=$(waybill order place --sku MUG-STONEWARE --json | jq -r .id)
kill -CONT "$(pid_of supervisor)"
until_true 60 bash -c "[ \"\$('$root/scripts/waybill' order get '$id' --json | jq -r .status)\" = completed ]" \
    || fail 'the order did not complete after the brokers came back'

say 'who waits for an order goes on waiting when the order service stops in the middle'
waybill order place --sku MUG-STONEWARE --card tok_timeout --wait --json >"$WAYBILL_RUN_DIR/waited" &
waiting=$!
until_true 10 bash -c "'$root/scripts/waybill' order list --status awaitingPayment --json | grep -q awaitingPayment" \
    || fail 'the order does not wait for its payment'
kill -TERM "$(pid_of order-1)"
wait "$waiting" || fail "who waited was told $(cat "$WAYBILL_RUN_DIR/waited")"
expect completed jq -r .status "$WAYBILL_RUN_DIR/waited"

say 'a second start starts nothing twice'
pids=$(cat "$WAYBILL_RUN_DIR"/pids/*.pid | sort)
up --set gateway:WAYBILL_GATEWAY_LATE_SECONDS=16 >/dev/null
[ "$(cat "$WAYBILL_RUN_DIR"/pids/*.pid | sort)" = "$pids" ] || fail 'a second start replaced processes'

say 'everything is true, and the read models are the fold of the log'
waybill verify --settle 60
waybill analytics rebuild
waybill doctor || true

say 'everything stops within 10 s with code 0, keeps the data, starts warm'
began=$SECONDS
down
[ $((SECONDS - began)) -le 11 ] || fail "stopping took $((SECONDS - began)) s"
expect true jq .cleanStop "$WAYBILL_RUN_DIR/status.json"
began=$SECONDS
up --no-build >/dev/null
printf 'warm start: %s s\n' $((SECONDS - began))
expect completed bash -c "'$root/scripts/waybill' order get '$id' --json | jq -r .status"
down
