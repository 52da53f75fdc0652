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

could_not() {
    echo "fuzz-event-log: $1" >&2
    exit 2
}

runs=1000000 seed=1 work=.build/fuzz-event-log files=()
while [ $# -gt 0 ]; do
    case "$1" in
        --runs) runs="$2"; shift 2 ;;
        --seed) seed="$2"; shift 2 ;;
        --work) work="$2"; shift 2 ;;
        -h | --help) sed -n '2,13p' "$0"; exit 0 ;;
        -*) could_not "unknown option $1" ;;
        *) files+=("$1"); shift ;;
    esac
done
command -v python3 > /dev/null || could_not "python3 is missing"

mkdir -p "$work/seeds" "$work/corpus" "$work/failures"
# The packages are there already if anything was built: the second build directory begins with them.
if [ -d .build/checkouts ] && [ ! -d .build/fuzz ]; then
    mkdir -p .build/fuzz
    for part in checkouts repositories artifacts workspace-state.json; do
        if [ -e ".build/$part" ]; then cp -a ".build/$part" .build/fuzz/; fi
    done
fi
echo "Building (release, address sanitizer, coverage)"
# SwiftPM gives the compiler one -sanitize for each sanitizer, and the last one counts: so both once more, in one.
WAYBILL_FUZZ=1 swift build -c release --scratch-path .build/fuzz --product event-log-fuzz \
    --sanitize address --sanitize fuzzer -Xswiftc -sanitize=address,fuzzer -Xswiftc -enable-testing > "$work/build.log" 2>&1 ||
    { grep -E 'error' "$work/build.log" | head -20 >&2; could_not "the build failed, see $work/build.log"; }
target=.build/fuzz/release/event-log-fuzz

python3 scripts/support/fuzz-seeds.py Tests/EventLogTests/Fixtures "$work/seeds"

# Leaks are not looked for: LeakSanitizer needs ptrace, which containers often forbid.
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
if [ "${#files[@]}" -gt 0 ]; then
    "$target" "${files[@]}" || exit 1
    exit 0
fi
status=0
"$target" -runs="$runs" -seed="$seed" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$work/failures/" "$work/corpus" "$work/seeds" > "$work/fuzz.log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
    grep -E 'Fatal error|ERROR|SUMMARY' "$work/fuzz.log" || tail -20 "$work/fuzz.log"
    found="$(sed -n 's/.*Test unit written to //p' "$work/fuzz.log" | tail -1)"
    echo "fuzz-event-log: a failure; see $work/fuzz.log" >&2
    if [ -n "$found" ]; then echo "fuzz-event-log: again: scripts/fuzz-event-log.sh $found" >&2; fi
    exit 1
fi
awk '/Loaded 1 modules/ {sub(/.*\(/, ""); places = $1}
    /\tDONE / {for (i = 1; i < NF; i++) {if ($i == "cov:") cov = $(i + 1); if ($i == "corp:") corpus = $(i + 1)}}
    /^Done / {print $2 " inputs in " $5 " s, clean; " cov " of " places " places covered; corpus (inputs/bytes) " corpus}' "$work/fuzz.log"
