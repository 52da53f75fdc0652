#!/usr/bin/env bash
# Kills the event log with SIGKILL again and again under librdkafka's idempotent producer and then compares what was
# acknowledged with what is in the log.
#
#   scripts/crash-event-log.sh [--rounds N] [--server PATH] [--work DIR]
#
# Checked: every acknowledged record is at the offset that was acknowledged; no record is there twice within one producer
# session; per key, a session's records are in order; an offset never changes its content from one reading to the next;
# `event-log verify` finds no damage, nor does kafka-python 3.0.12 where python3 has it. Needs gcc, librdkafka-dev and kcat.
# Exit code: 0 all held, 1 not, 2 not carried out.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=50 server="" work=".build/crash-event-log"
while [ $# -gt 0 ]; do
    case "$1" in
        --rounds) rounds="$2"; shift 2 ;;
        --server) server="$2"; shift 2 ;;
        --work) work="$2"; shift 2 ;;
        -h | --help) sed -n '2,10p' "$0"; exit 0 ;;
        *) echo "crash-event-log: unknown option $1" >&2; exit 2 ;;
    esac
done
for tool in gcc kcat; do
    command -v "$tool" > /dev/null || { echo "crash-event-log: $tool is missing" >&2; exit 2; }
done
if [ -z "$server" ]; then
    for candidate in .build/release/event-log .build/debug/event-log; do
        if [ -x "$candidate" ]; then server="$candidate"; break; fi
    done
fi
[ -x "${server:-}" ] || { echo "crash-event-log: build event-log first, or give --server" >&2; exit 2; }

mkdir -p "$work"
work="$(cd "$work" && pwd)"
rm -rf "$work/data" "$work"/*.log "$work"/*.txt
gcc -O2 scripts/support/log-writer.c -o "$work/log-writer" -lrdkafka

server_pid="" writer_pid="" port=0
cleanup() {
    if [ -n "$writer_pid" ]; then
        kill "$writer_pid" 2> /dev/null || true
        kill -CONT "$writer_pid" 2> /dev/null || true
    fi
    if [ -n "$server_pid" ]; then kill "$server_pid" 2> /dev/null || true; fi
}
trap cleanup EXIT

start_server() {
    : > "$work/server-$1.log"
    "$server" serve --data-dir "$work/data" --listen "127.0.0.1:$port" --segment-bytes 2097152 --default-partitions 6 \
        > "$work/server-$1.log" 2>&1 &
    server_pid=$!
    disown "$server_pid"
    for _ in $(seq 600); do
        found="$(sed -n 's/.*"Listening".*"address":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/server-$1.log" | head -1)"
        if [ -n "$found" ]; then port="$found"; return; fi
        kill -0 "$server_pid" 2> /dev/null || break
        sleep 0.05
    done
    echo "crash-event-log: the server did not start, see $work/server-$1.log" >&2
    exit 1
}

# partition offset session key number, one line per record
read_log() {
    kcat -b "127.0.0.1:$port" -C -t crash -o beginning -e -q -X check.crcs=true -f '%p %o %s\n' |
        awk '{print $1, $2, $3, $4, $5}' | sort -k1,1n -k2,2n > "$1"
}

start_server 0
"$work/log-writer" "127.0.0.1:$port" crash -n 20000000 -s 200 -r 4000 -l 2 -a "$work/acknowledged.txt" \
    > "$work/writer.txt" 2> "$work/writer.log" &
writer_pid=$!
problems=0
for round in $(seq "$rounds"); do
    sleep "0.$((RANDOM % 600 + 200))"
    kill -9 "$server_pid"
    start_server "$round"
    kill -0 "$writer_pid" 2> /dev/null || { echo "crash-event-log: the writer died" >&2; exit 1; }
    if [ $((round % 10)) -eq 0 ]; then
        # kcat ends when it is at the end of every partition at once: the writer has to hold still for that.
        kill -STOP "$writer_pid"
        read_log "$work/reading-$round.txt"
        kill -CONT "$writer_pid"
        previous="$work/reading-$((round - 10)).txt"
        if [ -f "$previous" ]; then
            changed="$(awk 'NR == FNR {seen[$1 " " $2] = $0; next} ($1 " " $2) in seen && seen[$1 " " $2] != $0' \
                "$previous" "$work/reading-$round.txt" | wc -l)"
            lost="$(awk 'NR == FNR {seen[$1 " " $2] = 1; next} !(($1 " " $2) in seen)' \
                "$work/reading-$round.txt" "$previous" | wc -l)"
            problems=$((problems + changed + lost))
            echo "round $round: $(wc -l < "$work/reading-$round.txt") records, $changed changed, $lost lost"
        else
            echo "round $round: $(wc -l < "$work/reading-$round.txt") records"
        fi
    fi
done
sleep 1
kill -TERM "$writer_pid"
wait "$writer_pid" || true
writer_pid=""
cat "$work/writer.txt"
read_log "$work/final.txt"
sort -k1,1n -k2,2n "$work/acknowledged.txt" > "$work/acknowledged-sorted.txt"

missing="$(awk 'NR == FNR {log_[$1 " " $2] = $0; next} log_[$1 " " $2] != $0' "$work/final.txt" "$work/acknowledged-sorted.txt" | wc -l)"
twice="$(awk '{n = $3 " " $4 " " $5; if (n in seen) print; seen[n] = 1}' "$work/final.txt" | wc -l)"
disorder="$(awk '{k = $3 " " $4; if (k in last && $5 + 0 <= last[k]) print; last[k] = $5 + 0}' "$work/final.txt" | wc -l)"
gaps="$(awk '{if ($1 in next_ && $2 != next_[$1]) print; next_[$1] = $2 + 1}' "$work/final.txt" | wc -l)"
echo "acknowledged $(wc -l < "$work/acknowledged-sorted.txt"), in the log $(wc -l < "$work/final.txt")"
echo "acknowledged but missing or different: $missing; twice in a session: $twice; out of order: $disorder; offset gaps: $gaps"
kill "$server_pid"
for _ in $(seq 100); do kill -0 "$server_pid" 2> /dev/null || break; sleep 0.1; done
server_pid=""
"$server" verify --data-dir "$work/data" | tail -1 || problems=$((problems + 1))
# A second opinion, by code that shares nothing with the server.
if python3 -c 'import kafka.record.memory_records' 2> /dev/null; then
    python3 Tests/EventLogTests/Fixtures/read_segments.py "$work/data" || problems=$((problems + 1))
else
    echo "kafka-python is not installed: the segments were not read by it"
fi
problems=$((problems + missing + twice + disorder + gaps))
if [ "$problems" -eq 0 ]; then echo "$rounds rounds: all held"; else echo "$problems problems"; exit 1; fi
