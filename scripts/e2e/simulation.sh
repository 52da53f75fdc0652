#!/usr/bin/env bash
# simulation.sh: the fixed seeds of the deterministic simulation. Nothing may be violated, every situation of the catalogue must
# have come up, and a seed must do the same things in another process. Needs no broker. See docs/simulation.md.
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib/common.sh"
bin_dir=${WAYBILL_BIN_DIR:-$root/.build/release}
[ -x "$bin_dir/waybill" ] || die "There is no $bin_dir/waybill; build it first: swift build -c release --product waybill"

"$bin_dir/waybill" simulate --seeds 1..250 --orders 40 --require-situations

for seed in 3 17 42 101 250; do
    first=$("$bin_dir/waybill" simulate --seed "$seed" --orders 40)
    second=$("$bin_dir/waybill" simulate --seed "$seed" --orders 40)
    [ "$first" = "$second" ] || die "Seed $seed did two different things: '$first' and '$second'."
done
printf 'Five seeds did the same in another process.\n'
