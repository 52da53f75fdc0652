#!/usr/bin/env bash
# Kills the notification service with kill -9 again and again while events arrive and the receiver fails each first attempt, then
# requires: every event accepted by the receiver, no signature refused, every request seen by the receiver in a row, no row open.
#
#   scripts/crash-webhooks.sh [--events 120] [--kills 10] [--bin DIR]
#
# Needs the built products event-log, notification-service and waybill (in --bin, default .build/release), kcat and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

events=120 kills=10 bin=.build/release
while [ $# -gt 0 ]; do
    case "$1" in
        --events) events="${2:?}"; shift 2 ;;
        --kills) kills="${2:?}"; shift 2 ;;
        --bin) bin="${2:?}"; shift 2 ;;
        -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; see --help" >&2; exit 2 ;;
    esac
done
bin=$(cd "$bin" && pwd)
for program in event-log notification-service waybill; do
    [ -x "$bin/$program" ] || { echo "$bin/$program is missing; build it first" >&2; exit 2; }
done
for tool in kcat python3; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
done

folder=$(mktemp -d)
log_pid='' service_pid='' listen_pid=''
cleanup() {
    for pid in $listen_pid $service_pid $log_pid; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
read -r -a ports < <(python3 -c '
import socket
held = [socket.socket() for _ in range(5)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
mkdir -m 700 "$folder/log" "$folder/data"
(umask 077 && python3 -c 'import secrets; print(secrets.token_hex(24), end="")' > "$folder/token")

"$bin/event-log" serve --data-dir "$folder/log" --listen "127.0.0.1:${ports[0]}" --metrics-listen "127.0.0.1:${ports[1]}" \
    > "$folder/event-log.txt" 2>&1 &
log_pid=$!
export WAYBILL_SERVICE=notification WAYBILL_INSTANCE=1 WAYBILL_RUN_DIR="$folder" WAYBILL_DATABASE="$folder/data/notification.db"
export WAYBILL_HTTP_PORT="${ports[2]}" WAYBILL_OPERATOR_PORT="${ports[3]}" WAYBILL_PROBE_PORT="${ports[4]}"
export WAYBILL_OPERATOR_TOKEN_FILE="$folder/token" KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:${ports[0]}"
export WAYBILL_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8,::1/128 WAYBILL_WEBHOOK_BREAKER_MS=50
WAYBILL_TOKEN=$(cat "$folder/token")
export WAYBILL_NOTIFICATION_OPERATOR_URL="http://127.0.0.1:${ports[3]}" WAYBILL_TOKEN
start() { "$bin/notification-service" >> "$folder/service.txt" 2>&1 & service_pid=$!; }
wait_ready() {
    for _ in $(seq 1 300); do
        curl -sf "http://127.0.0.1:${ports[3]}/health/ready" >/dev/null && return
        sleep 0.1
    done
    echo "the service did not become ready:" >&2
    tail -5 "$folder/service.txt" >&2
    exit 1
}
for _ in $(seq 1 100); do curl -sf "http://127.0.0.1:${ports[1]}/health/ready" >/dev/null && break; sleep 0.1; done
start
wait_ready
"$bin/waybill" webhook listen --fail 5 --events 'order.*' --json > "$folder/seen.jsonl" 2> "$folder/listen.txt" &
listen_pid=$!
for _ in $(seq 1 100); do "$bin/waybill" webhook endpoint list --json 2>/dev/null | grep -q . && break; sleep 0.1; done
echo "$events events, $kills kills"
for number in $(seq 1 "$events"); do
    printf '{"number":%s}' "$number" | kcat -b "127.0.0.1:${ports[0]}" -P -t orders -k "o$number" -H ce_specversion=1.0 \
        -H "ce_id=evt-$number" -H ce_source=/crash -H ce_type=waybill.order.completed.v1 -H "ce_subject=o$number" \
        -H ce_time=2026-01-02T03:04:05.678Z -H ce_sequence=1 -H "ce_correlationid=o$number" -H ce_attempt=1 \
        -H content-type=application/json
    if [ $((number % (events / kills))) = 0 ]; then
        kill -9 "$service_pid"
        wait "$service_pid" 2>/dev/null || true
        start
    fi
done
wait_ready
for _ in $(seq 1 300); do
    open=$("$bin/waybill" webhook delivery list --state pending --json 2>/dev/null | wc -l || true)
    count=$("$bin/waybill" webhook delivery list --state delivered --limit 100 --json 2>/dev/null | wc -l || true)
    [ "$open" = 0 ] && [ "$count" -gt 0 ] && break
    sleep 0.2
done
sleep 1
python3 - "$folder" "$events" <<'P'
import sqlite3, sys
folder, events = sys.argv[1], int(sys.argv[2])
db = sqlite3.connect(folder + "/data/notification.db")
one = lambda sql: db.execute(sql).fetchone()[0]
delivered = one("SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'")
rows = one("SELECT count(*) FROM webhook_attempts")
open_rows = one("SELECT count(*) FROM webhook_attempts WHERE state = 'started'")
interrupted = one("SELECT count(*) FROM webhook_attempts WHERE state = 'interrupted'")
refused = one("SELECT count(*) FROM webhook_attempts WHERE status = 401")
seen = sum(1 for line in open(folder + "/seen.jsonl") if line.strip())
print(f"delivered {delivered} of {events}; the receiver saw {seen} requests, {rows} attempt rows, {interrupted} interrupted, "
      f"{refused} refused, {open_rows} open")
sys.exit(0 if delivered == events and rows >= seen and refused == 0 and open_rows == 0 else 1)
P
echo "nothing was lost"
