#!/usr/bin/env bash
# up.sh: installs what is missing, builds, starts everything and waits until it is ready. May be run again at any time:
# what runs already is left alone.
#
# usage: scripts/up.sh [options]
#
#   --instances LIST   instances per service, such as payment=2,order=2; those above 1 are hot standbys
#   --no-build         uses the programs as they are built
#   --data-only        only the brokers: RabbitMQ and the event log
#   --no-seed          leaves the catalogue of a new installation empty
#   --set [SERVICE:]KEY=VALUE
#                      an extra environment variable for one service or for all of them; may be repeated
#   --timeout SECONDS  how long to wait until everything is ready (default 120)
#   --run-dir DIR      where ports, secrets, data and logs live (default: WAYBILL_RUN_DIR, else .run in the repository)
#
# environment:
#   AMQP_URL, KAFKA_BOOTSTRAP_SERVERS   that broker is used, and ours is not started
#   RABBITMQ_MANAGEMENT_URL             of the broker in AMQP_URL, for the tools
#   LOG_LEVEL                           trace, debug, info (default), notice, warning, error
#   WAYBILL_BIN_DIR                     a folder with prebuilt programs, used instead of building
#
# exit: 0 everything is ready, 1 it could not be brought up, 2 wrong usage
set -euo pipefail
umask 077
began=$SECONDS
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
for part in packages ports build config seed; do
    # shellcheck source=/dev/null
    . "$root/scripts/lib/$part.sh"
done

readonly services=(order payment inventory notification analytics)
wanted='' build=yes data_only=no seed=yes timeout=120 instances_wanted='' settings=()
while [ $# -gt 0 ]; do
    case $1 in
        --instances | --run-dir | --set | --timeout)
            [ $# -ge 2 ] || usage_error "$1 needs a value."
            case $1 in
                --instances) instances_wanted=${instances_wanted:+$instances_wanted,}$2 ;;
                --run-dir) wanted=$2 ;;
                --set) settings+=("$2") ;;
                --timeout) timeout=$2 ;;
            esac
            shift
            ;;
        --no-build) build=no ;;
        --data-only) data_only=yes ;;
        --no-seed) seed=no ;;
        -h | --help)
            print_help "$0"
            exit 0
            ;;
        *) usage_error "There is no option '$1'." ;;
    esac
    shift
done
case $timeout in
    '' | *[!0-9]*) usage_error "--timeout must be a number of seconds." ;;
esac
[ "$timeout" -ge 1 ] && [ "$timeout" -le 3600 ] || usage_error "--timeout must be 1 to 3600 seconds."

declare -A instances=()
for service in "${services[@]}"; do instances[$service]=1; done

# name=count,… into instances.
read_instances() {
    local part name count parts
    IFS=',' read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        name=${part%%=*}
        count=${part#*=}
        [ -n "${instances[$name]:-}" ] || usage_error "--instances: there is no service '$name' (${services[*]})."
        case $count in
            [1-9]) instances[$name]=$count ;;
            *) usage_error "--instances: '$part' must be like $name=2, with 1 to 9 instances." ;;
        esac
    done
}
[ -z "$instances_wanted" ] || read_instances "$instances_wanted"
for setting in "${settings[@]}"; do check_setting "$setting"; done

run_dir=$(resolve_run_dir "$wanted")
prepare_run_dir "$run_dir"
exec 9>>"$run_dir/up.lock"
flock -n 9 || die "Another up.sh is at work in $run_dir; wait until it has ended."
printf '%s\n' "$layout_version" >"$run_dir/layout"
make_folders "$run_dir"

# What runs is not taken away by running up.sh again with fewer options.
running=no
if supervisor_pid "$run_dir" >/dev/null; then
    running=yes
    recall_choices "$run_dir"
fi

find_brokers "$run_dir"
packages=()
[ "$own_rabbitmq" = no ] || packages+=(rabbitmq-server)
if [ -n "${WAYBILL_BIN_DIR:-}" ]; then
    build=no
fi
[ "$build" = no ] || packages+=("${build_packages[@]}")
if [ "$build" = yes ]; then
    ensure_swift
    fetch_sources "$run_dir/logs/fetch.log"
fi
[ "${#packages[@]}" -eq 0 ] || ensure_packages "${packages[@]}"

programs=(waybill-supervisor waybill event-log)
if [ "$data_only" = no ]; then
    programs+=(card-gateway)
    for service in "${services[@]}"; do programs+=("$service-service"); done
fi
if [ "$build" = yes ]; then
    if [ "$data_only" = yes ]; then
        build_products "$run_dir/logs/build.log" release "${programs[@]/#/--product=}"
    else
        build_products "$run_dir/logs/build.log" release --target=Installation
    fi
    bin_dir=$(cd "$root/.build/release" && pwd -P)
else
    bin_dir=$(find_bin_dir) || die "The programs are not built (and --no-build or WAYBILL_BIN_DIR says not to build them)."
fi
for program in "${programs[@]}"; do
    [ "$program" != waybill ] || [ "$data_only" = no ] || continue
    [ -x "$bin_dir/$program" ] || die "The program $program is missing in $bin_dir; run scripts/up.sh without --no-build."
done

write_configuration "$run_dir" "$bin_dir"
remember_choices "$run_dir"

if [ "${#table[@]}" -eq 0 ]; then
    printf 'Both brokers are given from outside and --data-only asks for nothing else: there is nothing to start.\n'
    exit 0
fi
if [ "$running" = yes ]; then
    step "Running already; looking for changes"
    changes=$("$bin_dir/waybill-supervisor" reload --run-dir "$run_dir") \
        || die "The supervisor did not take the changes; scripts/down.sh and scripts/up.sh start it anew."
    printf '    %s\n' "$changes"
else
    step "Starting"
    # RabbitMQ sizes its tables by this limit: enough for many connections, not the million that some systems allow.
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)" 2>/dev/null || true
    setsid "$bin_dir/waybill-supervisor" run --run-dir "$run_dir" \
        </dev/null >/dev/null 2>>"$run_dir/logs/supervisor.log" 9>&- &
    disown
fi
if ! "$bin_dir/waybill-supervisor" wait --run-dir "$run_dir" --timeout "$timeout"; then
    [ -z "$(supervisor_pid "$run_dir")" ] || printf 'What runs was left running; scripts/down.sh stops it.\n' >&2
    die "Not everything became ready."
fi
if [ "$own_rabbitmq" = yes ]; then
    "$root/scripts/lib/rabbitmq.sh" await "$(plain_path "$run_dir")" 60 || die "RabbitMQ does not take connections."
fi
if [ "$data_only" = no ] && [ "$seed" = yes ]; then seed_catalogue_once "$run_dir"; fi

is_terminal || "$bin_dir/waybill-supervisor" status --run-dir "$run_dir" || true
print_summary "$run_dir" "$((SECONDS - began))"
