# shellcheck shell=bash
# packages.sh: installs the system packages that are missing. Sourced after common.sh.

# The reason for a package, for the person who is asked for a password.
package_reason() {
    case $1 in
        rabbitmq-server) printf 'the message broker that carries commands' ;;
        librabbitmq-dev) printf 'C library that speaks AMQP' ;;
        librdkafka-dev) printf 'C library that speaks the Kafka protocol' ;;
        libsqlite3-dev) printf 'C library of the databases' ;;
        libssl-dev) printf 'C library (libcrypto) of digests and signatures' ;;
        zlib1g-dev) printf 'C library that the HTTP packages and the event log compress with' ;;
        libzstd-dev) printf 'C library that the event log reads compressed batches with' ;;
        pkg-config) printf 'tells the compiler where those libraries are' ;;
        curl) printf 'HTTP from scripts' ;;
        kcat) printf 'a Kafka client that is not ours, for the tests' ;;
        sqlite3) printf 'looks into databases, for the tests' ;;
        jq) printf 'reads JSON in the tests' ;;
        gcc | g++ | make) printf 'builds the test suite of a C library' ;;
        python3) printf 'a webhook receiver that shares no code with the sender, for the tests' ;;
        nodejs) printf 'runs the webhook verifier in JavaScript, for the tests' ;;
        strace) printf 'slows the writes of a service, for the tests' ;;
        shellcheck) printf 'checks the scripts' ;;
        *) printf 'needed' ;;
    esac
}

package_is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

# ensure_packages NAME…: returns when all are installed, else installs them or says the line to run and exits.
ensure_packages() {
    local name missing=()
    if ! command -v dpkg-query >/dev/null 2>&1; then
        printf 'This is not a Debian system: make sure that you have what these packages contain: %s\n' "$*"
        return 0
    fi
    for name in "$@"; do
        package_is_installed "$name" || missing+=("$name")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0

    step "Installing ${#missing[@]} system packages"
    for name in "${missing[@]}"; do
        printf '    %-18s %s\n' "$name" "$(package_reason "$name")"
    done
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=(sudo)
        else
            complain "Installing packages needs root. Run this line as root and try again:"
            printf '    apt-get update && apt-get install -y --no-install-recommends %s\n' "${missing[*]}" >&2
            exit 1
        fi
    fi
    local log
    log=$(mktemp "${TMPDIR:-/tmp}/waybill-packages.XXXXXX")
    # The package lists are fetched only when what is there does not do.
    if ! install_packages "${missing[@]}" >"$log" 2>&1; then
        printf '    %s\n' "fetching the package lists"
        if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 update >>"$log" 2>&1 \
            || ! install_packages "${missing[@]}" >>"$log" 2>&1; then
            tail -n 15 "$log" >&2
            die "The packages could not be installed (whole output: $log). Run as root: apt-get install ${missing[*]}"
        fi
    fi
    rm -f "$log"
    case " ${missing[*]} " in
        *' rabbitmq-server '*)
            printf '    %s\n' "Debian may have started its own RabbitMQ on the standard ports; Waybill runs a private one beside it."
            ;;
    esac
}

# Uses as_root of the caller.
install_packages() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y \
        --no-install-recommends "$@" </dev/null
}

# What building needs.
readonly build_packages=(pkg-config librabbitmq-dev librdkafka-dev libsqlite3-dev libssl-dev zlib1g-dev libzstd-dev)

# Swift itself is not a Debian package.
ensure_swift() {
    command -v swift >/dev/null 2>&1 \
        || die "Swift 6.3 or later is needed and there is no 'swift' in the PATH; see https://www.swift.org/install/linux/"
}
