#!/usr/bin/env python3
"""generate --draw, read by Pillow: boxes where the answer says, labels that can be read, on every ground and size.

    tests/interop/draw_check.py OCTAVO MODEL

The labels are of letters that are drawn here by hand; a page is read by looking for them dot by dot.
"""
import json
import os
import subprocess
import sys
import tempfile

from PIL import Image

octavo, model = (os.path.abspath(path) for path in sys.argv[1:3])
LETTERS = {  # five by seven
    "T": "#####" + "..#.." * 6,
    "I": ".###." + "..#.." * 5 + ".###.",
    "L": "#...." * 6 + "#####",
    "E": "#####" + "#...." * 2 + "####." + "#...." * 2 + "#####",
    "1": "..#.." + ".##.." + "..#.." * 4 + ".###.",
    " ": "." * 35,
}
BLACK = (0, 0, 0)


def seen(picture):
    """Width and height that the model sees: what boxes in its answers are in."""
    run = subprocess.run([octavo, "generate", model, "--image", picture, "--prompt", "Where?", "-n", "1", "--json"],
                         capture_output=True, text=True, check=True)
    (size,) = json.loads(run.stdout)["images"]
    return size["width"], size["height"]


def ask(picture, answer, out):
    """The answer is forced to be `answer`; what was drawn, as Pillow reads it, and what was said."""
    run = subprocess.run([octavo, "generate", model, "--image", picture, "--prompt", "Where?", "-n", "400",
                          "--json-schema", json.dumps({"const": answer}), "--draw", out], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == answer, run.stdout
    return Image.open(out).convert("RGB"), run.stderr


def reads(image, pixels, text, dot, x, y):
    """Whether `text` stands with its first dot at x, y: every dot black or of the one colour beneath."""
    ground = pixels[x - dot, y - dot]
    if ground == BLACK or x + len(text) * 6 * dot > image.width or y + 7 * dot > image.height:
        return False
    for i, letter in enumerate(text):
        for k, ink in enumerate(LETTERS[letter]):
            for part in range(dot):
                at = (x + (i * 6 + k % 5) * dot + part, y + k // 5 * dot + part)
                if pixels[at] != (BLACK if ink == "#" else ground):
                    return False
    return True


def places(image, text, dot):
    pixels = image.load()
    return [(x, y) for y in range(dot, image.height) for x in range(dot, image.width)
            if reads(image, pixels, text, dot, x, y)]


with tempfile.TemporaryDirectory() as work:
    count = 0
    for width, height in ((140, 140), (90, 700), (640, 480), (1900, 1300)):
        dot = min(max(min(width, height) // 160, 1), 12)
        for name, ground in (("black", BLACK), ("white", (255, 255, 255)), ("grey", (128, 128, 128)), ("noise", None)):
            picture = os.path.join(work, "in.png")
            before = Image.new("RGB", (width, height), ground) if ground else \
                Image.frombytes("RGB", (width, height), os.urandom(3 * width * height))
            before.save(picture)
            scale = [side / part for side, part in zip((width, height), seen(picture))] * 2
            said = [round(side / factor) for side, factor in
                    zip((width // 4, height // 2, width // 4 * 3, height // 4 * 3), scale)]
            box = [int(side * factor + 0.5) for side, factor in zip(said, scale)]
            after, _ = ask(picture, {"bbox_2d": said, "label": "TILE"}, os.path.join(work, "out.png"))
            found = places(after, "TILE", dot)
            # Its plate, with a rim of two dots, ends where the box begins.
            assert found == [(box[0] + 2 * dot, box[1] - 9 * dot)], (width, height, name, found)
            line = min(max(min(width, height) // 200, 1), 12)
            inside = (box[0] + 2 * line + 2, box[1] + 2 * line + 2, box[2] - 2 * line - 2, box[3] - 2 * line - 2)
            assert before.crop(inside).tobytes() == after.crop(inside).tobytes(), "the inside of a box is drawn on"
            count += 1

    # Several: numbered, of colours of their own, at the picture's edges, and what no letter is there for.
    picture, out = os.path.join(work, "in.png"), os.path.join(work, "several.png")
    Image.new("RGB", (392, 308), (90, 90, 90)).save(picture)  # seen as it is
    boxes = [[0, 0, 120, 90], [350, 200, 392, 308], [150, 100, 250, 200]]
    names = ["TILE", "TILE", "\u7ea2\u8272"]
    after, said = ask(picture, [{"bbox_2d": box, "label": name} for box, name in zip(boxes, names)], out)
    found = places(after, "TILE", 1)
    assert len(found) == 2 and found[0][1] == 90 + 2, found  # no room above: below
    assert found[1][0] + 4 * 6 <= 392, found
    assert places(after, "1 TILE", 1) == [(2, 92)], places(after, "1 TILE", 1)
    assert seen(picture) == (392, 308)
    colours = {after.getpixel((x1 + 40 if x1 < 300 else x1 + 25, y2 - 1)) for x1, _, _, y2 in boxes}
    assert len(colours) == 3, colours
    assert "  3 \u7ea2\u8272" in said and "3 of 3 boxes drawn" in said, said

print(f"{count} pictures and one of several boxes read by Pillow")
