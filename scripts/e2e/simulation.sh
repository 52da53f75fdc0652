#!/usr/bin/env bash
# The whole system in memory, from seeds that are always the same: no invariant is violated, every situation of the catalogue comes up in
# at least one of them, and the same seed has the same trace hash in two processes, alone and beside other worlds.
#
# Needs no broker. A failure names the seed and the command that runs it again, or the situation that was missed. Change the seeds when a
# change of the system or of the faults makes them miss something: what counts is that they are fixed, not which ones they are.
# alone: it uses every core.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

seeds=1..250 orders=20 twins=10
mkdir -p "$WAYBILL_RUN_DIR"
simulate() { "$WAYBILL_BIN_DIR/waybill" simulate --orders "$orders" "$@"; }

say "seeds $seeds of $orders orders"
simulate --seeds "$seeds" --require-situations || fail 'a seed failed or a situation was missed; see above'

say "seeds 1..$twins again, in other processes"
for process in 1 2; do
    simulate --seeds "1..$twins" --json | jq -er '.traceHashes | to_entries[] | "\(.key) \(.value)"' | sort -n >"$WAYBILL_RUN_DIR/hashes-$process"
done
[ "$(wc -l <"$WAYBILL_RUN_DIR/hashes-1")" -eq "$twins" ] || fail 'not every seed has a trace hash'
[ "$(cut -d' ' -f2 "$WAYBILL_RUN_DIR/hashes-1" | sort -u | wc -l)" -eq "$twins" ] || fail 'two seeds have the same trace hash'
diff "$WAYBILL_RUN_DIR/hashes-1" "$WAYBILL_RUN_DIR/hashes-2" || fail 'the same seed did other things in another process'
while read -r seed hash; do
    expect "$hash" bash -c "'$WAYBILL_BIN_DIR/waybill' simulate --orders $orders --seed $seed --json | jq -r .traceHash"
done < <(head -n 3 "$WAYBILL_RUN_DIR/hashes-1")
say "every situation came up, and $twins trace hashes are the same in every process"
