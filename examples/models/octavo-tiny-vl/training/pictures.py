"""Generated pictures and the questions about them: seeded, unambiguous, balanced so that no answer can be guessed.

    pictures.py OUT_DIR     writes OUT_DIR/calib and OUT_DIR/eval (PNG + JSONL)
"""
import json
import math
import os
import random
import sys
from typing import NamedTuple

import numpy as np

SHAPES = ["circle", "square", "triangle", "cross"]
COLOURS = {"red": (215, 40, 40), "green": (40, 165, 60), "blue": (45, 80, 215), "yellow": (240, 215, 40),
           "purple": (150, 50, 180), "orange": (245, 140, 30)}
SIZES = {"small": (22, 29), "large": (40, 50)}
TRAIN_SIDES = [(112, 112), (112, 140), (140, 112), (140, 140)]  # height, width: what the model sees
ODD_SIDES = [(120, 100), (104, 118), (131, 150), (99, 143)]     # resized by the image processor first
RELATIONS = ["left of", "right of", "above", "below"]
ASK = ["Locate {}.", "Where is {}?", "Find {}."]
MARGIN = 10  # pixels between centres before a relation counts


class Thing:
    def __init__(self, shape, colour, size, x, y, side):
        self.shape, self.colour, self.size, self.x, self.y, self.side = shape, colour, size, x, y, side

    @property
    def box(self):
        return self.x, self.y, self.x + self.side, self.y + self.side

    @property
    def centre(self):
        return self.x + self.side / 2, self.y + self.side / 2

    def coverage(self):
        """Antialiased mask [side, side] in 0..1."""
        n = self.side
        axis = np.arange(n) + 0.5 - n / 2
        dx, dy = axis[None, :], axis[:, None]
        half = n / 2
        if self.shape == "circle":
            distance = np.hypot(dx, dy) - half
        elif self.shape == "square":
            distance = np.maximum(np.abs(dx), np.abs(dy)) - half
        elif self.shape == "triangle":  # apex on top, base at the bottom
            slope = 1 / math.sqrt(1.25)
            distance = (np.abs(dx) - (dy + half) / 2) * slope
        else:  # a plus sign, bars a third wide
            bar = n / 6
            distance = np.minimum(np.maximum(np.abs(dx) - half, np.abs(dy) - bar),
                                  np.maximum(np.abs(dx) - bar, np.abs(dy) - half))
        return np.clip(0.5 - distance, 0, 1)


def make_things(rng, height, width, count):
    while True:
        things = []
        for _ in range(count):
            for _ in range(60):
                size = rng.choice(list(SIZES))
                side = rng.randint(*SIZES[size])
                x, y = rng.randint(1, width - side - 1), rng.randint(1, height - side - 1)
                if all(x + side + 2 < t.x or t.x + t.side + 2 < x or y + side + 2 < t.y or t.y + t.side + 2 < y
                       for t in things):
                    things.append(Thing(rng.choice(SHAPES), rng.choice(list(COLOURS)), size, x, y, side))
                    break
        if len(things) == count:
            return things


def draw(rng, things, height, width):
    """uint8 [height, width, 3]: a light or dark background with a gentle slope, and the things on it."""
    base = np.array([rng.choice([rng.randint(0, 50), rng.randint(205, 255)])] * 3) + np.array(
        [rng.randint(-12, 12) for _ in range(3)])
    slope_y, slope_x = rng.uniform(-18, 18), rng.uniform(-18, 18)
    ramp = slope_y * np.linspace(-1, 1, height)[:, None] + slope_x * np.linspace(-1, 1, width)[None, :]
    canvas = base[None, None, :] + ramp[:, :, None]
    for thing in things:
        colour = np.array(COLOURS[thing.colour]) + np.array([rng.randint(-14, 14) for _ in range(3)])
        mask = thing.coverage()[:, :, None]
        region = canvas[thing.y:thing.y + thing.side, thing.x:thing.x + thing.side]
        region[:] = region * (1 - mask) + colour * mask
    return np.clip(np.round(canvas), 0, 255).astype(np.uint8)


def matches(thing, words):
    return all(value in (thing.size, thing.colour, thing.shape) for value in words)


def phrase(words):
    return "the " + " ".join(words if words[-1] in SHAPES else [*words, "object"])


def attribute_sets(thing):
    size, colour, shape = thing.size, thing.colour, thing.shape
    return [[shape], [colour], [colour, shape], [size, shape], [size, colour], [size, colour, shape]]


def unique_words(rng, things, thing):
    options = [w for w in attribute_sets(thing) if sum(matches(t, w) for t in things) == 1]
    return rng.choice(options) if options else None


def holds(relation, a, b):
    """1, 0, or None when too close to call."""
    (ax, ay), (bx, by) = a.centre, b.centre
    delta = {"left of": bx - ax, "right of": ax - bx, "above": by - ay, "below": ay - by}[relation]
    return None if abs(delta) < MARGIN else int(delta > 0)


def grounding(rng, things):
    """(thing, phrase, the thing that the phrase starts from) or None."""
    thing = rng.choice(things)
    if rng.random() < 0.45 and len(things) > 1:
        for _ in range(8):
            words, relation = rng.choice(attribute_sets(thing)), rng.choice(RELATIONS)
            other = rng.choice([t for t in things if t is not thing])
            anchor = unique_words(rng, things, other)
            rivals = [t for t in things if t is not other and matches(t, words)]
            if anchor is None or matches(other, words) or len(rivals) < 2:
                continue
            answers = {id(t): holds(relation, t, other) for t in rivals}
            if answers[id(thing)] == 1 and all(v == 0 for k, v in answers.items() if k != id(thing)):
                return thing, f"{phrase(words)} {relation} {phrase(anchor)}", other
    words = unique_words(rng, things, thing)
    return (thing, phrase(words), thing) if words else None


class Question(NamedTuple):
    prompt: str
    answer: str
    about: list   # the things that the answer is read from; for a count, those that are counted
    anchor: list  # the thing that a relation starts from, else the same


def question(rng, things, task):
    """None when this picture has no unambiguous one."""
    if task == "grounding":
        found = grounding(rng, things)
        if not found:
            return None
        return Question(rng.choice(ASK).format(found[1]), box_answer(found[0].box), [found[0]], [found[2]])
    thing = rng.choice(things)
    if task == "colour":
        words = [[thing.shape], [thing.size, thing.shape]]
        words = [w for w in words if sum(matches(t, w) for t in things) == 1]
        return Question(f"What colour is {phrase(rng.choice(words))}?", thing.colour, [thing], [thing]) if words else None
    if task == "shape":
        words = [[thing.colour], [thing.size, thing.colour]]
        words = [w for w in words if sum(matches(t, w) for t in things) == 1]
        return Question(f"What shape is {phrase(rng.choice(words))}?", thing.shape, [thing], [thing]) if words else None
    kind = rng.choice(["all", "shape", "colour"])
    if kind == "all":
        return Question("How many objects are there?", str(len(things)), things, things)
    # Pick the number first, so that 0, 1, 2 and 3 come equally often.
    values = SHAPES if kind == "shape" else list(COLOURS)
    wanted = rng.randint(0, 3)
    options = [v for v in values if sum(matches(t, [v]) for t in things) == wanted]
    if not options:
        return None
    value = rng.choice(options)
    counted = [t for t in things if matches(t, [value])]
    noun = f"{value} objects" if kind == "colour" else "crosses" if value == "cross" else f"{value}s"
    return Question(f"How many {noun} are there?", str(wanted), counted, counted)


def box_answer(box):
    return '{"bbox_2d": [' + ", ".join(str(v) for v in box) + "]}"


def picture(rng, height, width):
    count = rng.choice([1, 2, 3, 3, 4, 4]) if height * width < 14000 else rng.choice([1, 2, 3, 4, 5])
    things = make_things(rng, height, width, count)
    if rng.random() < 0.35:  # repeat an attribute, so that counting and relations have something to do
        shape, colour = rng.choice(SHAPES), rng.choice(list(COLOURS))
        for thing in things:
            if rng.random() < 0.6:
                thing.shape = shape
            if rng.random() < 0.3:
                thing.colour = colour
    return things, draw(rng, things, height, width)


def smart_resize(height, width, factor=28, min_pixels=3136, max_pixels=12845056):
    h, w = round(height / factor) * factor, round(width / factor) * factor
    assert min_pixels <= h * w <= max_pixels
    return h, w


def write_set(directory, rng, count, tasks, odd_every):
    from PIL import Image
    os.makedirs(directory, exist_ok=True)
    lines = []
    for i in range(count):
        height, width = rng.choice(ODD_SIDES) if i % odd_every == odd_every - 1 else rng.choice(TRAIN_SIDES)
        while True:
            things, pixels = picture(rng, height, width)
            asked = [(task, question(rng, things, task)) for task in tasks(i)]
            if all(q for _, q in asked):
                break
        name = f"{i:03d}.png"
        Image.fromarray(pixels).save(os.path.join(directory, name), optimize=True)
        seen_h, seen_w = smart_resize(height, width)
        for task, (prompt, answer, _, _) in asked:
            if task == "grounding":  # in pixels of the picture as the model sees it
                box = json.loads(answer)["bbox_2d"]
                answer = box_answer([round(v * s) for v, s in zip(box, [seen_w / width, seen_h / height] * 2)])
            lines.append({"id": f"{i:03d}-{task}", "image": name, "prompt": prompt, "answer": answer, "task": task})
    name = os.path.basename(directory)
    with open(os.path.join(directory, {"calib": "calibration.jsonl", "eval": "eval.jsonl"}[name]), "w") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)
    print(f"{directory}: {count} pictures, {len(lines)} questions")


if __name__ == "__main__":
    other = ["colour", "shape", "count"]
    write_set(os.path.join(sys.argv[1], "calib"), random.Random(20261), 64,
              lambda i: ["grounding" if i % 2 else other[i // 2 % 3]], 8)
    write_set(os.path.join(sys.argv[1], "eval"), random.Random(20262), 240, lambda i: ["grounding", other[i % 3]], 6)
