#!/usr/bin/env bash
# Completions and the man page: that shells and formatters read them, and what is completed.
#   tests/cli/pages.sh OCTAVO [OCTAVO_SERVER]
# zsh, fish, mandoc and groff are used where they are; what could not run is said.
set -uo pipefail
source "$(dirname "$0")/support.sh"
server=${2:-}
programs=(octavo)
[ -z "$server" ] || programs+=(octavo-server)
skip() { echo "not run: $1 is not installed"; }
for shell in bash zsh fish; do shows "completion $shell" "quantize" completion "$shell" && cp "$work/out" "$work/octavo.$shell"; done
shows "man" ".TH OCTAVO 1" man && cp "$work/out" "$work/octavo.1"
for shell in bash zsh fish; do
  [ -n "$server" ] || break
  cases=$((cases + 1))
  "$server" --completion "$shell" >"$work/octavo-server.$shell" 2>"$work/err" || fail "octavo-server --completion $shell"
done

# bash: completes NAME EXPECTED WORDS...: the last of WORDS is the one under the cursor.
for program in "${programs[@]}"; do
  source "$work/$program.bash" || fail "bash: the script of $program does not load"
done
completes() {
  local name=$1 expected=$2 got
  shift 2
  cases=$((cases + 1))
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  "_${1//-/_}"
  got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
  [ "$got" = "$expected " ] || fail "bash: $name: \"$got\" instead of \"$expected \""
}
: >"$work/err"
mkdir -p "$work/here/model" "$work/here/my models"
touch "$work/here/samples.jsonl" "$work/here/my file"
cd "$work/here" || exit 1
completes "commands" "chat check completion" octavo c
completes "program options" "--help --json --version" octavo --
completes "options" "--max-accuracy-drop --max-decoded-bytes --max-decoded-pixels --max-kl --max-new-tokens --max-samples" octavo verify --max
completes "one option" "--calibration" octavo quantize MODEL --cal
completes "short options" "-c" octavo quantize -c
completes "directories" "model my models" octavo check m
completes "files" "model my file my models" octavo generate --image m
completes "files behind =" "samples.jsonl" octavo verify --samples = s
completes "nothing typed behind =" "model my file my models samples.jsonl" octavo verify --samples =
completes "choices and files" "default" octavo quantize -r de
completes "choices" "lenient" octavo verify --profile l
completes "shells" "bash" octavo completion b
completes "commands of help" "quantize" octavo help q
completes "free text" "" octavo generate --prompt m
completes "numbers" "" octavo check --threads m
completes "behind the mark" "model my models" octavo check -- m
completes "no options behind the mark" "" octavo check -- --js
if [ -n "$server" ]; then
  completes "options of the server" "--max-picture-mib --max-picture-pixels --max-pictures" octavo-server --max-p
  completes "a short option of the server" "-h" octavo-server model -h
  completes "a model to serve" "model my models" octavo-server m
  completes "a directory to allow" "model my models" octavo-server model --allow-files m
  completes "a choice of the server" "bf16" octavo-server model --cache-dtype b
  completes "a choice of the server behind =" "bf16 f32" octavo-server model --math =
  completes "a port" "" octavo-server --port m
  completes "shells of the server" "zsh" octavo-server --completion z
fi
cd - >/dev/null || exit 1

# Every option and command is in every script and on the page.
"$octavo" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 11 ] || fail "the overview lists $(wc -l <"$work/commands") commands"
while read -r command; do
  "$octavo" "$command" --help | grep -oE '^ +(-[a-zA-Z], )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' >"$work/options"
  [ -s "$work/options" ] || fail "$command: no options in its help"
  while read -r option; do
    cases=$((cases + 1))
    grep -qF -- "$option" "$work/octavo.bash" && grep -qF -- "$option" "$work/octavo.zsh" || fail "bash or zsh lacks $command $option"
    grep -qE -- "seen_subcommand_from $command'.* -l ${option#--}( |$)" "$work/octavo.fish" || fail "fish lacks $command $option"
    grep -qF -- "${option//-/\\-}" "$work/octavo.1" || fail "the page lacks $command $option"
  done <"$work/options"
done <"$work/commands"

# The server's scripts and page have every option of its help, and mandoc and groff read the page below.
pages=("$work/octavo.1")
if [ -n "$server" ]; then
  cases=$((cases + 1))
  "$server" --man >"$work/octavo-server.1" 2>"$work/err" || fail "octavo-server --man: exit status $?"
  pages+=("$work/octavo-server.1")
  "$server" --help | grep -oE '^ +(-[a-zA-Z],)?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' >"$work/options"
  [ "$(wc -l <"$work/options")" -gt 20 ] || fail "octavo-server: too few options in its help"
  "$server" --help | grep -E 'ENUM|INT|\{' && fail "octavo-server: its help speaks of C++ types"
  while read -r option; do
    cases=$((cases + 1))
    grep -qF -- "\\fB${option//-/\\-}\\fR" "$work/octavo-server.1" || fail "the server's page lacks $option"
    grep -qE -- "[' ]$option[' ]" "$work/octavo-server.bash" && grep -qE -- "['{,]${option}[[',}]" "$work/octavo-server.zsh" &&
      grep -qE -- " -l ${option#--} " "$work/octavo-server.fish" || fail "a completion of the server lacks $option"
  done <"$work/options"
fi

if command -v zsh >/dev/null; then
  cases=$((cases + 1))
  mkdir "$work/functions"
  for program in "${programs[@]}"; do
    zsh -n "$work/$program.zsh" 2>"$work/err" || fail "zsh: syntax of $program"
    cp "$work/$program.zsh" "$work/functions/_$program"
  done
  # A terminal of its own in which zsh completes; _path_files would show the choices page by page.
  cat >"$work/drive.zsh" <<'DRIVE'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='> '; fpath=($1 \$fpath); autoload -U compinit; compinit -u -d $1/dump; cd $2; print READY\$((1+1))"
zpty -r shell seen '*READY2*'
zpty -w -n shell "$3"$'\t'
sleep 1
zpty -w -n shell $' END\n'
zpty -r shell seen '*END*'
print -r -- "$seen"
zpty -d shell
DRIVE
  lines=("octavo quan=quantize" "octavo check --tens=--tensor-parallel" "octavo verify --profile len=lenient"
    "octavo check mod=model" "octavo quantize -r w8=w8a16" "octavo verify -s sam=samples.jsonl" "octavo completion fi=fish")
  [ -z "$server" ] || lines+=("octavo-server mod=model" "octavo-server --drain=--drain-timeout"
    "octavo-server --lm-head st=stored" "octavo-server --allow-files mod=model")
  for line in "${lines[@]}"; do
    cases=$((cases + 1))
    timeout 30 zsh -f "$work/drive.zsh" "$work/functions" "$work/here" "${line%=*}" >"$work/seen" 2>"$work/err"
    grep -qF -- "${line##*=}" "$work/seen" || { fail "zsh: ${line%=*} does not become ${line##*=}"; cat -v "$work/seen"; }
  done
else
  skip zsh
fi
if command -v fish >/dev/null; then
  cases=$((cases + 1))
  export HOME=$work
  for program in "${programs[@]}"; do
    fish -n "$work/$program.fish" 2>"$work/err" || fail "fish: syntax of $program"
  done
  lines=("octavo quan=quantize" "octavo check --tens=--tensor-parallel" "octavo verify --profile len=lenient"
    "octavo check mod=model/" "octavo quantize -r w8=w8a16" "octavo verify -s sam=samples.jsonl"
    "octavo completion fi=fish" "octavo quantize -=-o")
  [ -z "$server" ] || lines+=("octavo-server mod=model/" "octavo-server --drain=--drain-timeout"
    "octavo-server --lm-head st=stored" "octavo-server --allow-files mod=model/")
  for line in "${lines[@]}"; do
    cases=$((cases + 1))
    (cd "$work/here" && fish -c "for script in $work/*.fish; source \$script; end; complete -C '${line%=*}'") >"$work/seen" 2>"$work/err"
    cut -f1 "$work/seen" | grep -qxF -- "${line##*=}" || fail "fish: ${line%=*} does not offer ${line##*=}"
  done
else
  skip fish
fi
for page in "${pages[@]}"; do
  if command -v mandoc >/dev/null; then
    cases=$((cases + 1))
    mandoc -Tlint "$page" >"$work/err" 2>&1 || fail "mandoc has something to say"
    [ ! -s "$work/err" ] || fail "mandoc has something to say"
  else
    skip mandoc
  fi
  if command -v groff >/dev/null; then
    cases=$((cases + 1))
    groff -man -Tascii -ww "$page" >"$work/page" 2>"$work/err"
    [ ! -s "$work/err" ] || fail "groff has something to say"
    grep -q 'EXIT' "$work/page" || grep -q 'E.*X.*I.*T' "$work/page" || fail "groff: no exit status on the page"
  else
    skip groff
  fi
done
finish
