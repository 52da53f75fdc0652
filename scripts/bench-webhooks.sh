#!/usr/bin/env bash
# Measures the notification service as it is shipped: one process, one SQLite file, synchronous=FULL; events come from the event log and
# go to a receiver on this machine that verifies every signature with code of its own. Everything runs on the same cores.
#
#   scripts/bench-webhooks.sh [--only PART,PART…] [--seconds 60] [--rate 130] [--history 1000000] [--bin DIR]
#
#   idle        memory and processor time of a service that has nothing to do
#   load        durable deliveries per second to ten endpoints, each with its attempt row
#   latency     from producer to receiver at 200 events per second
#   backlog     single events while 100,000 deliveries of other endpoints wait, beside the same without them
#   history     single events, and the lists that people look at, with a million deliveries in the tables
#   burst       memory while 50,000 events arrive at once
#
#   --only PART,…  only these, in the order above (idle,load,backlog: between two and three minutes)
#   --seconds N    how long the load lasts
#   --rate N       events per second of the load; each goes to ten endpoints
#   --history N    deliveries in the tables for the part history
#   --bin DIR      the built products event-log, notification-service and waybill; default .build/release
#
# Needs python3, gcc, curl, jq and librdkafka-dev.
# exit: 0 done and nothing was lost or refused, 1 something was, 2 it could not run
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60 rate=130 history=1000000 bin=.build/release only=idle,load,latency,backlog,history,burst
while [ $# -gt 0 ]; do
    case "$1" in
        --only) only="${2:?--only needs a list}"; shift 2 ;;
        --seconds) seconds="${2:?--seconds needs a number}"; shift 2 ;;
        --rate) rate="${2:?--rate needs a number}"; shift 2 ;;
        --history) history="${2:?--history needs a number}"; shift 2 ;;
        --bin) bin="${2:?--bin needs a folder}"; shift 2 ;;
        -h | --help) sed -n '2,24s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; see --help" >&2; exit 2 ;;
    esac
done
# shellcheck source=scripts/lib/webhooks.sh
. scripts/lib/webhooks.sh
stage_webhooks "$bin"

wanted() { [[ ",$only," == *",$1,"* ]]; }
say() { printf '%-11s %s\n' "$1" "$2"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$service_pid/stat"; }
# memory FIELD…: MiB of the service now, in one line.
memory() {
    local field
    for field in "$@"; do awk -v field="$field:" '$1 == field { printf "%d ", $2 / 1024 }' "/proc/$service_pid/status"; done
    echo
}
# mark: what the receiver saw since the last mark, as JSON.
mark() {
    local lines
    lines=$(wc -l <"$folder/out")
    echo mark >&3
    wait_for 20 bash -c "[ \$(wc -l <'$folder/out') -gt $lines ]"
    tail -n 1 "$folder/out"
}
restart() {
    start_service
    wait_for 60 service_is_ready
}
stop() {
    kill "$service_pid"
    wait "$service_pid" 2>/dev/null || true
}
# single NAME: 500 single events to an endpoint of their own, 25 a second; the times from producer to receiver.
single() {
    write_events payments waybill.payment.captured.v1 "single-$1" 500 25
    sleep 1
    mark | tee "$folder/$1.json" | jq -r '"p50 \(.p50_ms) ms, p99 \(.p99_ms) ms (500 single events, 25/s)"'
}
# compared NAME: beside the same without anything else to do.
compared() {
    say "$1" "$(single "$1")"
    jq -rn --slurpfile a "$folder/alone.json" --slurpfile b "$folder/$1.json" \
        '"            × \($b[0].p50_ms / $a[0].p50_ms * 100 | round / 100) at p50, × \($b[0].p99_ms / $a[0].p99_ms * 100 | round / 100) at p99, against the same alone"'
}

say machine "$(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
restart
if wanted idle; then
    sleep 8
    before=$(ticks)
    sleep 10
    read -r resident own mapped < <(memory VmRSS RssAnon RssFile)
    say idle "$resident MiB resident: $own MiB of its own, $mapped MiB mapped from files; $(awk -v t=$(($(ticks) - before)) 'BEGIN { print t / 10 }') % of one core"
fi

start_receiver --quiet
subscribe /single --events payment.captured
lost=0
if wanted load; then
    for n in 0 1 2 3 4 5 6 7 8 9; do subscribe "/$n" --events order.completed --max-in-flight 32; done
    before=$(ticks)
    write_events orders waybill.order.completed.v1 load $((rate * seconds)) "$rate"
    delivered=$(rows "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'")
    cpu=$(($(ticks) - before))
    say load "$rate events/s for $seconds s to 10 endpoints: $((rate * 10)) deliveries/s asked for"
    say '' "$delivered in that time, $((delivered / seconds))/s, durable, each with its attempt row; $((cpu / seconds)) % of one core"
    wait_for 120 rows_are $((rate * seconds * 10)) "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'"
    mark >"$folder/load.json"
    say '' "$(jq -r '"\(.verified) verified, \(.refused) refused; producer to receiver p50 \(.p50_ms) ms, p99 \(.p99_ms) ms"' "$folder/load.json")"
    attempts=$(rows "SELECT count(*) FROM webhook_attempts")
    [ "$(jq .refused "$folder/load.json")" = 0 ] && [ "$attempts" -ge "$(jq .verified "$folder/load.json")" ] || lost=1
fi
if wanted latency; then
    write_events payments waybill.payment.captured.v1 steady 2000 200
    sleep 1
    say latency "$(mark | jq -r '"p50 \(.p50_ms) ms, p99 \(.p99_ms) ms at 200 events/s, producer to receiver"')"
fi
if wanted backlog || wanted history; then say alone "$(single alone)"; fi
if wanted backlog; then
    # Half behind a Retry-After, half behind an open breaker: endpoints that are enabled, due, and kept back.
    subscribe /held --events stock.released
    subscribe /dead --events stock.released
    write_events inventory waybill.stock.released.v1 backlog 50000 0
    wait_for 120 rows_are 100000 "SELECT count(*) FROM webhook_deliveries WHERE type LIKE '%released%'"
    sleep 2
    say waiting "$(rows "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'") deliveries"
    compared backlog
    # Taken out of the way of what follows.
    for id in $("$bin/waybill" webhook endpoint list --json | jq -r 'select(.url | test("/held|/dead")) | .id'); do
        "$bin/waybill" webhook endpoint remove "$id" >/dev/null
    done
fi
if wanted history; then
    stop
    python3 scripts/support/webhook-history.py "$database" "$history"
    restart
    say history "$(rows 'SELECT count(*) FROM webhook_deliveries') deliveries, $(rows 'SELECT count(*) FROM webhook_attempts') attempts in the tables"
    compared history
    # The newest, all of an endpoint, what was given up, one delivery with its attempts.
    listed() { curl -sf -o /dev/null -w '%{time_total}' -H "authorization: Bearer $WAYBILL_TOKEN" "$WAYBILL_NOTIFICATION_OPERATOR_URL/operator/webhooks/$1"; }
    endpoint=$("$bin/waybill" webhook endpoint list --json | jq -r .id | head -n 1)
    for query in 'deliveries?limit=100' "deliveries?limit=100&endpoint=$endpoint" 'deliveries?limit=100&state=exhausted' \
        "deliveries?limit=100&webhookId=history-7" 'deliveries/history-7-0'; do
        listed "$query" >/dev/null
        say '' "$(awk -v t="$(listed "$query")" 'BEGIN { printf "%6.1f ms", t * 1000 }')  GET …/${query/$endpoint/ID}"
    done
fi
if wanted burst; then
    # Anew, so that what the parts before left in its memory is not counted.
    stop
    restart
    subscribe /burst --events stock.committed --max-in-flight 32
    sleep 8
    read -r before < <(memory RssAnon)
    write_events inventory waybill.stock.committed.v1 burst 50000 0
    wait_for 120 rows_are 50000 "SELECT count(*) FROM webhook_deliveries WHERE type LIKE '%committed%' AND state = 'delivered'"
    read -r resident own peak < <(memory VmRSS RssAnon VmHWM)
    say burst "50,000 events at once: $before MiB of its own before, $own after; $resident MiB resident, $peak at most"
fi
[ "$lost" = 0 ] || { echo 'lost or refused: see above' >&2; exit 1; }
