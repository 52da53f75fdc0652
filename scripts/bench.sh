#!/usr/bin/env bash
# bench.sh: offers orders in an open loop for a fixed time and prints what the whole system on this machine made of them.
#
# usage: scripts/bench.sh [--rate R] [--seconds S] [--run-dir DIR] [--no-build]
#
#   --rate R       orders per second (default 300); arrivals follow a schedule and never wait for answers
#   --seconds S    how long to offer (default 30)
#   --run-dir DIR  default: a temporary one, removed afterwards
#   --no-build     uses the programs as they are built
#
# Prints accepted and completed orders per second, p50, p99 and p99.9 of accepting and of placement to completion (HdrHistogram, from
# the moment at which an order was due), and CPU time per order and memory of each process. Everything runs on this machine, the load
# generator too. Ends with `waybill verify`.
# exit: 0 measured and verified, 1 an order did not end or a check is violated, 2 wrong usage
set -euo pipefail
umask 077
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"

rate=300 seconds=30 run_dir='' up_options=()
while [ $# -gt 0 ]; do
    case $1 in
        --rate | --seconds | --run-dir)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            case $1 in
                --rate) rate=$2 ;;
                --seconds) seconds=$2 ;;
                --run-dir) run_dir=$2 ;;
            esac
            shift
            ;;
        --no-build) up_options+=(--no-build) ;;
        -h | --help)
            print_help "$0"
            exit 0
            ;;
        *) usage_error "There is no option '$1'." ;;
    esac
    shift
done
case $rate$seconds in
    *[!0-9]*) usage_error "--rate and --seconds are whole numbers." ;;
esac

temporary=''
if [ -z "$run_dir" ]; then
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/waybill-bench.XXXXXX")
    run_dir=$temporary/run
fi
finish() {
    "$root/scripts/down.sh" --run-dir "$run_dir" >/dev/null 2>&1 || true
    [ -z "$temporary" ] || rm -rf -- "$temporary"
}
trap finish EXIT
export WAYBILL_RUN_DIR=$run_dir
# Load and figures are of brokers of its own, whatever the caller's shell is set up for.
unset AMQP_URL KAFKA_BOOTSTRAP_SERVERS RABBITMQ_MANAGEMENT_URL

"$root/scripts/up.sh" --run-dir "$run_dir" "${up_options[@]}" >/dev/null
for sku in $("$root/scripts/waybill" catalog list --json | jq -r .sku); do
    "$root/scripts/waybill" stock set "$sku" 100000000 >/dev/null
done

# CPU seconds of a process in hundredths (user + system, children not counted), and its resident and peak memory in MiB.
cpu_of() { awk '{ print $14 + $15 }' "/proc/$1/stat" 2>/dev/null || echo 0; }
memory_of() { awk '/^VmRSS|^VmHWM/ { printf "%d ", $2 / 1024 }' "/proc/$1/status" 2>/dev/null || echo '0 0'; }

declare -A before
for file in "$run_dir"/pids/*.pid; do before[$(basename "$file" .pid)]=$(cpu_of "$(cat "$file")"); done

"$root/scripts/waybill" load --rate 20 --orders 40 --cards visa --json >/dev/null
result=$("$root/scripts/waybill" load --rate "$rate" --duration "$seconds" --cards visa --drain 120 --json) || {
    printf '%s\n' "$result"
    die 'Not every accepted order has ended.'
}
accepted=$(jq .accepted <<<"$result")

printf 'machine     %s × %s, %s GiB, %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    "$(awk '/MemTotal/ { printf "%d", $2 / 1048576 }' /proc/meminfo)" "$(uname -sr)"
printf 'offered     %s orders/s for %s s, open loop, card tok_visa\n' "$rate" "$seconds"
jq -r '"accepted    \(.accepted) orders, \(.acceptedPerSecondX100 / 100) per second while offering",
    "completed   \(.ended.completed // 0) orders, \(.completedPerSecondX100 / 100) per second from the first placement to the last completion",
    "accept      p50 \(.accept.p50Us / 1000) ms   p99 \(.accept.p99Us / 1000) ms   p99.9 \(.accept.p999Us / 1000) ms",
    "complete    p50 \(.placementToCompleted.p50Us / 1000) ms   p99 \(.placementToCompleted.p99Us / 1000) ms   p99.9 \(.placementToCompleted.p999Us / 1000) ms"' \
    <<<"$result"
printf '\n%-16s %14s %10s %10s\n' PROCESS 'CPU/ORDER' 'RSS' 'PEAK'
for name in "${!before[@]}"; do
    pid=$(cat "$run_dir/pids/$name.pid")
    read -r peak resident <<<"$(memory_of "$pid")"
    awk -v name="$name" -v ticks=$(($(cpu_of "$pid") - before[$name])) -v orders=$((accepted + 40)) -v rss="$resident" -v peak="$peak" \
        'BEGIN { printf "%-16s %11.3f ms %6d MiB %6d MiB\n", name, ticks * 10 / orders, rss, peak }'
done | sort
printf '\n'
"$root/scripts/waybill" verify --settle 60
