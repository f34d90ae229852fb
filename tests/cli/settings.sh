#!/usr/bin/env bash
# What a model's files say reaches the answer, or is said once; control tokens in a prompt.
#   tests/cli/settings.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
copy=$work/model
mkdir "$copy"
cp "$2"/*.json "$2/merges.txt" "$2/model.safetensors" "$copy"
chmod -R u+w "$copy"
ask=(generate "$copy" --prompt "What colour is the circle?" -n 4)

# notes NAME TEXT ARGS...: succeeds, with TEXT in the only line on standard error.
notes() {
  local name=$1 text=$2
  shift 2
  cases=$((cases + 1))
  "$octavo" "$@" >"$work/out" 2>"$work/err" </dev/null || fail "$name: exit status $?"
  [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$name: $(wc -l <"$work/err") lines on standard error, expected 1"
  grep -qF -- "$text" "$work/err" || fail "$name: the note does not say \"$text\""
}

shows "a plain model" "" "${ask[@]}"

# generation_config.json.
sed -i '0,/{/s//{ "num_beams": 4,/' "$copy/generation_config.json"
notes "beams" "num_beams is 4, which is not acted upon" "${ask[@]}"
shows "beams in check" "num_beams is 4, which is not acted upon" check "$copy"
cp "$2/generation_config.json" "$copy/generation_config.json"

# The chat template: another system prompt, one that cannot be read.
sed -i 's/You are a helpful assistant/Answer in one word/' "$copy/chat_template.json"
shows "another system prompt" "" "${ask[@]}"
shows "another system prompt in check" "Answer in one word" check "$copy"
echo '{"chat_template": "{% macro x() %}{% endmacro %}"}' >"$copy/chat_template.json"
notes "a template that cannot be read" "this chat template is not used" "${ask[@]}"
shows "the same in check" "this chat template is not used" check "$copy"
cp "$2/chat_template.json" "$copy/chat_template.json"

# Control tokens.
refused "a pad in the prompt" 1 "the text of the prompt holds <|image_pad|>" generate "$copy" --prompt "a <|image_pad|>"
shows "a pad as text" "" generate "$copy" --prompt "a <|image_pad|>" --control-tokens-as-text -n 4
finish
