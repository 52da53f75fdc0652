# shellcheck shell=bash
# seed.sh: the catalogue of a new installation. Sourced after common.sh.

# SKU, price, currency, units on hand, name.
readonly seed_catalogue=(
    'COFFEE-1KG 18.90 EUR 100000 Coffee beans, 1 kg'
    'GRINDER-HAND 64.00 EUR 100000 Hand grinder'
    'KETTLE-GOOSENECK 79.50 EUR 100000 Gooseneck kettle'
    'FILTER-PAPER-100 4.95 EUR 100000 Filter papers, 100'
    'MUG-STONEWARE 12.50 EUR 100000 Stoneware mug'
    'SCALE-POCKET 24.90 EUR 3 Pocket scale'
)

# Puts the catalogue in once per run directory, each article once: a second start after a first one that was cut short takes no stock
# back that was sold in between. Needs the services up.
seed_catalogue_once() {
    local run_dir=$1 line sku price currency units name
    local mark=$run_dir/data/.seeded done=$run_dir/data/.seeding
    [ ! -e "$mark" ] || return 0
    touch "$done"
    step "Putting ${#seed_catalogue[@]} products into the catalogue"
    for line in "${seed_catalogue[@]}"; do
        read -r sku price currency units name <<<"$line"
        ! grep -qxF "$sku" "$done" || continue
        run_cli "$run_dir" catalog put "$sku" --price "$price" --currency "$currency" --name "$name" >/dev/null \
            || die "The product $sku could not be put into the catalogue."
        run_cli "$run_dir" stock set "$sku" "$units" >/dev/null || die "The stock of $sku could not be set."
        printf '%s\n' "$sku" >>"$done"
        printf '    %-18s %8s %s  %6s on hand\n' "$sku" "$price" "$currency" "$units"
    done
    mv "$done" "$mark"
}

# The command-line tool for a run directory.
run_cli() {
    local run_dir=$1
    shift
    WAYBILL_RUN_DIR=$run_dir "$root/scripts/waybill" "$@"
}
