#!/usr/bin/env bash
# Checks docs/guarantees.md against the tree: each test and script that it names exists, and the ids of its first table are those of
# the verifier, no more and no less.
#
# usage: scripts/check-guarantees.sh      exit code: 0 all there, 1 something is not
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
page=docs/guarantees.md
problems=0

complain() {
    printf '%s: %s\n' "$page" "$*" >&2
    problems=$((problems + 1))
}

# shellcheck disable=SC2016 # backquotes of the page, not commands
names=$(grep -oE '`(scripts/[a-z0-9/-]+\.sh|[A-Z][A-Za-z]+Tests\.[A-Za-z0-9]+)`' "$page" | tr -d '`' | sort -u)
# `Suite.function` is a test, `scripts/…` a script.
while read -r name; do
    case $name in
        scripts/*) [ -x "$name" ] || complain "there is no script $name" ;;
        *)
            suite=${name%%.*} function=${name#*.}
            files=$(grep -rlE "(struct|class|enum) $suite\b|extension $suite\b" Tests --include='*.swift' || true)
            # shellcheck disable=SC2086 # one file per word
            [ -n "$files" ] && grep -qE "func $function\b" $files || complain "there is no test $name"
            ;;
    esac
done <<<"$names"

documented=$(sed -n '/^## Checked by/,/^## Promised/p' "$page" | sed -nE 's/^\| ([A-Z][0-9][A-Z0-9, ]*) \|.*/\1/p' | tr -d ' ' | tr ',' '\n' | sort)
checked=$(grep -rhoE 'Check\("[A-Z][0-9]+"' services/cli/Verify/Checks | sed -E 's/.*"(.*)"/\1/' | sort)
difference=$(diff <(printf '%s\n' "$checked") <(printf '%s\n' "$documented") || true)
[ -z "$difference" ] || complain "the ids differ from those of the verifier (< verifier, > page):"$'\n'"$difference"

[ "$problems" -eq 0 ]
