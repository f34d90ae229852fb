#!/usr/bin/env bash
# The library exports what the map names, the map names what the header declares, and nothing else.
set -euo pipefail
library=$1 capi=$2
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | sort -u)
mapped=$(sed -n 's/^ *\(octavo_[a-z0-9_]*\);$/\1/p' "$capi/octavo.map" | sort -u)
declared=$(tr '\n' ' ' <"$capi/octavo.h" | grep -oE 'OCTAVO_API [^;]*;' | grep -oE '\boctavo_[a-z0-9_]+\(' | tr -d '(' | sort -u)
diff <(echo "$mapped") <(echo "$exported")
diff <(echo "$declared") <(echo "$mapped")
echo "$(wc -l <<<"$mapped") names"
