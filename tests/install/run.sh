#!/usr/bin/env bash
# Installs a build into an empty prefix, then builds and runs projects that only know that prefix.
#   run.sh BUILD_DIR SCRATCH MODEL_DIR PICTURE
set -euo pipefail
build=$1 scratch=$2 model=$3 picture=$4
here=$(cd "$(dirname "$0")" && pwd)
# The generator of the build: the machine need not have another one.
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
rm -rf "$scratch"
cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
for language in c cpp; do
  cmake -G "$generator" -S "$here/$language" -B "$scratch/$language" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
  cmake --build "$scratch/$language" >/dev/null
  echo "$language: $("$scratch/$language/outside" "$model" "$picture" "What colour is the circle?")"
done
# And with nothing but a compiler and pkg-config.
pc=$(dirname "$(find "$scratch/prefix" -name octavo.pc)")
# shellcheck disable=SC2046  # the flags are words
cc -std=c99 "$here/../../examples/c/answer.c" -o "$scratch/answer" \
  $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs octavo) -Wl,-rpath,"$(dirname "$pc")"
echo "pkg-config: $("$scratch/answer" "$model" "$picture" "What colour is the circle?")"
rm -rf "$scratch"
