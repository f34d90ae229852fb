#!/usr/bin/env bash
# Without oneDNN's engine the program says so and why, and answers as it does with it.
#   tests/cli/no_engine.sh OCTAVO MODEL SHIM
set -euo pipefail
octavo=$1 model=$2 shim=$3
fail() { echo "FAILED: $*" >&2; exit 1; }

"$octavo" --version | grep -q 'its engine could not be made' && fail "a machine with an engine is said to have none"
said=$(LD_PRELOAD=$shim "$octavo" --version) || fail "--version without an engine exits $?"
grep -q 'oneDNN .*' <<<"$said" || fail "no line about oneDNN"
grep -q 'its engine could not be made, so it takes no part in int8 products: oneDNN: .*runtime_error' <<<"$said" ||
  fail "--version hides the missing engine: $said"
grep -q '  onednn  *not available: oneDNN: .*runtime_error' <<<"$said" || fail "the backend is offered: $said"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$octavo" quantize "$model" -o "$work/with" --recipe rtn >"$work/log" 2>&1 || fail "$(cat "$work/log")"
LD_PRELOAD=$shim "$octavo" quantize "$model" -o "$work/without" --recipe rtn >"$work/log" 2>&1 || fail "$(cat "$work/log")"
cmp "$work"/with/model.safetensors "$work"/without/model.safetensors || fail "quantize writes something else"
ask=(generate "$work/with" --image "$model/eval/000.png" --prompt "Where is the purple circle?" --max-new-tokens 24)
[ "$("$octavo" "${ask[@]}")" = "$(LD_PRELOAD=$shim "$octavo" "${ask[@]}")" ] || fail "another answer"
