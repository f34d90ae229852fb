# Sourced by the tests of the octavo program: work directory, counting, comparing.
#   octavo, work, cases, failures
octavo=$(realpath "$1")
work=$(mktemp -d)
# Not in a child of the shell, which runs the trap when a signal finds it before its program is there.
trap '[ "$BASHPID" -ne "$$" ] || rm -rf "$work"' EXIT
failures=0
cases=0

fail() {
  echo "FAILED: $1"
  [ ! -s "$work/err" ] || sed 's/^/    stderr: /' "$work/err"
  failures=$((failures + 1))
}

# refused NAME STATUS TEXT ARGS...: exits with STATUS, says TEXT, in one line that names the program.
refused() {
  local name=$1 status=$2 text=$3 got
  shift 3
  cases=$((cases + 1))
  timeout 60 "$octavo" "$@" >"$work/out" 2>"$work/err" </dev/null
  got=$?
  grep -Ev '^ *[0-9]+ %' "$work/err" >"$work/lines"  # progress is not the message
  [ "$got" -eq "$status" ] || fail "$name: exit status $got, expected $status"
  [ "$(wc -l <"$work/lines")" -eq 1 ] || fail "$name: $(wc -l <"$work/lines") lines on standard error, expected 1"
  grep -qF -- "$text" "$work/lines" || fail "$name: the message does not say \"$text\""
}

# shows NAME TEXT ARGS...: succeeds, nothing on standard error, and TEXT on standard output.
shows() {
  local name=$1 text=$2
  shift 2
  cases=$((cases + 1))
  "$octavo" "$@" >"$work/out" 2>"$work/err" </dev/null || fail "$name: exit status $?"
  [ ! -s "$work/err" ] || fail "$name: something on standard error"
  grep -qF -- "$text" "$work/out" || fail "$name: the output does not say \"$text\""
}

finish() {
  echo "$cases cases, $failures failures"
  [ "$failures" -eq 0 ]
}
