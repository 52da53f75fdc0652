# shellcheck shell=bash
# config.sh: lays out a run directory and writes the configuration of every process. Sourced by up.sh after common.sh and
# ports.sh; uses its variables services, instances, settings, data_only and seed.

# Makes the run directory, or takes an existing one after a look at whose it is.
prepare_run_dir() {
    local run_dir=$1 found
    if [ -e "$run_dir" ] && [ ! -d "$run_dir" ]; then die "$run_dir is in the way: it is not a folder."; fi
    if [ -d "$run_dir" ]; then
        [ -O "$run_dir" ] || die "$run_dir belongs to $(stat -c %U "$run_dir"), not to $(id -un); use --run-dir for one of your own."
        [ -w "$run_dir" ] || die "$run_dir is not writable."
        if [ -f "$run_dir/layout" ]; then
            [ -r "$run_dir/layout" ] || die "$run_dir/layout cannot be read."
            found=$(head -c 20 "$run_dir/layout")
            [ "$found" = "$layout_version" ] \
                || die "$run_dir was made by another version of Waybill (layout $found, this one has $layout_version); use another --run-dir, or remove it with scripts/down.sh --wipe."
        elif [ -n "$(find "$run_dir" -mindepth 1 ! -name up.lock ! -name layout -print -quit)" ]; then
            die "$run_dir is not empty and was not made by Waybill; choose another --run-dir."
        fi
    else
        mkdir -p "$run_dir" 2>/dev/null || die "The run directory $run_dir cannot be made."
    fi
    chmod 700 "$run_dir"
}

# What is in it; made when the lock is held and the layout is written, so that whoever comes in between knows whose it is.
make_folders() {
    mkdir -p "$1"/{pids,logs,data,secrets,config}
    chmod 700 "$1"/{pids,logs,data,secrets,config}
}

# A --set option must be [SERVICE:]KEY=VALUE.
check_setting() {
    local pattern='^(([a-z-]+):)?[A-Za-z_][A-Za-z0-9_]*=[^'$'\n'']*$'
    [[ $1 =~ $pattern ]] || usage_error "--set: '$1' must be like LOG_LEVEL=debug or payment:LOG_LEVEL=debug."
    local name=${BASH_REMATCH[2]}
    [ -z "$name" ] || [ "$name" = gateway ] || [ "$name" = event-log ] || [ -n "${instances[$name]:-}" ] \
        || usage_error "--set: there is no service '$name'."
}

# While a supervisor runs, its choices stay unless they are chosen again.
remember_choices() {
    {
        printf 'data_only=%s\n' "$data_only"
        for name in "${!instances[@]}"; do printf 'instances=%s=%s\n' "$name" "${instances[$name]}"; done
        [ "${#settings[@]}" -eq 0 ] || printf 'set=%s\n' "${settings[@]}"
        # The readers' offsets belong to the event log that they have read.
        [ -z "$external_amqp" ] || printf 'amqp=%s\nmanagement=%s\n' "$external_amqp" "$external_management"
        [ -z "$external_kafka" ] || printf 'kafka=%s\n' "$external_kafka"
    } | replace_file "$1/choices"
}

recall_choices() {
    local line old_settings=()
    [ -r "$1/choices" ] || return 0
    while IFS= read -r line; do
        case $line in
            data_only=no) data_only=no ;;
            instances=*=*)
                # What the command line says goes first.
                case ,$instances_wanted in
                    *,"$(cut -d= -f2 <<<"$line")"=*) ;;
                    *) read_instances "${line#instances=}" ;;
                esac
                ;;
            set=*) old_settings+=("${line#set=}") ;;
            amqp=*) [ -n "${AMQP_URL:-}" ] || AMQP_URL=${line#amqp=} ;;
            management=*) [ -n "${RABBITMQ_MANAGEMENT_URL:-}" ] || RABBITMQ_MANAGEMENT_URL=${line#management=} ;;
            kafka=*) [ -n "${KAFKA_BOOTSTRAP_SERVERS:-}" ] || KAFKA_BOOTSTRAP_SERVERS=${line#kafka=} ;;
        esac
    done <"$1/choices"
    [ "${#settings[@]}" -gt 0 ] || settings=("${old_settings[@]}")
}

# Sets own_rabbitmq and own_event_log (yes or no): a broker in the environment is used instead of ours, unless it is ours,
# because the environment comes from the env file of a run directory.
find_brokers() {
    own_rabbitmq=yes own_event_log=yes
    local file
    external_amqp=${AMQP_URL:-} external_kafka=${KAFKA_BOOTSTRAP_SERVERS:-}
    for file in "$1/env" "${WAYBILL_RUN_DIR:-/nonexistent}/env"; do
        [ -r "$file" ] || continue
        if grep -qxF "export AMQP_URL=$(shell_quote "$external_amqp")" "$file" && grep -qxF '# broker: own' "$file"; then
            external_amqp=''
        fi
        if grep -qxF "export KAFKA_BOOTSTRAP_SERVERS=$(shell_quote "$external_kafka")" "$file" \
            && grep -qxF '# event log: own' "$file"; then
            external_kafka=''
        fi
    done
    external_management=''
    if [ -n "$external_amqp" ]; then
        own_rabbitmq=no
        external_management=${RABBITMQ_MANAGEMENT_URL:-}
        printf 'Using the broker in AMQP_URL; no RabbitMQ is started.\n'
    fi
    if [ -n "$external_kafka" ]; then
        own_event_log=no
        printf 'Using the event log in KAFKA_BOOTSTRAP_SERVERS (%s); ours is not started.\n' "$external_kafka"
    fi
}

# Makes a secret that does not exist yet.
ensure_secret() {
    local file=$1/secrets/$2
    [ -s "$file" ] || printf '%s' "${3:-}$(new_secret)" | replace_file "$file"
    chmod 600 "$file"
}

# The base port of a service's public listener.
http_base() {
    case $1 in
        order) printf 8080 ;;
        payment) printf 8081 ;;
        inventory) printf 8082 ;;
        notification) printf 8083 ;;
        analytics) printf 8084 ;;
        gateway) printf 8085 ;;
    esac
}

# Chooses the ports of everything that may ever run in this run directory; sets port_… variables.
choose_all_ports() {
    local run_dir=$1 name base n wanted=()
    for name in "${services[@]}" gateway; do
        base=$(http_base "$name")
        wanted+=("http_$name=$base")
        [ "$name" = gateway ] || wanted+=("operator_$name=$((base + 100))")
        for ((n = 1; n <= ${instances[$name]:-1}; n++)); do
            wanted+=("probe_${name}_$n=$((base + 200 + 10 * (n - 1)))")
        done
    done
    wanted+=(event_log=9092 event_log_metrics=9093)
    wanted+=(amqp=5673 management=15673 dist=25673 prometheus=15693 epmd=4370)
    choose_ports "$run_dir" "$running" "${wanted[@]}"
}

# Writes ports, secrets, process environments, the process table and the env file.
write_configuration() {
    local run_dir=$1 bin_dir=$2 name n broker_dir
    choose_all_ports "$run_dir"
    broker_dir=$(plain_path "$run_dir")
    ensure_secret "$run_dir" operator-token
    if [ ! -s "$run_dir/secrets/gateway-callback-secret" ]; then
        printf 'whsec_%s' "$(head -c 32 /dev/urandom | base64 -w 0)" | replace_file "$run_dir/secrets/gateway-callback-secret"
    fi
    table=()
    if [ "$own_rabbitmq" = yes ]; then
        # A running node has its ports already; the same ones again change nothing.
        "$root/scripts/lib/rabbitmq.sh" prepare "$broker_dir" --amqp-port "$port_amqp" --management-port "$port_management" \
            --prometheus-port "$port_prometheus" --dist-port "$port_dist" --epmd-port "$port_epmd"
        # The management listener answers only while the Erlang machine really runs; an open port would look alive when frozen.
        add_process rabbitmq 1 "$root/scripts/lib/rabbitmq.sh" "http://127.0.0.1:$port_management/" \
            "amqp://127.0.0.1:$port_amqp" 9 15 '' '' run "$broker_dir"
    fi
    if [ "$own_event_log" = yes ]; then
        mkdir -p "$run_dir/data/event-log"
        write_environment event-log 1 </dev/null
        add_process event-log 1 "$bin_dir/event-log" "http://127.0.0.1:$port_event_log_metrics/health/ready" \
            "127.0.0.1:$port_event_log" 4 10 60 '' serve --data-dir "$run_dir/data/event-log" \
            --listen "127.0.0.1:$port_event_log" --metrics-listen "127.0.0.1:$port_event_log_metrics"
    fi
    kafka_servers=${external_kafka:-127.0.0.1:$port_event_log}
    if [ "$data_only" = no ]; then
        configure_gateway "$run_dir" "$bin_dir"
        for name in "${services[@]}"; do
            mkdir -p "$run_dir/data/$name"
            for ((n = 1; n <= instances["$name"]; n++)); do configure_service "$run_dir" "$bin_dir" "$name" "$n" "$broker_dir"; done
        done
    fi
    {
        printf '{\n  "version": 1,\n  "shutdownSeconds": 9.5,\n  "processes": [\n    '
        local entry separator=''
        for entry in "${table[@]}"; do
            printf '%s%s' "$separator" "$entry"
            separator=$',\n    '
        done
        printf '\n  ]\n}\n'
    } | replace_file "$run_dir/supervisor.json"
    write_env_file "$run_dir" "$broker_dir"
}

# Writes config/NAME-N.env: standard input, what all have, and the matching --set options.
write_environment() {
    local name=$1 n=$2 setting
    {
        printf 'WAYBILL_SERVICE=%s\nWAYBILL_INSTANCE=%s\nWAYBILL_RUN_DIR=%s\n' "$name" "$n" "$run_dir"
        printf 'LOG_LEVEL=%s\n' "${LOG_LEVEL:-info}"
        cat
        for setting in "${settings[@]}"; do
            case $setting in
                "$name":*) printf '%s\n' "${setting#*:}" ;;
                *:*=*) [[ $setting =~ ^[a-z-]+: ]] || printf '%s\n' "$setting" ;;
                *) printf '%s\n' "$setting" ;;
            esac
        done
    } | replace_file "$run_dir/config/$name-$n.env"
}

configure_gateway() {
    local run_dir=$1 bin_dir=$2
    mkdir -p "$run_dir/data/gateway"
    write_environment gateway 1 <<CONFIG
WAYBILL_HTTP_PORT=$port_http_gateway
WAYBILL_PROBE_PORT=$port_probe_gateway_1
WAYBILL_GATEWAY_LEDGER=$run_dir/data/gateway/ledger.jsonl
WAYBILL_GATEWAY_CALLBACK_SECRET_FILE=$run_dir/secrets/gateway-callback-secret
WAYBILL_PAYMENT_CALLBACK_URL=http://127.0.0.1:$port_http_payment/v1/gateway-callbacks
CONFIG
    add_process gateway 1 "$bin_dir/card-gateway" "http://127.0.0.1:$port_http_gateway/health/ready" \
        "http://127.0.0.1:$port_http_gateway" 3 6 60 ''
}

configure_service() {
    local run_dir=$1 bin_dir=$2 name=$3 n=$4 broker_dir=$5 http=port_http_$3 operator=port_operator_$3 probe=port_probe_$3_$4 url=''
    case $name in
        order | payment | inventory)
            url=$external_amqp
            [ -n "$url" ] || url=$("$root/scripts/lib/rabbitmq.sh" url "$broker_dir" "$name")
            ;;
    esac
    {
        printf 'WAYBILL_DATABASE=%s\n' "$run_dir/data/$name/$name.db"
        printf 'WAYBILL_HTTP_PORT=%s\nWAYBILL_OPERATOR_PORT=%s\nWAYBILL_PROBE_PORT=%s\n' "${!http}" "${!operator}" "${!probe}"
        printf 'WAYBILL_OPERATOR_TOKEN_FILE=%s\n' "$run_dir/secrets/operator-token"
        [ -z "$url" ] || printf 'AMQP_URL=%s\n' "$url"
        printf 'KAFKA_BOOTSTRAP_SERVERS=%s\n' "$kafka_servers"
        case $name in
            payment)
                printf 'WAYBILL_GATEWAY_URL=http://127.0.0.1:%s\n' "$port_http_gateway"
                printf 'WAYBILL_GATEWAY_CALLBACK_SECRET_FILE=%s\n' "$run_dir/secrets/gateway-callback-secret"
                ;;
            notification)
                printf 'WAYBILL_WEBHOOK_ALLOW_CIDRS=127.0.0.0/8,::1/128\n'
                printf 'WAYBILL_WEBHOOK_CONSENT_URL=http://127.0.0.1:%s/v1/webhook-consents/\n' "$port_http_notification"
                printf 'WAYBILL_WEBHOOK_ORDERS_URL=http://127.0.0.1:%s/v1/orders/\n' "$port_http_order"
                ;;
        esac
    } | write_environment "$name" "$n"
    local depends=()
    [ "$own_event_log" = no ] || depends+=(event-log-1)
    [ "$own_rabbitmq" = no ] || [ -z "$url" ] || depends+=(rabbitmq-1)
    [ "$name" != payment ] || depends+=(gateway-1)
    local address=http://127.0.0.1:${!http}
    [ "$n" -eq 1 ] || address="standby of $name-1"
    add_process "$name" "$n" "$bin_dir/$name-service" "http://127.0.0.1:${!probe}/health/ready" \
        "$address" 5 6 60 "${depends[*]}"
}

# add_process NAME N PROGRAM PROBE ADDRESS STOP-SECONDS FREEZE-SECONDS START-SECONDS DEPENDS-ON [ARGUMENT…]: a line of the table.
add_process() {
    local name=$1 n=$2 program=$3 probe=$4 address=$5 stop=$6 freeze=$7 start=$8 needs=$9 argument text separator=''
    shift 9
    local environment=$run_dir/config/$name-$n.env
    text="{\"name\": \"$name\", \"instance\": $n, \"executable\": $(json_string "$program"), \"arguments\": ["
    for argument in "$@"; do
        text+=$separator$(json_string "$argument")
        separator=', '
    done
    text+=']'
    if [ -f "$environment" ]; then text+=", \"environmentFile\": \"config/$name-$n.env\""; fi
    text+=", \"probe\": \"$probe\", \"address\": $(json_string "$address"), \"stopSeconds\": $stop, \"freezeSeconds\": $freeze"
    [ -z "$start" ] || text+=", \"startSeconds\": $start"
    separator=''
    text+=', "dependsOn": ['
    for argument in $needs; do
        text+=$separator\"$argument\"
        separator=', '
    done
    # A new program or a new environment is a new revision: the supervisor then restarts the process.
    text+="], \"revision\": \"$(process_revision "$name" "$program" "$environment")\"}"
    table+=("$text")
}

process_revision() {
    # The broker is Debian's program and its configuration is only read at its start: it is never restarted for an edit of ours.
    [ "$1" != rabbitmq ] || { printf 'rabbitmq' && return; }
    printf '%s-%s' "$(stat -L -c '%i.%Y.%s' "$2")" "$({ cat "$3" 2>/dev/null || true; } | cksum | cut -d' ' -f1)"
}

# The file that scripts/waybill sources.
write_env_file() {
    local run_dir=$1 broker_dir=$2 name http operator amqp=$external_amqp management=$external_management
    if [ "$own_rabbitmq" = yes ]; then
        amqp=$("$root/scripts/lib/rabbitmq.sh" url "$broker_dir" waybill)
        management=$("$root/scripts/lib/rabbitmq.sh" management-url "$broker_dir")
    fi
    {
        printf '# Written by scripts/up.sh: where this installation is. Holds secrets.\n'
        [ "$own_rabbitmq" = no ] || printf '# broker: own\n'
        [ "$own_event_log" = no ] || printf '# event log: own\n'
        printf 'export WAYBILL_RUN_DIR=%s\n' "$(shell_quote "$run_dir")"
        for name in "${services[@]}"; do
            http=port_http_$name operator=port_operator_$name
            printf 'export WAYBILL_%s_URL=http://127.0.0.1:%s\n' "${name^^}" "${!http}"
            printf 'export WAYBILL_%s_OPERATOR_URL=http://127.0.0.1:%s\n' "${name^^}" "${!operator}"
        done
        printf 'export WAYBILL_GATEWAY_URL=http://127.0.0.1:%s\n' "$port_http_gateway"
        printf 'export AMQP_URL=%s\n' "$(shell_quote "$amqp")"
        printf 'export RABBITMQ_MANAGEMENT_URL=%s\n' "$(shell_quote "$management")"
        printf 'export KAFKA_BOOTSTRAP_SERVERS=%s\n' "$(shell_quote "$kafka_servers")"
        printf 'export WAYBILL_TOKEN=%s\n' "$(shell_quote "$(cat "$run_dir/secrets/operator-token")")"
    } | replace_file "$run_dir/env"
}

# What a person needs to know next.
print_summary() {
    local run_dir=$1 seconds=$2 prefix='' tool=scripts
    [ "$PWD" = "$root" ] || tool=$(printf '%q' "$root/scripts")
    [ "$run_dir" = "$root/.run" ] || prefix="WAYBILL_RUN_DIR=$(printf '%q' "$run_dir") "
    printf '\n%sWaybill is up%s, after %s s.\n\n' "$bold$green" "$plain" "$seconds"
    if [ "$own_rabbitmq" = yes ]; then
        printf '    %-16s http://127.0.0.1:%s  user waybill, password in %s/secrets/amqp-admin\n' "RabbitMQ's pages" \
            "$port_management" "$run_dir"
    fi
    printf '    %-16s %s\n    %-16s %s/logs\n    %-16s %s/env\n\n' 'event log' "$kafka_servers" logs "$run_dir" addresses "$run_dir"
    printf 'Try next:\n\n'
    if [ "$data_only" = yes ]; then
        printf '    . %q\n' "$run_dir/env"
        # shellcheck disable=SC2016
        printf '    kcat -b "$KAFKA_BOOTSTRAP_SERVERS" -L\n'
        printf '    %s%s/status.sh\n' "$prefix" "$tool"
    else
        printf '    %s%s/waybill order place --sku COFFEE-1KG --quantity 2 --wait\n' "$prefix" "$tool"
        printf '    %s%s/waybill order list\n' "$prefix" "$tool"
        printf '    %s%s/waybill verify\n' "$prefix" "$tool"
    fi
}
