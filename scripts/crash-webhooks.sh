#!/usr/bin/env bash
# Kills the notification service with kill -9 at random moments while events arrive for three endpoints and the receiver fails a fifth
# of all requests. Afterwards, by the receiver's own record and by the rows:
#   - every event was accepted at every endpoint, and nothing that was never published arrived;
#   - every signature was good, verified by code that shares nothing with the sender;
#   - an event had the same bytes in every request, to every endpoint, before and after a kill;
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
        -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; see --help" >&2; exit 2 ;;
    esac
done
RANDOM=$seed
# shellcheck source=scripts/lib/webhooks.sh
. scripts/lib/webhooks.sh
stage_webhooks "$bin"
export WAYBILL_WEBHOOK_BREAKER_MS=50
WAYBILL_WEBHOOK_SCHEDULE_MS=$(printf '50%.0s,' $(seq 40))
export WAYBILL_WEBHOOK_SCHEDULE_MS="${WAYBILL_WEBHOOK_SCHEDULE_MS%,}"
start_service
wait_for 60 service_is_ready
start_receiver --log "$folder/seen.jsonl" --fail-percent 20
for path in /a /b /c; do subscribe "$path" --events order.completed; done

echo "seed $seed: $events events to 3 endpoints, $kills kills"
write_events orders waybill.order.completed.v1 event "$events" $((events / 20 + 1)) &
writer_pid=$!
webhook_pids+=("$writer_pid")
for _ in $(seq "$kills"); do
    sleep "$(printf '0.%03d' $((RANDOM % 900 + 50)))"
    kill -9 "$service_pid"
    wait "$service_pid" 2>/dev/null || true
    start_service
done
wait_for 60 service_is_ready
wait "$writer_pid"
# What is still missing after that is named below.
(wait_for 180 rows_are $((events * 3)) "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'") || true
exec 3>&-
wait "$receiver_pid" || true
python3 - "$folder" "$events" <<'P'
import collections, json, sqlite3, sys
folder, events = sys.argv[1], int(sys.argv[2])
seen = [json.loads(line) for line in open(folder + "/seen.jsonl")]
db = sqlite3.connect(folder + "/data/notification.db")
requests, accepted = collections.Counter(), collections.Counter()
for row in seen:
    requests[row["path"], row["id"]] += 1
    accepted[row["path"], row["id"]] += row["status"] == 204
bodies = collections.defaultdict(set)
for row in seen: bodies[row["id"]].add(row["digest"])
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
    "other bytes for the same event": [key for key, digests in bodies.items() if len(digests) > 1],
    "request without a row": [key for key in requests if requests[key] > rows[key]],
    "accepted again without an interrupted attempt": [k for k in accepted if accepted[k] > 1 + interrupted[k]],
    "open row": db.execute("SELECT id FROM webhook_attempts WHERE state = 'started'").fetchall(),
}
for name, found in faults.items():
    if found: print(f"{name}: {len(found)}, such as {found[0]}", file=sys.stderr)
sys.exit(1 if any(faults.values()) else 0)
P
echo "nothing was lost, nothing was invented"
