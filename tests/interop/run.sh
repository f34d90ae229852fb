#!/usr/bin/env bash
# The checks against the real parties from PyPI: safetensors reads what Octavo writes, transformers with
# compressed-tensors loads the quantized directory and agrees with Octavo's int8 run, and models that six releases of
# transformers save are read as those read them (--full: every release and form).  tests/interop/run.sh [--full] [VENV]
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/setup.sh

matrix=()
if [ "${1:-}" = --full ]; then
  matrix=(--full)
  shift
fi
venv=${1:-build/interop-venv}
build=build/release
model=examples/models/octavo-tiny-vl
out=build/interop

if [ ! -e "$venv/complete" ]; then  # a venv that was cut off is made again
  say "Interoperation: Python packages into $venv"
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install -q torch==2.13.0
  "$venv/bin/pip" install -q -r tests/interop/requirements.txt
  touch "$venv/complete"
fi
say "Interoperation: pictures against Pillow"
"$venv/bin/python" tests/interop/pictures_check.py "$build/capi/liboctavo.so" 1000
say "Interoperation: drawn boxes and labels, read by Pillow"
"$venv/bin/python" tests/interop/draw_check.py "$build/examples/octavo" "$model"
say "Interoperation: tensors shared with PyTorch and NumPy"
"$venv/bin/python" tests/interop/dlpack_check.py "$build/capi/liboctavo.so"
say "Interoperation: tokens and chat templates"
cmake --build "$build" --target encode_lines render_lines
"$venv/bin/python" tests/interop/tokens_check.py "$build/tests/encode_lines" "$model"
"$venv/bin/python" tests/interop/tokenizer_files_check.py "$build/tests/encode_lines" "$model"
"$venv/bin/python" tests/interop/templates_check.py "$build/tests/render_lines" "$model"
say "Interoperation: forms against jsonschema and re"
cmake --build "$build" --target form_lines
"$venv/bin/python" tests/interop/forms_check.py "$build/tests/form_lines"
say "Interoperation: the client of OpenAI asks octavo-server"
cmake --build "$build" --target octavo_server
"$venv/bin/python" tests/interop/openai_check.py "$build/examples/octavo-server" "$model"
say "Interoperation: quantize the bundled model"
"$build/examples/octavo" quantize "$model" -o "$out" --calibration "$model/calib/calibration.jsonl" --overwrite
say "Interoperation: safetensors reads what Octavo wrote"
"$build/examples/octavo" inspect "$out" --json >build/interop-inspect.json
"$venv/bin/python" tests/interop/safetensors_check.py "$out" build/interop-inspect.json
say "Interoperation: transformers gives a mixed model's modules the schemes that Octavo gave them"
for recipe in tests/interop/mixed_recipe.json w8a16; do
  mixed=$out-$(basename "$recipe" .json)
  "$build/examples/octavo" quantize "$model" -o "$mixed" --recipe "$recipe" \
    --calibration "$model/calib/calibration.jsonl" --overwrite
  "$venv/bin/python" tests/interop/schemes_check.py "$mixed"
  "$venv/bin/python" tests/interop/logits_check.py "$build/capi/liboctavo.so" "$model" "$mixed" "$model/eval/eval.jsonl"
done
say "Interoperation: transformers and Octavo on the same weights"
"$venv/bin/python" tests/interop/logits_check.py "$build/capi/liboctavo.so" "$model" "$out" "$model/eval/eval.jsonl"
say "Interoperation: the Python package and transformers answer alike"
OCTAVO_LIBRARY=$build/capi/liboctavo.so PYTHONPATH=capi/python "$venv/bin/python" tests/interop/python_check.py "$model" \
  "$model/eval/eval.jsonl"
python=$(realpath "$venv")/bin/python library=$PWD/$build/capi/liboctavo.so
(cd tests/python && OCTAVO_LIBRARY=$library PYTHONPATH=../../capi/python "$python" \
  -m unittest test_parts test_prompts test_page)
say "Interoperation: what quantize writes runs in transformers in the model's own type"
"$venv/bin/python" tests/interop/accepted.py "$build/examples/octavo" "$build/capi/liboctavo.so" "$model"
if "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
  say "Interoperation: the answers of Python's re that the tests hold patterns against"
  "$venv/bin/python" tests/interop/python_patterns.py | cmp - tests/pattern/python_patterns.json
fi
say "Interoperation: models as releases of transformers save them"
"$venv/bin/python" tests/interop/matrix/matrix.py "$build/examples/octavo" "$build/capi/liboctavo.so" "$model" \
  --work build/interop-matrix "${matrix[@]}"
