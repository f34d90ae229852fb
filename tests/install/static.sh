#!/usr/bin/env bash
# The C library as an archive (BUILD_SHARED_LIBS=OFF): it shows the functions of octavo.h and nothing else, and a C program
# links it through find_package and through pkg-config --static.
#   static.sh BUILD_DIR SCRATCH MODEL_DIR PICTURE      BUILD_DIR was configured with BUILD_SHARED_LIBS=OFF
set -euo pipefail
build=$1 scratch=$2 model=$3 picture=$4
here=$(cd "$(dirname "$0")" && pwd)
question="What colour is the circle?"
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
rm -rf "$scratch"
cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
archive=$(find "$scratch/prefix" -name liboctavo.a)
shown=$(nm --defined-only --extern-only "$archive" | awk 'NF == 3 {print $3}' | sort -u)
declared=$(sed -n 's/^ *\(octavo_[a-z0-9_]*\);$/\1/p' "$here/../../capi/octavo.map" | sort -u)
diff <(echo "$declared") <(echo "$shown")
echo "$(wc -l <<<"$shown") names"
cmake -G "$generator" -S "$here/c" -B "$scratch/c" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$scratch/c" >/dev/null
echo "find_package: $("$scratch/c/outside" "$model" "$picture" "$question")"
pc=$(dirname "$(find "$scratch/prefix" -name octavo.pc)")
# shellcheck disable=SC2046  # the flags are words
cc -std=c99 "$here/../../examples/c/answer.c" -o "$scratch/answer" $(PKG_CONFIG_PATH=$pc pkg-config --static --cflags --libs octavo)
echo "pkg-config: $("$scratch/answer" "$model" "$picture" "$question")"
rm -rf "$scratch"
