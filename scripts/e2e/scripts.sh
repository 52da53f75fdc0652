#!/usr/bin/env bash
# What the scripts themselves promise: whose folders and brokers they touch, what they leave behind, and that they say what is so. Each
# function is one bug that a script once had; see "Scripts" in docs/found.md.
#
# usage: scripts/e2e/scripts.sh [function…]
# shellcheck disable=SC2016 # the lines of a stand-in are for its own shell
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lib/e2e.sh"
mkdir -p "$WAYBILL_RUN_DIR.scripts"
# As the supervisors see them.
WAYBILL_RUN_DIR=$(readlink -f "$WAYBILL_RUN_DIR")
readonly place=$WAYBILL_RUN_DIR.scripts
installations+=("$place"/{other,left,mine/run})

# code WANTED COMMAND…: the command ends with this code; what it said is in $place/said.
code() {
    local wanted=$1 got=0
    shift
    "$@" >"$place/said" 2>&1 || got=$?
    [ "$got" = "$wanted" ] || fail "code $got instead of $wanted from: $*"$'\n'"$(tail -n 5 "$place/said")"
}

# stand_in NAME LINES: a program of that name which does what the lines say.
stand_in() {
    printf '#!/usr/bin/env bash\n%s\n' "$2" >"$place/$1"
    chmod +x "$place/$1"
}

# The supervisor of a run directory, or nothing.
supervisor_of() { pgrep -f "waybill-supervisor run --run-dir $1\$" || true; }

# lives PID: the process is there; what nobody has waited for yet is not.
lives() { [[ $(ps -o stat= -p "${1:-0}" 2>/dev/null || true) =~ ^[^Z] ]]; }

bench_verify_deleted_the_folder_that_it_was_given() {
    mkdir -p "$place/mine"
    printf 'precious\n' >"$place/mine/notes"
    # It builds, and then the orders cannot be made.
    stand_in swift '[ "$1" = build ]'
    PATH=$place:$PATH code 2 "$root/scripts/bench-verify.sh" --run-dir "$place/mine"
    expect precious cat "$place/mine/notes"
}

a_guard_that_could_not_be_tried_counted_as_noticed() {
    # The program's usage error, its clean end and its failure, in place of a simulation.
    stand_in simulation '[ "$1" = --list ] || exit 2; echo "guard a-guard Nothing holds."'
    code 2 "$root/scripts/sabotage.sh" --no-write --program "$place/simulation"
    stand_in simulation '[ "$1" = --list ] || exit 0; echo "guard a-guard Nothing holds."'
    code 1 "$root/scripts/sabotage.sh" --no-write --program "$place/simulation"
    stand_in simulation '[ "$1" = --list ] && echo "guard a-guard Nothing holds." || { echo "{\"failed\":[{\"seed\":1,\"id\":\"A1\"}]}"; exit 1; }'
    code 0 "$root/scripts/sabotage.sh" --no-write --program "$place/simulation"
}

a_script_that_failed_left_its_processes_behind() {
    # Sleeps that nobody else sleeps.
    local helper=3210.$$ traced=3211.$$ pid
    stand_in failing "export WAYBILL_RUN_DIR=$place/left
        . $root/scripts/lib/e2e.sh
        up --data-only
        sleep $helper &
        strace -f -o /dev/null sleep $traced &
        until_true 10 pgrep -f '^sleep $traced\$' || exit 3
        pgrep -f '^sleep ($helper|$traced)\$' >$place/sleepers
        \$1"
    code 1 "$place/failing" 'fail now'
    expect 2 grep -c . "$place/sleepers"
    while read -r pid; do
        ! lives "$pid" || { kill -KILL "$pid" && fail "what the script had started lives on"; }
    done <"$place/sleepers"
    expect '' supervisor_of "$place/left"
}

two_first_ups_at_once_refused_the_folder_for_good() {
    # Another one is at its very beginning: it has the lock, and has written nothing.
    mkdir -p "$WAYBILL_RUN_DIR"
    exec 8>>"$WAYBILL_RUN_DIR/up.lock"
    flock -n 8 || fail 'the lock is not free'
    code 1 up --data-only
    grep -q 'Another up.sh is at work' "$place/said" || fail "said: $(cat "$place/said")"
    exec 8>&-
    up --data-only >/dev/null
    down >/dev/null
}

a_second_up_forgot_the_brokers_of_the_first() {
    local other=$place/other amqp kafka
    WAYBILL_RUN_DIR=$other "$root/scripts/up.sh" --run-dir "$other" --data-only >/dev/null
    amqp=$(. "$other/env" && printf %s "$AMQP_URL")
    kafka=$(. "$other/env" && printf %s "$KAFKA_BOOTSTRAP_SERVERS")
    AMQP_URL=$amqp KAFKA_BOOTSTRAP_SERVERS=$kafka up --no-seed >/dev/null
    up --no-seed >/dev/null
    expect "$kafka" sh -c ". $WAYBILL_RUN_DIR/env && printf %s \"\$KAFKA_BOOTSTRAP_SERVERS\""
    expect 0 grep -cE '"name": "(rabbitmq|event-log)"' "$WAYBILL_RUN_DIR/supervisor.json"
    down >/dev/null
    "$root/scripts/down.sh" --run-dir "$other" >/dev/null
}

a_first_start_that_was_cut_short_let_the_second_take_stock_back() {
    up >/dev/null
    # As it is after the fifth article; then pieces were sold.
    mv "$WAYBILL_RUN_DIR/data/.seeded" "$WAYBILL_RUN_DIR/data/.seeding"
    sed -i '/^SCALE-POCKET$/d' "$WAYBILL_RUN_DIR/data/.seeding"
    waybill stock set MUG-STONEWARE 7 >/dev/null
    up >/dev/null
    expect 7 sh -c "'$root/scripts/waybill' stock list --json | jq -s '.. | objects | select(.sku == \"MUG-STONEWARE\") | .onHand'"
    [ -e "$WAYBILL_RUN_DIR/data/.seeded" ] || fail 'the catalogue was not finished'
    down >/dev/null
}

a_reload_that_failed_was_called_up() {
    up --data-only >/dev/null
    # The supervisor is there and hears nothing.
    kill -STOP "$(supervisor_of "$WAYBILL_RUN_DIR")"
    code 1 up --data-only --timeout 5
    grep -q 'did not take the changes' "$place/said" || fail "said: $(cat "$place/said")"
    kill -CONT "$(supervisor_of "$WAYBILL_RUN_DIR")"
    down >/dev/null
}

a_benchmark_loaded_the_brokers_of_its_user() {
    # Nobody listens there: what goes there does not come up.
    AMQP_URL=amqp://127.0.0.1:1 KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 code 0 "$root/scripts/bench.sh" --no-build --rate 20 --seconds 3
}

stories=("$@")
[ "$#" -gt 0 ] || stories=(
    bench_verify_deleted_the_folder_that_it_was_given
    a_guard_that_could_not_be_tried_counted_as_noticed
    a_script_that_failed_left_its_processes_behind
    two_first_ups_at_once_refused_the_folder_for_good
    a_second_up_forgot_the_brokers_of_the_first
    a_first_start_that_was_cut_short_let_the_second_take_stock_back
    a_reload_that_failed_was_called_up
    a_benchmark_loaded_the_brokers_of_its_user
)
for story in "${stories[@]}"; do
    say "${story//_/ }"
    "$story"
done
rm -rf -- "$place"
say 'Each of them is a thing of the past.'
