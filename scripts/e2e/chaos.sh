#!/usr/bin/env bash
# Three minutes of chaos: at least 60 faults of 25 kinds and 2,000 orders, nothing violated; then the kept history is checked again.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

folder=$(dirname "$WAYBILL_RUN_DIR")/chaos
"$root/scripts/chaos.sh" --quick --folder "$folder" || fail 'something is violated'
report=$folder/report.json
[ "$(jq .faults "$report")" -ge 60 ] || fail "only $(jq .faults "$report") faults were done"
[ "$(jq .kinds "$report")" -ge 25 ] || fail "only $(jq .kinds "$report") kinds were done"
[ "$(jq .orders.accepted "$report")" -ge 2000 ] || fail "only $(jq .orders.accepted "$report") orders were accepted"

say 'checking the kept history again'
"$root/scripts/chaos.sh" --check "$folder"
