#!/usr/bin/env bash
# Measures the webhook sender: durable deliveries per second to a receiver on this machine, attempt rows included, and the time
# from the acceptance of an event to its arrival. One process, one SQLite file, synchronous=FULL.
#
#   scripts/bench-webhooks.sh [--seconds 60] [--backlog 100000]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60
backlog=0
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) seconds="${2:?--seconds needs a number}"; shift 2 ;;
        --backlog) backlog="${2:?--backlog needs a number}"; shift 2 ;;
        -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; see --help" >&2; exit 2 ;;
    esac
done

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
WAYBILL_BENCH_SECONDS="$seconds" WAYBILL_BENCH_BACKLOG="$backlog" \
    swift test -c release -Xswiftc -enable-testing --filter ThroughputTests 2>&1 | grep -E "webhooks:|error|failed|passed"
