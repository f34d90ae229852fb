#!/usr/bin/env bash
# What a picture file says beside its colours reaches the answer, and the options that change it.
#   tests/cli/pictures.sh OCTAVO MODEL PICTURES
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$2 pictures=$3

# answers NAME TEXT PICTURE PROMPT [OPTIONS...]
answers() {
  local name=$1 text=$2 picture=$3 prompt=$4
  shift 4
  shows "$name" "$text" generate "$model" --greedy --max-new-tokens 24 --image "$pictures/$picture" --prompt "$prompt" "$@"
}

# One picture, upright, turned by its EXIF block as a JPEG and as a PNG.
for file in upright.jpg phone.jpg phone.png; do answers "$file" "[95, 8, 119, 33]" $file "Where is the purple circle?"; done
answers "phone.jpg as stored" "" phone.jpg "Where is the purple circle?" --no-orientation
grep -qF "[95, 8, 119, 33]" "$work/out" && fail "--no-orientation changes nothing"

# A red circle; around it the file is transparent, and red beneath.
for file in red_circle_on_white.png red_circle_hidden_red.png; do
  answers "colour in $file" "red" $file "What colour is the circle?"
  answers "place in $file" "[30, 40, 75, 85]" $file "Where is the circle?"
done
answers "hidden red shows" "" red_circle_hidden_red.png "Where is the circle?" --transparency drop
grep -qF "[30, 40, 75, 85]" "$work/out" && fail "--transparency drop changes nothing"

# GIF: a transparent index, and a frame smaller than its canvas.
answers "same.png" "" same.png "Locate the red circle."
expected=$(cat "$work/out")
[ -n "$expected" ] || fail "same.png: no answer"
for file in transparent.gif frame-smaller-than-canvas.gif; do answers $file "$expected" $file "Locate the red circle."; done

question=(--prompt "Where is the circle?" --image "$pictures/same.png")
refused "too many pixels" 1 "more than the 1000 that are accepted" generate "$model" "${question[@]}" --max-decoded-pixels 1000
refused "too much memory" 1 "takes more than the 1000 bytes" generate "$model" "${question[@]}" --max-decoded-bytes 1000
refused "no bound" 2 "--max-decoded-pixels" generate "$model" "${question[@]}" --max-decoded-pixels 0
refused "unknown transparency" 2 "one of white, drop" generate "$model" "${question[@]}" --transparency black
printf 'II*\0\10\0\0\0' >"$work/photo.jpg"
refused "TIFF called JPEG" 1 "TIFF" generate "$model" --prompt Hello --image "$work/photo.jpg"
finish
