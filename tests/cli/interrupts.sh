#!/usr/bin/env bash
# Ctrl-C ends what measures or answers soon, with one line and exit status 1, and leaves nothing half-written.
#   tests/cli/interrupts.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")
patience=30  # seconds, for machines that do other things, too
mkdir "$work/place"

# started NAME AFTER ARGS...: a job whose standard output or error holds AFTER, and so has come to it.
#   job
started() {
  local name=$1 after=$2
  shift 2
  cases=$((cases + 1))
  # The shell's child empties the files only when it comes to that, and what the run before wrote may hold AFTER: the
  # signal would find the child before the program is there.
  : >"$work/out"
  : >"$work/err"
  # A shell's background jobs ignore SIGINT; this one must not.
  env --default-signal=INT "$octavo" "$@" >"$work/out" 2>"$work/err" </dev/null &
  job=$!
  until grep -qF -- "$after" "$work/out" "$work/err" || ! kill -0 "$job" 2>/dev/null; do sleep 0.02; done
  grep -qF -- "$after" "$work/out" "$work/err" || fail "$name: never says \"$after\""
}

# interrupted NAME AFTER TEXT ARGS...: SIGINT as soon as standard error or output holds AFTER; it says TEXT in one line.
interrupted() {
  local name=$1 after=$2 text=$3 status
  shift 3
  started "$name" "$after" "$@"
  kill -s INT "$job" || fail "$name: has ended on its own"
  SECONDS=0
  while kill -0 "$job" 2>/dev/null && [ "$SECONDS" -lt "$patience" ]; do sleep 0.02; done
  ! kill -s KILL "$job" 2>/dev/null || fail "$name: goes on $patience s after SIGINT"
  wait "$job"
  status=$?
  [ "$status" -eq 1 ] || fail "$name: exit status $status, expected 1"
  grep -v '^measuring ' "$work/err" >"$work/lines"
  [ "$(wc -l <"$work/lines")" -eq 1 ] && grep -qF -- "octavo: $text" "$work/lines" ||
    fail "$name: the message is not \"octavo: $text\" alone"
  nothing_more "$name"
}
kept=
nothing_more() { [ "$(ls -A "$work/place")" = "$kept" ] || fail "$1: left $(ls -A "$work/place")"; }

# The limits of more threads than there are processors, and everything else for ten minutes: no end by itself.
bench=(bench "$model" --json --svg "$work/place/chart.svg" --seconds 600)
for part in memory "the machine" linears attention pictures "the model"; do
  only=()
  case $part in
    linears) only=(--only linear) ;;
    attention) only=(--only attention) ;;
    pictures) only=(--only picture) ;;
    "the model") only=(--only model) ;;
    "the machine") only=(-j 128) ;;
  esac
  interrupted "bench, $part" "measuring $part" "bench: cancelled; nothing was written" "${bench[@]}" "${only[@]}"
  [ ! -s "$work/out" ] || fail "bench, $part: part of a document"
done

# A trace is there as a whole, or the old one is.
generate=(generate "$model" --image "$model/eval/000.png" --prompt "Where is the purple circle?" --ignore-eos -n 3000)
traced=("${generate[@]}" --no-cache --trace "$work/place/run.jsonl")
interrupted "a trace" bbox "interrupted after" "${traced[@]}"
cases=$((cases + 1))
"$octavo" generate "$model" --prompt Hello -n 2 --trace "$work/place/run.jsonl" >"$work/out" 2>"$work/err" || fail "a trace"
"$octavo" trace "$work/place/run.jsonl" >"$work/out" 2>"$work/err" || fail "a trace cannot be read"
cp "$work/place/run.jsonl" "$work/old"
kept=run.jsonl
interrupted "a trace over another" bbox "interrupted after" "${traced[@]}"
cmp -s "$work/old" "$work/place/run.jsonl" || fail "a trace over another: the old one changed"
# The second Ctrl-C does not wait, and removes what there is of it, too.
started "a trace, two signals" bbox "${traced[@]}"
kill -s INT "$job" && kill -s INT "$job" 2>/dev/null
wait "$job"
[ $? -eq 1 ] || fail "a trace, two signals: not exit status 1"
nothing_more "a trace, two signals"
cmp -s "$work/old" "$work/place/run.jsonl" || fail "a trace, two signals: the old one changed"
finish
