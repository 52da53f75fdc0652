#!/usr/bin/env bash
# Runs the test suite of librdkafka 2.0.2 (Debian's source package) against the event log.
#
#   scripts/conformance-kafka.sh [--tier quick|1|2|3|all] [--server PATH] [--work DIR] [--only "0012 0030"] [--bootstrap HOST:PORT]
#
# The suite is fetched and built once into the work directory (default .build/conformance-kafka); what building it needs is
# installed, and apt's own sources say where Debian 12's source packages are. Each test runs in a process of its own with a
# time limit and, if it fails, a second try. A test that prints PASSED after 0.000 s did not run anything and has failed.
# Exit code: 0 all passed, 1 some failed, 2 it could not be carried out.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
# shellcheck source=/dev/null
. scripts/lib/packages.sh

tier=1 server="" work=".build/conformance-kafka" only="" bootstrap=""
while [ $# -gt 0 ]; do
    case "$1" in
        --tier) tier="$2"; shift 2 ;;
        --server) server="$2"; shift 2 ;;
        --work) work="$2"; shift 2 ;;
        --only) only="$2"; shift 2 ;;
        --bootstrap) bootstrap="$2"; shift 2 ;;
        -h | --help) sed -n '2,10p' "$0"; exit 0 ;;
        *) echo "conformance-kafka: unknown option $1" >&2; exit 2 ;;
    esac
done

# NNNN = quick mode without socket emulation, NNNN- = neither -Q nor -E (the test is empty with them), NNNN+P = quick, with
# idempotent producers everywhere.
quick="0001 0002 0005 0008 0012 0013 0017 0020 0031 0034 0039 0040 0067 0083 0085"
tier1="0001 0002 0003 0005 0007 0008 0012 0013 0014 0015 0016 0017 0020 0021 0029 0030 0031 0034 0035 0036 0039 0040
0042 0050 0051 0056 0060 0063 0064 0065 0067 0070 0073 0083 0085 0086 0118 0123 0130
0018- 0022- 0026- 0049- 0068- 0075- 0076- 0094- 0122- 0137- 0012+P 0030+P 0090+P"
tier2="0011 0019- 0044 0048 0055 0069 0084 0088- 0089 0090 0091 0093 0099 0102- 0112 0113 0114 0125 0132-
0033 0038 0041 0057 0082-"
tier3="0054 0059"
case "$tier" in
    quick) tests="$quick" ;;
    1) tests="$tier1" ;;
    2) tests="$tier2" ;;
    3) tests="$tier3" ;;
    all) tests="$tier1 $tier2 $tier3" ;;
    *) echo "conformance-kafka: unknown tier $tier" >&2; exit 2 ;;
esac
[ -n "$only" ] && tests="$only"

mkdir -p "$work"
work="$(cd "$work" && pwd)"

could_not() {
    echo "conformance-kafka: $1" >&2
    exit 2
}

# The line that gives apt Debian 12's source packages, from the place where this machine has its own packages from.
source_line() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg place
    # shellcheck disable=SC2016  # apt fills these in
    place="$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Release: bookworm' 'Component: main' 2> /dev/null | head -1)"
    if [ -z "$place" ]; then return; fi
    if [ -r "$keyring" ]; then echo "deb-src [signed-by=$keyring] $place"; else echo "deb-src $place"; fi
}

fetch_and_build() {
    if [ -x "$work/suite/tests/test-runner" ]; then return; fi
    ensure_packages gcc g++ make zlib1g-dev
    local line
    line="$(source_line)"
    [ -n "$line" ] || could_not "the suite comes with Debian 12's source package of librdkafka 2.0.2, and this machine's apt sources do not have Debian 12 (bookworm)."
    echo "Fetching the source package of librdkafka 2.0.2"
    rm -rf "$work/suite" "$work/lists" "$work/cache"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/suite"
    echo "$line" > "$work/sources.list"
    # Lists of our own: the system's package sources stay as they are.
    local options=(-o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o "Debug::NoLocking=1" -o "APT::Sandbox::User=$(id -un)")
    (cd "$work" && apt-get "${options[@]}" update && apt-get "${options[@]}" source --download-only librdkafka=2.0.2-1) \
        > "$work/fetch.log" 2>&1 || could_not "the source package of librdkafka 2.0.2 could not be fetched from '$line'; see $work/fetch.log."
    tar xzf "$work"/librdkafka_2.0.2.orig.tar.gz -C "$work/suite" --strip-components=1
    echo "Building the suite (about 90 s on two cores)"
    (cd "$work/suite" && ./configure --disable-ssl --disable-gssapi --disable-curl --disable-lz4-ext \
        && make -j"$(nproc)" libs && make -C tests -j"$(nproc)" build) \
        > "$work/build.log" 2>&1 || could_not "the suite could not be built; see $work/build.log."
}

server_pid=""
stop_server() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
}
trap stop_server EXIT

start_server() {
    [ -n "$bootstrap" ] && return
    if [ -z "$server" ]; then
        for candidate in .build/release/event-log .build/debug/event-log; do
            if [ -x "$candidate" ]; then server="$candidate"; break; fi
        done
    fi
    [ -x "${server:-}" ] || could_not "build event-log first, or give --server"
    rm -rf "$work/data" "$work/server.log"
    touch "$work/server.log"
    "$server" serve --data-dir "$work/data" --listen 127.0.0.1:0 --default-partitions 4 --clamp-replication-factor \
        --group-initial-rebalance-delay-ms 500 \
        > "$work/server.log" 2>&1 &
    server_pid=$!
    local port=""
    for _ in $(seq 200); do
        port="$(sed -n 's/.*"Listening".*"address":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/server.log" | head -1)"
        if [ -n "$port" ]; then break; fi
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    [ -n "$port" ] || could_not "the server did not start, see $work/server.log"
    bootstrap="127.0.0.1:$port"
}

fetch_and_build
start_server
printf 'bootstrap.servers=%s\ntest.topic.random=true\ntest.timeout.multiplier=2\n' "$bootstrap" > "$work/test.conf"

# run_entry ENTRY LOG: one process of the suite; leaves status, verdict, duration and seconds.
run_entry() {
    local number="${1:0:4}" flags=(-p1) start rows
    case "$1" in
        *-) ;;
        *+P) flags+=(-E -Q -P) ;;
        *) flags+=(-E -Q) ;;
    esac
    start=$(date +%s)
    status=0
    (cd "$work/suite/tests" && RDKAFKA_TEST_CONF="$work/test.conf" TEST_KAFKA_VERSION=3.0.0 TESTS="$number" \
        timeout 300 ./test-runner "${flags[@]}") > "$2" 2>&1 || status=$?
    seconds=$(($(date +%s) - start))
    # A number may stand for several tests (some need the socket emulation and are skipped): none may fail, and one at
    # least must have passed and taken time.
    rows="$(sed 's/\x1b\[[0-9;]*m//g' "$2" | grep -E "^\| ${number}_" || true)"
    verdict="$(echo "$rows" | awk -F'|' '{gsub(/ /,"",$3); if ($3 == "PASSED") passed++; else if ($3 != "SKIPPED") other=$3; else skipped++}
        END {print (other != "" ? other : (passed > 0 ? "PASSED" : (skipped > 0 ? "SKIPPED" : "no result")))}')"
    duration="$(echo "$rows" | awk -F'|' '{gsub(/[ s]/,"",$4); if ($4 + 0 > longest) longest = $4 + 0} END {printf "%.3f", longest}')"
}

has_passed() { [ "$status" -eq 0 ] && [ "$verdict" = PASSED ] && [ "$duration" != 0.000 ]; }

passed=0 again="" failures=""
for entry in $tests; do
    run_entry "$entry" "$work/$entry.log"
    note=passed
    if ! has_passed; then
        # Some tests race with themselves on a loaded machine: whoever fails gets a second try, which is told.
        mv "$work/$entry.log" "$work/$entry.first.log"
        run_entry "$entry" "$work/$entry.log"
        note="passed at the second try, see $work/$entry.first.log"
        again="$again $entry"
    fi
    if has_passed; then
        passed=$((passed + 1))
        printf '%-8s %4s s  %s\n' "$entry" "$seconds" "$note"
    else
        failures="$failures $entry"
        printf '%-8s %4s s  FAILED  exit %s %s (%s)\n' "$entry" "$seconds" "$status" "$verdict" "$work/$entry.log"
    fi
done
echo "passed $passed, failed $(wc -w <<< "$failures")${failures:+:$failures}${again:+; tried twice:$again}"
[ -z "$failures" ]
