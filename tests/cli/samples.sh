#!/usr/bin/env bash
# Samples at the command line: who is blamed, what is left out, folders of pictures, whose pixels boxes are in.
#   tests/cli/samples.sh OCTAVO MODEL
set -uo pipefail
source "$(dirname "$0")/support.sh"
model=$(realpath "$2")
calibration="$model/calib/calibration.jsonl"

"$octavo" quantize "$model" -o "$work/int8" --calibration "$calibration" -n 4 >"$work/out" 2>"$work/err" || fail "quantize"
mkdir "$work/in"
cp "$model/eval/000.png" "$work/in/000.png"
printf 'P6\n222 1\n255\n%666s' '' >"$work/in/long.ppm"
head -c 700 "$work/in/000.png" >"$work/in/cut.png"

# One bad sample behind a good one, by every command that reads samples.
blamed() {  # NAME TEXT LINE
  printf '{"id": "good", "image": "000.png", "prompt": "What?"}\n%s\n' "$3" >"$work/in/s.jsonl"
  refused "quantize: $1" 1 "$2" quantize "$model" -o "$work/q" --calibration "$work/in/s.jsonl"
  [ ! -e "$work/q" ] || fail "quantize: $1: an output was written"
  refused "generate: $1" 1 "$2" generate "$model" --batch "$work/in/s.jsonl"
  cases=$((cases + 1))
  "$octavo" verify "$model" "$work/int8" --samples "$work/in/s.jsonl" >"$work/out" 2>"$work/err" </dev/null
  [ $? -eq 1 ] && grep -qF -- "$2" "$work/err" && grep -qF "$work/in/s.jsonl:2" "$work/err" &&
    ! grep -q "diagnosis" "$work/out" || fail "verify: $1"
}
blamed "picture key misspelt" 'did you mean "image"?' '{"id": "bad", "image_path": "000.png", "prompt": "What?"}'
blamed "picture of 222 to 1" 'sample "bad"' '{"id": "bad", "image": "long.ppm", "prompt": "What?"}'
blamed "picture cut" 'sample "bad"' '{"id": "bad", "image": "cut.png", "prompt": "What?"}'
blamed "picture missing" 'sample "bad"' '{"id": "bad", "image": "gone.png", "prompt": "What?"}'
blamed "base64 cut" 'sample "bad"' '{"id": "bad", "image": "data:image/png;base64,iVBORw0KGgo=", "prompt": "What?"}'
blamed "no picture for a place" 'sample "bad"' '{"id": "bad", "prompt": "<image>What?"}'

# Left out and listed, on standard error and in the JSON.
cases=$((cases + 1))
printf '%s\n' '{"id": "typo", "imgae": "000.png", "prompt": "What?"}' '{"id": "good", "image": "000.png", "prompt": "What?"}' \
  '{"id": "long", "image": "long.ppm", "prompt": "What?"}' >"$work/in/s.jsonl"
"$octavo" quantize "$model" -o "$work/q" --calibration "$work/in/s.jsonl" --skip-bad-samples --json >"$work/out" 2>"$work/err" ||
  fail "quantize --skip-bad-samples"
grep -q "left out: 2 samples" "$work/err" && grep -q '  typo: ' "$work/err" && grep -q '  long: ' "$work/err" ||
  fail "quantize --skip-bad-samples lists nothing"
python3 -c '
import json, sys
for document in (json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))):
    assert document["calibration_samples"] == 1, document["calibration_samples"]
    assert [s["id"] for s in document["skipped_samples"]] == ["typo", "long"], document["skipped_samples"]
' "$work/out" "$work/q/octavo_report.json" || fail "quantize --skip-bad-samples: JSON"
grep -q "2 samples left out" "$work/q/octavo_report.html" || fail "quantize --skip-bad-samples: the page"
cases=$((cases + 1))
"$octavo" verify "$model" "$work/int8" --samples "$work/in/s.jsonl" --skip-bad-samples --profile lenient --json >"$work/out" 2>"$work/err"
python3 -c '
import json, sys
document = json.load(open(sys.argv[1]))
assert [s["id"] for s in document["skipped_samples"]] == ["typo", "long"], document["skipped_samples"]
assert [a["id"] for a in document["answers"]] == ["good"], document["answers"]
' "$work/out" || fail "verify --skip-bad-samples"
cases=$((cases + 1))
"$octavo" generate "$model" --batch "$work/in/s.jsonl" --skip-bad-samples -n 2 --json >"$work/out" 2>"$work/err" ||
  fail "generate --skip-bad-samples"
[ "$(wc -l <"$work/out")" -eq 3 ] && grep -q '"id":"good"' "$work/out" && grep -c '"skipped"' "$work/out" | grep -qx 2 ||
  fail "generate --skip-bad-samples: JSON"
sed -i 1q "$work/in/s.jsonl"
refused "nothing left" 1 "can be used" generate "$model" --batch "$work/in/s.jsonl" --skip-bad-samples

# A folder of pictures.
mkdir -p "$work/photos/b"
cp "$model/eval/000.png" "$work/photos/b/z.png"
cp "$model/eval/001.png" "$work/photos/c.png"
echo notes >"$work/photos/notes.txt"
shows "generate --pictures" '"id":"b/z.png"' generate "$model" --pictures "$work/photos" --prompt "What?" -n 2 --json
[ "$(wc -l <"$work/out")" -eq 2 ] || fail "generate --pictures: $(wc -l <"$work/out") lines"
shows "quantize --pictures" "linears in int8" quantize "$model" -o "$work/q2" --pictures "$work/photos" --prompt "What?" -q
cases=$((cases + 1))
"$octavo" verify "$model" "$work/int8" --pictures "$work/photos" --prompt "What is <image>?" --profile lenient --json \
  >"$work/out" 2>"$work/err" || fail "verify --pictures"
python3 -c '
import json, sys
answers = json.load(open(sys.argv[1]))["answers"]
assert [a["id"] for a in answers] == ["b/z.png", "c.png"], answers
assert answers[1]["image_sizes"] == [{"height": 140, "width": 112, "original_height": 140, "original_width": 112}], answers
' "$work/out" || fail "verify --pictures: JSON"
refused "pictures without a prompt" 2 "--prompt" quantize "$model" -o "$work/q3" --pictures "$work/photos"
refused "prompt without pictures" 2 "--pictures" verify "$model" "$work/int8" --prompt "What?"
refused "pictures and samples" 2 "exclude" verify "$model" "$work/int8" --samples x --pictures y --prompt z
refused "pictures and batch" 2 "exclude" generate "$model" --batch x --pictures y
refused "skip what" 2 "--samples" verify "$model" "$work/int8" --skip-bad-samples
refused "no folder" 1 "is not a folder" generate "$model" --pictures "$work/nowhere" --prompt "What?"

# Whose pixels: c.png three times as large, seen at a third, as it was.
refused "boxes misspelt" 2 "model, original" generate "$model" --prompt "What?" --boxes mine
cases=$((cases + 1))
mkdir "$work/small"
find "$model" -maxdepth 1 -type f -exec cp {} "$work/small/" \;
sed -i 's/"max_pixels": 12845056/"max_pixels": 15680/' "$work/small/preprocessor_config.json"
python3 - "$model/eval/001.png" "$work/large.ppm" <<'EOF' || fail "no larger picture"
import struct, sys, zlib
data = open(sys.argv[1], "rb").read()
at, size, packed = 8, None, b""
while at < len(data):
    length, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + length]
    if kind == b"IHDR": size = struct.unpack(">IIBB", body[:10])
    if kind == b"IDAT": packed += body
    at += 12 + length
width, height, depth, colour = size
assert (width, height, depth, colour) == (112, 140, 8, 2), size
raw, rows, before = zlib.decompress(packed), [], bytes(3 * width)
for y in range(height):
    line = bytearray(raw[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
    method = raw[y * (3 * width + 1)]
    for i in range(len(line)):
        a, b, c = line[i - 3] if i >= 3 else 0, before[i], before[i - 3] if i >= 3 else 0
        p = a + b - c
        paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[method]) % 256
    rows.append(bytes(line))
    before = line
with open(sys.argv[2], "wb") as out:
    out.write(b"P6\n%d %d\n255\n" % (3 * width, 3 * height))
    for row in rows:
        wide = b"".join(row[i:i + 3] * 3 for i in range(0, len(row), 3))
        out.write(wide * 3)
EOF
for boxes in model original; do
  "$octavo" generate "$work/small" --image "$work/large.ppm" --prompt "Where is the red triangle?" --greedy --boxes $boxes --json \
    >"$work/$boxes.json" 2>"$work/err" || fail "generate --boxes $boxes"
done
python3 - "$work/model.json" "$work/original.json" <<'EOF' || fail "generate --boxes"
import json, sys
model, original = (json.load(open(path)) for path in sys.argv[1:])
size = {"width": 112, "height": 140, "original_width": 336, "original_height": 420}
assert model["images"] == original["images"] == [size], (model["images"], original["images"])
assert (model["box_space"], original["box_space"]) == ("model", "original")
assert original["boxes"] == [[3 * x for x in model["boxes"][0]]], (model["boxes"], original["boxes"])
truth = (60, 219, 195, 354)  # of the shape, in the large picture's pixels
box = original["boxes"][0]
shared = max(0, min(box[2], truth[2]) - max(box[0], truth[0])) * max(0, min(box[3], truth[3]) - max(box[1], truth[1]))
area = lambda b: (b[2] - b[0]) * (b[3] - b[1])
assert shared / (area(box) + area(truth) - shared) >= 0.5, box
assert json.loads(original["text"])["bbox_2d"] == box, original["text"]
EOF

# Expected answers with reasoning, or with a label before the box: the same score as the box alone.
cases=$((cases + 1))
for form in '%s' '<think>There are 3 objects, 2 are large, 1 of 3.</think>\n<answer>%s</answer>' '```json\n[{\"label\": \"object 2\", %s]\n```'; do
  for i in 0 1 2 3 4 5; do
    grep "\"00$i-grounding\"" "$model/eval/eval.jsonl" | head -1
  done | python3 -c '
import json, sys
form = sys.argv[1].encode().decode("unicode_escape")
for line in sys.stdin:
    sample = json.loads(line)
    box = sample["answer"]
    sample["answer"] = form % (box[1:] if "label" in form else box)
    print(json.dumps(sample))' "$form" >"$work/in/grounding.jsonl"
  cp "$model"/eval/00[0-5].png "$work/in/"
  "$octavo" verify "$model" "$work/int8" --samples "$work/in/grounding.jsonl" --profile lenient --json 2>"$work/err" |
    python3 -c 'import json, sys; print([a["original_iou"] for a in json.load(sys.stdin)["answers"]])'
done >"$work/out"
[ "$(sort -u "$work/out" | wc -l)" -eq 1 ] && ! grep -q "\[\]\|0.0, 0.0, 0.0" "$work/out" || fail "scores: $(cat "$work/out")"

finish
