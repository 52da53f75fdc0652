# shellcheck shell=bash
# crash-cell.sh: one cell of the crash matrix, and how it is shown. Sourced by crash-matrix.sh after common.sh; uses its variables work and
# root and the addresses of the installation.

readonly journeys=(completed declined out-of-stock cancelled timeout late)
# The most deaths of a cell: one for each order, some for other subjects.
readonly most_deaths=10
# Seconds in which all orders of a cell must have ended.
readonly cell_limit=60

milliseconds() { printf '%s' "$((${EPOCHREALTIME/[.,]/} / 1000))"; }

cli() { "$WAYBILL_BIN_DIR/waybill" "$@"; }

# persist COMMAND…: tries until it succeeds, for 30 s: what a client with an idempotency key does.
persist() {
    local until=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        keep_running
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

prepare_cells() {
    declare -gA probes
    local name
    for name in order payment inventory notification analytics gateway event-log; do
        probes[$name]=$(jq -r --arg name "$name" '.processes[] | select(.name == $name and .instance == 1) | .probe' "$work/run/supervisor.json")
    done
    cli catalog put SOLD-OUT --price 3.00 --currency EUR --name 'Never there' >/dev/null
    cli stock set SOLD-OUT 0 >/dev/null
    # Not by way of the function: that would run in a shell of its own, and only that shell would be ended.
    "$WAYBILL_BIN_DIR/waybill" webhook listen --json >"$work/webhooks.jsonl" 2>"$work/listen.log" &
    # shellcheck disable=SC2034
    listener=$!
    local attempt
    for attempt in $(seq 100); do
        if [ "$(cli webhook endpoint list --json 2>/dev/null | wc -l)" -gt 0 ]; then break; fi
        [ "$attempt" -lt 100 ] || die "The webhook receiver did not come up."
        sleep 0.1
    done
}

pid_now() { cat "$work/run/pids/$service-1.pid" 2>/dev/null || true; }
is_ready() { curl -sf -m 1 -o /dev/null "${probes[$service]}"; }
# The operator listener is bound by the instance that has taken over; the probe answers a moment earlier.
is_serving() {
    local name=${service//-/_}
    local url=WAYBILL_${name^^}_OPERATOR_URL
    is_ready && { [ -z "${!url:-}" ] || curl -sf -m 1 -o /dev/null "${!url}/health/ready"; }
}
supervise() { "$WAYBILL_BIN_DIR/waybill-supervisor" "$1" "$2" --run-dir "$work/run" >/dev/null 2>&1 || true; }

# Notes new deaths, and has the dead process started at once: the supervisor's growing pause between deaths in a row has tests of its
# own. Sets deaths, shared, own (journey → yes), worst (milliseconds from death to ready).
keep_running() {
    local file pid at subject journey is_own
    for file in "$work/failpoints/$service/$point"@*; do
        [ -s "$file" ] && [ -z "${seen[$file]:-}" ] || continue
        seen[$file]=yes
        read -r pid at <"$file"
        if [ "$pid" != "$last_pid" ]; then
            deaths=$((deaths + 1))
            last_pid=$pid died_at=$at
            dead_pids+=("$pid")
        fi
        subjects+=("${file##*@}")
    done
    [ -n "$died_at" ] || return 0
    pid=$(pid_now)
    if [ -z "$pid" ] || [ "$pid" = "$last_pid" ]; then
        supervise start "$service-1"
    elif is_ready; then
        local took=$(($(milliseconds) - died_at))
        [ "$took" -le "$worst" ] || worst=$took
        died_at=''
    fi
}

# order JOURNEY CARD SKU: sets ids[JOURNEY].
order() {
    local key="matrix-$$-$number-$1" answer until=$((SECONDS + 30))
    while :; do
        answer=$(curl -s -m 5 -X POST "$WAYBILL_ORDER_URL/v1/orders" -H 'content-type: application/json' -H "idempotency-key: $key" \
            -d "{\"customer\":\"$1\",\"card\":\"$2\",\"lines\":[{\"sku\":\"$3\",\"quantity\":1}]}") || answer=''
        if [[ $answer =~ \"id\":\"([0-9a-f-]{36})\" ]]; then break; fi
        keep_running
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
    ids[$1]=${BASH_REMATCH[1]}
    printf '{"key":"%s","outcome":"ok","order":"%s"}\n' "$key" "${ids[$1]}" >>"$work/history.jsonl"
}

# Places what the cell has chosen.
place() {
    local journey
    for journey in out-of-stock cancelled completed declined timeout late; do
        [[ " ${chosen[*]} " == *" $journey "* ]] || continue
        case $journey in
            out-of-stock) order "$journey" tok_visa SOLD-OUT ;;
            cancelled) order "$journey" tok_slow MUG-STONEWARE && cancel ;;
            completed) order "$journey" tok_visa MUG-STONEWARE ;;
            *) order "$journey" "tok_$journey" MUG-STONEWARE ;;
        esac || return 1
    done
}

# Asks for the cancellation until it is granted or refused for good; sets refused.
cancel() {
    local code until=$((SECONDS + 30))
    while :; do
        code=$(curl -s -m 5 -o /dev/null -w '%{http_code}' -X POST "$WAYBILL_ORDER_URL/v1/orders/${ids[cancelled]}/cancel") || code=000
        case $code in
            2??) return 0 ;;
            409)
                refused=yes
                return 0
                ;;
        esac
        keep_running
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

# Whether JOURNEY ended as it must. A cancellation may be refused because it came too late; a late charge may be found before it is
# given up; with payment away, everything that waits for it ends by its deadline.
is_expected() {
    local end=${ends[$1]:-}
    if [ "$stimulus" = deadline ] && [ "$end" = 'cancelled deadline' ]; then [ "$1" != out-of-stock ] && return 0; fi
    case $1 in
        completed | timeout) [ "$end" = completed ] ;;
        declined) [ "$end" = 'cancelled card-declined' ] ;;
        out-of-stock) [ "$end" = 'rejected out-of-stock' ] ;;
        cancelled) [ "$end" = 'cancelled customer' ] || { [ "$refused" = yes ] && [ "$end" = completed ]; } ;;
        late) [ "$end" = 'cancelled gateway-unresolved' ] || [ "$end" = completed ] ;;
    esac
}

# Reads where the orders are into ends; true when all have ended.
have_ended() {
    local page id end journey open=0
    page=$(curl -sf -m 2 "$WAYBILL_ORDER_URL/v1/orders?limit=12" \
        | jq -r '.orders[] | "\(.id) \(.status)\(if .reason then " " + .reason else "" end)"') || return 1
    local -A found=()
    while read -r id end; do found[$id]=$end; done <<<"$page"
    for journey in "${chosen[@]}"; do
        ends[$journey]=${found[${ids[$journey]}]:-unknown}
        case ${ends[$journey]} in
            completed | rejected* | cancelled*) ;;
            *) open=1 ;;
        esac
    done
    [ "$open" -eq 0 ]
}

# Whether nothing of the late charge is still to come: on a cancelled order it has landed and was given back.
is_settled() {
    [ "${ends[late]:-}" = 'cancelled gateway-unresolved' ] || return 0
    grep -F "\"reference\":\"${ids[late]}\"" "$work/run/data/gateway/ledger.jsonl" \
        | jq -es 'map(select(.result == "succeeded") | .operation) | (index("capture") and index("refund"))' >/dev/null
}

operator() { curl -s -m 5 -H "authorization: Bearer $WAYBILL_TOKEN" -H 'content-type: application/json' "$@"; }

# Poison for the service's inbox, about a subject of its own.
send_poison() {
    poison=$(cat /proc/sys/kernel/random/uuid)
    jq -n --arg key "$service.inbox" --arg subject "$poison" '{properties: {delivery_mode: 2, headers: {ce_specversion: "1.0", ce_id: $subject,
        ce_source: "/matrix", ce_type: "waybill.no.such.type.v1", ce_subject: $subject, ce_time: "2026-01-01T00:00:00Z",
        ce_correlationid: $subject}}, routing_key: $key, payload: "{}", payload_encoding: "string"}' \
        | curl -sf -X POST "$RABBITMQ_MANAGEMENT_URL/api/exchanges/waybill/$service.inbox/publish" -H 'content-type: application/json' -d @- >/dev/null
}

# The letters about the poison: "id state previous", oldest first.
letters() {
    local url=WAYBILL_${service^^}_OPERATOR_URL
    operator -f "${!url}/operator/dead-letters?state=all&subject=$poison" | jq -r '.items | sort_by(.failedAt, .id)[] | "\(.id) \(.state) \(.previousId // "-")"'
}
has_letter() { letters | grep ' held ' >/dev/null; }

# Sends the poison's letter back, by itself or by a job, until the service says that it is done.
requeue_poison() {
    local url=WAYBILL_${service^^}_OPERATOR_URL id until=$((SECONDS + 30)) answer
    persist has_letter || return 1
    id=$(letters | awk '$2 == "held" { print $1; exit }')
    first_letter=$id
    if [ "$stimulus" = requeue-job ]; then
        answer=$(operator -X POST "${!url}/operator/dead-letter-jobs" -d "{\"filter\":{\"subject\":\"$poison\"},\"settleSeconds\":2}") || answer=''
        return 0
    fi
    while :; do
        answer=$(operator -X POST "${!url}/operator/dead-letters/$id/requeue" -d '{"actor":"matrix","reason":"matrix"}') || answer=''
        case $answer in *'"sent"'* | *'"not-held"'*) return 0 ;; esac
        keep_running
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

# What must have become of the poison: one letter, or the first one requeued and exactly one successor that names it.
is_poison_settled() {
    local got
    got=$(letters) || return 1
    case $stimulus in
        poison) [ "$(awk '{ print $2 }' <<<"$got")" = held ] ;;
        *) [ "$(wc -l <<<"$got")" -eq 2 ] && grep -qx "$first_letter requeued -" <<<"$got" && grep -q " held $first_letter\$" <<<"$got" ;;
    esac
}
discard_poison() {
    local url=WAYBILL_${service^^}_OPERATOR_URL id
    id=$(letters | awk '$2 == "held" { print $1; exit }')
    operator -f -o /dev/null -X POST "${!url}/operator/dead-letters/$id/discard" -d '{"actor":"matrix","reason":"matrix"}'
}

# Reached by something other than orders.
stimulate() {
    case $stimulus in
        kill)
            # A death from outside, after which the process is started at once as after its own.
            last_pid=$(pid_now) died_at=$(milliseconds)
            kill -9 "$last_pid" 2>/dev/null || true
            ;;
        catalog) persist cli catalog put COFFEE-1KG --price "18.$((10 + number % 90))" --currency EUR --name 'Coffee beans, 1 kg' ;;
        rebuild) operator -o /dev/null -X POST "$WAYBILL_ANALYTICS_OPERATOR_URL/operator/rebuild" || true ;;
        republish)
            persist operator -f -X POST "$WAYBILL_ORDER_OPERATOR_URL/operator/orders/republish" -d '{"dryRun":false}'
            ;;
        poison) send_poison && persist has_letter ;;
        requeue | requeue-job) send_poison && requeue_poison ;;
    esac
}

# Payment is away and order waits for it 2 s only.
begin_deadline() {
    printf 'WAYBILL_ORDER_PAYMENT_SECONDS=2\n' >>"$work/run/config/order-1.env"
    supervise restart order-1
    supervise stop payment-1
    sleep 0.3
    persist is_serving
}
end_deadline() {
    sed -i '/^WAYBILL_ORDER_PAYMENT_SECONDS=2$/d' "$work/run/config/order-1.env"
    supervise start payment-1
    supervise restart order-1
    sleep 0.3
    persist is_serving
}

# What more must be true of a service that died. Prints what is not.
look_closer() {
    local left
    case $service in
        notification)
            local until=$((SECONDS + 20))
            while left=$(cli webhook delivery list --state pending --json 2>/dev/null | wc -l) && [ "$left" -gt 0 ]; do
                [ "$SECONDS" -lt "$until" ] || { printf '%s webhooks are not delivered; ' "$left"; break; }
                sleep 0.1
            done
            ;;
        analytics)
            cli analytics rebuild >"$work/rebuild.log" 2>&1 || printf 'analytics rebuild: %s; ' "$(tail -n 1 "$work/rebuild.log")"
            left=$(find "$work/run/data/analytics" -maxdepth 1 -name "rebuild-*" 2>/dev/null | wc -l)
            [ "$left" -eq 0 ] || printf '%s databases of broken-off rebuilds are left; ' "$left"
            ;;
    esac
    case $stimulus in
        poison | requeue | requeue-job)
            persist is_poison_settled || printf 'the dead letters are not what they must be: %s; ' "$(letters | tr '\n' ',')"
            discard_poison || printf 'the dead letter could not be discarded; '
            ;;
    esac
}

# An order that dies before its first commit has another id at each try, so it would use up all deaths: it gets one.
arm_for_placing() {
    case $service:$point in
        order:store.before-* | order:store.after-unit) : >"$folder/$point" ;;
        *) printf '1 %s\n' "$most_deaths" >"$folder/$point" ;;
    esac
}

# run_cell POINT SERVICE STIMULUS JOURNEYS: sets cell_json, cell_verdict, deaths and worst (milliseconds from a death to ready).
run_cell() {
    point=$1 service=$2 stimulus=$3
    local chosen
    read -ra chosen <<<"$4"
    local folder=$work/failpoints/$service began wrong='' until journey pid violated
    local -A ids=() ends=() seen=()
    deaths=0 worst=0
    local subjects=() dead_pids=() last_pid='' died_at='' refused=no poison='' first_letter=''
    began=$(milliseconds)
    rm -f "$folder"/*
    case $stimulus in
        deadline) begin_deadline ;;
        # What the gateway certainly did not get is called again by another way through the code.
        no-gateway) supervise stop gateway-1 ;;
    esac
    arm_for_placing
    place || wrong+='an order could not be placed or cancelled; '
    printf '1 %s\n' "$most_deaths" >"$folder/$point"
    if [ -z "$wrong" ]; then
        stimulate || wrong+="the stimulus '$stimulus' could not be given; "
    fi
    until=$((SECONDS + cell_limit))
    while [ -z "$wrong" ]; do
        keep_running
        if have_ended && is_settled && [ -z "$died_at" ]; then break; fi
        case $stimulus:$((SECONDS + cell_limit - until)) in
            deadline:[0-4] | no-gateway:[0-1]) ;;
            deadline:*) supervise start payment-1 ;;
            no-gateway:*) supervise start gateway-1 ;;
        esac
        [ "$SECONDS" -lt "$until" ] || wrong+="not everything ended within $cell_limit s; "
        sleep 0.1
    done
    [ "$stimulus" != no-gateway ] || supervise start gateway-1
    # A point that is reached once a second, or by an operator, has had its time.
    rm -f "$folder/$point"
    sleep 0.1
    persist is_serving || wrong+="$service did not come back; "
    keep_running
    [ "$stimulus" != deadline ] || end_deadline
    wrong+=$(look_closer)
    for journey in "${chosen[@]}"; do
        is_expected "$journey" || wrong+="$journey ended as '${ends[$journey]:-nothing}'; "
    done
    for pid in "${dead_pids[@]}"; do
        grep -F "\"pid\":\"$pid\"" "$work/run/logs/supervisor.log" | grep 'signal 9' >/dev/null || wrong+="process $pid did not die by signal 9; "
    done
    violated=$(cli verify --settle 30 --history "$work/history.jsonl" --json 2>"$work/verify.err" \
        | jq -r '[.checks[] | select(.verdict == "violated") | "\(.id) \(.example)"] | join("; ")' || cat "$work/verify.err")
    [ -z "$violated" ] || wrong+="verify: $violated; "
    describe_cell "$(($(milliseconds) - began))" "$wrong"
}

describe_cell() {
    local took=$1 wrong=$2 journey kind rows=()
    if [ -n "$wrong" ]; then cell_verdict=failed; elif [ "$deaths" -eq 0 ]; then cell_verdict=unreached; else cell_verdict=held; fi
    for journey in "${chosen[@]}"; do
        kind=none
        [ "$deaths" -eq 0 ] || kind=shared
        case " ${subjects[*]} " in *" ${ids[$journey]:--none-} "*) kind=own ;; esac
        # A death for nothing that has a name, and the only order under way.
        [ "${#chosen[@]}" -gt 1 ] || case " ${subjects[*]} " in *' - '*) kind=own ;; esac
        rows+=("$journey" "${ids[$journey]:-}" "${ends[$journey]:-}" "$kind")
    done
    cell_json=$(jq -nc --arg point "$point" --arg service "$service" --arg verdict "$cell_verdict" --arg wrong "${wrong%; }" \
        --argjson deaths "$deaths" --argjson worst "$worst" --argjson took "$took" \
        '{point: $point, service: $service, verdict: $verdict, deaths: $deaths, recoveryMilliseconds: $worst, milliseconds: $took}
        + (if $wrong == "" then {} else {wrong: $wrong} end)
        + {journeys: [range(0; $ARGS.positional | length; 4) as $i | $ARGS.positional[$i:$i + 4]
            | {(.[0]): {order: .[1], end: .[2], death: .[3]}}] | add}' --args "${rows[@]}")
}

cell_heading() { printf '%s%-48s %6s  %-14s  %8s  %s%s\n' "$bold" CELL DEATHS JOURNEYS RECOVERY VERDICT "$plain"; }

# The journeys in one letter each: † died for it, · died while it was under way, - not.
cell_line() {
    local marks colour=$green
    marks=$(jq -r '([.journeys[] | {own: "†", shared: "·", none: "-"}[.death]] | join(""))
        + (.journeys | if length == 1 then " " + keys[0] else "" end) | . + " " * (14 - length)' <<<"$cell_json")
    [ "$cell_verdict" = held ] || colour=$red
    printf '%-48s %6s  %s  %5s ms  %s%s%s' "$point@$service" "$deaths" "$marks" "$worst" "$colour" "$cell_verdict" "$plain"
    jq -r 'if .wrong then "  " + .wrong else "" end' <<<"$cell_json"
}

# write_table RESULTS: docs/crash-matrix.md. Lines of one point and service are one row, whatever journeys each has.
write_table() {
    cat <<'HEAD'
# The crash matrix

Every named point of the code at which a crash matters, killed there in the real process, for six orders that go six different ways. Made
by `scripts/crash-matrix.sh`; do not edit. How points are named, armed and found: [crash-points.md](crash-points.md).

† the process died at the point while it worked on this order, or for nothing that names an order (a commit, a batch) while this order was the
only one; · it died there for something else that was under way beside this order; – nothing of this order's journey comes by there.
*Deaths* counts processes; one death may concern several orders at once. *Ready again* is the longest time from a death to a process that answers
its readiness probe. *Held*: every order reached its expected end, the late charge was refunded once, and `waybill verify` found no violation.

HEAD
    jq -rs '
        (group_by([.point, .service, (.journeys | keys)]) | map(last)) as $runs
        | [$runs[] | .journeys[] | .death] as $marks
        | "\($runs | group_by([.point, .service]) | length) points of services, \($runs | length) runs, \($runs | map(.deaths) | add) deaths: "
        + "\($runs | map(select(.verdict == "held")) | length) runs held, \($runs | map(select(.verdict == "failed")) | length) failed, "
        + "\($runs | map(select(.verdict == "unreached")) | length) did not come by. Of \($marks | length) pairs of point and journey "
        + "\($marks | map(select(. == "own")) | length) had a death of their own, \($marks | map(select(. == "shared")) | length) one beside them. "
        + "Ready again: median \($runs | map(select(.deaths > 0) | .recoveryMilliseconds) | sort | .[length / 2 | floor]) ms, "
        + "at most \($runs | map(.recoveryMilliseconds) | max) ms.\n"' "$1"
    printf '| point | what is done and what is not | service | deaths | completed | declined | out of stock | cancelled | gateway timeout | late charge | ready again | verdict |\n'
    printf '|---|---|---|--:|:-:|:-:|:-:|:-:|:-:|:-:|--:|---|\n'
    local line point services meaning service
    for line in "${crash_points[@]}"; do
        IFS='|' read -r point services _ meaning <<<"$line"
        for service in $services; do
            jq -rs --arg point "$point" --arg service "$service" --arg meaning "$meaning" --arg journeys "${journeys[*]}" '
                [.[] | select(.point == $point and .service == $service)] | group_by(.journeys | keys) | map(last)
                | if length == 0 then empty else
                    (map(.journeys) | add) as $journeys
                    | (map(.verdict) | if any(. == "failed") then "failed" elif any(. == "held") then "held" else "unreached" end) as $verdict
                    | (map(.deaths) | add) as $deaths
                    | "| `\($point)` | \($meaning) | \($service) | \($deaths) | "
                    + ([$journeys[$ARGS.named.journeys | split(" ")[]].death | {own: "†", shared: "·", none: "–"}[. // "none"]] | join(" | "))
                    + " | \(if $deaths > 0 then "\(map(.recoveryMilliseconds) | max) ms" else "" end) | "
                    + "\({held: "held", failed: "**FAILED** \(map(.wrong // empty) | join("; "))", unreached: "not reached"}[$verdict]) |"
                end' "$1"
            meaning='″'
        done
    done
}
