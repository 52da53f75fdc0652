#!/usr/bin/env bash
# A corpus of hostile messages on every queue and every topic amid 500 good orders: the dead letters are exactly the corpus (D1), every good
# order completes, their p99 at most twice that of 500 orders just before, and no service goes down. The orders before have the same corpus
# published beside them, by the same processes on the same cores, to a queue and a topic that nobody reads: what is compared is poison
# handled, not programs started.
# alone: it compares latencies.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

up
# shellcheck disable=SC1091
. "$WAYBILL_RUN_DIR/env"
waybill stock set SCALE-POCKET 10000 >/dev/null
pids=$(cat "$WAYBILL_RUN_DIR"/pids/*.pid | sort)
work=$WAYBILL_RUN_DIR/corpus
mkdir -p "$work"

order=00000000-0000-7000-8000-000000000001
# The payloads, one file each. A name that begins with "json-" is JSON: only who reads the fields can call it poison.
printf 'nope' >"$work/no-json"
printf '{}' >"$work/json-schema"
printf '[]' >"$work/json-array"
printf '{"orderID":7}' >"$work/json-number"
printf '{"orderID":"x"}' >"$work/json-id"
head -c 513 /dev/zero | tr '\0' '[' >"$work/nested"
printf '{"orderID":"%s","orderID":"%s"}' "$order" "$order" >"$work/duplicate"
printf '{"orderID":"\xff\xfe"}' >"$work/utf8"
printf '\xff\xfe{\x00"\x00a\x00' >"$work/utf16"
printf '{"orderID":"%s","amount":{"minorUnits":99999999999999999999999999,"currency":"EUR"}}' "$order" >"$work/overflow"
printf '{"orderID":"%s","amount":{"minorUnits":1e2,"currency":"EUR"},"items":[{"sku":"A","quantity":1e2}]}' "$order" >"$work/exponent"
: >"$work/empty"
kinds=(no-json json-schema json-array json-number json-id nested duplicate utf8 utf16 overflow exponent empty unknown-type unknown-version)
head -c 10000000 /dev/zero | tr '\0' 'a' >"$work/ten-megabytes"

# file_of KIND, type_of KIND TYPE: a wrong type has a payload that would do.
file_of() { case $1 in unknown-*) printf '%s/json-schema' "$work" ;; *) printf '%s/%s' "$work" "$1" ;; esac; }
type_of() {
    case $1 in
        unknown-type) printf 'waybill.no.such.type.v1' ;;
        unknown-version) printf '%s99' "${2%?}" ;;
        *) printf '%s' "$2" ;;
    esac
}

# publish EXCHANGE: the body is on standard input; prints the answer.
publish() { curl -s -X POST "$RABBITMQ_MANAGEMENT_URL/api/exchanges/waybill/$1/publish" -H 'content-type: application/json' -d @-; }

# to_queue QUEUE ID TYPE FILE: with a whole envelope, so that only its type or payload is wrong. Prints whether it was routed.
to_queue() {
    base64 -w0 "$4" | jq -R -s --arg key "$1" --arg type "$3" --arg id "$2" --arg order "$order" '{
        properties: {delivery_mode: 2, headers: {ce_specversion: "1.0", ce_id: $id, ce_source: "/test", ce_type: $type,
            ce_subject: $order, ce_time: "2026-01-01T00:00:00Z", ce_correlationid: $order}},
        routing_key: $key, payload: ., payload_encoding: "base64"}' | publish "$1" | jq '.routed // false'
}

# to_topic TOPIC ID TYPE FILE
to_topic() {
    local value=("$4")
    # An empty file is no message to kcat; a key with nothing behind it is a record without a value.
    if [ ! -s "$4" ]; then value=(-K : -Z); fi
    printf 'poison:\n' | kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$1" -k poison -H ce_specversion=1.0 -H ce_id="$2" -H ce_source=/test \
        -H ce_type="$3" -H ce_subject="$order" -H ce_time=2026-01-01T00:00:00Z -H ce_correlationid="$order" "${value[@]}"
}

# Consumers whose dead letters the corpus must become, as CONSUMER ID; filled by the functions below.
expected=$WAYBILL_RUN_DIR/expected

# poison_queue INBOX QUEUE: everything that could be sent to the inbox, sent to the queue.
poison_queue() {
    local inbox=$1 queue=$2 type kind id
    case $inbox in
        order.inbox) type=waybill.payment.capturedReply.v1 ;;
        payment.inbox) type=waybill.payment.authorize.v1 ;;
        *) type=waybill.inventory.reserve.v1 ;;
    esac
    for kind in "${kinds[@]}"; do
        id=poison-$inbox-$kind-$round
        [ "$(to_queue "$queue" "$id" "$(type_of "$kind" "$type")" "$(file_of "$kind")")" = true ] || fail "$id was not routed"
        printf '%s %s\n' "$inbox" "$id" >>"$expected"
    done
    # No envelope at all: such letters are told apart by what they say.
    printf '{"properties":{},"routing_key":"%s","payload":"bare %s","payload_encoding":"string"}' "$queue" "$round" | publish "$queue" >/dev/null
    printf '%s -\n' "$inbox" >>"$expected"
    # The broker itself refuses ten megabytes.
    [ "$(to_queue "$queue" "poison-$inbox-large-$round" "$type" "$work/ten-megabytes")" = false ] || fail "ten megabytes reached $queue"
}

# poison_topic TOPIC TARGET: everything that could be written to the topic, written to the target.
poison_topic() {
    local topic=$1 target=$2 type readers kind id reader
    case $topic in
        orders) type=waybill.order.placed.v1 readers=(analytics notification) ;;
        payments) type=waybill.payment.captured.v1 readers=(analytics notification) ;;
        inventory) type=waybill.inventory.reserved.v1 readers=(notification) ;;
        catalog) type=waybill.catalog.itemPut.v1 readers=(analytics order.catalog) ;;
    esac
    for kind in "${kinds[@]}"; do
        id=poison-$topic-$kind-$round
        to_topic "$target" "$id" "$(type_of "$kind" "$type")" "$(file_of "$kind")"
        for reader in "${readers[@]}"; do
            # Notification passes any JSON on, whatever it says.
            case $reader/$kind in notification/json-* | notification/unknown-*) continue ;; esac
            printf '%s %s\n' "$reader" "$id" >>"$expected"
        done
    done
    # No envelope: short, and as large as the log takes.
    printf 'nope\n' | kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$target" -k poison
    head -c 900000 /dev/zero | tr '\0' 'a' | kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$target" -k poison -D '\n'
    for reader in "${readers[@]}"; do printf '%s -\n%s -\n' "$reader" "$reader" >>"$expected"; done
    ! kcat -q -P -b "$KAFKA_BOOTSTRAP_SERVERS" -t "$target" -k poison -X message.max.bytes=20000000 "$work/ten-megabytes" 2>/dev/null \
        || fail "ten megabytes reached $target"
}

# amid NAME [TARGET]: 500 good orders while the whole corpus is published, to every inbox and topic or all of it to the target.
amid() {
    local load inbox topic
    waybill load --orders 500 --rate 25 --cards visa --history "$WAYBILL_RUN_DIR/$1.jsonl" --json >"$WAYBILL_RUN_DIR/$1.json" &
    load=$!
    for inbox in order.inbox payment.inbox inventory.inbox; do poison_queue "$inbox" "${2:-$inbox}"; done
    for topic in orders payments inventory catalog; do poison_topic "$topic" "${2:-$topic}"; done
    wait "$load" || fail 'not every good order has ended'
    jq -c '{accepted, ended, unknown}' "$WAYBILL_RUN_DIR/$1.json"
    expect '{"completed":500}' jq -c .ended "$WAYBILL_RUN_DIR/$1.json"
}

p99() { jq .placementToCompleted.p99Us "$WAYBILL_RUN_DIR/$1.json"; }
# middle NAME: the median of the name's p99 over the rounds.
middle() {
    local each
    for each in "${rounds[@]}"; do p99 "$1-$each"; done | sort -n | sed -n "$(((${#rounds[@]} + 1) / 2))p"
}

# of_nobody METHOD PATH [BODY]: the exchange and the queue that nobody reads.
of_nobody() {
    curl -sf -X "$1" "$RABBITMQ_MANAGEMENT_URL/api/$2" -H 'content-type: application/json' -d "${3:-}" >/dev/null || fail "$1 $2 was refused"
}
of_nobody PUT exchanges/waybill/nobody '{"type":"direct"}'
of_nobody PUT queues/waybill/nobody '{"durable":true,"arguments":{"x-queue-type":"quorum"}}'
of_nobody POST bindings/waybill/e/nobody/q/nobody '{"routing_key":"nobody"}'
rounds=(1 2 3)
for round in "${rounds[@]}"; do
    say "round $round: 500 good orders; the corpus goes to nobody"
    expected=/dev/null amid "calm-$round" nobody
    say "round $round: 500 good orders amid poison"
    amid "poison-$round"
    say "round $round: p99 $(p99 "calm-$round") us while the corpus went to nobody, $(p99 "poison-$round") us amid it"
done
of_nobody DELETE queues/waybill/nobody

sort -o "$expected" "$expected"
say "the dead letters are exactly the corpus: $(wc -l <"$expected") of them"
held() { waybill dlq list --limit 1000 --json | jq -r '"\(.consumer) \(.messageId // "-")"' | sort; }
same() { [ "$(held)" = "$(cat "$expected")" ]; }
until_true 30 same || {
    diff <(held) "$expected" >&2 || true
    fail 'the dead letters (<) are not the corpus (>)'
}
waybill dlq stats --group-by reason

say "p99 from placement to completion, the median of the rounds: $(middle calm) us while the corpus went to nobody, $(middle poison) us amid it"
[ "$(middle poison)" -le $((2 * $(middle calm))) ] || fail 'poison held good orders up'

say 'nothing went down, and the queues are empty'
[ "$(cat "$WAYBILL_RUN_DIR"/pids/*.pid | sort)" = "$pids" ] || fail 'a process was restarted'
"$root/scripts/status.sh" --run-dir "$WAYBILL_RUN_DIR" >/dev/null || fail 'something is unhealthy'
# The figure lags behind the queues by a few seconds.
until_true 20 bash -c "[ \$(curl -sf '$RABBITMQ_MANAGEMENT_URL/api/queues/waybill?columns=messages' | jq '[.[] | .messages // 0] | add') -eq 0 ]" \
    || fail 'messages are left in a queue'
# E3 and what follows from it cannot hold on a log into which somebody else wrote; everything else must.
waybill verify --history "$WAYBILL_RUN_DIR/poison-3.jsonl" --json >"$WAYBILL_RUN_DIR/verify.json" || true
jq -r '.checks[] | select(.verdict == "violated") | "\(.id)  \(.example)"' "$WAYBILL_RUN_DIR/verify.json"
expect 'E3' bash -c "jq -r '[.checks[] | select(.verdict == \"violated\") | .id] | join(\" \")' '$WAYBILL_RUN_DIR/verify.json'"
waybill analytics rebuild
down
