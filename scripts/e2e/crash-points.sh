#!/usr/bin/env bash
# Kills one service of each kind at a named point of its code amid six journeys of orders: the quick part of the crash matrix.
set -euo pipefail
# shellcheck source=scripts/lib/e2e.sh
. "$(dirname "$(readlink -f "$0")")/../lib/e2e.sh"

"$root/scripts/crash-matrix.sh" --quick
