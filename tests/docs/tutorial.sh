#!/usr/bin/env bash
# Runs the commands of docs/tutorial.md in a scratch directory, with the bundled model in place of the published one.
# Fails when a command fails, or when a block is marked in a way that this test does not know.
#   tutorial.sh PAGE BUILD_DIR SCRATCH
set -Eeuo pipefail
trap 'echo "tutorial: a command of the last block shown failed" >&2' ERR
page=$(realpath "$1") build=$(realpath "$2") scratch=$3
source_dir=$(cd "$(dirname "$page")/.." && pwd)

rm -rf "$scratch"
mkdir -p "$scratch/home" "$scratch/work"
scratch=$(realpath "$scratch")
cd "$scratch/work"
export HOME=$scratch/home

# What stands in for a block that needs more than there is; nothing for one that is left out.
stand_in() {
  case $1 in
    needs-build) # the clone is this one, and it is built
      local entry
      mkdir -p "$HOME/octavo/build"
      for entry in "$source_dir"/*; do
        [ "$(basename "$entry")" = build ] || ln -s "$entry" "$HOME/octavo/"
      done
      ln -s "$build" "$HOME/octavo/build/release"
      echo "this clone and its build"
      ;;
    needs-network)
      cp -r "$source_dir/examples/models/octavo-tiny-vl" Qwen2.5-VL-3B-Instruct
      echo "the bundled model"
      ;;
    needs-vllm) echo "nothing: vLLM is not there" ;;
    *) return 1 ;;
  esac
}

# Lines that begin a command: not empty, no comment, no continuation of the line before.
commands_in() {
  awk '/^[^#[:space:]]/ && !open { count++ } { open = /\\$/ } END { print count + 0 }' <<<"$1"
}

ran=0 left_out=0
run_block() { # MARK TEXT
  local count
  count=$(commands_in "$2")
  if [ -z "$1" ]; then
    printf '%s\n' "$2" | sed 's/^/$ /'
    eval "$2" </dev/null # in this shell, so that variables last from block to block; `set -e` ends it at a failure
    ran=$((ran + count))
    return
  fi
  local instead
  instead=$(stand_in "$1") || { echo "tutorial: a block is marked \"$1\", which this test does not know" >&2; exit 1; }
  printf 'left out (%s), in its place %s:\n' "$1" "$instead"
  printf '%s\n' "$2" | sed 's/^/  /'
  left_out=$((left_out + count))
}

inside=false mark='' block=''
while IFS= read -r line || [ -n "$line" ]; do
  if ! $inside && [[ $line =~ ^'```sh'($|' ') ]]; then
    inside=true mark=${line#'```sh'} block=''
    mark=${mark# }
  elif $inside && [ "$line" = '```' ]; then
    inside=false
    run_block "$mark" "${block%$'\n'}"
  elif $inside; then
    block+=$line$'\n'
  fi
done <"$page"

if $inside || [ "$ran" -eq 0 ]; then
  echo "tutorial: $page has an open block, or no command" >&2
  exit 1
fi
# What the page promises of its results.
for file in report.html report.json recipe.json Qwen2.5-VL-3B-w8a8/octavo_report.html Qwen2.5-VL-3B-mixed/config.json; do
  [ -s "$file" ] || { echo "tutorial: $file was not written" >&2; exit 1; }
done
rm -rf "$scratch"
echo "tutorial: $ran commands ran, $left_out were left out"
