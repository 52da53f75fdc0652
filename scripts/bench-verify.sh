#!/usr/bin/env bash
# Measures `waybill verify` over many orders: a run directory with all five databases (the services' own schemas), the gateway's ledger
# and an event log of a dozen events per order is made, and verified with the release build, loading included. The goal is 100,000 orders
# in less than 60 s on two cores.
#
# usage: scripts/bench-verify.sh [--orders N] [--run-dir DIR] [--keep]
#   --orders N     orders to make; 100,000 unless given
#   --run-dir DIR  where to make them, or where an earlier run has left them; stays. A temporary folder unless given
#   --keep         leave the temporary folder (it is told), to be verified again with --run-dir
# exit code: 0 no violation and within the goal, 1 not, 2 could not be carried out
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P)
orders=100000 folder='' keep=no
while [ "$#" -gt 0 ]; do
    case $1 in
        --orders) orders=$2 && shift 2 ;;
        --run-dir) folder=$2 && shift 2 ;;
        --keep) keep=yes && shift ;;
        *)
            sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
            exit 2
            ;;
    esac
done
# Only what was made here is removed.
temporary=''
if [ -z "$folder" ]; then
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/waybill-verify-bench.XXXXXX")
    folder=$temporary
fi
run=$folder/run
finish() {
    "$root/scripts/down.sh" --run-dir "$run" >/dev/null 2>&1 || true
    if [ "$keep" = yes ] || [ -z "$temporary" ]; then printf 'left in %s\n' "$folder"; else rm -rf -- "$temporary"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset AMQP_URL KAFKA_BOOTSTRAP_SERVERS RABBITMQ_MANAGEMENT_URL

swift build --package-path "$root" -c release --product waybill >/dev/null || exit 2
WAYBILL_BIN_DIR=${WAYBILL_BIN_DIR:-$root/.build/release} "$root/scripts/up.sh" --data-only --run-dir "$run" >/dev/null || exit 2
# shellcheck disable=SC1091
. "$run/env"

data=$folder/data
if [ ! -d "$data" ]; then
    printf 'making %s orders in %s\n' "$orders" "$folder"
    mkdir -p "$data"
    WAYBILL_VERIFY_DIR=$data WAYBILL_VERIFY_ORDERS=$orders KAFKA_BOOTSTRAP_SERVERS=$KAFKA_BOOTSTRAP_SERVERS \
        swift test --package-path "$root" --filter 'RunDirectoryTests.buildsALargeRun' >"$folder/make.log" 2>&1 \
        || { tail -n 20 "$folder/make.log" >&2; exit 2; }
fi
printf 'databases   %s, event log %s\n' "$(du -sh "$data" | cut -f1)" "$(du -sh "$run/data" | cut -f1)"
began=$(date +%s%N)
"$root/.build/release/waybill" verify --data-dir "$data" --settle 0 | tee "$folder/verify.txt" | tail -n 1
took=$((($(date +%s%N) - began) / 1000000))
printf 'verified    %s orders in %s.%03d s on %s cores\n' "$orders" $((took / 1000)) $((took % 1000)) "$(nproc)"
[ "$took" -lt 60000 ] || { printf 'slower than 60 s\n' >&2; exit 1; }
