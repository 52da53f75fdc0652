#!/usr/bin/env bash
# test.sh: every check of the project, with real brokers on free ports of their own.
#
# usage: scripts/test.sh [stage…] [--filter REGEX]
#
#   all          everything but tsan (the default)
#   format       swift format lint, and shellcheck of the scripts
#   imports      the rules about imports and words (scripts/check-imports.sh)
#   unit         tests without a broker
#   component    unit tests and those that need RabbitMQ and the event log
#   conformance  librdkafka's own test suite on the event log, the quick part of it (scripts/conformance-kafka.sh)
#   e2e          the whole system: the scripts in scripts/e2e, on a release build, some side by side
#   tsan         unit and component tests under the thread sanitizer
#
#   --filter REGEX   only the tests whose name matches
#
# The whole output of each stage is kept in .build/test-logs.
# exit: 0 everything passed, 1 something failed, 2 wrong usage
set -euo pipefail
umask 077
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
for part in packages ports build; do
    # shellcheck source=/dev/null
    . "$root/scripts/lib/$part.sh"
done
cd "$root"
# The tests speak to brokers of their own, whatever the caller's shell is set up for.
unset AMQP_URL KAFKA_BOOTSTRAP_SERVERS RABBITMQ_MANAGEMENT_URL WAYBILL_RUN_DIR WAYBILL_BIN_DIR WAYBILL_TOKEN

stages=() filter=''
while [ $# -gt 0 ]; do
    case $1 in
        all) stages+=(format imports component conformance e2e) ;;
        format | imports | unit | component | conformance | e2e | tsan) stages+=("$1") ;;
        --filter)
            [ $# -ge 2 ] || usage_error "--filter needs a pattern."
            filter=$2
            shift
            ;;
        -h | --help)
            print_help "$0"
            exit 0
            ;;
        *) usage_error "There is no stage or option '$1'." ;;
    esac
    shift
done
[ "${#stages[@]}" -gt 0 ] || stages=(format imports component conformance e2e)

logs=$root/.build/test-logs
mkdir -p "$logs"
rm -f "$logs/failures"
brokers_dir=''
summary=()
failed=0

stop_brokers() {
    if [ -n "$brokers_dir" ]; then
        "$root/scripts/down.sh" --run-dir "$brokers_dir" --wipe --yes >/dev/null 2>&1 || true
        rm -rf -- "$(dirname "$brokers_dir")"
        brokers_dir=''
    fi
}
trap stop_brokers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# run_stage NAME FUNCTION [ARGUMENT…]: runs it, notes time and result, and leaves the exit code in stage_code. To be called as a
# plain command: behind `if` or `||` the shell would ignore the failures inside.
run_stage() {
    local name=$1 began=$SECONDS result
    shift
    printf '\n%s%s%s\n' "$bold" "$name" "$plain"
    set +e
    (
        set -e
        "$@"
    )
    stage_code=$?
    set -e
    result="${green}passed$plain"
    if [ "$stage_code" -ne 0 ]; then
        result="${red}FAILED$plain"
        failed=1
    fi
    local figures=''
    [ ! -s "$logs/figures" ] || figures=$(cat "$logs/figures")
    rm -f "$logs/figures"
    summary+=("$(printf '%-26s %10s  %s  %s' "$name" "$(elapsed $((SECONDS - began)))" "$result" "$figures")")
}

skip_stage() {
    summary+=("$(printf '%-26s %10s  %sskipped%s  %s' "$1" - "$red" "$plain" "$2")")
    failed=1
}

check_format() {
    if ! swift format lint --strict --recursive --parallel --configuration .swift-format Package.swift Sources services \
        Tests >"$logs/format.log" 2>&1; then
        head -n 40 "$logs/format.log" >&2
        complain "$(wc -l <"$logs/format.log") findings, all in $logs/format.log. Most go away with:"
        complain "    swift format -i -r --configuration .swift-format Package.swift Sources services Tests"
        return 1
    fi
    local scripts=()
    mapfile -t scripts < <(find scripts .ci -type f \( -name '*.sh' -o -path scripts/waybill -o -path .ci/run \) | sort)
    shellcheck -x "${scripts[@]}"
    printf '%s Swift files, %s scripts' "$(find Sources services Tests -name '*.swift' | wc -l)" "${#scripts[@]}" >"$logs/figures"
}

build_debug() {
    build_products "$logs/build.log" debug --build-tests
}

# A private RabbitMQ and event log, built in the given folder; their addresses go where the tests look.
start_brokers() {
    local bin_dir=$1
    if [ -n "$brokers_dir" ]; then return 0; fi
    brokers_dir=$(mktemp -d "${TMPDIR:-/tmp}/waybill-test.XXXXXX")/run
    if ! WAYBILL_BIN_DIR=$bin_dir "$root/scripts/up.sh" --data-only --run-dir "$brokers_dir" >"$logs/brokers.log" 2>&1; then
        cat "$logs/brokers.log" >&2
        tail -n 20 "$brokers_dir"/logs/*.log >&2 || true
        return 1
    fi
    # shellcheck disable=SC1091
    AMQP_TEST_URL=$(. "$brokers_dir/env" && printf '%s' "$AMQP_URL")
    RABBITMQ_TEST_MANAGEMENT_URL=$(. "$brokers_dir/env" && printf '%s' "$RABBITMQ_MANAGEMENT_URL")
    KAFKA_TEST_BOOTSTRAP=$(. "$brokers_dir/env" && printf '%s' "$KAFKA_BOOTSTRAP_SERVERS")
    export AMQP_TEST_URL RABBITMQ_TEST_MANAGEMENT_URL KAFKA_TEST_BOOTSTRAP
    printf 'RabbitMQ and the event log run for the tests.\n'
}

# "Test run with 123 tests in 14 suites passed after 3.2 seconds." becomes "123 tests in 3.2 s".
count_tests() {
    sed -nE 's/.*Test run with ([0-9]+ tests?).* after ([0-9.]+) seconds.*/\1 in \2 s/p' "$1" | tail -n 1
}

show_failures() {
    grep -E '(^|[^A-Za-z])(✘|error:|Fatal error|WARNING: ThreadSanitizer|\*\*\*)' "$1" | head -n 60 >&2 || tail -n 40 "$1" >&2
    grep -hoE '✘ Test .* recorded an issue.*' "$1" | head -n 20 | cut -c 1-300 | sed "s|^|    $(basename "$1" .log): |" >>"$logs/failures" \
        || printf '    %s: no test failed, the process did\n' "$(basename "$1" .log)" >>"$logs/failures"
    complain "The whole output is in $1."
}

# The target that waits for RabbitMQ most of its time; it alone uses the broker.
readonly waiting_target=RabbitMQComponentTests

# run_targets STAGE FOLDER: the tests that were built there, one test target after the other, each in a process of its own. Within a target
# tests run in parallel; all of them at once would starve each other on a small machine, and a crash would take the others down. Only the
# one that mostly waits runs beside the others, except under the sanitizer.
run_targets() {
    local stage=$1 products=$2 folder target targets=() total=0 count code=0
    # What runs beside the others ends with them. Not local, for the trap.
    beside=''
    trap '[ -z "$beside" ] || pkill -TERM -P "$beside" || true' EXIT
    for folder in Tests/*Tests; do
        target=$(basename "$folder")
        [ -z "$filter" ] || grep -rqE "$filter" "$folder" || [[ $target =~ $filter ]] || continue
        targets+=("$target")
        [ "$target" = "$waiting_target" ] && [ "$stage" != tsan ] || continue
        run_target "$stage" "$products" "$target" &
        beside=$!
    done
    for target in "${targets[@]}"; do
        [ "$target" != "$waiting_target" ] || [ -z "$beside" ] || continue
        run_target "$stage" "$products" "$target" || code=1
    done
    if [ -n "$beside" ]; then
        wait "$beside" || code=1
        beside=''
    fi
    for target in "${targets[@]}"; do
        count=$(count_tests "$logs/$stage-$target.log")
        total=$((total + $(sed -nE "s/^([0-9]+) .*/\1/p" <<<"${count:-0 tests}")))
    done
    printf '%s tests in %s targets' "$total" "${#targets[@]}" >"$logs/figures"
    [ "$total" -gt 0 ] || complain 'No test ran.'
    [ "$total" -gt 0 ] && [ "$code" -eq 0 ]
}

# run_target STAGE FOLDER TARGET: the tests of one target, or those of them that the filter wants. The test program is called by itself, as
# `swift test` does it: two of those at a time stand in each other's way.
run_target() {
    local stage=$1 products=$2 target=$3 pattern log count result=0
    pattern="^$target\\."
    [ -z "$filter" ] || [[ $target =~ $filter ]] || pattern="^$target\\..*($filter)"
    log=$logs/$stage-$target.log
    "$products/waybillPackageTests.xctest" --testing-library swift-testing --filter "$pattern" >"$log" 2>&1 </dev/null || result=$?
    count=$(count_tests "$log")
    if [ "$result" -eq 0 ]; then
        printf '    %-28s %s\n' "$target" "${count:-no tests}"
    else
        printf '    %-28s %sFAILED%s\n' "$target" "$red" "$plain"
        show_failures "$log"
    fi
    return "$result"
}

unit_tests() {
    run_targets unit "$root/.build/debug"
}

component_tests() {
    run_targets component "$root/.build/debug"
}

# Swift's Mutex hands over in the kernel, which the sanitizer does not see; scripts/lib/tsan.supp names that one pattern. Debian's
# librdkafka starts C11 threads, which tests trace through symbols that the test program exports. Everything takes ten times as long: of the
# tests of a target only a few run beside each other, so that each has the time that its limits give it.
sanitized_tests() {
    local options=(--sanitize=thread --scratch-path "$root/.build/tsan" -Xlinker --export-dynamic)
    swift build --build-tests "${options[@]}" >"$logs/build-tsan.log" 2>&1 || build_failed "$logs/build-tsan.log"
    SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=2 TSAN_OPTIONS="suppressions=$root/scripts/lib/tsan.supp halt_on_error=0" \
        run_targets tsan "$root/.build/tsan/debug"
}

# The source package of librdkafka carries its test suite; fetched and built on the first run, in .build.
conformance_tests() {
    local log=$logs/conformance.log code=0
    "$root/scripts/conformance-kafka.sh" --tier quick --server "$root/.build/debug/event-log" >"$log" 2>&1 || code=$?
    [ "$code" -eq 0 ] || tail -n 20 "$log" >&2
    tail -n 1 "$log" >"$logs/figures"
    return "$code"
}

build_release() {
    build_products "$logs/build-release.log" release
}

# Every script of scripts/e2e, each with the release build and a run directory of its own. Most of the time they wait, so some run side by
# side, the longest first; one that says `# alone:` in its first lines measures something and has the machine to itself.
end_to_end_scripts() {
    local script together=() alone=()
    for script in scripts/e2e/{chaos,scripts,crash-points}.sh scripts/e2e/*.sh; do
        [[ " ${together[*]} " != *" $script "* ]] || continue
        [ -z "$filter" ] || [[ $(basename "$script" .sh) =~ $filter ]] || continue
        if grep -q '^# alone: ' "$script"; then alone+=("$script"); else together+=("$script"); fi
    done
    # By process id. Not local: whatever ends this stage looks at them.
    declare -gA scripts=() folders=() starts=()
    e2e_code=0
    trap 'end_scripts 130' INT
    trap 'end_scripts 143' TERM
    trap 'end_scripts $?' EXIT
    run_side_by_side 3 "${together[@]}"
    run_side_by_side 1 "${alone[@]}"
    printf '%s scripts' "$((${#together[@]} + ${#alone[@]}))" >"$logs/figures"
    # With several stages a filter may be meant for another one.
    [ "${#together[@]}" -gt 0 ] || [ "${#alone[@]}" -gt 0 ] || [ "${#stages[@]}" -gt 1 ] || { complain 'No script ran.' && return 1; }
    return "$e2e_code"
}

# run_side_by_side N SCRIPT…: at most N at a time. Uses the variables of end_to_end_scripts.
run_side_by_side() {
    local lanes=$1 script folder
    shift
    for script in "$@"; do
        [ "${#scripts[@]}" -lt "$lanes" ] || await_script
        folder=$(mktemp -d "${TMPDIR:-/tmp}/waybill-e2e.XXXXXX")
        WAYBILL_BIN_DIR=$root/.build/release WAYBILL_RUN_DIR=$folder/run setsid bash "$script" >"$(log_of "$script")" 2>&1 </dev/null &
        scripts[$!]=$script
        folders[$!]=$folder
        starts[$!]=$SECONDS
    done
    while [ "${#scripts[@]}" -gt 0 ]; do await_script; done
}

log_of() { printf '%s' "$logs/e2e-$(basename "$1" .sh).log"; }

# Waits for the next script to end, tells how it went, and clears up after it.
await_script() {
    local pid='' result=0 script folder
    wait -n -p pid "${!scripts[@]}" || result=$?
    # What a signal ended while we were busy elsewhere is forgotten by `wait -n`, but not by `wait`.
    if [ -z "$pid" ]; then
        for pid in "${!scripts[@]}"; do kill -0 "$pid" 2>/dev/null || break; done
        result=0
        wait "$pid" || result=$?
    fi
    script=${scripts[$pid]} folder=${folders[$pid]}
    if [ "$result" -eq 0 ]; then
        printf '    %-28s %s\n' "$(basename "$script" .sh)" "$(elapsed $((SECONDS - ${starts[$pid]})))"
    else
        printf '    %-28s %sFAILED%s\n' "$(basename "$script" .sh)" "$red" "$plain"
        tail -n 40 "$(log_of "$script")" >&2
        complain "$script failed; its whole output is in $(log_of "$script")."
        printf '    %s: %s\n' "$script" "$(grep -a 'FAILED' "$(log_of "$script")" | tail -n 1)" >>"$logs/failures"
        e2e_code=1
    fi
    [ ! -f "$folder/run/layout" ] || "$root/scripts/down.sh" --run-dir "$folder/run" --wipe --yes >/dev/null 2>&1 || true
    rm -rf -- "$folder"
    unset "scripts[$pid]" "folders[$pid]" "starts[$pid]"
}

# The end is for the scripts as well, and for what each of them has in its foreground; each takes down what it started.
end_scripts() {
    trap - EXIT
    trap '' INT TERM
    local groups=("${!scripts[@]}")
    [ "${#groups[@]}" -eq 0 ] || kill -TERM -- "${groups[@]/#/-}" 2>/dev/null || true
    wait
    [ "${#folders[@]}" -eq 0 ] || rm -rf -- "${folders[@]}"
    exit "$1"
}

began=$SECONDS
needed=("${build_packages[@]}" rabbitmq-server kcat sqlite3 curl jq nodejs python3 shellcheck strace)
ensure_swift
case " ${stages[*]} " in
    *' unit '* | *' component '* | *' conformance '* | *' e2e '* | *' tsan '*) fetch_sources "$logs/fetch.log" ;;
esac
ensure_packages "${needed[@]}"

built=unknown
# Builds once, for the first stage that needs it; tells in `built` (yes or no) how it went.
ensure_built() {
    [ "$built" = unknown ] || return 0
    run_stage 'build (debug)' build_debug
    if [ "$stage_code" -eq 0 ]; then built=yes; else built=no; fi
}

for stage in "${stages[@]}"; do
    case $stage in
        unit | component | conformance | e2e | tsan)
            ensure_built
            if [ "$built" = no ]; then
                skip_stage "$stage" 'does not build'
                continue
            fi
            ;;
    esac
    case $stage in
        format) run_stage format check_format ;;
        imports)
            run_stage imports "$root/scripts/check-imports.sh"
            run_stage guarantees "$root/scripts/check-guarantees.sh"
            ;;
        unit) run_stage 'unit tests' unit_tests ;;
        component)
            if start_brokers "$root/.build/debug"; then
                run_stage 'unit and component tests' component_tests
            else
                skip_stage component 'brokers did not start'
            fi
            ;;
        conformance) run_stage 'conformance (Kafka)' conformance_tests ;;
        tsan)
            if start_brokers "$root/.build/debug"; then
                run_stage 'thread sanitizer' sanitized_tests
            else
                skip_stage tsan 'brokers did not start'
            fi
            ;;
        e2e)
            stop_brokers
            run_stage 'build (release)' build_release
            if [ "$stage_code" -ne 0 ]; then
                skip_stage e2e 'does not build'
                continue
            fi
            run_stage 'end to end' end_to_end_scripts
            ;;
    esac
done

printf '\n%s%-26s %10s  %s%s\n' "$bold" STAGE TIME RESULT "$plain"
printf '%s\n' "${summary[@]}"
printf '%-26s %10s\n' total "$(elapsed $((SECONDS - began)))"
# Once more at the end, where it is found: what failed.
if [ -s "$logs/failures" ]; then printf '\n%sFAILED%s\n%s\n' "$red" "$plain" "$(cat "$logs/failures")"; fi
exit "$failed"
