#!/usr/bin/env bash
# A subscriber that shares nothing with the sender verifies every request: orders are placed, each first attempt fails, the sender is
# killed in the middle, and every event arrives, signed, with its own id and in the order of its sequence.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up --set notification:WAYBILL_WEBHOOK_SCHEDULE_MS=200,500,1000,2000,5000 --set notification:WAYBILL_WEBHOOK_BREAKER_MS=200
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"
folder=$WAYBILL_RUN_DIR/subscriber
mkdir "$folder"
mkfifo "$folder/in"
python3 "$root/scripts/support/webhook-receiver.py" --log "$folder/seen.jsonl" --fail-first <"$folder/in" >"$folder/out" &
exec 3>"$folder/in"
until_true 20 test -s "$folder/out" || fail 'the receiver did not start'
port=$(head -n 1 "$folder/out")

say 'two subscribers: one for all events of orders, strictly in order; one for thin payloads of what costs much'
subscribe() {
    local path=$1 made
    shift
    made=$(waybill webhook endpoint add "http://127.0.0.1:$port$path" --json "$@")
    printf 'secret %s %s\n' "$path" "$(jq -r .secret <<<"$made")" >&3
    jq -r .id <<<"$made"
}
ordered=$(subscribe /ordered --events 'order.*' --ordered --max-in-flight 8 --uid ordered)
# shellcheck disable=SC2016
subscribe /thin --events order.placed --thin --filter '{"data":{"total":{"minorUnits":{"$gte":4000}}}}' >/dev/null
# Answers nothing that the sender may wait for: nobody else is to notice.
waybill webhook endpoint add 'http://127.0.0.1:9/nobody' --uid nobody >/dev/null

say 'orders, and a sender that is killed among them'
orders=20
kill_sender() { kill -9 "$(pid_of notification-1)"; }
for n in $(seq "$orders"); do
    waybill order place --sku MUG-STONEWARE --quantity $((n % 4 + 1)) --json | jq -r .id >>"$folder/orders"
    # It may be on its way back from the time before.
    if [ "$n" = 8 ] || [ "$n" = 15 ]; then until_true 60 kill_sender || fail 'there is no sender to kill'; fi
done
while read -r id; do
    until_true 60 bash -c "[ \"\$('$root/scripts/waybill' order get '$id' --json | jq -r .status)\" = completed ]" \
        || fail "order $id did not complete"
done <"$folder/orders"
waiting() {
    [ "$(waybill webhook delivery list --endpoint ordered --state "$1" --json --limit 100 2>/dev/null | wc -l)" -gt 0 ]
}
at_rest() { ! waiting pending && ! waiting waiting && ! waiting sending && waiting delivered; }
export -f waiting waybill
export root
until_true 90 at_rest || fail 'not everything was delivered'

say 'a test event, and a resend, reach the subscriber too'
waybill webhook endpoint test ordered --type order.completed --json >/dev/null
delivery=$(waybill webhook delivery list --endpoint ordered --state delivered --type waybill.order.completed.v1 --limit 1 --json | jq -r .id)
waybill webhook delivery resend "$delivery" >/dev/null
resent() { [ "$(waybill webhook delivery show "$delivery" --json | jq '[.attemptLog[] | select(.trigger == "manual" and .state == "succeeded")] | length')" = 1 ]; }
until_true 30 resent || fail 'the resend did not arrive'

say 'a trigger reaches a listener, which passes it on as it came; what is wrong for its type is refused'
waybill webhook listen --events payment.captured --forward-to "http://127.0.0.1:$port/forwarded" --print-secret --count 1 \
    >"$folder/listened" 2>"$folder/listen" &
listener=$!
until_true 30 grep -q '^Listening' "$folder/listen" || fail 'the listener did not start'
printf 'secret /forwarded %s\n' "$(sed -n 's/^secret //p' "$folder/listen")" >&3
if waybill webhook trigger payment.captured --override amount.minorUnits=much >/dev/null 2>&1; then fail 'a wrong amount was sent'; fi
waybill webhook trigger payment.captured --override amount.minorUnits=7 >/dev/null
wait "$listener" || fail 'the listener ended badly'
grep -q 'verified, passed on' "$folder/listened" || fail 'nothing was passed on'

say 'what was sent fits what is published'
mkdir "$folder/types"
for type in $(jq -r 'select(.event) | .type' "$folder/seen.jsonl" | sort -u); do
    curl -sf "$WAYBILL_NOTIFICATION_URL/v1/webhook-event-types/$type" >"$folder/types/$type" || fail "$type is not published"
done

say 'the rows say the same as the subscriber saw'
waybill webhook endpoint secret ordered | head -n 1 | cut -d' ' -f1 >"$folder/secret"
exec 3>&-
wait
cat "$folder/out"
python3 - "$folder" "$ordered" "$WAYBILL_RUN_DIR/data/notification/notification.db" "$root/scripts/support" <<'P'
import collections, json, sqlite3, sys
folder, ordered, path = sys.argv[1:4]
orders = open(folder + "/orders").read().split()
seen = [json.loads(line) for line in open(folder + "/seen.jsonl")]
refused = [row for row in seen if row["refused"]]
assert not refused, f"signatures refused: {refused[:3]}"
sys.path.insert(0, sys.argv[4])
import json_schema
for row in seen:
    # Thin payloads have the subject's id for data.
    if row["path"] == "/thin": continue
    schema = json.load(open(f"{folder}/types/{row['type']}"))["schema"]
    assert not (faults := json_schema.faults(schema, row["event"])), f"{row['type']}: {faults}"
forwarded = [row for row in seen if row["path"] == "/forwarded"]
assert [row["event"]["data"]["amount"]["minorUnits"] for row in forwarded] == [7], forwarded
accepted = collections.defaultdict(list)
for row in seen:
    if row["path"] == "/ordered" and row["status"] == 204: accepted[row["subject"]].append(row)
for order in orders:
    # Placed, awaiting stock, awaiting payment, confirming, completed: each of them, once or again, never out of order.
    first = [row["sequence"] for row in dict((row["id"], row) for row in reversed(accepted[order])).values()]
    assert sorted(first) == list(range(1, len(first) + 1)) and len(first) >= 5, f"{order}: {sorted(first)}"
    arrived, last = [], 0
    for row in accepted[order]:
        if row["sequence"] not in arrived:
            assert row["sequence"] == last + 1, f"{order}: {row['sequence']} after {last}"
            arrived.append(row["sequence"]); last = row["sequence"]
thin = [row for row in seen if row["path"] == "/thin" and row["status"] == 204]
db = sqlite3.connect(path)
one = lambda sql, *values: db.execute(sql, values).fetchone()[0]
rows = one("SELECT count(*) FROM webhook_attempts a JOIN webhook_deliveries d ON d.seq = a.delivery_seq JOIN webhook_endpoints e "
           "ON e.id = d.endpoint_id WHERE e.uid IS NOT 'nobody'")
assert one("SELECT count(*) FROM webhook_attempts WHERE state = 'started' AND delivery_seq IN (SELECT seq FROM webhook_deliveries "
           "WHERE endpoint_id = ?)", ordered) == 0
interrupted = one("SELECT count(*) FROM webhook_attempts WHERE state = 'interrupted'")
assert len(seen) <= rows, f"{len(seen)} requests, {rows} rows"
big = one("SELECT count(*) FROM webhook_deliveries WHERE is_thin = 1")
assert 0 < len({row["id"] for row in thin}) == big < len(orders), f"{len(thin)} thin ones, {big} rows"
print(f"{len(seen)} requests, all verified by code of their own; {rows} rows, {interrupted} interrupted; "
      f"{sum(map(len, accepted.values()))} accepted for {len(orders)} orders; {big} thin")
P
down
