#!/usr/bin/env bash
# Every verb of `waybill dlq` on a running system, with its exit code; and a requeue of many letters that goes on after kill -9.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"

# code COMMAND…: its exit code.
code() { "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
# send EXCHANGE ID TYPE ORDER PAYLOAD: a message with a whole envelope.
send() {
    jq -n --arg key "$1" --arg id "$2" --arg type "$3" --arg order "$4" --arg payload "$5" '{
        properties: {delivery_mode: 2, headers: {ce_specversion: "1.0", ce_id: $id, ce_source: "/test", ce_type: $type,
            ce_subject: $order, ce_time: "2026-01-01T00:00:00Z", ce_correlationid: $order}},
        routing_key: $key, payload: $payload, payload_encoding: "string"}' |
        curl -sf -X POST "$RABBITMQ_MANAGEMENT_URL/api/exchanges/waybill/$1/publish" -H 'content-type: application/json' -d @- |
        grep -q '"routed":true' || fail "message $2 was not routed to $1"
}
held() { waybill dlq list --json | wc -l; }
until_held() { until_true 20 bash -c "[ \$('$root/scripts/waybill' dlq list --json | wc -l) -eq $1 ]" || fail "$(held) letters are held, not $1"; }

expect 0 held
order=$(waybill order place --sku MUG-STONEWARE --wait --json | jq -r .id)
commit=waybill.inventory.commit.v1
send inventory.inbox misspelled "$commit" "$order" "{\"orderId\":\"$order\"}"
send inventory.inbox hopeless "$commit" "$order" 'nope'
send inventory.inbox newer waybill.inventory.commit.v9 "$order" "{\"orderID\":\"$order\"}"
until_held 3

say 'stats, list, show'
expect 3 bash -c "'$root/scripts/waybill' dlq stats --json | jq -s 'map(.count) | add'"
expect 'missing-field unexpected-byte unknown-type' bash -c "'$root/scripts/waybill' dlq list --group-by reason --json | jq -r .reason | sort | xargs"
expect 1 bash -c "'$root/scripts/waybill' dlq list --reason missing-field --service inventory --type $commit --order $order --json | wc -l"
expect 0 bash -c "'$root/scripts/waybill' dlq list --service payment --json | wc -l"
expect 1 bash -c "'$root/scripts/waybill' dlq list --text hopeless --json | wc -l"
id_of() { waybill dlq list --state all --reason "$1" --json | jq -r .id; }
misspelled=$(id_of missing-field)
expect "misspelled completed {\"orderId\":\"$order\"}" \
    bash -c "'$root/scripts/waybill' dlq show $misspelled --json | jq -r '\"\\(.messageId) \\(.timeline.order.status) \\(.bodyText)\"'"
expect 1 code waybill dlq show 00000000000000000000000000000000
expect 1 code waybill doctor

say 'a rehearsal changes nothing and says what would happen'
expect 1 code waybill dlq requeue --all --dry-run
expect 'failed failed failed' bash -c "'$root/scripts/waybill' dlq requeue --all --dry-run --json | jq -r .result | xargs"
expect 3 held
expect 2 code waybill dlq requeue

say 'edit: refused when it would fail again, else a new letter that names the old one'
wrong=$(waybill dlq edit "$misspelled" --body "{\"orderId\":\"$order\",\"a\":1}" 2>&1) && fail 'a wrong edit was taken'
case $wrong in *'The field is missing. [edit-invalid]') ;; *) fail "a wrong edit was refused with '$wrong'" ;; esac
waybill dlq edit "$misspelled" --body "{\"orderID\":\"$order\"}" --note 'the tool misspelled it'
copy=$(id_of missing-field | grep -v "$misspelled")
expect "$misspelled" bash -c "'$root/scripts/waybill' dlq show $copy --json | jq -r .editedFrom"
expect handled bash -c "'$root/scripts/waybill' dlq requeue $copy --dry-run --json | jq -r .result"
expect 1 code waybill dlq restore "$misspelled"
expect 0 code waybill dlq requeue "$copy"
# Twice is once.
expect 1 code waybill dlq requeue "$copy"
until_held 2

say 'requeued and failed again: a new letter that names the former'
newer=$(id_of unknown-type)
waybill dlq requeue "$newer"
again() { waybill dlq list --reason unknown-type --json | jq -r .previousId; }
until_true 20 bash -c "[ \"\$('$root/scripts/waybill' dlq list --reason unknown-type --json | jq -r .previousId)\" = $newer ]" \
    || fail "the new letter names '$(again)', not $newer"
until_held 2

say 'discard with a reason, restore, discard again, export, purge'
hopeless=$(id_of unexpected-byte)
expect 2 code waybill dlq discard "$hopeless"
waybill dlq discard "$hopeless" --reason 'no command at all'
waybill dlq restore "$hopeless"
waybill dlq discard "$hopeless" --reason 'no command at all'
until_held 1
expect '6e6f7065' bash -c "'$root/scripts/waybill' dlq export 2>/dev/null | jq -r 'select(.id == \"$hopeless\") | .bodyHex'"
expect 1 code waybill dlq purge
# Of this very moment: nothing is rounded away.
waybill dlq purge --older-than 0s --confirm
expect 1 bash -c "'$root/scripts/waybill' dlq list --state all --json | wc -l"
# The journal keeps what became of letters that are gone.
expect 'discard restore discard' bash -c "'$root/scripts/waybill' dlq history $hopeless --json | jq -r .verb | xargs"

# dead_letters NAME COUNT: so many good messages in the dead-letter queue, as the broker leaves those that were delivered too often.
dead_letters() {
    local n
    for n in $(seq "$2"); do
        jq -n --arg id "$1-$n" --arg order "$order" --arg type "$commit" '{
            properties: {delivery_mode: 2, headers: {ce_specversion: "1.0", ce_id: $id, ce_source: "/test", ce_type: $type,
                ce_subject: $order, ce_time: "2026-01-01T00:00:00Z", ce_correlationid: $order}},
            routing_key: "inventory.inbox.dead", payload: ({orderID: $order} | tojson), payload_encoding: "string"}' |
            curl -sf -X POST "$RABBITMQ_MANAGEMENT_URL/api/exchanges/waybill/inventory.inbox.dead/publish" -H 'content-type: application/json' -d @- >/dev/null
    done
}

say 'forty letters are sent back, and the service is killed meanwhile'
dead_letters many 40
until_held 41
job=$(waybill dlq requeue --type "$commit" --rate 10 --detach --note 'the crash loop is over' --json | jq -r .id)
state() { waybill dlq jobs --service inventory --json | jq -r "select(.id == \"$job\") | .state"; }
sent() { waybill dlq jobs --service inventory --json | jq -r "select(.id == \"$job\") | .total - .waiting"; }
until_true 20 bash -c "[ \$('$root/scripts/waybill' dlq jobs --service inventory --json | jq -r 'select(.id == \"$job\") | .total - .waiting') -ge 5 ]" \
    || fail 'the job does not begin'
[ "$(state)" = running ] || fail 'the job was over before the kill'
before=$(pid_of inventory-1)
kill -9 "$before"
say "killed after $(sent 2>/dev/null || echo some) of 40"
finished() { [ "$(state)" = finished ]; }
until_true 60 finished || fail "the job is $(state), not finished"
expect 40 bash -c "'$root/scripts/waybill' dlq history --service inventory --job $job --limit 1000 --json | jq -r 'select(.verb == \"requeue\") | .letter' | sort -u | wc -l"
expect 40 bash -c "'$root/scripts/waybill' dlq history --service inventory --job $job --limit 1000 --json | jq -r 'select(.verb == \"requeue\") | .letter' | wc -l"
expect 1 held

expect 1 code waybill dlq cancel inventory "$job"
expect 1 code waybill dlq cancel inventory no-such-job

say 'forty letters are sent back, and somebody thinks better of it meanwhile'
dead_letters more 40
until_held 41
job=$(waybill dlq requeue --type "$commit" --rate 2 --detach --json | jq -r .id)
has_sent() { [ "$(sent)" -ge 3 ]; }
until_true 30 has_sent || fail 'the job does not begin'
expect 0 code waybill dlq cancel inventory "$job" --note 'wrong letters'
expect cancelled state
gone=$(sent)
[ "$gone" -lt 40 ] || fail 'nothing was left to cancel'
# What was sent stays sent, the rest stays held: one of the 41 is not of this type.
until_held $((41 - gone))
say "cancelled after $gone of 40"
# Twice the time between two letters later it is still so.
sleep 1
expect $((41 - gone)) held
expect "cancel-job wrong letters" bash -c "'$root/scripts/waybill' dlq history --service inventory --job $job --limit 1000 --json | jq -r 'select(.verb == \"cancel-job\") | \"\\(.verb) \\(.reason)\"'"
# The rest can be sent back by another job, and nothing goes twice.
expect "finished $((40 - gone))" bash -c "'$root/scripts/waybill' dlq requeue --type $commit --json | jq -r '\"\\(.state) \\(.total)\"'"
expect 1 held
sent_letters() { waybill dlq history --service inventory --limit 1000 --json | jq -r 'select(.verb == "requeue" and .outcome == "sent") | .letter'; }
[ "$(sent_letters | wc -l)" -eq "$(sent_letters | sort -u | wc -l)" ] || fail 'a letter was sent twice'

say 'while the service is down, its dead letters wait in RabbitMQ and are counted there'
"$WAYBILL_BIN_DIR/waybill-supervisor" stop --run-dir "$WAYBILL_RUN_DIR" inventory-1 >/dev/null
dead_letters late 2
# The broker's statistics are some seconds old; the command says besides that inventory could not be asked.
counted() { [ "$(waybill dlq stats --json 2>/dev/null | jq -r 'select(.state == "queued") | "\(.consumer) \(.count)"')" = 'inventory.inbox.dead 2' ]; }
until_true 40 counted || fail 'the letters in the queue are not counted'
expect 2 code waybill dlq stats
"$WAYBILL_BIN_DIR/waybill-supervisor" start --run-dir "$WAYBILL_RUN_DIR" inventory-1 >/dev/null
until_true 30 bash -c "[ \$('$root/scripts/waybill' dlq list --service inventory --json | wc -l) -eq 3 ]" || fail 'the letters were not drained'

waybill verify --settle 30
down
