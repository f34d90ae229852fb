#!/usr/bin/env bash
# prints.sh EXPRESSION PROGRAM ARGS...: the program ends with 0 and prints a line that the extended expression matches.
# (CMake's PASS_REGULAR_EXPRESSION would leave the exit status out of account.)
set -uo pipefail
expression=$1
shift
output=$("$@")
status=$?
echo "$output"
[ "$status" -eq 0 ] || { echo "exit status $status"; exit 1; }
grep -qE -- "$expression" <<<"$output" || { echo "no line matches: $expression"; exit 1; }
