#!/usr/bin/env bash
# Hostile messages on every queue and topic amid good orders: the dead letters are exactly the hostile ones, every good order ends, no
# service goes down.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"
pids=$(cat "$WAYBILL_RUN_DIR"/pids/*.pid | sort)

order=00000000-0000-7000-8000-000000000001
nested=$(head -c 513 /dev/zero | tr '\0' '[')
# Payloads that are no commands, whatever the type says: the ninth is not UTF-8, the tenth is UTF-16.
payloads=(
    'nope' '' '{}' '[]' '{"orderID":7}' '{"orderID":"x"}' "$nested" "{\"orderID\":\"$order\",\"orderID\":\"$order\"}"
    $'{"orderID":"\xff\xfe"}' $'\xff\xfe{\x22a' "{\"orderID\":\"$order\",\"items\":[{\"sku\":\"A\",\"quantity\":1e2}],\"expiresAt\":\"x\"}"
)
# A whole number, but no quantity: poison only where a quantity is read.
too_many="{\"orderID\":\"$order\",\"items\":[{\"sku\":\"A\",\"quantity\":1000000000000000000}],\"expiresAt\":\"2026-01-01T00:00:00Z\"}"

# publish INBOX TYPE NUMBER PAYLOAD: a message with a whole envelope, so that only its type or payload is wrong.
publish() {
    jq -n --arg key "$1" --arg type "$2" --arg id "poison-$1-$3" --arg payload "$(printf '%s' "$4" | base64 -w0)" --arg order "$order" '{
        properties: {delivery_mode: 2, headers: {ce_specversion: "1.0", ce_id: $id, ce_source: "/test", ce_type: $type,
            ce_subject: $order, ce_time: "2026-01-01T00:00:00Z", ce_correlationid: $order}},
        routing_key: $key, payload: $payload, payload_encoding: "base64"}' |
        curl -sf -X POST "$RABBITMQ_MANAGEMENT_URL/api/exchanges/waybill/$1/publish" -H 'content-type: application/json' -d @- |
        grep -q '"routed":true' || fail "message $3 was not routed to $1"
}

waybill load --orders 500 --rate 25 --cards visa --history "$WAYBILL_RUN_DIR/history.jsonl" --json >"$WAYBILL_RUN_DIR/load.json" &
load=$!

say 'hostile messages to every inbox'
sent=0
for inbox in order.inbox payment.inbox inventory.inbox; do
    case $inbox in
        order.inbox) type=waybill.inventory.reserved.v1 ;;
        payment.inbox) type=waybill.payment.capture.v1 ;;
        *) type=waybill.inventory.reserve.v1 ;;
    esac
    for index in "${!payloads[@]}"; do
        publish "$inbox" "$type" "$index" "${payloads[$index]}"
        sent=$((sent + 1))
    done
    publish "$inbox" 'waybill.no.such.type.v1' 'type' '{}'
    publish "$inbox" 'waybill.inventory.reserve.v99' 'version' '{}'
    sent=$((sent + 2))
    # No envelope at all.
    curl -sf -X POST "$RABBITMQ_MANAGEMENT_URL/api/exchanges/waybill/$inbox/publish" -H 'content-type: application/json' \
        -d "{\"properties\":{},\"routing_key\":\"$inbox\",\"payload\":\"bare $inbox\",\"payload_encoding\":\"string\"}" >/dev/null
    sent=$((sent + 1))
done

publish inventory.inbox waybill.inventory.reserve.v1 many "$too_many"
sent=$((sent + 1))

say 'hostile records to every topic'
for topic in orders payments inventory catalog; do
    printf 'nope\n' | kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$topic" -k poison
    printf '{"orderID":7}\n' | kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$topic" -k poison -H ce_specversion=1.0 -H ce_id="poison-$topic" \
        -H ce_source=/test -H ce_type=waybill.order.placed.v1 -H ce_subject="$order" -H ce_time=2026-01-01T00:00:00Z -H ce_correlationid="$order"
    head -c 900000 /dev/zero | tr '\0' 'a' | kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$topic" -k poison -D '\n'
done

wait "$load" || fail 'not every good order has ended'
jq -c '{accepted, ended, unknown}' "$WAYBILL_RUN_DIR/load.json"

held() { waybill dlq stats --json | jq -s --arg consumer "$1" '[.[] | select(.state == "held" and (.consumer | endswith($consumer))) | .count] | add // 0'; }
say "the dead letters of the inboxes are exactly the $sent hostile messages"
until_true 30 bash -c "[ \$('$root/scripts/waybill' dlq stats --json | jq -s '[.[] | select(.state == \"held\" and (.consumer | endswith(\".inbox\"))) | .count] | add // 0') -ge $sent ]" \
    || fail "only $(held .inbox) of $sent arrived"
expect "$sent" held .inbox
waybill dlq stats

say 'nothing went down, and the queues are empty'
[ "$(cat "$WAYBILL_RUN_DIR"/pids/*.pid | sort)" = "$pids" ] || fail 'a process was restarted'
"$root/scripts/status.sh" --run-dir "$WAYBILL_RUN_DIR" >/dev/null || fail 'something is unhealthy'
# The figure lags behind the queues by a few seconds.
until_true 20 bash -c "[ \$(curl -sf '$RABBITMQ_MANAGEMENT_URL/api/queues/waybill?columns=messages' | jq '[.[] | .messages // 0] | add') -eq 0 ]" \
    || fail 'messages are left in a queue'
# E3 and what follows from it cannot hold on a log into which somebody else wrote; everything else must.
waybill verify --history "$WAYBILL_RUN_DIR/history.jsonl" --json >"$WAYBILL_RUN_DIR/verify.json" || true
jq -r '.checks[] | select(.verdict == "violated") | "\(.id)  \(.example)"' "$WAYBILL_RUN_DIR/verify.json"
expect 'E3' bash -c "jq -r '[.checks[] | select(.verdict == \"violated\") | .id] | join(\" \")' '$WAYBILL_RUN_DIR/verify.json'"
waybill analytics rebuild
down
