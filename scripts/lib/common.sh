# shellcheck shell=bash
# common.sh: what the scripts share. Sourced, never run.

# The repository, without links.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# Marks a run directory, and says which layout it has.
readonly layout_version=1

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi
# shellcheck disable=SC2034
readonly bold dim green red plain

# Whether a live line may be drawn on standard output.
is_terminal() {
    [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]
}

# One sentence on standard error.
complain() {
    printf '%s%s%s\n' "$red" "$*" "$plain" >&2
}

# One sentence on standard error, then exit 1.
die() {
    complain "$*"
    exit 1
}

# A wrong command line: exit 2.
usage_error() {
    complain "$*"
    printf 'See %s --help.\n' "$(basename "$0")" >&2
    exit 2
}

# A step of the work, on a line of its own.
step() {
    printf '%s==>%s %s\n' "$bold" "$plain" "$*"
}

# Prints the comment block at the top of a script as its help.
print_help() {
    awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$1"
}

# The run directory that is meant: the option, else WAYBILL_RUN_DIR, else .run in the repository. Made absolute, not made.
resolve_run_dir() {
    local wanted=${1:-${WAYBILL_RUN_DIR:-$root/.run}}
    case $wanted in
        /*) ;;
        *) wanted=$PWD/$wanted ;;
    esac
    case $wanted in
        *$'\n'* | *\|*) die "The name of the run directory may not contain a line break or a '|'." ;;
    esac
    if [ -d "$wanted" ]; then
        (cd "$wanted" 2>/dev/null && pwd -P) || die "The run directory $wanted cannot be entered by $(id -un)."
    else
        printf '%s\n' "${wanted%/}"
    fi
}

# Text as a JSON string, with its quotes.
json_string() {
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\t'/\\t}
    text=${text//$'\n'/\\n}
    printf '"%s"' "$text"
}

# Text for a shell file, in single quotes.
shell_quote() {
    printf "'%s'" "${1//\'/\'\\\'\'}"
}

# A new secret of 32 letters and digits, 190 bits.
new_secret() {
    local secret=''
    while [ "${#secret}" -lt 32 ]; do
        secret+=$(head -c 64 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9')
    done
    printf '%s' "${secret:0:32}"
}

# Writes standard input to a file in one step; rewrites nothing when the content is the same.
replace_file() {
    cat >"$1.new"
    if cmp -s "$1.new" "$1"; then rm -f "$1.new"; else mv -f "$1.new" "$1"; fi
}

# The folder with the programs: WAYBILL_BIN_DIR (prebuilt ones), else the release build, else the debug build.
find_bin_dir() {
    local candidate
    for candidate in "${WAYBILL_BIN_DIR:-}" "$root/.build/release" "$root/.build/debug"; do
        [ -n "$candidate" ] || continue
        if [ -x "$candidate/${1:-waybill-supervisor}" ]; then
            (cd "$candidate" && pwd -P)
            return 0
        fi
        [ "$candidate" != "${WAYBILL_BIN_DIR:-}" ] || return 1
    done
    return 1
}

# The process id of the supervisor of a run directory; false when none runs. Who holds the lock is running.
supervisor_pid() {
    local run_dir=$1 pid=''
    [ -e "$run_dir/supervisor.lock" ] || return 1
    if flock -n "$run_dir/supervisor.lock" true 2>/dev/null; then return 1; fi
    # The lock is taken some milliseconds before the pid file is written.
    local attempt
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        if [ -r "$run_dir/pids/supervisor.pid" ]; then
            read -r pid <"$run_dir/pids/supervisor.pid" || true
            case $pid in
                '' | *[!0-9]*) ;;
                *)
                    printf '%s\n' "$pid"
                    return 0
                    ;;
            esac
        fi
        sleep 0.1
    done
    : "$attempt"
    return 1
}

# A path of a run directory without spaces, quotes and backslashes, which RabbitMQ's own scripts do not take: the path itself, or
# a link to it. Needs ports.sh.
plain_path() {
    case $1 in
        *[[:space:]\"\'\\]*)
            local link
            link=$(ports_registry)/$(printf '%s' "$1" | sha256sum | cut -c 1-16)
            ln -sfn -- "$1" "$link"
            printf '%s\n' "$link"
            ;;
        *) printf '%s\n' "$1" ;;
    esac
}
