#!/usr/bin/env bash
# Feeds the event log's frame decoder and batch checker with inputs that libFuzzer makes up, under the address sanitizer.
#
#   scripts/fuzz-event-log.sh [--runs N] [--seed N] [--work DIR] [FILE…]
#
#   --runs N     how many inputs (default 1000000)
#   --seed N     where libFuzzer's random numbers begin (default 1)
#   --work DIR   seeds, corpus and the inputs that failed (default .build/fuzz-event-log)
#   FILE…        runs just these inputs, to see a failure again
#
# The seeds are made from the golden vectors of the tests, one per message, version and variant, and a few batches. What
# covers something new is kept in the corpus for the next run. The build (a few minutes the first time) has a directory of
# its own, .build/fuzz. Needs python3. Exit code: 0 clean, 1 a failure (its input is in WORK/failures), 2 not carried out.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=1000000 seed=1 work=.build/fuzz-event-log files=()
while [ $# -gt 0 ]; do
    case "$1" in
        --runs) runs="$2"; shift 2 ;;
        --seed) seed="$2"; shift 2 ;;
        --work) work="$2"; shift 2 ;;
        -h | --help) sed -n '2,13p' "$0"; exit 0 ;;
        -*) echo "fuzz-event-log: unknown option $1" >&2; exit 2 ;;
        *) files+=("$1"); shift ;;
    esac
done
command -v python3 > /dev/null || { echo "fuzz-event-log: python3 is missing" >&2; exit 2; }

mkdir -p "$work/seeds" "$work/corpus" "$work/failures"
echo "Building (release, address sanitizer, coverage)"
WAYBILL_FUZZ=1 swift build -c release --scratch-path .build/fuzz --product event-log-fuzz \
    --sanitize address --sanitize fuzzer -Xswiftc -enable-testing > "$work/build.log" 2>&1 ||
    { grep -E 'error' "$work/build.log" | head -20 >&2; echo "fuzz-event-log: the build failed, see $work/build.log" >&2; exit 2; }
target=.build/fuzz/release/event-log-fuzz

python3 scripts/support/fuzz-seeds.py Tests/EventLogTests/Fixtures "$work/seeds"

# Leaks are not looked for: LeakSanitizer needs ptrace, which containers often forbid.
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
status=0
if [ "${#files[@]}" -gt 0 ]; then
    "$target" "${files[@]}" || status=$?
else
    "$target" -runs="$runs" -seed="$seed" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/failures/" "$work/corpus" "$work/seeds" > "$work/fuzz.log" 2>&1 || status=$?
    grep -E 'Done|ERROR|SUMMARY|Fatal error|Test unit written|stat::(number_of_executed|average_exec|peak_rss)|DONE' \
        "$work/fuzz.log" || tail -20 "$work/fuzz.log"
fi
[ "$status" -eq 0 ] || { echo "fuzz-event-log: a failure; see $work/fuzz.log" >&2; exit 1; }
