#!/usr/bin/env bash
# The Python package as its users get it: types checked, a wheel built, repaired by auditwheel, installed into a fresh
# environment, and tested from there with nothing of the tree.  tests/python/wheel.sh [SCRATCH]
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=${1:-build/python}
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
tools=$scratch/tools fresh=$scratch/fresh

[ -x "$tools/bin/python" ] || python3 -m venv "$tools"
"$tools/bin/pip" install -q -r tests/python/requirements.txt
"$tools/bin/mypy" --strict --cache-dir "$scratch/mypy" capi/python/octavo tests/python/typed.py

rm -rf "$scratch/wheel" "$scratch/repaired" "$fresh"
# Compilers and flags by the names that the preset ci has, in a directory as deep, so that ccache has the objects.
CC=cc CXX=c++ "$tools/bin/pip" wheel -q --no-deps -w "$scratch/wheel" -C cmake.define.OCTAVO_WARNINGS_AS_ERRORS=ON \
  -C build-dir="$PWD/build/wheel" capi/python
PATH=$tools/bin:$PATH "$tools/bin/auditwheel" repair -w "$scratch/repaired" "$scratch"/wheel/octavo-*-py3-none-linux_*.whl
wheel=$(echo "$scratch"/repaired/octavo-*-py3-none-manylinux_*.whl)
held=$(python3 -m zipfile -l "$wheel")  # whole: a reader that has seen enough would break its pipe
grep -q 'octavo.libs/libdnnl' <<<"$held"
grep -q 'licenses/LICENSE' <<<"$held"

python3 -m venv "$fresh"
"$fresh/bin/pip" install -q "$wheel" numpy pillow tqdm
(
  cd "$scratch"
  unset OCTAVO_LIBRARY PYTHONPATH
  "$fresh/bin/python" -c "
import octavo, pathlib, sys
assert pathlib.Path(sys.prefix) in pathlib.Path(octavo.__file__).parents, octavo.__file__
maps = open('/proc/self/maps').read()
assert 'octavo.libs/libdnnl' in maps and '/usr/lib/x86_64-linux-gnu/libdnnl' not in maps
"
)
(cd tests/python && PYTHONDONTWRITEBYTECODE=1 "$fresh/bin/python" -m unittest)
echo "$wheel works"
