#!/usr/bin/env bash
# What generate takes: questions, pictures and conversations from options, files and standard input; boxes drawn.
#   tests/cli/inputs.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")
picture=$model/eval/000.png  # 140 x 140, which the model sees as it is
question="Where is the purple circle?"
ask=(generate "$model" --greedy -n 24)

# given NAME ARGS...: like the reference answer, with standard input from the caller.
given() {
  local name=$1
  shift
  cases=$((cases + 1))
  timeout 120 "$octavo" "${ask[@]}" "$@" >"$work/out" 2>"$work/err" || fail "$name: exit status $?"
  [ ! -s "$work/err" ] || fail "$name: something on standard error"
  cmp -s "$work/out" "$work/reference" || fail "$name: $(cat "$work/out"), expected $(cat "$work/reference")"
}

shows "the reference" "" "${ask[@]}" --image "$picture" --prompt "$question"
cp "$work/out" "$work/reference"
[ "$(wc -c <"$work/reference")" -gt 4 ] || fail "no reference answer"

# One question in every form, from files and from standard input.
given "a picture from standard input" --image - --prompt "$question" <"$picture"
given "a prompt from standard input" --image "$picture" --prompt - <<<"$question"
printf '\xef\xbb\xbf%s\r\n' "$question" | given "a prompt with a byte order mark and CRLF" --image "$picture" -p -
data="data:image/png;base64,$(base64 -w0 "$picture")"
cat >"$work/openai.json" <<END
[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "$data"}}, {"type": "text", "text": "$question"}]}]
END
cp "$picture" "$work/picture.png"
cat >"$work/hf.json" <<END
{"messages": [{"role": "user",
               "content": [{"type": "image", "path": "picture.png"}, {"type": "text", "text": "$question"}]}]}
END
given "OpenAI's messages" --messages "$work/openai.json"
given "transformers' messages" --messages "$work/hf.json"
given "messages from standard input" --messages - <"$work/openai.json"

# A system prompt reaches the model: as an option and as a turn it is the same, and another prompt than without.
cat >"$work/system.json" <<END
[{"role": "system", "content": "Answer in French."},
 {"role": "user", "content": [{"type": "image", "image": "picture.png"}, {"type": "text", "text": "$question"}]}]
END
tokens() {
  timeout 120 "$octavo" generate "$model" --greedy -n 1 --json "$@" 2>"$work/err" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["prompt_tokens"])'
}
cases=$((cases + 1))
without=$(tokens --image "$picture" --prompt "$question")
option=$(tokens --image "$picture" --prompt "$question" --system "Answer in French.")
turn=$(tokens --messages "$work/system.json")
[ -n "$without" ] && [ "$option" = "$turn" ] && [ "$option" != "$without" ] || fail "--system: $without, $option, $turn tokens"
cases=$((cases + 1))
mkdir "$work/folder"
cp "$picture" "$work/folder"
folder=$("$octavo" generate "$model" --greedy -n 1 --json --pictures "$work/folder" --prompt "$question" \
  --system "Answer in French." | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["prompt_tokens"])')
[ "$folder" = "$option" ] || fail "--system with --pictures: $folder tokens, expected $option"

# Several turns: what was said before is read, too.
cases=$((cases + 1))
cat >"$work/turns.json" <<END
[{"role": "user", "content": [{"type": "image", "image": "picture.png"}, {"type": "text", "text": "$question"}]},
 {"role": "assistant", "content": "There."},
 {"role": "user", "content": "What colour is the circle?"}]
END
[ "$(tokens --messages "$work/turns.json")" -gt "$without" ] || fail "turns are lost"

# What cannot be meant.
refused "standard input twice" 2 "both ask for standard input" generate "$model" --image - --prompt -
refused "two pictures from standard input" 2 "both ask for standard input" generate "$model" --image - --image - -p What
refused "messages and a prompt" 2 "--messages brings its own" generate "$model" --messages "$work/hf.json" -p What
refused "messages and a picture" 2 "--messages brings its own" generate "$model" --messages "$work/hf.json" -i "$picture"
refused "messages and a batch" 2 "--messages is one conversation" generate "$model" --messages "$work/hf.json" -b x.jsonl
refused "two system prompts" 2 "a system turn of its own" generate "$model" --messages "$work/system.json" --system Hello
refused "a system prompt for a batch" 2 "--batch brings its own" generate "$model" --batch x.jsonl --system Hello
refused "an empty system prompt" 2 "--system is empty" generate "$model" -p What --system " "
refused "an empty standard input" 2 "standard input, which is empty" generate "$model" -p -
refused "no picture on standard input" 1 "standard input: the file is empty" generate "$model" -p What --image -
refused "no messages on standard input" 1 "standard input" generate "$model" --messages -
echo '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]' >"$work/answered.json"
refused "an answered conversation" 1 "end it with a user turn" generate "$model" --messages "$work/answered.json"
echo '[{"role": "user", "content": [{"type": "image", "image": "lost.png"}]}]' >"$work/lost.json"
refused "a lost picture" 1 "lost.png does not exist" generate "$model" --messages "$work/lost.json"
refused "no messages there" 1 "nowhere.json" generate "$model" --messages "$work/nowhere.json"

# Boxes, drawn: of the picture's own size, the box where the answer says, nothing else touched.
draw() {
  timeout 120 "$octavo" "${ask[@]}" --image "$picture" --prompt "$question" --draw "$1" "${@:2}" >"$work/out" 2>"$work/err" ||
    fail "--draw $1: exit status $?"
}
cases=$((cases + 1))
draw "$work/drawn.png"
cmp -s "$work/out" "$work/reference" || fail "--draw changes the answer"
grep -q "drawn.png: 1 of 1 box drawn" "$work/err" || fail "--draw says nothing"
python3 - "$picture" "$work/drawn.png" "$work/reference" <<'END' || fail "--draw: the box is not where the answer says"
import re, struct, sys, zlib

def pixels(path):  # 8-bit PNG without interlacing, as RGB
    data, place, packed = open(path, "rb").read(), 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        body = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and interlace == 0 and colour in (2, 6), (depth, colour)
        packed += body if kind == b"IDAT" else b""
        place += length + 12
    step = {2: 3, 6: 4}[colour]
    raw, rows, above = zlib.decompress(packed), [], bytes(width * step)
    for y in range(height):
        kind, line = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for i in range(len(line)):
            left = line[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            if kind == 4:
                guess = left + above[i] - corner
                best = min((abs(guess - left), 0, left), (abs(guess - above[i]), 1, above[i]), (abs(guess - corner), 2, corner))
                line[i] = (line[i] + best[2]) & 255
            else:
                line[i] = (line[i] + (0, left, above[i], (left + above[i]) // 2)[kind]) & 255
        rows.append([tuple(line[x * step:x * step + 3]) for x in range(width)])
        above = line
    return width, height, rows

width, height, before = pixels(sys.argv[1])
w, h, after = pixels(sys.argv[2])
assert (w, h) == (width, height), (w, h)
x1, y1, x2, y2 = map(int, re.search(r"\[(\d+), (\d+), (\d+), (\d+)\]", open(sys.argv[3]).read()).groups())
for y in range(height):
    for x in range(width):
        at_edge = min(abs(x - x1), abs(x - x2)) <= 3 and y1 - 3 <= y <= y2 + 3 or \
                  min(abs(y - y1), abs(y - y2)) <= 3 and x1 - 3 <= x <= x2 + 3
        assert at_edge or before[y][x] == after[y][x], (x, y)
for x, y in ((x1, (y1 + y2) // 2), (x2 - 1, (y1 + y2) // 2), ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2 - 1)):
    assert sum(after[y][x]) > 400, (x, y, after[y][x])
END
cases=$((cases + 1))
draw "$work/drawn.png" --boxes original
draw "$work/drawn.JPG" --json
[ "$(head -c 3 "$work/drawn.JPG" | od -An -tx1 | tr -d ' ')" = ffd8ff ] || fail "--draw .JPG is no JPEG"
cp "$picture" "$work/mine.png"
refused "over a picture of one's own" 1 "is not one that octavo wrote" "${ask[@]}" -i "$picture" -p "$question" --draw "$work/mine.png"
cmp -s "$picture" "$work/mine.png" || fail "--draw damaged a picture"
refused "another format" 2 "ends in .png, .jpg or .jpeg" "${ask[@]}" -i "$picture" -p "$question" --draw "$work/x.webp"
refused "no such folder" 1 "none" "${ask[@]}" -i "$picture" -p "$question" --draw "$work/none/x.png"
refused "two pictures" 2 "one --image" "${ask[@]}" -i "$picture" -i "$picture" -p "$question" --draw "$work/x.png"
refused "no picture" 2 "one --image" "${ask[@]}" -p "$question" --draw "$work/x.png"
refused "a batch" 2 "--draw draws one answer" generate "$model" --batch x.jsonl --draw "$work/x.png"
refused "no box" 1 "has no box to draw" "${ask[@]}" -i "$picture" -p "What colour is the small triangle?" --draw "$work/x.png"
[ ! -e "$work/x.png" ] || fail "--draw wrote a picture without a box"
finish
