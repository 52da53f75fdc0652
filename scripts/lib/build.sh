# shellcheck shell=bash
# build.sh: builds the package with one live line of progress. Sourced after common.sh.

# build_products LOG CONFIGURATION [WHAT…]: builds each (--target=NAME, --product=NAME, --build-tests), or everything but the tests; exits with the
# errors on failure.
build_products() {
    local log=$1 configuration=$2 what began=$SECONDS
    shift 2
    step "Building ($configuration)"
    mkdir -p "$(dirname "$log")"
    : >"$log"
    if [ $# -eq 0 ]; then
        build_once "$log" -c "$configuration" || build_failed "$log"
    else
        for what in "$@"; do
            build_once "$log" -c "$configuration" "$what" || build_failed "$log"
        done
    fi
    printf '    built in %s\n' "$(elapsed $((SECONDS - began)))"
}

# Runs swift build with the given arguments in the repository, output to the log, progress to standard output.
build_once() {
    local log=$1
    shift
    set +e
    (cd "$root" && exec swift build "$@" 2>&1 9>&-) | tee -a "$log" | show_progress
    local code=${PIPESTATUS[0]}
    set -e
    return "$code"
}

# fetch_sources LOG: the first time, fetches the sources of the Swift packages while system packages are being installed; the build that
# follows waits for it by itself.
fetch_sources() {
    [ ! -d "$root/.build/checkouts" ] || return 0
    mkdir -p "$(dirname "$1")"
    (cd "$root" && exec swift package resolve >"$1" 2>&1 </dev/null 9>&-) &
}

build_failed() {
    grep -E '(^|[: ])error: ' "$1" | sort -u | head -n 20 >&2 || true
    die "The build failed; its whole output is in $1."
}

elapsed() {
    if [ "$1" -lt 60 ]; then printf '%s s' "$1"; else printf '%s min %02d s' "$(($1 / 60))" "$(($1 % 60))"; fi
}

# Turns the lines of swift build into one line that is redrawn (terminal), or into a line every ten seconds (otherwise).
show_progress() {
    local line='' text='looking at what has changed' shown_at=$SECONDS began=$SECONDS state columns
    columns=$(tput cols 2>/dev/null || printf 80)
    while :; do
        # After a timeout `read` has a status above 128: nothing new, but the clock goes on.
        state=0
        IFS= read -r -t 1 line || state=$?
        [ "$state" -eq 0 ] || [ "$state" -gt 128 ] || break
        if [ "$state" -eq 0 ]; then
            case $line in
                \[*/*\]*) text=$line ;;
                Fetch* | Updat* | Cloning* | Resolv* | Comput* | Creat* | Working* | Building* | Another*) text=$line ;;
                *) continue ;;
            esac
        fi
        if is_terminal; then
            local whole
            whole="    $(elapsed $((SECONDS - began)))  $text"
            printf '\r\e[2K%s%s%s' "$dim" "${whole:0:columns-1}" "$plain"
        elif [ $((SECONDS - shown_at)) -ge 10 ]; then
            shown_at=$SECONDS
            printf '    %s  %s\n' "$(elapsed $((SECONDS - began)))" "$text"
        fi
    done
    if is_terminal; then printf '\r\e[2K'; fi
}
