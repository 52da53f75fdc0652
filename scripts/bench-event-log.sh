#!/usr/bin/env bash
# Measures the event log with librdkafka 2.0.2 as the client, both on this machine.
#
#   scripts/bench-event-log.sh [--only GOAL] [--server PATH] [--work DIR] [--count N] [--big GIGABYTES] [--polls N]
#
# Goals, one line each: produce (idempotent, acks=all, 6 partitions; at least 150 000 records/s of 1 KiB), latency (to the
# acknowledgement at 20 000 records/s; p99 at most 10 ms), consume (at least 300 MB/s), polls (10 000 idle long polls; under
# 2 % of a core), restart (after SIGKILL on a log of --big GB, default 10; under 5 s; 0 leaves it out). Without --only all run,
# in three to five minutes. Needs gcc, librdkafka-dev, kcat and python3. Build event-log in release mode first.
set -euo pipefail
cd "$(dirname "$0")/.."

server=".build/release/event-log" work=".build/bench-event-log" count=1500000 big=10 polls=10000 only=""
while [ $# -gt 0 ]; do
    case "$1" in
        --only) only="$2"; shift 2 ;;
        --server) server="$2"; shift 2 ;;
        --work) work="$2"; shift 2 ;;
        --count) count="$2"; shift 2 ;;
        --big) big="$2"; shift 2 ;;
        --polls) polls="$2"; shift 2 ;;
        -h | --help) sed -n '2,10p' "$0"; exit 0 ;;
        *) echo "bench-event-log: unknown option $1" >&2; exit 2 ;;
    esac
done
case "$only" in
    "" | produce | latency | consume | polls | restart) ;;
    *) echo "bench-event-log: there is no goal $only" >&2; exit 2 ;;
esac
wants() { [ -z "$only" ] || [ "$only" = "$1" ]; }
[ -x "$server" ] || { echo "bench-event-log: build event-log in release mode first, or give --server" >&2; exit 2; }
for tool in gcc kcat python3; do
    command -v "$tool" > /dev/null || { echo "bench-event-log: $tool is missing" >&2; exit 2; }
done
mkdir -p "$work"
work="$(cd "$work" && pwd)"
rm -rf "$work/data"
if wants restart && [ "$(df --output=avail -B 1000000000 "$work" | tail -1)" -lt $((big + 4)) ]; then
    echo "bench-event-log: $work has no room for a log of $big GB; give a smaller --big, or --big 0" >&2
    exit 2
fi
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

echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo)," \
    "$(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), $(stat -f -c %T "$work"), $(uname -sr)," \
    "load $(cut -d' ' -f1 /proc/loadavg), $(date -u +%F)"
start_server
if wants produce || wants consume; then
    echo "produce, 1 KiB, idempotent, acks=all, 6 partitions:"
    "$work/log-writer" "127.0.0.1:$port" produce -n "$count" -s 1024
fi
if wants latency; then
    echo "produce, 1 KiB at 20000/s, linger 2 ms:"
    "$work/log-writer" "127.0.0.1:$port" paced -n 400000 -s 1024 -r 20000 -l 2
fi
if wants consume; then
    echo "consume everything that was produced:"
    "$work/log-reader" "127.0.0.1:$port" produce "$count"
fi
echo "memory: $(awk '/VmHWM/ {print $2 / 1024 " MiB at most"}' "/proc/$server_pid/status")"

if wants polls; then
    echo "idle long polls ($polls connections, 30 s each):"
    kcat -b "127.0.0.1:$port" -L -t idle > /dev/null
    (ulimit -n "$(ulimit -Hn)"; python3 scripts/support/idle-polls.py "$port" idle "$polls" "$server_pid")
fi

if wants restart && [ "$big" -gt 0 ]; then
    echo "restart after SIGKILL on $big GB:"
    "$work/log-writer" "127.0.0.1:$port" big -n $((big * 1000000)) -s 1024 > "$work/big.txt"
    kill -9 "$server_pid"
    before=$(date +%s%N)
    start_server
    echo "{\"gigabytes\":$(du -sb "$work/data" | awk '{print $1 / 1e9}'),\"seconds\":$(awk "BEGIN {print ($(date +%s%N) - $before) / 1e9}")}"
    grep -o '"msg":"Recovered".*' "$work/server.log"
fi
kill "$server_pid"
# It was disowned, so that its end by kill -9 is not announced: `wait` would not wait for it.
while kill -0 "$server_pid" 2> /dev/null; do sleep 0.05; done
server_pid=""
rm -rf "$work/data"
