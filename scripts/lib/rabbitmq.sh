#!/usr/bin/env bash
# rabbitmq.sh: one private RabbitMQ node, run by the current user (root or not), everything on loopback.
#
#   rabbitmq.sh prepare RUN_DIR [--amqp-port N] [--management-port N] [--prometheus-port N]
#                               [--dist-port N] [--epmd-port N] [--max-message-size BYTES]
#       Writes the node's configuration below RUN_DIR/data/rabbitmq and the passwords that are missing below
#       RUN_DIR/secrets (amqp-admin, amqp-order, amqp-payment, amqp-inventory; mode 0600). Starts nothing. Ports that
#       are not given are those of the last `prepare`, else 5673 15673 15693 25673 4370. May be repeated: passwords,
#       cookie and data stay. Do not repeat it with other ports while the node runs.
#   rabbitmq.sh run RUN_DIR
#       Replaces itself (exec) by the server in the foreground: the process id that the caller started IS the Erlang
#       machine. SIGTERM stops it cleanly (exit 0), `kill -9` is seen by the parent, `run` again afterwards works.
#       Log lines (JSON) go to standard output.
#   rabbitmq.sh await RUN_DIR [SECONDS [PID]]
#       Returns 0 as soon as the broker answers an AMQP greeting (default 60 s), 1 when the time is over or process PID
#       is gone.
#   rabbitmq.sh ctl RUN_DIR ARGS…
#       rabbitmqctl against this node, for example `ctl RUN_DIR list_queues -p waybill name messages`.
#   rabbitmq.sh stop RUN_DIR [SECONDS]
#       Stops the node (SIGTERM, SIGKILL after SECONDS, default 10) if it runs, and always its epmd. Exit 0 when nothing
#       of this node is left. To be called after a supervisor stopped the server too: epmd is a daemon of its own.
#   rabbitmq.sh url RUN_DIR USER            prints amqp://USER:PASSWORD@127.0.0.1:PORT/waybill    (USER: waybill = the
#   rabbitmq.sh management-url RUN_DIR      prints http://waybill:PASSWORD@127.0.0.1:PORT          administrator, order,
#                                                                                                 payment, inventory)
#
# What it guarantees: listeners for AMQP, management, Prometheus, Erlang distribution and epmd are on 127.0.0.1 only; own
# node name, cookie (0400), epmd, data and plugin list, so that it lives beside a system RabbitMQ and beside other private
# nodes; no `guest`; one vhost `waybill`; one user per service with the rights it needs and nothing else.
# Debian's wrapper (/usr/sbin/rabbitmq-server) insists on the user `rabbitmq`; hence the server's own scripts are called.
# Needs bash, coreutils and Debian's rabbitmq-server (3.10). May also be sourced: functions are named rabbitmq_*.

set -euo pipefail

rabbitmq_die() {
    printf 'rabbitmq.sh: %s\n' "$*" >&2
    exit 1
}

# The folder with the server's own scripts (not the wrappers of the distribution).
rabbitmq_sbin() {
    local candidate
    for candidate in "${RABBITMQ_SERVER_HOME:-/nonexistent}/sbin" /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin \
        /usr/local/lib/rabbitmq/lib/rabbitmq_server-*/sbin; do
        if [ -x "$candidate/rabbitmq-server" ]; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    rabbitmq_die "no RabbitMQ server found below /usr/lib/rabbitmq; install the package rabbitmq-server"
}

# Sets node_dir and secrets_dir to absolute paths.
rabbitmq_paths() {
    [ -n "${1:-}" ] || rabbitmq_die "the run directory is missing"
    [ -d "$1" ] || rabbitmq_die "no such run directory: $1"
    run_dir=$(cd "$1" && pwd)
    node_dir=$run_dir/data/rabbitmq
    secrets_dir=$run_dir/secrets
}

# Loads what `prepare` wrote: amqp_port, management_port, prometheus_port, dist_port, epmd_port, node_name.
rabbitmq_load() {
    rabbitmq_paths "$1"
    [ -f "$node_dir/node.env" ] || rabbitmq_die "$run_dir has no prepared node; run: rabbitmq.sh prepare $run_dir"
    # shellcheck disable=SC1091
    . "$node_dir/node.env"
}

# A new secret of 32 letters and digits, 190 bits.
rabbitmq_new_secret() {
    local secret=""
    while [ "${#secret}" -lt 32 ]; do
        secret+=$(head -c 64 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9')
    done
    printf '%s' "${secret:0:32}"
}

# Bytes given as hexadecimal digits.
rabbitmq_unhex() {
    local hex=$1 index
    for ((index = 0; index < ${#hex}; index += 2)); do
        # shellcheck disable=SC2059
        printf "\\x${hex:index:2}"
    done
}

# RabbitMQ's salted SHA-256 of a password: base64(salt + sha256(salt + password)), four bytes of salt.
rabbitmq_hash() {
    local password=$1 salt digest
    salt=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
    digest=$({ rabbitmq_unhex "$salt"; printf '%s' "$password"; } | sha256sum | cut -d' ' -f1)
    rabbitmq_unhex "$salt$digest" | base64 -w 0
}

rabbitmq_check_port() {
    case $2 in
        '' | *[!0-9]*) rabbitmq_die "$1: '$2' is not a port" ;;
    esac
    [ "$2" -ge 1 ] && [ "$2" -le 65535 ] || rabbitmq_die "$1: '$2' is not a port"
}

rabbitmq_definitions() {
    local user service write separator=""
    printf '{\n  "rabbit_version": "3.10.8",\n  "vhosts": [{"name": "waybill"}],\n  "users": [\n'
    for user in admin order payment inventory; do
        local name=$user tags='[]'
        if [ "$user" = admin ]; then
            name=waybill
            tags='["administrator"]'
        fi
        printf '%s    {"name": "%s", "password_hash": "%s", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": %s}' \
            "$separator" "$name" "$(rabbitmq_hash "$(cat "$secrets_dir/amqp-$user")")" "$tags"
        separator=$',\n'
    done
    printf '\n  ],\n  "permissions": [\n'
    printf '    {"user": "waybill", "vhost": "waybill", "configure": ".*", "write": ".*", "read": ".*"}'
    for service in order payment inventory; do
        # A service owns its inbox and may send to the inboxes of the services it talks to.
        case $service in
            order) write='^(order\\.inbox(\\..*)?|payment\\.inbox|inventory\\.inbox)$' ;;
            *) write="^(${service}\\\\.inbox(\\\\..*)?|order\\\\.inbox)\$" ;;
        esac
        printf ',\n    {"user": "%s", "vhost": "waybill", "configure": "%s", "write": "%s", "read": "%s"}' \
            "$service" "^${service}\\\\.inbox(\\\\..*)?\$" "$write" "^${service}\\\\.inbox(\\\\..*)?\$"
    done
    printf '\n  ]\n}\n'
}

rabbitmq_prepare() {
    [ -n "${1:-}" ] || rabbitmq_die "the run directory is missing"
    umask 077
    mkdir -p "$1"
    rabbitmq_paths "$1"
    shift
    local amqp_port=5673 management_port=15673 prometheus_port=15693 dist_port=25673 epmd_port=4370 node_name=""
    local max_message_size=1048576
    if [ -f "$node_dir/node.env" ]; then
        # shellcheck disable=SC1091
        . "$node_dir/node.env"
    fi
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || rabbitmq_die "$1 needs a value"
        case $1 in
            --amqp-port) amqp_port=$2 ;;
            --management-port) management_port=$2 ;;
            --prometheus-port) prometheus_port=$2 ;;
            --dist-port) dist_port=$2 ;;
            --epmd-port) epmd_port=$2 ;;
            --max-message-size) max_message_size=$2 ;;
            *) rabbitmq_die "unknown option $1" ;;
        esac
        shift 2
    done
    rabbitmq_check_port --amqp-port "$amqp_port"
    rabbitmq_check_port --management-port "$management_port"
    rabbitmq_check_port --prometheus-port "$prometheus_port"
    rabbitmq_check_port --dist-port "$dist_port"
    rabbitmq_check_port --epmd-port "$epmd_port"
    case $max_message_size in '' | *[!0-9]*) rabbitmq_die "--max-message-size: '$max_message_size' is not a number" ;; esac
    case $run_dir in *[[:space:]\"\'\\]*) rabbitmq_die "the run directory may not contain spaces, quotes or backslashes" ;; esac

    mkdir -p "$node_dir"/{home,conf,mnesia,log,plugins-expand} "$secrets_dir"
    chmod 700 "$node_dir" "$node_dir/home" "$secrets_dir"
    local user
    for user in admin order payment inventory; do
        if [ ! -s "$secrets_dir/amqp-$user" ]; then
            rabbitmq_new_secret >"$secrets_dir/amqp-$user.new"
            chmod 600 "$secrets_dir/amqp-$user.new"
            mv "$secrets_dir/amqp-$user.new" "$secrets_dir/amqp-$user"
        fi
    done
    if [ ! -s "$node_dir/home/.erlang.cookie" ]; then
        rabbitmq_new_secret >"$node_dir/home/.erlang.cookie"
    fi
    chmod 400 "$node_dir/home/.erlang.cookie"
    # The data belongs to a node name, which must therefore stay what it was when the ports change.
    [ -n "$node_name" ] || node_name=waybill-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')@localhost

    {
        printf 'amqp_port=%s\nmanagement_port=%s\nprometheus_port=%s\n' "$amqp_port" "$management_port" "$prometheus_port"
        printf 'dist_port=%s\nepmd_port=%s\nnode_name=%s\n' "$dist_port" "$epmd_port" "$node_name"
        printf 'max_message_size=%s\n' "$max_message_size"
    } >"$node_dir/node.env.new"
    mv "$node_dir/node.env.new" "$node_dir/node.env"
    printf '[rabbitmq_management,rabbitmq_prometheus].\n' >"$node_dir/conf/enabled_plugins"
    : >"$node_dir/conf/rabbitmq-env.conf"
    printf '[].\n' >"$node_dir/conf/advanced.config"
    rabbitmq_definitions >"$node_dir/conf/definitions.json"
    cat >"$node_dir/conf/rabbitmq.conf" <<CONF
# Written by scripts/lib/rabbitmq.sh prepare; changes are overwritten.
listeners.tcp.1 = 127.0.0.1:$amqp_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $management_port
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $prometheus_port
load_definitions = $node_dir/conf/definitions.json
# A frozen peer is found in at most three heartbeats.
heartbeat = 5
max_message_size = $max_message_size
tcp_listen_options.backlog = 256
tcp_listen_options.nodelay = true
collect_statistics_interval = 10000
# The write-ahead log of the quorum queues is held in memory until it rolls over; the default is 512 MiB.
raft.wal_max_size_bytes = 67108864
log.file = false
log.console = true
log.console.level = warning
log.console.formatter = json
log.connection.level = error
CONF
}

# The environment in which the server's own scripts find everything below the run directory and nothing elsewhere.
rabbitmq_environment() {
    local variable schedulers
    for variable in $(compgen -e); do
        case $variable in
            RABBITMQ_SERVER_HOME) ;;
            RABBITMQ_* | ERL_* | NOTIFY_SOCKET | CONF_ENV_FILE | SERVER_ERL_ARGS | CTL_ERL_ARGS) unset "$variable" ;;
        esac
    done
    schedulers=$(nproc)
    [ "$schedulers" -le 4 ] || schedulers=4
    export HOME=$node_dir/home
    export LANG=C.UTF-8 LC_ALL=C.UTF-8
    export ERL_EPMD_ADDRESS=127.0.0.1
    export ERL_EPMD_PORT=$epmd_port
    export RABBITMQ_CONF_ENV_FILE=$node_dir/conf/rabbitmq-env.conf
    export RABBITMQ_NODENAME=$node_name
    export RABBITMQ_CONFIG_FILE=$node_dir/conf/rabbitmq.conf
    export RABBITMQ_ADVANCED_CONFIG_FILE=$node_dir/conf/advanced.config
    export RABBITMQ_GENERATED_CONFIG_DIR=$node_dir/conf/generated
    export RABBITMQ_ENABLED_PLUGINS_FILE=$node_dir/conf/enabled_plugins
    export RABBITMQ_MNESIA_BASE=$node_dir/mnesia
    export RABBITMQ_MNESIA_DIR=$node_dir/mnesia/node
    export RABBITMQ_FEATURE_FLAGS_FILE=$node_dir/mnesia/feature_flags
    export RABBITMQ_PLUGINS_EXPAND_DIR=$node_dir/plugins-expand
    export RABBITMQ_LOG_BASE=$node_dir/log
    export RABBITMQ_PID_FILE=$node_dir/rabbitmq.pid
    export RABBITMQ_DIST_PORT=$dist_port
    # No busy waiting: the machine is shared with the services. Interrupts (^C in a terminal) are the supervisor's.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +B i +S $schedulers:$schedulers +sbwt none +sbwtdcpu none +sbwtdio none"
    export RABBITMQ_CTL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none"
}

# Whether something accepts connections on a port of 127.0.0.1.
rabbitmq_port_open() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Whether a process is this node's Erlang machine. The pid file may be stale and its number in use by a stranger, hence the
# look at the environment. A process that has ended but is not reaped has none left.
rabbitmq_is_ours() {
    # grep reads to the end (no -q): with pipefail, an early exit would make `tr` fail.
    { tr '\0' '\n' <"/proc/$1/environ" | grep -xF "RABBITMQ_PID_FILE=$node_dir/rabbitmq.pid"; } >/dev/null 2>&1
}

# The process id of this node's Erlang machine, empty when it does not run.
rabbitmq_pid() {
    local pid=""
    [ -r "$node_dir/rabbitmq.pid" ] && read -r pid <"$node_dir/rabbitmq.pid" 2>/dev/null || true
    case $pid in '' | *[!0-9]*) return 0 ;; esac
    if rabbitmq_is_ours "$pid"; then printf '%s\n' "$pid"; fi
}

rabbitmq_run() {
    rabbitmq_load "$1"
    local sbin name port
    sbin=$(rabbitmq_sbin)
    [ -z "$(rabbitmq_pid)" ] || rabbitmq_die "the node of $run_dir runs already (process $(rabbitmq_pid))"
    for name in amqp management prometheus dist; do
        port=${name}_port
        if rabbitmq_port_open "${!port}"; then
            rabbitmq_die "the $name port ${!port} on 127.0.0.1 is in use"
        fi
    done
    rm -f "$node_dir/rabbitmq.pid"
    rabbitmq_environment
    # In the foreground, without the shell that the script would otherwise keep between us and the Erlang machine.
    export RUNNING_UNDER_SYSTEMD=true
    epmd -address 127.0.0.1 -port "$epmd_port" -daemon || true
    # Recorded now, so that `stop` finds the node during its first seconds too; the process id survives the exec.
    printf '%s\n' "$BASHPID" >"$node_dir/rabbitmq.pid"
    exec "$sbin/rabbitmq-server" </dev/null
}

rabbitmq_await() {
    rabbitmq_load "$1"
    local seconds=${2:-60} pid=${3:-} deadline greeting
    deadline=$((SECONDS + seconds))
    while :; do
        # The broker answers the protocol header by connection.start: a method frame, type 1, on channel 0.
        greeting=$( (exec 3<>"/dev/tcp/127.0.0.1/$amqp_port" && printf 'AMQP\x00\x00\x09\x01' >&3 \
            && timeout 2 head -c 3 <&3 | od -An -tx1 | tr -d ' \n') 2>/dev/null || true)
        [ "$greeting" = 010000 ] && return 0
        if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
            printf 'rabbitmq.sh: process %s ended before RabbitMQ was ready\n' "$pid" >&2
            return 1
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            printf 'rabbitmq.sh: RabbitMQ did not answer on port %s within %s s\n' "$amqp_port" "$seconds" >&2
            return 1
        fi
        sleep 0.1
    done
}

rabbitmq_ctl() {
    rabbitmq_load "$1"
    shift
    local sbin
    sbin=$(rabbitmq_sbin)
    rabbitmq_environment
    exec "$sbin/rabbitmqctl" -n "$node_name" "$@" </dev/null
}

rabbitmq_stop() {
    rabbitmq_load "$1"
    local seconds=${2:-10} pid deadline
    pid=$(rabbitmq_pid)
    if [ -n "$pid" ]; then
        kill -TERM "$pid" 2>/dev/null || true
        deadline=$((SECONDS + seconds))
        # By its number: the server removes its pid file when it begins to stop.
        while rabbitmq_is_ours "$pid" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        if rabbitmq_is_ours "$pid"; then
            kill -KILL "$pid" 2>/dev/null || true
            while rabbitmq_is_ours "$pid" && [ "$SECONDS" -lt "$((deadline + 5))" ]; do sleep 0.1; done
        fi
        if rabbitmq_is_ours "$pid"; then rabbitmq_die "process $pid of RabbitMQ does not end"; fi
    fi
    rm -f "$node_dir/rabbitmq.pid"
    # epmd refuses to end while a node is registered; a killed node's registration goes with its connection.
    deadline=$((SECONDS + 5))
    while [ "$SECONDS" -lt "$deadline" ]; do
        rabbitmq_port_open "$epmd_port" || return 0
        ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$epmd_port epmd -kill >/dev/null 2>&1 || true
        sleep 0.1
    done
    rabbitmq_die "epmd on port $epmd_port does not end"
}

rabbitmq_url() {
    rabbitmq_load "$1"
    local user=${2:?user missing} file
    file=$secrets_dir/amqp-$user
    [ "$user" = waybill ] && file=$secrets_dir/amqp-admin
    [ -r "$file" ] || rabbitmq_die "no such user: $user"
    printf 'amqp://%s:%s@127.0.0.1:%s/waybill\n' "$user" "$(cat "$file")" "$amqp_port"
}

rabbitmq_management_url() {
    rabbitmq_load "$1"
    printf 'http://waybill:%s@127.0.0.1:%s\n' "$(cat "$secrets_dir/amqp-admin")" "$management_port"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    verb=${1:-}
    [ $# -eq 0 ] || shift
    case $verb in
        prepare) rabbitmq_prepare "$@" ;;
        run) rabbitmq_run "$@" ;;
        await) rabbitmq_await "$@" ;;
        ctl) rabbitmq_ctl "$@" ;;
        stop) rabbitmq_stop "$@" ;;
        url) rabbitmq_url "$@" ;;
        management-url) rabbitmq_management_url "$@" ;;
        *) rabbitmq_die "usage: rabbitmq.sh prepare|run|await|ctl|stop|url|management-url RUN_DIR …" ;;
    esac
fi
