#!/usr/bin/env bash
# The main job on the bundled model, from a fresh clone on Debian 12, Debian 13 or Ubuntu with nothing but git and a shell:
# read a trained vision-language model, check it, quantize it to W8A8 with GPTQ, verify that it still answers like the
# original, and let it answer about a picture in int8.
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/setup.sh

model=examples/models/octavo-tiny-vl
out=build/octavo-tiny-vl-w8a8
report=build/octavo-tiny-vl-report.html
picture=$model/eval/000.png

octavo_install
octavo_build release octavo_cli
octavo=build/release/examples/octavo

say "Check the original: every tensor by its shape, from the headers alone"
$octavo check $model

say "Quantize to W8A8 with GPTQ, block by block"
$octavo quantize $model -o $out --calibration $model/calib/calibration.jsonl --overwrite

say "Verify against the original, on pictures that it never saw"
$octavo verify $model $out --samples $model/eval/eval.jsonl --report $report

say "Answer about $picture in int8 (what is right stands in brackets)"
grep '"image": "000.png"' $model/eval/eval.jsonl | while IFS= read -r sample; do
  question=$(sed 's/.*"prompt": "\([^"]*\)".*/\1/' <<<"$sample")
  right=$(sed 's/.*"answer": "\(.*\)", "task".*/\1/; s/\\"/"/g' <<<"$sample")
  printf '%s  [%s]\n  ' "$question" "$right"
  $octavo generate $out --image $picture --prompt "$question" --max-new-tokens 40 </dev/null
done

say "Done: the quantized model is in $out, the report (one page, no network) in $report"
