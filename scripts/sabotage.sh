#!/usr/bin/env bash
# sabotage.sh: switches every guard off, one at a time, and shows that a checker of the simulation notices.
#
# usage: scripts/sabotage.sh [--seeds N] [--orders K] [--only GUARD] [--no-build] [--program FILE] [--no-write]
#
#   --seeds N       give up on a guard after N seeds (default 250)
#   --orders K      orders in each seed (default 20)
#   --only GUARD    only this guard; writes nothing
#   --no-build      use .build/debug/waybill-simulate as it is
#   --program FILE  use this debug build of waybill-simulate, as it is
#   --no-write      leave docs/sabotage.md as it is
#
# Guards can be switched off in debug builds only; a release build has none of the branches. Writes docs/sabotage.md.
#
# exit: 0 every guard was noticed, 1 one was not, 2 wrong usage or no build

# shellcheck disable=SC2016 # the back quotes are Markdown
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
cd "$root"

seeds=250 orders=20 only='' build=yes write=yes
simulate=$root/.build/debug/waybill-simulate
while [ $# -gt 0 ]; do
    case $1 in
        --seeds | --orders | --only | --program)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            case $1 in --seeds) seeds=$2 ;; --orders) orders=$2 ;; --program) simulate=$2 build=no ;; *) only=$2 write=no ;; esac
            shift
            ;;
        --no-build) build=no ;;
        --no-write) write=no ;;
        -h | --help)
            print_help "$0"
            exit 0
            ;;
        *) usage_error "There is no option '$1'." ;;
    esac
    shift
done

not_carried_out() {
    complain "$*"
    exit 2
}
[ "$build" = no ] || swift build --product waybill-simulate >/dev/null \
    || not_carried_out 'The build failed; swift build --product waybill-simulate says why.'
[ -x "$simulate" ] || usage_error "There is no $simulate."

table=$(mktemp)
trap 'rm -f -- "$table"' EXIT
missed=0
noticed=0
while read -r word guard mistake; do
    [ "$word" = guard ] || continue
    [ -z "$only" ] || [ "$guard" = "$only" ] || continue
    out=$("$simulate" --sabotage "$guard" --seeds "1..$seeds" --orders "$orders" --workers 1 --json 2>/dev/null) && code=0 || code=$?
    if [ "$code" -eq 1 ]; then
        read -r seed id < <(jq -r '.failed[0] | "\(.seed) \(.id)"' <<<"$out")
        printf '%-34s %s, seed %s\n' "$guard" "$id" "$seed"
        printf '| `%s` | %s | %s | %s |\n' "$guard" "$mistake" "$id" "$seed" >>"$table"
        noticed=$((noticed + 1))
    elif [ "$code" -eq 2 ]; then
        not_carried_out "$guard: $simulate could not be run like this; a release build has no guards to switch off."
    elif [ "$code" -eq 0 ]; then
        complain "$guard: nobody noticed in $seeds seeds."
        printf '| `%s` | %s | **nobody** | |\n' "$guard" "$mistake" >>"$table"
        missed=$((missed + 1))
    else
        # A process that a trap ends has noticed as well.
        printf '%-34s the process ended with %s\n' "$guard" "$code"
        printf '| `%s` | %s | the process ended by itself | |\n' "$guard" "$mistake" >>"$table"
        noticed=$((noticed + 1))
    fi
done < <("$simulate" --list)

[ $((noticed + missed)) -gt 0 ] || usage_error "There is no guard named '$only'."
if [ "$write" = yes ]; then
    {
        printf '# Sabotage: who notices a missing guard\n\n'
        printf 'Written by `scripts/sabotage.sh`: each guard is switched off in a debug build, and the simulation runs seed after seed\n'
        printf '(%s orders each, at most %s seeds) until a checker goes red. %s of %s guards were noticed.\n\n' \
            "$orders" "$seeds" "$noticed" "$((noticed + missed))"
        printf 'The ids are those of [guarantees.md](guarantees.md); `SIM` is a part of a service that stopped, or a handler that failed, for\n'
        printf 'a reason that no fault explains, `LV1` a system that did not come to rest.\n\n'
        printf '| guard | what happens without it | noticed by | first seed |\n|---|---|---|---|\n'
        cat "$table"
    } >docs/sabotage.md
fi
printf '%s guards noticed, %s not.\n' "$noticed" "$missed"
[ "$missed" -eq 0 ]
