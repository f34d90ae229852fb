#!/usr/bin/env bash
# The octavo program, as a careless user would call it: every mistake gives one clear line on standard error, the right
# exit status, nothing half-written and no crash.
#   tests/cli/careless.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")

# A copy of the model to damage; files of our own, never links to the original.
damaged() {
  rm -rf "$work/model"
  mkdir "$work/model"
  find "$model" -maxdepth 1 -type f -exec cp {} "$work/model/" \;
}

nothing_left() {
  local left
  left=$(find "$work" -maxdepth 1 -name "*out*" ! -name out)
  [ -z "$left" ] || fail "$1: left behind $left"
}

calibration="$model/calib/calibration.jsonl"
picture="$model/eval/000.png"

# Usage.
refused "no such command" 2 "did you mean quantize" quantise
refused "no such option" 2 "did you mean --calibration" quantize "$model" -o "$work/q_out" --calibraton x
refused "no output" 2 "-o OUT" quantize "$model"
refused "not a number" 2 "an integer" quantize "$model" -o "$work/q_out" --max-samples many
refused "missing value" 2 "needs a value" generate "$model" --prompt

# The directory.
refused "missing directory" 1 "$work/nowhere" generate "$work/nowhere" --prompt Hello
mkdir "$work/empty"
refused "directory without a model" 1 "config.json" generate "$work/empty" --prompt Hello
refused "a file for a directory" 1 "$picture" quantize "$picture" -o "$work/q_out" --recipe rtn

# The checkpoint.
damaged
echo "this is not a tensor file, whatever its name says" >"$work/model/model.safetensors"
refused "text as safetensors" 1 "model.safetensors" generate "$work/model" --prompt Hello
refused "text as safetensors, quantize" 1 "model.safetensors" quantize "$work/model" -o "$work/q_out" --recipe rtn
damaged
truncate -s 1000000 "$work/model/model.safetensors"
refused "cut shard" 1 "model.safetensors" generate "$work/model" --prompt Hello
refused "cut shard, quantize" 1 "model.safetensors" quantize "$work/model" -o "$work/q_out" --recipe rtn
damaged
: >"$work/model/model.safetensors"
refused "empty shard" 1 "model.safetensors" generate "$work/model" --prompt Hello
damaged
sed -i 's/"intermediate_size": *[0-9]*/"intermediate_size": 768/' "$work/model/config.json"
refused "config against weights" 1 "intermediate_size" generate "$work/model" --prompt Hello
refused "config against weights, quantize" 1 "intermediate_size" quantize "$work/model" -o "$work/q_out" --recipe rtn
damaged
sed -i 's/"model_type": *"qwen2_5_vl"/"model_type": "llama"/; s/"Qwen2_5_VLForConditionalGeneration"/"LlamaForCausalLM"/' \
  "$work/model/config.json"
refused "unknown architecture" 1 "llama" generate "$work/model" --prompt Hello
damaged
echo '{"model_type": ' >"$work/model/config.json"
refused "broken config" 1 "config.json" generate "$work/model" --prompt Hello
damaged
rm "$work/model/tokenizer.json" "$work/model/vocab.json"
refused "no tokenizer" 1 "tokenizer" generate "$work/model" --prompt Hello
cases=$((cases + 1))
"$octavo" check "$work/model" >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "check without a tokenizer must exit with 1"
refused "picture size" 2 "--image 1080x1920" check "$model" --image 1080
refused "negative picture" 2 "--image 1080x1920" check "$model" --image -4x7
refused "endless picture" 1 "16777216" check "$model" --image 9223372036854775807x9223372036854775807
refused "no ranks" 2 "an integer" check "$model" --tensor-parallel 0
refused "stretched picture" 1 "4000 x 10" check "$model" --image 10x4000
refused "short prompt" 1 "prompt_tokens is 3" check "$model" --prompt-tokens 3 --image 64x64
cases=$((cases + 1))
"$octavo" check "$model" --image 300x500 --tensor-parallel 2 --plan >"$work/out" 2>"$work/err" || fail "check --plan"
for part in "KV cache" second_turn self_attn kv_append intermediate_size; do
  grep -q "$part" "$work/out" || fail "check --plan does not show $part"
done
"$octavo" check "$model" --plan --json >"$work/out" 2>"$work/err" || fail "check --plan --json"
python3 -c 'import json,sys; json.load(open(sys.argv[1]))["plan"]["calls"][0]["steps"][0]["contract"]' "$work/out" \
  || fail "check --plan --json is not the document"

# Prompt and pictures.
echo "not a picture" >"$work/fake.png"
refused "not a picture" 1 "fake.png" generate "$model" --image "$work/fake.png" --prompt Hello
refused "missing picture" 1 "gone.png" generate "$model" --image "$work/gone.png" --prompt Hello
refused "empty prompt" 2 "prompt" generate "$model" --prompt ""
refused "no prompt" 2 "prompt" generate "$model"
refused "batch and prompt" 2 "--batch" generate "$model" --batch "$work/batch.jsonl" --prompt Hello
refused "missing batch" 1 "nothing.jsonl" generate "$model" --batch "$work/nothing.jsonl"
printf '{"prompt": "Hello"}\n{"prompt": "Look", "image": "fake.png"}\n' >"$work/batch.jsonl"
refused "batch with a broken picture" 1 "line 2" generate "$model" --batch "$work/batch.jsonl"
long=$(printf 'circle square %.0s' $(seq 8000))
refused "prompt beyond the context" 1 "max_position_embeddings" generate "$model" --prompt "$long"

# Calibration.
refused "no calibration" 1 "calibration" quantize "$model" -o "$work/q_out"
refused "missing calibration" 1 "gone.jsonl" quantize "$model" -o "$work/q_out" --calibration "$work/gone.jsonl"
printf '{"prompt": "What?"}\nnot json\n' >"$work/bad.jsonl"
refused "broken calibration" 1 "bad.jsonl:2" quantize "$model" -o "$work/q_out" --calibration "$work/bad.jsonl"
: >"$work/none.jsonl"
refused "empty calibration" 1 "holds no sample" quantize "$model" -o "$work/q_out" --calibration "$work/none.jsonl"
refused "no such recipe" 1 "best" quantize "$model" -o "$work/q_out" --recipe best

# The output.
mkdir "$work/kept"
echo precious >"$work/kept/file"
refused "output exists" 1 "$work/kept" quantize "$model" -o "$work/kept" --recipe rtn
[ "$(cat "$work/kept/file")" = precious ] || fail "an existing output was touched"
refused "output cannot be written" 1 "/proc/" quantize "$model" -o /proc/octavo --recipe rtn
refused "output is the model" 1 "is the model itself" quantize "$model" -o "$model" --recipe rtn --overwrite
nothing_left "refused quantizations"

# Ctrl-C in the middle. Many samples, so that the middle lasts; the program must have started its work before.
for _ in $(seq 40); do sed "s|\"image\": \"|&$model/calib/|" "$calibration"; done >"$work/many.jsonl"
for signal in INT TERM; do
  cases=$((cases + 1))
  : >"$work/err"  # now, not when the shell's child comes to it: the run before has its progress in it
  # A background job of a script ignores SIGINT; setsid and a subshell would inherit that, python3 restores it.
  python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$octavo" quantize "$model" -o "$work/cancel_out" --calibration "$work/many.jsonl" \
    >"$work/out" 2>"$work/err" &
  pid=$!
  for _ in $(seq 100); do
    grep -q '%' "$work/err" && break
    sleep 0.05
  done
  sleep 0.3
  kill -"$signal" "$pid"
  wait "$pid"
  got=$?
  [ "$got" -ne 0 ] && [ "$got" -lt 128 ] || fail "SIG$signal: exit status $got"
  grep -q 'cancelled' "$work/err" || fail "SIG$signal: the message does not say so"
  nothing_left "SIG$signal"
done

# Traces.
refused "values without a trace" 2 "--trace FILE" generate "$model" --prompt Hello --trace-values
refused "a trace that cannot be written" 1 "does not exist; create it first" generate "$model" --prompt Hello --trace "$work/nowhere/t.jsonl"
refused "no such trace" 1 "cannot open" trace "$work/nowhere.jsonl"
refused "three traces" 2 "unexpected argument c" trace a b c
refused "a bound for one trace" 2 "need two traces" trace "$work/nowhere.jsonl" --bound 1
refused "a model for a trace" 1 "config.json:1" trace "$model/config.json"

# And the good path, so that the refusals above are not the program refusing everything.
cases=$((cases + 1))
"$octavo" quantize "$model" -o "$work/good" --calibration "$calibration" --max-samples 4 --json >"$work/out" 2>"$work/err" ||
  fail "quantize"
python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert len(d["layers"]) > 0' "$work/out" || fail "quantize --json"
refused "already quantized" 1 "already quantized" quantize "$work/good" -o "$work/q_out" --recipe rtn
cases=$((cases + 1))
"$octavo" check "$work/good" >"$work/out" 2>"$work/err" || fail "check of the quantized model"

# Against the original: right, damaged, and asked wrongly.
cases=$((cases + 1))
"$octavo" check "$work/good" --against "$model" --html "$work/page.html" --json >"$work/out" 2>"$work/err" || fail "check --against"
python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["ok"] and d["counts"]["wrong"] == 0, d' "$work/out" ||
  fail "check --against --json"
grep -q '</html>' "$work/page.html" || fail "check --against --html"
cases=$((cases + 1))
cp -r "$work/good" "$work/altered"
sed -i 's/"rope_theta": *[0-9.]*/"rope_theta": 77.0/' "$work/altered/config.json"
"$octavo" check "$work/altered" --against "$model" >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "check --against of an altered model must exit with 1"
grep -q 'rope_theta' "$work/out" || fail "check --against does not name the changed field"
refused "compared with nothing" 1 "$work/nowhere" check "$work/good" --against "$work/nowhere"
refused "compared the wrong way round" 1 "is quantized itself" check "$model" --against "$work/good"
refused "a page that cannot be written" 1 "does not exist" check "$work/good" --against "$model" --html "$work/no/page.html"
refused "a page of nothing" 2 "needs --against" check "$work/good" --html "$work/page.html"

cases=$((cases + 1))
"$octavo" generate "$work/good" --image "$picture" --prompt "What shape is this?" --json >"$work/out" 2>"$work/err" ||
  fail "generate"
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert {"text", "tokens", "prompt_tokens", "finish_reason", "timings"} <= d.keys(), d' "$work/out" || fail "generate --json"
cases=$((cases + 1))
cp "$picture" "$work/picture.png"
printf '{"prompt": "What shape is this?", "image": "picture.png"}\n\n{"prompt": "Hello"}\n' >"$work/batch.jsonl"
"$octavo" generate "$work/good" --batch "$work/batch.jsonl" --max-new-tokens 5 --json >"$work/batch.out" 2>"$work/err" ||
  fail "generate --batch"
for words in "What shape is this?" Hello; do
  image=$([ "$words" = Hello ] || echo "--image $picture")
  # shellcheck disable=SC2086
  "$octavo" generate "$work/good" $image --prompt "$words" --max-new-tokens 5 --json >>"$work/alone.out" 2>"$work/err"
done
python3 -c 'import json, sys
batch = [json.loads(line)["tokens"] for line in open(sys.argv[1])]
decoder, text, alone = json.JSONDecoder(), open(sys.argv[2]).read().strip(), []
while text:
    d, end = decoder.raw_decode(text)
    alone, text = alone + [d["tokens"]], text[end:].strip()
assert len(batch) == 2 and batch == alone, (batch, alone)' "$work/batch.out" "$work/alone.out" || fail "generate --batch: tokens"
for mode in "" --no-cache; do
  cases=$((cases + 1))
  "$octavo" generate "$model" --image "$picture" --prompt "What shape is this?" --max-new-tokens 3 $mode \
    --trace "$work/trace$mode.jsonl" --trace-values >"$work/out" 2>"$work/err" || fail "generate --trace $mode"
done
cases=$((cases + 1))
"$octavo" trace "$work/trace.jsonl" "$work/trace--no-cache.jsonl" --bound 1e-4 >"$work/out" 2>"$work/err" ||
  fail "trace: cached and uncached differ"
grep -q "only in the first trace, from kv_append" "$work/out" || fail "trace: kv_append is not named"
cases=$((cases + 1))
"$octavo" trace "$work/trace.jsonl" >"$work/out" 2>"$work/err" || fail "trace: table"
[ "$(grep -c lm_head "$work/out")" -ge 1 ] || fail "trace: the table lacks lm_head"

# Verify: what the caller got wrong is one line; what a model does wrong is a step that fails and a diagnosis on standard output.
refused "verify: the same model twice" 1 "is not quantized" verify "$model" "$model"
refused "verify: no such directory" 1 "$work/nowhere" verify "$model" "$work/nowhere"
refused "verify: no such profile" 1 "lenient" verify "$model" "$work/good" --profile best
echo '{"thresholds": {"max_lk": 1}}' >"$work/profile.json"
refused "verify: misspelt threshold" 1 "thresholds.max_lk" verify "$model" "$work/good" --profile "$work/profile.json"
echo '{"extends": "lenient", "prompts": 1, "long_tokens": 8}' >"$work/profile.json"
cases=$((cases + 1))
"$octavo" verify "$model" "$work/good" --profile "$work/profile.json" --json >"$work/out" 2>"$work/err" || fail "verify"
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["passed"] and d["diagnosis"] is None and len(d["steps"]) >= 12, d' "$work/out" || fail "verify --json"
cases=$((cases + 1))
cp -r "$work/good" "$work/other_stop"
echo '{"eos_token_id": 7}' >"$work/other_stop/generation_config.json"
"$octavo" verify "$model" "$work/other_stop" >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "verify of a copy with other stop ids must exit with 1"
grep -q '^FAILED  open' "$work/out" && grep -q 'where  generation_config.json' "$work/out" || fail "verify: diagnosis"

# Suggest and report: asked before the work whether they can be written; a second run confirms what was suggested.
refused "verify: suggest without samples" 2 "needs --samples" verify "$model" "$work/good" --suggest "$work/keep.json"
refused "verify: suggest into nowhere" 1 "$work/nowhere" \
  verify "$model" "$work/good" --samples "$model/eval/eval.jsonl" --suggest "$work/nowhere/keep.json"
refused "verify: report that is no page" 1 ".html" verify "$model" "$work/good" --report "$work/report.txt"
refused "verify: report into nowhere" 1 "$work/nowhere" verify "$model" "$work/good" --report "$work/nowhere/report.html"
[ ! -e "$work/keep.json" ] && [ ! -e "$work/report.txt" ] || fail "verify: something was written"
cases=$((cases + 1))
limit='{"extends": "lenient", "prompts": 1, "long_tokens": 8, "steps": {"evaluation": {"max_kl": 1e-4}}}'
echo "$limit" >"$work/profile.json"
judged=(--profile "$work/profile.json" --samples "$model/eval/eval.jsonl" --max-samples 24 --max-new-tokens 24)
"$octavo" quantize "$model" -o "$work/int8" --calibration "$model/calib/calibration.jsonl" >"$work/out" 2>"$work/err"
"$octavo" verify "$model" "$work/int8" "${judged[@]}" --suggest "$work/keep.json" --report "$work/report.html" \
  >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "verify: a bound of 1e-4 nats must be missed"
grep -qF "octavo verify $model OUT --samples $model/eval/eval.jsonl --max-samples 24 --max-new-tokens 24 --profile $work/profile.json" \
  "$work/out" || fail "verify: the confirmation is not judged as this run was"
grep -q '^suggestion: .* in W8A16' "$work/out" && grep -q '"w8a16"' "$work/keep.json" || fail "verify: no suggestion"
python3 -c 'import json, sys
report = json.load(open(sys.argv[1] + ".json"))
assert report["attribution"]["suggestion"]["recipe"] == json.load(open(sys.argv[2]))
page = open(sys.argv[1] + ".html").read()
assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>"), page[:80]' \
  "$work/report" "$work/keep.json" || fail "verify: report and recipe disagree"
"$octavo" quantize "$model" -o "$work/kept_float" --recipe "$work/keep.json" --calibration "$model/calib/calibration.jsonl" \
  >"$work/out" 2>"$work/err" || fail "quantize with the suggested recipe"
"$octavo" verify "$model" "$work/kept_float" "${judged[@]}" >"$work/out" 2>"$work/err" ||
  fail "the second run does not confirm the suggestion"

finish
