#!/usr/bin/env bash
# check-imports.sh: the rules of the house that the compiler cannot see.
#
#   1. Modules of the kit (Sources/) use no word of the business as an identifier.
#   2. CRabbitMQ is imported only in Sources/RabbitMQ/Bridge, CRdKafka only in Sources/Kafka/Bridge (and in tests), CCrypto only in
#      Sources/Cryptography.
#   3. GRDB is imported only in Sources/DurableStore and Webhooks (which keeps tables of its own), in the Storage folders of the services, in the verifier of the command-line
#      tool, and in tests (a service's composition file may name its migrations).
#   4. The pure parts (services/*/Core and services/commerce) import neither Foundation, nor a database, nor logging, nor the network.
#
# exit: 0 all kept, 1 a rule is broken (each place is printed)
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/common.sh"
cd "$root"

broken=0

# report RULE LINES: prints the lines, if any.
report() {
    [ -n "$2" ] || return 0
    complain "$1"
    printf '%s\n' "$2" | sed 's/^/    /'
    broken=1
}

# Import lines of Swift files: path:line:text.
imports_of() {
    local pattern=$1
    shift
    local folders=() folder
    for folder in "$@"; do [ ! -d "$folder" ] || folders+=("$folder"); done
    [ "${#folders[@]}" -gt 0 ] || return 0
    grep -rnE --include='*.swift' \
        "^[[:space:]]*(@[A-Za-z_]+(\([^)]*\))? +)*((public|internal|package|private|fileprivate) +)?import +((struct|class|enum|protocol|func|var|let|typealias) +)?($pattern)([. ]|\$)" \
        "${folders[@]}" || true
}

without() { grep -vE "$1" || true; }

report "CRabbitMQ may be imported only in Sources/RabbitMQ/Bridge:" \
    "$(imports_of CRabbitMQ Sources services | without '^Sources/RabbitMQ/Bridge/')"
report "CRdKafka may be imported only in Sources/Kafka/Bridge:" \
    "$(imports_of CRdKafka Sources services | without '^Sources/Kafka/Bridge/')"
report "CCrypto may be imported only in Sources/Cryptography:" \
    "$(imports_of CCrypto Sources services | without '^Sources/Cryptography/')"
report "GRDB may be imported only in DurableStore, Webhooks, in Storage folders, in the verifier and in tests:" \
    "$(imports_of GRDB Sources services | without '^(Sources/(DurableStore|KitTestSupport|ServiceKit|Webhooks)/|services/[a-z]+/Storage/|services/[a-z]+/[A-Za-z]+Service\.swift|services/cli/Verify/)')"

pure=(services/commerce)
for folder in services/*/Core; do pure+=("$folder"); done
report "The pure parts may import neither Foundation, nor a database, nor logging, nor the network:" \
    "$(imports_of 'Foundation[A-Za-z]*|GRDB|DurableStore|Logging|NIO[A-Za-z0-9]*|HTTP[A-Za-z0-9]*|Hummingbird[A-Za-z]*|AsyncHTTPClient|ServiceKit|Telemetry|RabbitMQ|Kafka|Glibc|Dispatch' "${pure[@]}")"

# Words of the business in identifiers of the kit: comments and strings are taken out, the rest is cut into words at every change
# of case. Allowed are words that mean something else: the order of bytes, of sorting, of a query.
# shellcheck disable=SC2016
words=$(
    find Sources -name '*.swift' -print0 | sort -z | xargs -0r perl -e '
        my %business = map { $_ => 1 } qw(order orders payment payments inventory inventories stock stocks sku skus);
        my %allowed = map { $_ => 1 } qw(order byteOrder sortOrder inOrder memoryOrder keyOrder startOrder stopOrder reverseOrder
            orderBy shutdownOrder deliveryOrder insertionOrder logOrder offsetOrder commitOrder outOfOrderSequence byteOrderMark
            codeLengthOrder);
        for my $file (@ARGV) {
            open(my $in, "<", $file) or die "$file: $!";
            local $/;
            my $text = <$in>;
            my $blank = sub { my $t = shift; $t =~ s/[^\n]/ /g; $t };
            # Strings first would stumble over quotes in comments and the other way round: one pass takes whichever comes first.
            $text =~ s{("""(?:\\.|.)*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/)}{$blank->($1)}gse;
            my $line = 0;
            for my $code (split /\n/, $text, -1) {
                $line++;
                while ($code =~ /([A-Za-z_][A-Za-z0-9_]*)/g) {
                    my $name = $1;
                    next if $allowed{$name};
                    for my $word ($name =~ /[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) {
                        if ($business{lc $word}) { print "$file:$line: $name\n"; last }
                    }
                }
            }
        }'
)
report "The kit knows no word of the business; these identifiers in Sources/ do:" "$words"

if [ "$broken" -eq 0 ]; then printf 'All import rules are kept.\n'; fi
exit "$broken"
