#!/usr/bin/env bash
# Neither the library nor a program asks for an OpenMP runtime: threads are Octavo's own. (libdnnl may bring one.)
#   no_openmp.sh READELF FILE...
set -euo pipefail
readelf=$1
shift
for file in "$@"; do
  needed=$("$readelf" -d "$file" | grep NEEDED)
  grep -q 'libc\.so' <<<"$needed" || { echo "no_openmp: $file: readelf says nothing of libc"; exit 1; }
  if grep -E 'lib(gomp|omp|iomp5)\b' <<<"$needed"; then
    echo "no_openmp: $file is linked against an OpenMP runtime"
    exit 1
  fi
done
echo "$# files"
