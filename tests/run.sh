#!/usr/bin/env bash
# Builds Octavo and passes its tests, from a fresh clone on Debian 12, Debian 13 or Ubuntu with nothing but git and a shell.
#   tests/run.sh [PRESET]     release (default), ci (release with warnings as errors), debug, asan-ubsan, tsan
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/setup.sh

preset=${1:-release}
octavo_install
octavo_build "$preset"
say "Tests: preset $preset"
results=build/tests-$preset.xml
failed=0
ctest --preset "$preset" -j "$(nproc)" --timeout 900 --output-junit "$PWD/$results" || failed=$?
tests/ran.py "$results" || failed=1
exit "$failed"
