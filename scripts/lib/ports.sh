# shellcheck shell=bash
# ports.sh: finds free ports and keeps them. Sourced after common.sh.
#
# A run directory remembers its ports in RUN_DIR/ports (NAME=PORT lines) and keeps them from then on. So that two run
# directories that are set up at the same moment do not choose the same ones, choosing happens under one lock per user, and each
# run directory is listed in a registry beside it: the ports of a listed directory are taken, whether it runs or not.

# A folder of this user for what run directories must know of each other.
ports_registry() {
    local folder
    folder=${TMPDIR:-/tmp}/waybill-$(id -u)
    (umask 077 && mkdir -p "$folder") 2>/dev/null || true
    [ -d "$folder" ] && [ ! -L "$folder" ] && [ -O "$folder" ] \
        || die "$folder exists and does not belong to $(id -un); remove it, or set TMPDIR."
    printf '%s\n' "$folder"
}

# The TCP ports on which anything listens, on any address, one per line.
ports_listening() {
    # Column 2 is the local address in hexadecimal, column 4 the state; 0A is LISTEN.
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null \
        | awk '$4 == "0A" { n = split($2, part, ":"); print part[n] }' | sort -u \
        | while read -r hex; do printf '%d\n' "0x$hex"; done
}

# Chooses the ports of a run directory, or reads those that were chosen before.
#
#   choose_ports RUN_DIR RUNNING NAME=BASE…
#
# Every NAME gets the first free port from BASE upwards; sets the shell variables port_NAME. A port chosen before is kept. Only
# when nothing of ours runs (RUNNING is `no`) and somebody else listens on it by now, another one is chosen.
choose_ports() {
    local run_dir=$1 running=$2 registry entry name base port other
    shift 2
    registry=$(ports_registry)
    exec 8>"$registry/ports.lock"
    flock -w 60 8 || die "Another script has been choosing ports for a minute; its lock is $registry/ports.lock."
    local -A taken=() known=()
    while read -r port; do taken[$port]=1; done < <(ports_listening)
    if [ -r "$run_dir/ports" ]; then
        while IFS='=' read -r name port; do
            case $port in '' | *[!0-9]*) continue ;; esac
            if [ "$running" = no ] && [ -n "${taken[$port]:-}" ]; then
                printf '    port %s (%s) is in use by now; choosing another one\n' "$port" "$name"
                continue
            fi
            known[$name]=$port
        done <"$run_dir/ports"
    fi
    # Other run directories; one that is gone leaves the list.
    : >>"$registry/run-directories"
    local listed=()
    while IFS= read -r other; do
        [ -f "$other/ports" ] || continue
        [ "$other" != "$run_dir" ] || continue
        listed+=("$other")
        while IFS='=' read -r name port; do [ -z "$port" ] || taken[$port]=1; done <"$other/ports"
    done <"$registry/run-directories"
    printf '%s\n' "${listed[@]}" "$run_dir" | awk 'NF' >"$registry/run-directories.new"
    mv -f "$registry/run-directories.new" "$registry/run-directories"

    for name in "${!known[@]}"; do taken[${known[$name]}]=1; done
    for entry in "$@"; do
        name=${entry%%=*}
        base=${entry#*=}
        if [ -z "${known[$name]:-}" ]; then
            port=$base
            while [ -n "${taken[$port]:-}" ]; do
                port=$((port + 1))
                [ "$port" -le 65535 ] || die "There is no free port from $base upwards."
            done
            known[$name]=$port
            taken[$port]=1
        fi
        printf -v "port_$name" '%s' "${known[$name]}"
    done
    for name in "${!known[@]}"; do printf '%s=%s\n' "$name" "${known[$name]}"; done | sort >"$run_dir/ports.new"
    mv -f "$run_dir/ports.new" "$run_dir/ports"
    exec 8>&-
}

# Frees the ports of a run directory.
forget_ports() {
    local registry
    rm -f "$1/ports"
    registry=$(ports_registry)
    rm -f "$registry/$(printf '%s' "$1" | sha256sum | cut -c 1-16)"
    (
        flock -w 60 8 || exit 0
        [ -f "$registry/run-directories" ] || exit 0
        grep -vxF -- "$1" "$registry/run-directories" >"$registry/run-directories.new" || true
        mv -f "$registry/run-directories.new" "$registry/run-directories"
    ) 8>"$registry/ports.lock"
}
