#!/bin/sh
# Lists what may be sold now. It needs kubectl with get and list on Offerings, and nothing else:
#
#   examples/consumer.sh -n shop
#
# The rule: sell only if status.stock is InStock or LowStock, and now is before status.validUntil.
set -eu

# Times in Offerings are in UTC and as wide as this one, so that their order is that of their letters.
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
line='{range .items[*]}{.metadata.name} {.status.stock} {.status.validUntil} {.status.available}{"\n"}{end}'

# The API server leaves out what is not for sale; the clock is ours to look at.
listed=$(kubectl get offerings.proxmox-offerings.io "$@" \
    --field-selector status.stock!=OutOfStock,status.stock!=Unknown -o jsonpath="$line")
printf '%s\n' "$listed" |
    awk -v now="$now" 'NF == 4 && ($2 == "InStock" || $2 == "LowStock") && now < $3 && $4 > 0 {print $1, $4}'
