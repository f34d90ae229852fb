#!/usr/bin/env bash
# The octavo program when the machine lets it down, or somebody ends it: one line, exit status 1, nothing half-written,
# and what was there before is as it was.
#   tests/cli/faults.sh OCTAVO MODEL FAULTS.so
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")
faults=$(realpath "$3")
calibration="$model/calib/calibration.jsonl"
place="$work/place"
mkdir "$place"

# one_line NAME TEXT: standard error, but for progress, is one line of ours that says TEXT.
one_line() {
  grep -Ev '^ *[0-9]+ %' "$work/err" >"$work/lines"
  [ "$(wc -l <"$work/lines")" -eq 1 ] || fail "$1: $(wc -l <"$work/lines") lines on standard error, expected 1"
  grep -q '^octavo: ' "$work/lines" && grep -qF -- "$2" "$work/lines" || fail "$1: the message does not say \"$2\""
}
nothing_beside() {  # NAME: no temporary directory or file is left
  local left
  left=$(find "$place" -name '.*octavo-tmp*')
  [ -z "$left" ] || fail "$1: left behind $left"
}
absent() {
  [ ! -e "$place/out" ] || fail "$1: there is an output"
  nothing_beside "$1"
}
sums() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }
as_before() {
  [ "$(sums "$place/out")" = "$before" ] || fail "$1: the old output changed"
  nothing_beside "$1"
}
complete_or_absent() {
  [ ! -e "$place/out" ] || "$octavo" check "$place/out" >/dev/null 2>"$work/err" || fail "$1: a half-written output"
  nothing_beside "$1"
}
quantize() { "$octavo" quantize "$model" -o "$place/out" --recipe rtn "$@" >"$work/out" 2>"$work/err"; }

# A disk that fails when the output's directory is synced: before it is moved to its place, and after.
for number in 1 2; do
  cases=$((cases + 1))
  LD_PRELOAD=$faults FAULT_DIRECTORY=$place FAULT_NUMBER=$number quantize
  [ $? -eq 1 ] || fail "sync $number: not exit status 1"
  one_line "sync $number" "Input/output error"
  absent "sync $number"
done
quantize || fail "quantize"
before=$(sums "$place/out")
for number in 1 2; do
  cases=$((cases + 1))
  LD_PRELOAD=$faults FAULT_DIRECTORY=$place FAULT_NUMBER=$number quantize --overwrite
  [ $? -eq 1 ] || fail "sync $number over an output: not exit status 1"
  one_line "sync $number over an output" "Input/output error"
  as_before "sync $number over an output"
done

# A limit on the size of files, which raises SIGXFSZ.
cases=$((cases + 1))
(ulimit -f 64 && quantize --overwrite)
[ $? -eq 1 ] || fail "ulimit -f: not exit status 1"
one_line "ulimit -f" "File too large"
as_before "ulimit -f"
cases=$((cases + 1))
(ulimit -f 4 && "$octavo" check "$place/out" --against "$model" --html "$place/page.html" >"$work/out" 2>"$work/err")
[ $? -eq 1 ] || fail "a page under ulimit -f: not exit status 1"
one_line "a page under ulimit -f" "File too large"
[ ! -e "$place/page.html" ] || fail "a page under ulimit -f: half a page"
nothing_beside "a page under ulimit -f"

# A full disk, where a small one may be mounted.
if mkdir "$place/disk" && mount -t tmpfs -o size=200k none "$place/disk" 2>/dev/null; then
  cases=$((cases + 1))
  "$octavo" quantize "$model" -o "$place/disk/out" --recipe rtn >"$work/out" 2>"$work/err"
  [ $? -eq 1 ] || fail "a full disk: not exit status 1"
  one_line "a full disk" "No space left on device"
  [ -z "$(ls -A "$place/disk")" ] || fail "a full disk: left behind $(ls -A "$place/disk")"
  umount "$place/disk"
fi

# A machine that grants no second thread.
cases=$((cases + 1))
LD_PRELOAD=$faults FAULT_THREADS=1 quantize --overwrite
[ $? -eq 1 ] || fail "no second thread: not exit status 1"
one_line "no second thread" "cannot start a thread"
as_before "no second thread"

# Signals, at many moments. The job ends, one line says so, and the output is the old one, or the new one as a whole.
ended_by() {  # SIGNAL DELAY ARGS...
  local signal=$1 delay=$2 name="SIG$1 after $2 s" status
  shift 2
  cases=$((cases + 1))
  # A shell's background jobs ignore SIGINT; this one must not.
  env --default-signal=INT "$octavo" quantize "$model" -o "$place/out" --calibration "$calibration" "$@" \
    >"$work/out" 2>"$work/err" &
  local job=$!
  for _ in $(seq 200); do  # until the job is under way
    [ -z "$(find "$place" -name '.out.octavo-tmp*')" ] || break
    sleep 0.02
  done
  sleep "$delay"
  kill -s "$signal" "$job" 2>/dev/null
  [ "$signal" != INT ] || kill -s "$signal" "$job" 2>/dev/null  # the second does not wait
  wait "$job"
  status=$?
  if [ "$status" -eq 1 ]; then
    [ "$signal" = INT ] || one_line "$name" "octavo: "
  elif [ "$status" -ne 0 ]; then
    fail "$name: exit status $status"
  fi
}
for signal in TERM HUP INT BUS; do
  for delay in 0 0.3 0.8; do
    ended_by "$signal" "$delay" --overwrite
    complete_or_absent "SIG$signal over an output"
    rm -rf "$place/out"
    ended_by "$signal" "$delay"
    complete_or_absent "SIG$signal"
    quantize --overwrite || fail "quantize after SIG$signal"
  done
done
cases=$((cases + 1))
(trap '' HUP && exec "$octavo" quantize "$model" -o "$place/out" --calibration "$calibration" --overwrite \
  >"$work/out" 2>"$work/err") &
job=$!
sleep 0.5
kill -s HUP "$job"
wait "$job" || fail "SIGHUP that nohup has ignored ends the job"
# Killed without a chance to clean up: the next run does.
for delay in 0.3 0.8; do
  cases=$((cases + 1))
  "$octavo" quantize "$model" -o "$place/out" --calibration "$calibration" --overwrite >"$work/out" 2>"$work/err" &
  job=$!
  sleep "$delay"
  kill -s KILL "$job"
  wait "$job" 2>/dev/null
  "$octavo" check "$place/out" >/dev/null 2>"$work/err" || fail "SIGKILL: a half-written output"
  quantize --overwrite || fail "quantize after SIGKILL"
  nothing_beside "quantize after SIGKILL"
done

# Nobody reads on.
cases=$((cases + 1))
"$octavo" generate "$model" --prompt Hello 2>"$work/err" | head -c 0
[ "${PIPESTATUS[0]}" -le 1 ] || fail "a closed pipe: ended by a signal"
cases=$((cases + 1))
"$octavo" quantize "$model" -o "$place/out" --calibration "$calibration" --overwrite 2>&1 >/dev/null | head -c 1 >/dev/null
[ "${PIPESTATUS[0]}" -eq 0 ] || fail "progress that nobody reads ends the job"
"$octavo" check "$place/out" >/dev/null 2>"$work/err" || fail "progress that nobody reads damaged the output"

# A model that shrinks while it is read.
for delay in 0.1 0.2 0.4 0.8; do
  cases=$((cases + 1))
  rm -rf "$work/model" "$place/out"
  mkdir "$work/model"
  find "$model" -maxdepth 1 -type f -exec cp {} "$work/model/" \;
  "$octavo" quantize "$work/model" -o "$place/out" --calibration "$calibration" >"$work/out" 2>"$work/err" &
  job=$!
  sleep "$delay"
  truncate -s 100000 "$work/model/model.safetensors"
  wait "$job"
  status=$?
  if [ "$status" -eq 1 ]; then
    one_line "a shard that shrank after $delay s" "octavo: "
    absent "a shard that shrank after $delay s"
  elif [ "$status" -ne 0 ]; then
    fail "a shard that shrank after $delay s: exit status $status"
  fi
done

# What octavo did not write is not replaced, and nothing that is read.
rm -rf "$place/out"
mkdir -p "$place/run"
cp -r "$model" "$place/run/checkpoint-500"
cp "$model/config.json" "$place/run/"
before=$(sums "$place/run")
refused "the directory of the model" 1 "which is read" quantize "$place/run/checkpoint-500" -o "$place/run" \
  --recipe rtn --overwrite
cd "$place/run/checkpoint-500" || exit 1
refused "the directory of the model as .." 1 "which is read" quantize . -o .. --recipe rtn --overwrite
cd - >/dev/null || exit 1
ln -s run "$place/link"
refused "the directory of the model by a link" 1 "which is read" quantize "$place/run/checkpoint-500" \
  -o "$place/link" --recipe rtn --overwrite
[ "$(sums "$place/run")" = "$before" ] || fail "something in the model's directory changed"
cp -r "$model" "$place/mine"
before=$(sums "$place/mine")
refused "another checkpoint" 1 "nor an output of octavo quantize" quantize "$model" -o "$place/mine" --recipe rtn \
  --overwrite
[ "$(sums "$place/mine")" = "$before" ] || fail "another checkpoint changed"
quantize || fail "quantize"
echo mine >"$place/out/notes.txt"
refused "an output with notes" 1 "notes.txt" quantize "$model" -o "$place/out" --recipe rtn --overwrite
rm "$place/out/notes.txt"
sed "s|\"image\": \"|&$model/calib/|" "$calibration" >"$place/out/samples.jsonl"
refused "an output with the samples" 1 "samples.jsonl" quantize "$model" -o "$place/out" \
  --calibration "$place/out/samples.jsonl" --overwrite
rm "$place/out/samples.jsonl"
before=$(sums "$place/out")
refused "a report over config.json" 1 "config.json" verify "$model" "$place/out" --report "$place/out/config.html"
refused "a page over weights" 1 "model.safetensors" check "$place/out" --against "$model" \
  --html "$place/out/model.safetensors"
cp "$model/eval/eval.jsonl" "$work/eval.jsonl"
refused "a suggestion over the samples" 1 "eval.jsonl" verify "$model" "$place/out" --samples "$model/eval/eval.jsonl" \
  --suggest "$work/eval.jsonl"
cp "$model/eval/000.png" "$work/picture.png"
refused "a trace over a picture" 1 "picture.png" generate "$model" --image "$work/picture.png" --prompt Hello \
  --trace "$work/picture.png"
cmp -s "$model/eval/000.png" "$work/picture.png" || fail "a trace over a picture: it changed"
[ "$(sums "$place/out")" = "$before" ] || fail "a report changed the output"
quantize --overwrite || fail "an output of ours is not replaced"

finish
