#!/usr/bin/env bash
# Measures the event log with librdkafka 2.0.2 as the client, both on this machine.
#
#   scripts/bench-event-log.sh [--server PATH] [--work DIR] [--count N] [--big GIGABYTES] [--polls N]
#
# Prints one line per measurement: idempotent producing with acks=all over 6 partitions, the time to the acknowledgement at
# 20 000 records/s, consuming, the CPU that idle long polls cost, and the restart after SIGKILL on a log of --big GB
# (0 skips it). Needs gcc, librdkafka-dev, kcat and python3. Build event-log in release mode first.
set -euo pipefail
cd "$(dirname "$0")/.."

server=".build/release/event-log" work=".build/bench-event-log" count=1500000 big=0 polls=10000
while [ $# -gt 0 ]; do
    case "$1" in
        --server) server="$2"; shift 2 ;;
        --work) work="$2"; shift 2 ;;
        --count) count="$2"; shift 2 ;;
        --big) big="$2"; shift 2 ;;
        --polls) polls="$2"; shift 2 ;;
        -h | --help) sed -n '2,9p' "$0"; exit 0 ;;
        *) echo "bench-event-log: unknown option $1" >&2; exit 2 ;;
    esac
done
[ -x "$server" ] || { echo "bench-event-log: build event-log in release mode first, or give --server" >&2; exit 2; }
for tool in gcc kcat python3; do
    command -v "$tool" > /dev/null || { echo "bench-event-log: $tool is missing" >&2; exit 2; }
done
mkdir -p "$work"
work="$(cd "$work" && pwd)"
rm -rf "$work/data"
gcc -O2 scripts/support/log-writer.c -o "$work/log-writer" -lrdkafka
gcc -O2 scripts/support/log-reader.c -o "$work/log-reader" -lrdkafka

server_pid="" port=0
cleanup() { if [ -n "$server_pid" ]; then kill "$server_pid" 2> /dev/null || true; fi; }
trap cleanup EXIT

start_server() {
    rm -f "$work/server.log"
    touch "$work/server.log"
    (ulimit -n "$(ulimit -Hn)"; exec "$server" serve --data-dir "$work/data" --listen "127.0.0.1:$port") > "$work/server.log" 2>&1 &
    server_pid=$!
    disown "$server_pid"
    for _ in $(seq 6000); do
        found="$(sed -n 's/.*"Listening".*"address":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/server.log" | head -1)"
        if [ -n "$found" ]; then port="$found"; return; fi
        kill -0 "$server_pid" 2> /dev/null || break
        sleep 0.01
    done
    echo "bench-event-log: the server did not start, see $work/server.log" >&2
    exit 2
}

cpu_ticks() { awk '{print $14 + $15}' "/proc/$server_pid/stat"; }

echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo), $(uname -sr), $(date -u +%F)"
start_server
echo "produce, 1 KiB, idempotent, acks=all, 6 partitions:"
"$work/log-writer" "127.0.0.1:$port" produce -n "$count" -s 1024
echo "produce, 1 KiB at 20000/s, linger 2 ms:"
"$work/log-writer" "127.0.0.1:$port" paced -n 400000 -s 1024 -r 20000 -l 2
echo "consume everything that was produced:"
"$work/log-reader" "127.0.0.1:$port" produce "$count"
echo "memory: $(awk '/VmHWM/ {print $2 / 1024 " MiB at most"}' "/proc/$server_pid/status")"

echo "idle long polls ($polls connections, 30 s each):"
kcat -b "127.0.0.1:$port" -L -t idle > /dev/null
(ulimit -n "$(ulimit -Hn)"; python3 scripts/support/idle-polls.py "$port" idle "$polls" "$server_pid")

if [ "$big" -gt 0 ]; then
    echo "restart after SIGKILL on $big GB:"
    "$work/log-writer" "127.0.0.1:$port" big -n $((big * 1000000)) -s 1024 > "$work/big.txt"
    kill -9 "$server_pid"
    before=$(date +%s%N)
    start_server
    echo "{\"gigabytes\":$(du -sb "$work/data" | awk '{print $1 / 1e9}'),\"seconds\":$(awk "BEGIN {print ($(date +%s%N) - $before) / 1e9}")}"
    grep -o '"msg":"Recovered".*' "$work/server.log"
fi
kill "$server_pid"
server_pid=""
rm -rf "$work/data"
