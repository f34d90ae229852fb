#!/usr/bin/env bash
# generate with --json-schema and --form: answers that have the form, and what is refused.
#   tests/cli/forms.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")
ask=(generate "$model" --image "$model/eval/000.png")
schema='{"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}'
printf '%s' "$schema" >"$work/schema.json"

# formed NAME PATTERN ARGS...: the answer is one line that matches.
formed() {
  local name=$1 pattern=$2
  shift 2
  shows "$name" "" "${ask[@]}" "$@"
  grep -qEx "$pattern" "$work/out" || fail "$name: $(cat "$work/out")"
}

formed "a template" '\{"bbox_2d": ?\[[0-9]+, ?[0-9]+, ?[0-9]+, ?[0-9]+\]\}' --prompt "What colour is the circle?" \
  --form '{"bbox_2d": [int(0, 140) * 4]}' --sample --temperature 3
formed "a schema in a file" '\{"colour": ?"(red|blue)"\}' --prompt "Where is the circle?" --json-schema "$work/schema.json"
formed "a schema on the command line" '\{"colour": ?"(red|blue)"\}' --prompt "Where is it?" --json-schema " $schema"
refused "both at once" 2 "--json-schema and --form exclude each other" "${ask[@]}" -p x --form int --json-schema "$schema"
refused "a keyword that is not honoured" 1 "schema: uniqueItems" "${ask[@]}" -p x --json-schema '{"uniqueItems": true}'
refused "a template that cannot be read" 1 "byte 1" "${ask[@]}" -p x --form '[flaot]'
refused "a schema that is not there" 1 "nowhere.json" "${ask[@]}" -p x --json-schema nowhere.json
refused "a schema that is no JSON" 1 "byte" "${ask[@]}" -p x --json-schema '{"type": '
finish
