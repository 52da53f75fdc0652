# shellcheck shell=bash
# webhooks.sh: an event log, a notification service and a receiver that verifies with code of its own, all private to one folder that
# is removed at the end. Sourced by bench-webhooks.sh and crash-webhooks.sh; nothing here starts by itself.
#
# Sets $folder, $database, $log_port and, after start_receiver, $receiver (its port).

folder='' database='' log_port='' receiver='' service_pid='' ready_url=''
webhook_pids=()

# stage_webhooks BIN: the folder, the tools, the event log, and the environment of the service, which is not started.
stage_webhooks() {
    bin=$(cd "$1" && pwd)
    local program tool ports
    for program in event-log notification-service waybill; do
        [ -x "$bin/$program" ] || { echo "$bin/$program is missing; build it first" >&2; exit 2; }
    done
    for tool in gcc python3 curl jq; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
    done
    folder=$(mktemp -d)
    trap clear_webhooks EXIT
    gcc -O2 scripts/support/event-writer.c -o "$folder/event-writer" -lrdkafka
    read -r -a ports < <(python3 -c '
import socket
held = [socket.socket() for _ in range(5)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
    mkdir -m 700 "$folder/log" "$folder/data"
    (umask 077 && python3 -c 'import secrets; print(secrets.token_hex(24), end="")' >"$folder/token")
    log_port=${ports[0]} database=$folder/data/notification.db ready_url=http://127.0.0.1:${ports[3]}/health/ready
    "$bin/event-log" serve --data-dir "$folder/log" --listen "127.0.0.1:$log_port" --metrics-listen "127.0.0.1:${ports[1]}" \
        >"$folder/event-log.txt" 2>&1 &
    webhook_pids+=($!)
    wait_for 20 curl -sf "http://127.0.0.1:${ports[1]}/health/ready"
    export WAYBILL_SERVICE=notification WAYBILL_INSTANCE=1 WAYBILL_RUN_DIR="$folder" WAYBILL_DATABASE="$database"
    export WAYBILL_HTTP_PORT="${ports[2]}" WAYBILL_OPERATOR_PORT="${ports[3]}" WAYBILL_PROBE_PORT="${ports[4]}"
    export WAYBILL_OPERATOR_TOKEN_FILE="$folder/token" KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:$log_port"
    export WAYBILL_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8 WAYBILL_NOTIFICATION_OPERATOR_URL="http://127.0.0.1:${ports[3]}"
    WAYBILL_TOKEN=$(cat "$folder/token")
    export WAYBILL_TOKEN
}

clear_webhooks() {
    exec 3>&- || true
    local pid
    for pid in "${webhook_pids[@]}" $service_pid; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}

# wait_for SECONDS COMMAND…: until it succeeds; its output is thrown away.
wait_for() {
    local limit=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$limit" ] || { echo "timed out: $*" >&2; tail -n 5 "$folder/service.txt" >&2 || true; exit 2; }
        sleep 0.1
    done
}

# Without the receiver's control pipe: it ends when the last writer closes it.
start_service() { "$bin/notification-service" >>"$folder/service.txt" 2>&1 3>&- & service_pid=$!; }
service_is_ready() { curl -sf "$ready_url"; }

# start_receiver OPTION…: of webhook-receiver.py. Its control pipe is file descriptor 3; its process is $receiver_pid.
start_receiver() {
    mkfifo "$folder/in"
    python3 scripts/support/webhook-receiver.py "$@" <"$folder/in" >"$folder/out" &
    receiver_pid=$!
    webhook_pids+=("$receiver_pid")
    exec 3>"$folder/in"
    wait_for 20 test -s "$folder/out"
    receiver=$(head -n 1 "$folder/out")
}

# subscribe PATH OPTION…: of `waybill webhook endpoint add`.
subscribe() {
    local path=$1 made
    shift
    made=$("$bin/waybill" webhook endpoint add "http://127.0.0.1:$receiver$path" --json "$@")
    printf 'secret %s %s\n' "$path" "$(jq -r .secret <<<"$made")" >&3
}

# write_events TOPIC TYPE PREFIX COUNT PER_SECOND
write_events() { "$folder/event-writer" "127.0.0.1:$log_port" "$@"; }

# rows SQL: the first value, read beside the service.
rows() { python3 -c "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])" "$database" "$1"; }
# rows_are NUMBER SQL
rows_are() { [ "$(rows "$2")" = "$1" ]; }
