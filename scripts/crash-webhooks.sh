#!/usr/bin/env bash
# Kills the notification service with kill -9 at random moments while events arrive for three endpoints and the receiver fails a fifth
# of all requests. Afterwards, by the receiver's own record and by the rows:
#   - every event was accepted at every endpoint, and nothing that was never published arrived;
#   - every signature was good, verified by code that shares nothing with the sender;
#   - every request that the receiver saw has an attempt row, and no row is open;
#   - an event was accepted more than once only where an attempt was interrupted, and only once more for each.
#
#   scripts/crash-webhooks.sh [--events 2000] [--kills 20] [--seed N] [--bin DIR]
#
# Needs the built products event-log, notification-service and waybill (in --bin, default .build/release), python3, gcc, librdkafka-dev.
# exit: 0 all of it holds, 1 something does not, 2 it could not run
set -euo pipefail
cd "$(dirname "$0")/.."

events=2000 kills=20 seed=$RANDOM bin=.build/release
while [ $# -gt 0 ]; do
    case "$1" in
        --events) events="${2:?}"; shift 2 ;;
        --kills) kills="${2:?}"; shift 2 ;;
        --seed) seed="${2:?}"; shift 2 ;;
        --bin) bin="${2:?}"; shift 2 ;;
        -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; see --help" >&2; exit 2 ;;
    esac
done
RANDOM=$seed
bin=$(cd "$bin" && pwd)
for program in event-log notification-service waybill; do
    [ -x "$bin/$program" ] || { echo "$bin/$program is missing; build it first" >&2; exit 2; }
done
for tool in gcc python3 curl jq; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
done

folder=$(mktemp -d)
log_pid='' service_pid='' receiver_pid='' writer_pid=''
cleanup() {
    exec 3>&- || true
    for pid in $writer_pid $receiver_pid $service_pid $log_pid; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
gcc -O2 scripts/support/event-writer.c -o "$folder/event-writer" -lrdkafka
read -r -a ports < <(python3 -c '
import socket
held = [socket.socket() for _ in range(5)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
mkdir -m 700 "$folder/log" "$folder/data"
(umask 077 && python3 -c 'import secrets; print(secrets.token_hex(24), end="")' > "$folder/token")

wait_for() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$limit" ] || { echo "timed out: $*" >&2; tail -n 5 "$folder/service.txt" >&2; return 1; }
        sleep 0.1
    done
}
"$bin/event-log" serve --data-dir "$folder/log" --listen "127.0.0.1:${ports[0]}" --metrics-listen "127.0.0.1:${ports[1]}" \
    > "$folder/event-log.txt" 2>&1 &
log_pid=$!
export WAYBILL_SERVICE=notification WAYBILL_INSTANCE=1 WAYBILL_RUN_DIR="$folder" WAYBILL_DATABASE="$folder/data/notification.db"
export WAYBILL_HTTP_PORT="${ports[2]}" WAYBILL_OPERATOR_PORT="${ports[3]}" WAYBILL_PROBE_PORT="${ports[4]}"
export WAYBILL_OPERATOR_TOKEN_FILE="$folder/token" KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:${ports[0]}"
export WAYBILL_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8 WAYBILL_WEBHOOK_BREAKER_MS=50
WAYBILL_WEBHOOK_SCHEDULE_MS=$(printf '50%.0s,' $(seq 40))
export WAYBILL_WEBHOOK_SCHEDULE_MS="${WAYBILL_WEBHOOK_SCHEDULE_MS%,}"
WAYBILL_TOKEN=$(cat "$folder/token")
export WAYBILL_NOTIFICATION_OPERATOR_URL="http://127.0.0.1:${ports[3]}" WAYBILL_TOKEN
# Without the receiver's control pipe: it ends when the last writer closes it.
start() { "$bin/notification-service" >> "$folder/service.txt" 2>&1 3>&- & service_pid=$!; }
ready() { curl -sf "http://127.0.0.1:${ports[3]}/health/ready"; }
wait_for 20 curl -sf "http://127.0.0.1:${ports[1]}/health/ready"
start
wait_for 60 ready

mkfifo "$folder/in"
python3 scripts/support/webhook-receiver.py --log "$folder/seen.jsonl" --fail-percent 20 < "$folder/in" > "$folder/out" &
receiver_pid=$!
exec 3> "$folder/in"
wait_for 20 test -s "$folder/out"
receiver=$(head -n 1 "$folder/out")
for path in /a /b /c; do
    made=$("$bin/waybill" webhook endpoint add "http://127.0.0.1:$receiver$path" --events order.completed --json)
    printf 'secret %s %s\n' "$path" "$(jq -r .secret <<< "$made")" >&3
done

echo "seed $seed: $events events to 3 endpoints, $kills kills"
"$folder/event-writer" "127.0.0.1:${ports[0]}" orders waybill.order.completed.v1 event "$events" $((events / 20 + 1)) &
writer_pid=$!
for _ in $(seq "$kills"); do
    sleep "$(printf '0.%03d' $((RANDOM % 900 + 50)))"
    kill -9 "$service_pid"
    wait "$service_pid" 2>/dev/null || true
    start
done
wait_for 60 ready
wait "$writer_pid"
writer_pid=''
count() { python3 -c "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])" "$folder/data/notification.db" "$1"; }
done_all() { [ "$(count "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'")" = $((events * 3)) ]; }
wait_for 180 done_all || true
exec 3>&-
wait "$receiver_pid" || true
receiver_pid=''
python3 - "$folder" "$events" <<'P'
import collections, json, sqlite3, sys
folder, events = sys.argv[1], int(sys.argv[2])
seen = [json.loads(line) for line in open(folder + "/seen.jsonl")]
db = sqlite3.connect(folder + "/data/notification.db")
requests, accepted = collections.Counter(), collections.Counter()
for row in seen:
    requests[row["path"], row["id"]] += 1
    accepted[row["path"], row["id"]] += row["status"] == 204
rows, interrupted = collections.Counter(), collections.Counter()
for url, webhook, state in db.execute("""SELECT e.url, d.message_id, a.state FROM webhook_attempts a
        JOIN webhook_deliveries d ON d.seq = a.delivery_seq JOIN webhook_endpoints e ON e.id = d.endpoint_id"""):
    key = "/" + url.rsplit("/", 1)[1], webhook
    rows[key] += 1
    interrupted[key] += state == "interrupted"
wanted = {(path, f"event-{number}") for path in ("/a", "/b", "/c") for number in range(events)}
twice = sum(count - 1 for count in accepted.values() if count > 1)
print(f"{len(seen)} requests, {sum(rows.values())} attempt rows, {sum(interrupted.values())} interrupted, "
      f"{sum(accepted.values())} accepted, {twice} of them again")
faults = {
    "never accepted": [key for key in wanted if not accepted[key]],
    "never published": [key for key in requests if key not in wanted],
    "signature refused": [row for row in seen if row["refused"]],
    "request without a row": [key for key in requests if requests[key] > rows[key]],
    "accepted again without an interrupted attempt": [k for k in accepted if accepted[k] > 1 + interrupted[k]],
    "open row": db.execute("SELECT id FROM webhook_attempts WHERE state = 'started'").fetchall(),
}
for name, found in faults.items():
    if found: print(f"{name}: {len(found)}, such as {found[0]}", file=sys.stderr)
sys.exit(1 if any(faults.values()) else 0)
P
echo "nothing was lost, nothing was invented"
