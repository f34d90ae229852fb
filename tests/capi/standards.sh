#!/usr/bin/env bash
# octavo.h compiles without a warning in every standard of C and C++ that a program may use, by each compiler that is here,
# with its _INIT macros expanded.
#   standards.sh CAPI_DIR
set -euo pipefail
capi=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
{
  echo '#include <octavo.h>'
  echo 'const char* version_of_library(void);'
  echo 'const char* version_of_library(void) {'
  sed -n 's/^#define OCTAVO_\([A-Z_0-9]*\)_INIT.*/\1/p' "$capi/octavo.h" | tr A-Z a-z |
    while read -r name; do echo "  octavo_$name $name = OCTAVO_${name^^}_INIT;"; echo "  $name.struct_size = sizeof $name;"; done
  echo '  return octavo_version();'
  echo '}'
} >"$scratch/program.c"
cp "$scratch/program.c" "$scratch/program.cpp"
grep -q octavo_generate_options "$scratch/program.c" # the macros were found
count=0
try() { # COMPILER STANDARD FILE FLAG...
  local compiler=$1 standard=$2 file=$3
  shift 3
  command -v "$compiler" >/dev/null || return 0
  "$compiler" -std="$standard" -pedantic-errors -Wall -Wextra -Wshadow -Wconversion -Werror "$@" -I"$capi" -fsyntax-only "$scratch/$file"
  count=$((count + 1))
}
for compiler in gcc clang; do
  for standard in c99 c11 c17 c2x; do try $compiler $standard program.c -Wstrict-prototypes; done
done
for compiler in g++ clang++; do
  for standard in c++11 c++14 c++17 c++20 c++2b; do try $compiler $standard program.cpp; done
done
[ "$count" -ge 9 ]
echo "$count compilations"
