#!/usr/bin/env bash
# The command line itself: help, versions, options in every spelling, and what is said of a mistake.
#   tests/cli/usage.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")
commands="quantize verify check inspect generate chat trace bench completion man help"

# Help: short as a whole, in groups for each command, the same by every way to ask.
shows "overview" "octavo COMMAND --help" --help
[ "$(wc -l <"$work/out")" -le 25 ] || fail "overview: $(wc -l <"$work/out") lines"
for command in $commands; do
  grep -q "^  $command " "$work/out" || fail "overview: $command is missing"
done
cp "$work/out" "$work/overview"
shows "overview by help" "octavo COMMAND --help" help
cmp -s "$work/out" "$work/overview" || fail "octavo help is not octavo --help"
for command in $commands; do
  shows "$command --help" "usage: octavo $command" "$command" --help
  cp "$work/out" "$work/long"
  [ "$(wc -L <"$work/out")" -le 100 ] || fail "$command --help: a line of $(wc -L <"$work/out") columns"
  shows "$command -h" "usage: octavo $command" "$command" -h
  cmp -s "$work/out" "$work/long" || fail "$command -h is not $command --help"
  shows "help $command" "usage: octavo $command" help "$command"
  cmp -s "$work/out" "$work/long" || fail "help $command is not $command --help"
done
shows "help whatever else is wrong" "usage: octavo quantize" quantize --max-samples many --help
for group in Input "Quality bounds" Output Machine; do
  shows "group $group" "$group" verify --help
  grep -qx "$group" "$work/out" || fail "verify --help: no group $group"
done
cases=$((cases + 1))
"$octavo" >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || fail "no arguments: not exit status 2"
[ ! -s "$work/out" ] && cmp -s "$work/err" "$work/overview" || fail "no arguments: no usage on standard error"

# Versions: what a bug report needs.
shows "version" "oneDNN" --version
for fact in compiler "built against" instructions threads "line editing" "int8 backend" "portable     available"; do
  grep -qF "$fact" "$work/out" || fail "--version does not say \"$fact\""
done
shows "-V" "octavo " -V
shows "version as JSON" "built_against" --version --json
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
names = [b["name"] for b in d["int8_backends"]]
assert names[-1] == "portable" and d["int8_backend"]["name"] in names, d
assert d["onednn"]["running"].split(".")[0] == d["onednn"]["built_against"].split(".")[0] and d["threads"] >= 1, d' \
  "$work/out" || fail "--version --json"
OCTAVO_INT8_BACKEND=portable shows "another backend" "portable (named by OCTAVO_INT8_BACKEND" --version
OCTAVO_LOG=loud refused "an unknown level" 2 "OCTAVO_LOG is \"loud\", one of debug, info, warning is needed" --version
OCTAVO_INT8_BACKEND=none shows "no such backend" "there is no int8 backend" --version

# Commands: a suggestion only where the word is close.
refused "a letter twice" 2 "did you mean chat?" chatt
refused "version is not verify" 2 "did you mean --version?" version
refused "swapped letters" 2 "did you mean check?" chekc
refused "a letter too many" 2 "did you mean inspect?" inspectt
refused "nothing like it" 2 "unknown command frobnicate; octavo --help" frobnicate
refused "unknown command, help asked" 2 "unknown command frobnicate" frobnicate --help
refused "misspelt program option" 2 "did you mean --version?" --versoin
refused "help of no command" 2 "did you mean verify?" help verfy
refused "option before the command" 2 "after the command" --json check "$model"
refused "no such shell" 2 "bash, zsh, fish" completion tcsh

# Options.
refused "misspelt option" 2 "did you mean --max-samples?" quantize "$model" -o "$work/q" --max-sample 4
refused "misspelt option with a value" 2 "unknown option --recipie; did you mean --recipe?" quantize "$model" --recipie=rtn
refused "option of another command" 2 "unknown option --profile; see octavo quantize --help" quantize "$model" --profile x
refused "unknown letter" 2 "unknown option -x" check "$model" -x
refused "old spelling" 2 "--samples is now --max-samples" quantize "$model" -o "$work/q" --samples 4
refused "a flag with a value" 2 "--json takes no value" check "$model" --json=false
refused "a value left out" 2 "--recipe needs a value, NAME|FILE" quantize "$model" -o "$work/q" --recipe
refused "a value left out, short" 2 "-o needs a value, OUT" quantize "$model" -o
refused "an empty value" 2 "--recipe= has no value" quantize "$model" -o "$work/q" --recipe= --overwrite
refused "twice" 2 "--recipe is given 2 times" quantize "$model" -o "$work/q" --recipe rtn --recipe w8a16
refused "nothing given" 2 "needs MODEL and QUANTIZED" verify
refused "one given" 2 "needs QUANTIZED" verify "$model"
refused "one too many" 2 "unexpected argument other" inspect "$model" other
refused "one too many behind the mark" 2 "unexpected argument --json" inspect "$model" -- --json
refused "help behind the mark" 2 "unexpected argument --help" inspect "$model" -- --help
shows "help before the command" "usage: octavo check" --help check
for word in 1x x1 "" 1.5 0x10 9223372036854775808 0; do
  refused "max-samples \"$word\"" 2 "an integer of at least 1" quantize "$model" -o "$work/q" -n "$word"
done
refused "threads below" 2 "from 1 to 4096" check "$model" -j 0
refused "threads above" 2 "from 1 to 4096" check "$model" -j 4097
for word in 0.1x "" inf nan 1e999 0,1; do
  refused "max-kl \"$word\"" 2 "a number is needed" verify "$model" "$model" --max-kl "$word"
done
refused "math" 2 '--math is "f16", one of f32, bf16 is needed' generate "$model" -p What --math f16
refused "lm-head" 2 '--lm-head is "int4", one of stored, int8 is needed' verify "$model" "$model" --lm-head int4
refused "kv-cache" 2 '--kv-cache is "f16", one of f32, bf16, int8 is needed' generate "$model" -p What --kv-cache f16
refused "suggest of a run with options" 2 "leave out --math" verify "$model" "$model" --math bf16 \
  -s "$model/eval/eval.jsonl" --suggest "$work/q"
[ ! -e "$work/q" ] || fail "a refused command wrote something"

# The same thing in every spelling.
shows "long option" '"problems": []' check "$model" --threads 1 --json
shows "with =" '"problems": []' check "$model" --threads=1 --json
shows "short" '"problems": []' check "$model" -j 1 --json
shows "short, joined" '"problems": []' check --json -j1 "$model"
shows "behind the mark" '"problems": []' check --json -- "$model"
cp -r "$model" "$work/-model"
cp -r "$model" "$work/check"
cd "$work" || exit 1
shows "a name that begins with -" "tensors fit" check -- -model
shows "a directory called like a command" "tensors fit" check check
refused "a prompt that looks like an option" 1 "nowhere" generate nowhere --prompt --image
cd - >/dev/null || exit 1

# Standard output that cannot take the result.
for command in "check $model" "inspect $model" "inspect $model --json" "--help" "--version" "man" "completion bash" \
  "generate $model --prompt Hello --max-new-tokens 2"; do
  cases=$((cases + 1))
  # shellcheck disable=SC2086
  "$octavo" $command >/dev/full 2>"$work/err"
  [ $? -eq 1 ] || fail "/dev/full: $command: not exit status 1"
  [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q '^octavo: cannot write to standard output' "$work/err" ||
    fail "/dev/full: $command: not one line"
  cases=$((cases + 1))
  # shellcheck disable=SC2086
  "$octavo" $command >&- 2>"$work/err"
  [ $? -eq 1 ] || fail "closed output: $command: not exit status 1"
  grep -q '^octavo: cannot write to standard output' "$work/err" || fail "closed output: $command: no message"
done
cases=$((cases + 1))
"$octavo" quantize "$model" -o "$work/closed" --recipe rtn >&- 2>"$work/err"
[ $? -eq 1 ] || fail "quantize with a closed output: not exit status 1"
"$octavo" check "$work/closed" >"$work/out" 2>"$work/err" || fail "quantize with a closed output damaged what it wrote"

# The confirmation of a suggestion is judged as the run was, and a shell reads its paths back.
cases=$((cases + 1))
mkdir "$work/my data"
cp -r "$model/eval" "$work/my data/it's"
"$octavo" quantize "$model" -o "$work/int8" --calibration "$model/calib/calibration.jsonl" >"$work/out" 2>"$work/err" ||
  fail "quantize"
"$octavo" verify "$model" "$work/int8" -s "$work/my data/it's/eval.jsonl" -n 12 --max-new-tokens 24 --max-kl 1e-4 \
  --min-logit-cosine 0.5 --profile lenient --skip-bad-samples --boxes original --suggest "$work/my data/keep.json" >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "verify: a bound of 1e-4 nats must be missed"
line=$(grep '^  octavo verify' "$work/out")
eval "set -- ${line#  octavo}"
[ "$*" = "verify $model OUT --samples $work/my data/it's/eval.jsonl --skip-bad-samples --max-samples 12 --max-new-tokens 24 --profile lenient \
--boxes original --min-logit-cosine 0.5 --max-kl 1e-04" ] && [ $# -eq 18 ] || fail "verify: the confirmation says $line"
line=$(grep '^  octavo quantize' "$work/out")
eval "set -- ${line#  octavo}"
[ "$6" = "$work/my data/keep.json" ] || fail "quantize: the confirmation says $line"

# A report knows when, how and on what it was made; the terminal says how sure the shares are.
cases=$((cases + 1))
"$octavo" verify "$model" "$work/int8" -s "$model/eval/eval.jsonl" -n 6 --profile lenient -q \
  --report "$work/my data/page.html" >"$work/out" 2>"$work/err" || fail "verify --report: exit status $?"
python3 -c 'import datetime, json, sys
d = json.load(open(sys.argv[1] + "/my data/page.json"))
page = open(sys.argv[1] + "/my data/page.html").read()
assert d["command"].startswith("octavo verify ") and d["command"].endswith(" -q --report \x27" + sys.argv[1] + "/my data/page.html\x27"), d["command"]
made = datetime.datetime.fromisoformat(d["date"])
assert made.tzinfo and abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()) < 600, d["date"]
m = d["machine"]
assert m["processors"] >= 1 and m["memory_bytes"] > 1e6 and m["threads"] >= 1 and m["int8_backend"] and m["onednn"], m
assert d["date"] in page and m["int8_backend"] in page
v = d["verify"]
a = v["accuracy"]
assert a["confidence"] == 0.95 and sum(a[k] for k in ("both_right", "original_only", "quantized_only", "both_wrong")) == 6, a
assert 0 <= a["original_interval"][0] <= v["original_accuracy"] <= a["original_interval"][1] <= 1, a
assert v["speed"]["why"] and v["speed"]["quantized_read"] < v["speed"]["original_read"], v["speed"]
assert ("not compared" in page) != v["speed"]["compared"]' "$work" || fail "verify --report: what it says of itself"
grep -q "95 % confidence" "$work/out" || fail "verify: no confidence"
grep -qE "decode, tokens/s|decoding speed is not compared, because" "$work/out" || fail "verify: nothing about speed"
[ "$(tail -1 "$work/out")" = "passed: the quantized model answers like the original" ] || fail "verify: the last line"
cases=$((cases + 1))
"$octavo" verify "$model" "$work/int8" -s "$model/eval/eval.jsonl" -n 2 --max-kl 0 -q >"$work/out" 2>"$work/err"
[ $? -eq 1 ] && tail -1 "$work/out" | grep -qE "^failed: KL divergence is [0-9.e-]+, expected at most 0 \(step text\)$" ||
  fail "verify: which bound broke: $(tail -1 "$work/out")"
grep -q "quantize with GPTQ" "$work/out" && fail "verify advises the GPTQ that was used"

# Quiet: results alone.
cases=$((cases + 1))
"$octavo" quantize "$model" -q -o "$work/quiet" --calibration "$model/calib/calibration.jsonl" -n 4 >"$work/out" 2>"$work/err"
[ $? -eq 0 ] && [ ! -s "$work/err" ] && [ -s "$work/out" ] || fail "quantize -q"

# Bench: numbers that are there, positive, and one document.
cases=$((cases + 1))
"$octavo" bench "$work/int8" --seconds 1 --rows 16 -n 4 --json -q >"$work/out" 2>"$work/err" || fail "bench: exit status $?"
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == "octavo.bench/1", d["schema"]
assert d["run"] == {"math": "f32", "lm_head": "stored", "kv_cache": "f32"}, d["run"]
m = d["machine"]
for u in m["units"]:
    assert min(u["one_thread_gops"], u["all_threads_gops"]) > 0 if u["measured"] else u["missing"], u
assert {"f32", "exp"} <= {u["kind"] for u in m["units"] if u["measured"]}, m
assert m["threads"] >= 1 and m["reads"] and all(min(r["one_thread_gb_s"], r["all_threads_gb_s"]) > 0 for r in m["reads"]), m
rows = {(r["group"], r["name"]): r for r in d["rows"]}
assert len(rows) == len(d["rows"])
for r in d["rows"]:
    assert r["median_ms"] > 0 and r["rounds"] >= 3 and r["items"] > 0 and r["item"], r
    if "share" in r:
        assert abs(r["share"] - r["limit_ms"] / r["median_ms"]) < 1e-9 * r["share"] and r["bytes"] > 0, r
        assert r["binds"] in ("int8", "bf16", "f32", "exp", "memory", "cache") and sum(r["operations"].values()) > 0, r
assert {r["group"] for r in d["rows"]} == {"linear", "attention", "picture", "model"}
linears = [r["details"] for r in d["rows"] if r["group"] == "linear"]
assert {l["rows"] for l in linears} == {1, 16} and {l["weights"] for l in linears} == {"W8A8", "W8A16", "bf16"}, linears
for r in (r for r in d["rows"] if r["group"] == "linear"):
    assert (r["operations"]["f32_by_int8"] > 0) == (r["details"]["weights"] == "W8A16"), r
assert {(l["rows"], l["weights"]) for l in linears if l["math"] == "bf16"} == {(16, "bf16")}, linears
decode = rows["model", "decode at 16"]
assert decode["details"] == {"past": 16, "tokens": 4} and decode["items"] == 4, decode
vision, prefill = rows["model", "vision, 1024 patches"], rows["model", "prefill of 512"]
# Of the bundled model: heads of 32, 5 blocks; 432 tokens in lm_head, for the last position alone; causal pairs.
linear = 2 * 512 * 5 * (192 * (192 + 2 * 64) + 192 * 192 + 3 * 192 * 512)
exps = 5 * 6 * (512 * 513 // 2)
assert prefill["operations"] == {"int8": linear, "bf16": 0, "f32_by_bf16": 2 * 432 * 192, "f32_by_int8": 0, "f32": 4 * 32 * exps}, prefill
assert prefill["exps"] == exps, prefill
assert vision["operations"]["f32_by_bf16"] > 0 and vision["operations"]["f32"] > 0 and vision["exps"] > 0, vision
assert d["memory"]["language_weights"] == "W8A8" and d["memory"]["weight_bytes"] > 0, d["memory"]
assert d["memory"].get("peak_bytes", 1) > 0 and d["memory"]["picture_side"] == 448, d["memory"]
assert d["memory"]["prompt_tokens"] > 256 + 512, d["memory"]' "$work/out" || fail "bench --json"
cases=$((cases + 1))
"$octavo" bench "$work/int8" --only model --seconds 1 -n 4 -q --math bf16 --svg "$work/chart.svg" >"$work/out" 2>"$work/err" ||
  fail "bench --svg: exit status $?"
python3 -c 'import re, sys, xml.dom.minidom
page = open(sys.argv[1]).read()
xml.dom.minidom.parseString(page)
numbers = re.findall(r"<text class=\"(?:int8|bf16|f32)\"[^>]*text-anchor=\"middle\"[^>]*>(\d+)<", page)
assert numbers == ["1", "2", "3"], numbers  # vision tower, prefill, decode
for name in ("vision, 1024 patches", "prefill of 512", "decode at 16", "prefers-color-scheme:dark"):
    assert name in page, name' "$work/chart.svg" || fail "bench --svg"
grep -q "decode at 16" "$work/out" && ! grep -q "down_proj" "$work/out" || fail "bench --only model"
echo "mine" >"$work/mine.svg"
refused "a chart over another file" 1 "mine.svg" bench --svg "$work/mine.svg"
# An answer that the model has no room for: the bundled one has 4096 positions, of which 16 are read before and one follows.
cases=$((cases + 1))
"$octavo" bench "$work/int8" --only model --seconds 1 -n 4080 -q >"$work/out" 2>"$work/err" || fail "bench -n 4080: exit status $?"
grep -q "decode at 16: the model has 4096 positions only" "$work/out" || fail "bench -n 4080: no reason for what is left out"
refused "a group that there is not" 2 "one of linear, attention, picture, model" bench --only all
refused "a model's rows without a model" 2 "--only model needs MODEL" bench --only model
refused "bench of nothing" 1 "nowhere" bench "$work/nowhere"

# What acts on an answer: stops, bias, log-probabilities.
cases=$((cases + 1))
ask=(generate "$model" --prompt "Where is the red circle?" --image "$(ls "$model"/eval/*.png | head -1)" -n 12)
python3 - "$octavo" "${ask[@]}" <<'PY' || fail "stops, bias and log-probabilities"
import json, math, subprocess, sys
def answer(*options):
    return json.loads(subprocess.run(sys.argv[1:] + ["--json", *options], check=True, capture_output=True).stdout)
plain = answer("--log-probs", "3")
assert len(plain["log_probs"]) == len(plain["tokens"])
for id, token in zip(plain["tokens"], plain["log_probs"]):
    assert len(token["best"]) == 3 and token["best"][0] == {"id": id, "log_prob": token["log_prob"]}, token
    assert 0 >= token["log_prob"] >= token["best"][1]["log_prob"] and sum(math.exp(b["log_prob"]) for b in token["best"]) <= 1
assert "log_probs" not in answer()
stop = plain["text"][2:4]
assert answer("--stop", "never said", "--stop", stop)["text"] == plain["text"][:plain["text"].index(stop)]
assert answer("--logit-bias", f"{plain['tokens'][0]}=-inf")["tokens"][0] == plain["log_probs"][0]["best"][1]["id"]
assert len(answer("--ignore-eos")["tokens"]) == 12
PY
refused "log-probabilities in text" 2 "--log-probs needs --json" "${ask[@]}" --log-probs 1
refused "a bias of no number" 2 "--logit-bias is ID=BIAS" "${ask[@]}" --logit-bias 5=much
refused "a bias of no token" 2 "--logit-bias is ID=BIAS" "${ask[@]}" --logit-bias =1
refused "a bias outside the vocabulary" 1 "outside the vocabulary" "${ask[@]}" --logit-bias 999999=1
refused "a temperature of no draw" 2 "--temperature needs --sample" "${ask[@]}" --greedy --temperature 0.7
refused "more than there are" 1 "log_probs asks for" "${ask[@]}" --json --log-probs 999999
finish
