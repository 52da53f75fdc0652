#!/usr/bin/env bash
# Three minutes of chaos: at least 60 faults of 25 kinds and 2,000 orders, nothing violated; then the kept history is checked again.
# The plan is the same each time, so that a red run speaks of what was changed; scripts/chaos.sh by itself draws a new one.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

folder=$(dirname "$WAYBILL_RUN_DIR")/chaos
"$root/scripts/chaos.sh" --quick --seed 22 --folder "$folder" || fail 'something is violated'
report=$folder/report.json
[ "$(jq .faults "$report")" -ge 60 ] || fail "only $(jq .faults "$report") faults were done"
[ "$(jq .kinds "$report")" -ge 25 ] || fail "only $(jq .kinds "$report") kinds were done"
[ "$(jq .orders.accepted "$report")" -ge 2000 ] || fail "only $(jq .orders.accepted "$report") orders were accepted"
# What the subscribers took and what poison was sent went into the verdict.
for id in W1 W2 W3 D1; do
    [ "$(jq -r --arg id "$id" '.checks[] | select(.id == $id) | .verdict' "$folder/verify-final.json")" = holds ] || fail "$id was not examined"
done

say 'checking the kept history again'
"$root/scripts/chaos.sh" --check "$folder"
