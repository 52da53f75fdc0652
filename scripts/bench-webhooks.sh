#!/usr/bin/env bash
# Measures the notification service as it is shipped: one process, one SQLite file, synchronous=FULL; events come from the event log and
# go to a receiver on this machine that verifies every signature with code of its own. Everything runs on the same cores.
#
#   scripts/bench-webhooks.sh [--seconds 60] [--rate 130] [--backlog 100000] [--bin DIR]
#
#   --seconds N   how long the load lasts
#   --rate N      events per second; each goes to ten endpoints
#   --backlog N   deliveries that wait while the second half of the single events is measured
#   --bin DIR     the built products event-log, notification-service and waybill; default .build/release
#
# Prints: memory of the idle service; durable deliveries per second, each with its attempt row; and how long a single event takes
# from its producer to the receiver, alone and with the backlog waiting. Needs python3, gcc and librdkafka-dev.
# exit: 0 done and nothing was lost or refused, 1 something was, 2 it could not run
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60 rate=130 backlog=100000 bin=.build/release
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) seconds="${2:?--seconds needs a number}"; shift 2 ;;
        --rate) rate="${2:?--rate needs a number}"; shift 2 ;;
        --backlog) backlog="${2:?--backlog needs a number}"; shift 2 ;;
        --bin) bin="${2:?--bin needs a folder}"; shift 2 ;;
        -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; see --help" >&2; exit 2 ;;
    esac
done
bin=$(cd "$bin" && pwd)
for program in event-log notification-service waybill; do
    [ -x "$bin/$program" ] || { echo "$bin/$program is missing; build it first" >&2; exit 2; }
done
for tool in gcc python3 curl jq; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
done

folder=$(mktemp -d)
pids=()
cleanup() {
    exec 3>&- || true
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
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
(umask 077 && python3 -c 'import secrets; print(secrets.token_hex(24), end="")' >"$folder/token")

wait_for() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$limit" ] || { echo "timed out: $*" >&2; tail -n 5 "$folder/service.txt" >&2; exit 2; }
        sleep 0.2
    done
}
rows() { python3 -c "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])" "$database" "$1"; }

"$bin/event-log" serve --data-dir "$folder/log" --listen "127.0.0.1:${ports[0]}" --metrics-listen "127.0.0.1:${ports[1]}" \
    >"$folder/event-log.txt" 2>&1 &
pids+=($!)
wait_for 20 curl -sf "http://127.0.0.1:${ports[1]}/health/ready"
database=$folder/data/notification.db
export WAYBILL_SERVICE=notification WAYBILL_INSTANCE=1 WAYBILL_RUN_DIR="$folder" WAYBILL_DATABASE="$database"
export WAYBILL_HTTP_PORT="${ports[2]}" WAYBILL_OPERATOR_PORT="${ports[3]}" WAYBILL_PROBE_PORT="${ports[4]}"
export WAYBILL_OPERATOR_TOKEN_FILE="$folder/token" KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:${ports[0]}"
export WAYBILL_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8 WAYBILL_NOTIFICATION_OPERATOR_URL="http://127.0.0.1:${ports[3]}"
WAYBILL_TOKEN=$(cat "$folder/token")
export WAYBILL_TOKEN
"$bin/notification-service" >"$folder/service.txt" 2>&1 &
service=$!
pids+=("$service")
wait_for 30 curl -sf "http://127.0.0.1:${ports[3]}/health/ready"

mkfifo "$folder/in"
python3 scripts/support/webhook-receiver.py --quiet <"$folder/in" >"$folder/out" &
pids+=($!)
exec 3>"$folder/in"
wait_for 20 test -s "$folder/out"
receiver=$(head -n 1 "$folder/out")
subscribe() {
    local path=$1 made
    shift
    made=$("$bin/waybill" webhook endpoint add "http://127.0.0.1:$receiver$path" --json "$@")
    printf 'secret %s %s\n' "$path" "$(jq -r .secret <<<"$made")" >&3
}
# What the receiver saw since the last mark, as JSON.
mark() {
    local lines
    lines=$(wc -l <"$folder/out")
    echo mark >&3
    wait_for 20 bash -c "[ \$(wc -l <'$folder/out') -gt $lines ]"
    tail -n 1 "$folder/out"
}
write() { "$folder/event-writer" "127.0.0.1:${ports[0]}" "$@"; }

printf 'machine     %s × %s, load %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" \
    "$(cut -d' ' -f1-3 /proc/loadavg)"
sleep 10
awk '/^VmRSS|^RssAnon|^RssFile/ { part[$1] = int($2 / 1024) } END { printf "idle        %d MiB resident: %d MiB of its own, %d MiB mapped from files\n",
    part["VmRSS:"], part["RssAnon:"], part["RssFile:"] }' "/proc/$service/status"

for n in 0 1 2 3 4 5 6 7 8 9; do subscribe "/$n" --events order.completed --max-in-flight 32; done
subscribe /single --events payment.captured
ticks() { awk '{ print $14 + $15 }' "/proc/$service/stat"; }
before=$(ticks)
write orders waybill.order.completed.v1 load $((rate * seconds)) "$rate"
delivered=$(rows "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'")
cpu=$(($(ticks) - before))
printf 'offered     %s events/s for %s s to 10 endpoints: %s deliveries/s\n' "$rate" "$seconds" "$((rate * 10))"
printf 'delivered   %s in that time, %s/s, durable, each with its attempt row; %s %% of one core\n' "$delivered" \
    "$((delivered / seconds))" "$((cpu / seconds))"
wait_for 120 bash -c "[ \"\$(python3 -c \"import sqlite3; print(sqlite3.connect('$database').execute(\\\"SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'\\\").fetchone()[0])\")\" = $((rate * seconds * 10)) ]"
mark >"$folder/load.json"
jq -r '"received    \(.verified) verified, \(.refused) refused; producer to receiver p50 \(.p50_ms) ms, p99 \(.p99_ms) ms"' "$folder/load.json"

single() {
    write payments waybill.payment.captured.v1 "$1" 500 25
    sleep 2
    mark | tee "$folder/$1.json" | jq -r --arg name "$2" '"\($name) p50 \(.p50_ms) ms, p99 \(.p99_ms) ms  (500 single events, 25/s, producer to receiver)"'
}
single alone 'alone      '
if [ "$backlog" -gt 0 ]; then
    # Half behind a Retry-After, half behind an open breaker: endpoints that are enabled, due, and kept back.
    subscribe /held --events stock.released
    subscribe /dead --events stock.released
    write inventory waybill.stock.released.v1 backlog $((backlog / 2)) 0
    wait_for 600 bash -c "[ \"\$(python3 -c \"import sqlite3; print(sqlite3.connect('$database').execute(\\\"SELECT count(*) FROM webhook_deliveries WHERE type LIKE '%released%'\\\").fetchone()[0])\")\" -ge $((backlog / 2 * 2)) ]"
    sleep 2
    printf 'backlog     %s deliveries wait\n' "$(rows "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'")"
    single crowded 'with backlog'
    jq -rn --slurpfile a "$folder/alone.json" --slurpfile b "$folder/crowded.json" \
        '"ratio       p50 × \($b[0].p50_ms / $a[0].p50_ms * 100 | round / 100), p99 × \($b[0].p99_ms / $a[0].p99_ms * 100 | round / 100)"'
fi
awk '/^VmRSS|^RssAnon/ { part[$1] = int($2 / 1024) } END { printf "at the end  %d MiB resident, %d MiB of its own\n", part["VmRSS:"], part["RssAnon:"] }' \
    "/proc/$service/status"
python3 - "$database" "$folder/load.json" <<'P'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
one = lambda sql: db.execute(sql).fetchone()[0]
load = json.load(open(sys.argv[2]))
rows = one("SELECT count(*) FROM webhook_attempts WHERE delivery_seq IN (SELECT seq FROM webhook_deliveries WHERE type LIKE '%completed%')")
sys.exit(0 if load["refused"] == 0 and rows >= load["verified"] else "lost or refused: see above")
P
