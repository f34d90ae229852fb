#!/usr/bin/env bash
# Installs a build into an empty prefix, moves it, then builds and runs projects that only know that prefix.
#   run.sh BUILD_DIR SCRATCH MODEL_DIR PICTURE
set -euo pipefail
build=$1 scratch=$2 model=$3 picture=$4
here=$(cd "$(dirname "$0")" && pwd)
question="What colour is the circle?"
# The generator of the build: the machine need not have another one.
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt")
rm -rf "$scratch"
cmake --install "$build" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/prefix"
# Programs, pages and examples are there, and the list that CMake writes removes every file again.
files=(share/octavo/examples/c/answer.c share/octavo/examples/python/gptq.py)
for program in octavo octavo-server; do
  [ -e "$build/examples/$program" ] || continue  # not built, without cpp-httplib
  files+=("bin/$program" "share/man/man1/$program.1" "share/bash-completion/completions/$program"
    "share/zsh/site-functions/_$program" "share/fish/vendor_completions.d/$program.fish")
  "$scratch/prefix/bin/$program" --version | sed -n 1p
done
for file in "${files[@]}"; do
  [ -s "$scratch/prefix/$file" ] || { echo "$file is not installed"; exit 1; }
done
cmake --install "$build" --prefix "$scratch/removed" >/dev/null
xargs -d '\n' rm <"$build/install_manifest.txt"
if left=$(find "$scratch/removed" -type f,l | grep .); then
  echo "not in the manifest: $left"
  exit 1
fi
echo "uninstalled: nothing is left"
project() { # NAME [OPTION...]: a project of this folder, configured
  local name=$1
  shift
  cmake -G "$generator" -S "$here/$name" -B "$scratch/$name" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Release "$@" >/dev/null
}
for language in c cpp; do
  project $language
  cmake --build "$scratch/$language" >/dev/null
  echo "$language: $("$scratch/$language/outside" "$model" "$picture" "$question")"
done
# A component that is not there is told.
mkdir -p "$scratch/none"
printf 'cmake_minimum_required(VERSION 3.25)\nproject(none LANGUAGES C)\nfind_package(octavo REQUIRED COMPONENTS nothing)\n' >"$scratch/none/CMakeLists.txt"
! cmake -G "$generator" -S "$scratch/none" -B "$scratch/none/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" >"$scratch/none/log" 2>&1
grep -q 'component nothing is not installed' "$scratch/none/log"
# As a folder of the project: its install holds nothing of Octavo.
project embedded
cmake -DCMAKE_INSTALL_PREFIX="$scratch/octavo_only" -P "$scratch/embedded/octavo/cmake_install.cmake" >/dev/null
if installed=$(find "$scratch/octavo_only" -type f 2>/dev/null | grep .); then
  echo "an embedding project would install $installed"
  exit 1
fi
echo "embedded: installs nothing of Octavo"
# And with nothing but a compiler and pkg-config.
pc=$(dirname "$(find "$scratch/prefix" -name octavo.pc)")
# shellcheck disable=SC2046  # the flags are words
cc -std=c99 "$here/../../examples/c/answer.c" -o "$scratch/answer" \
  $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs octavo) -Wl,-rpath,"$(dirname "$pc")"
echo "pkg-config: $("$scratch/answer" "$model" "$picture" "$question")"
rm -rf "$scratch"
