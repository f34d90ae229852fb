#!/usr/bin/env python3
"""Runs every example, and looks at what it prints.   examples.py PROGRAMS_DIR SOURCE_DIR OCTAVO LIBOCTAVO.so"""
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAMS, SOURCE, OCTAVO, LIBRARY = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *sys.argv[3:]
MODEL = SOURCE / "examples" / "models" / "octavo-tiny-vl"
SAMPLES = [json.loads(line) for line in (MODEL / "eval" / "eval.jsonl").read_text().splitlines()]
PICTURE = MODEL / "eval" / "000.png"
BOX = next(json.loads(sample["answer"])["bbox_2d"] for sample in SAMPLES if sample["id"] == "000-grounding")


def overlap(a, b):
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


class Examples(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)

    def run_example(self, name, *arguments, fails=False, typed=None):
        command = [str(PROGRAMS / f"example_{name}"), *map(str, arguments)]
        ended = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=300)
        self.assertEqual(ended.returncode, 1 if fails else 0, ended.stderr)
        return ended

    def test_answer(self):
        question = "What colour is the small triangle?"
        self.assertEqual(self.run_example("answer", MODEL, PICTURE, question).stdout, "blue\n")
        self.assertIn("nowhere", self.run_example("answer", self.scratch / "nowhere", PICTURE, "?", fails=True).stderr)

    def test_ground(self):
        box = json.loads(self.run_example("ground", MODEL, PICTURE, "Where is the purple circle?").stdout)["bbox_2d"]
        self.assertGreater(overlap(box, BOX), 0.8)

    def check_turns(self, output):
        """Answers and what was reused: [(answer, reused, tokens), ...], each turn reading what the last one left."""
        turns = re.findall(r"^(.*)\n\((\d+) of (\d+) tokens were read before\)$", output, re.MULTILINE)
        turns = [(answer, int(reused), int(tokens)) for answer, reused, tokens in turns]
        for (_, _, before), (_, reused, tokens) in zip(turns, turns[1:]):
            self.assertGreaterEqual(reused, before)
            self.assertLess(tokens - reused, before)
        return turns

    def test_conversation(self):
        typed = "What colour is the small triangle?\nWhat colour is the small triangle?\n"
        turns = self.check_turns(self.run_example("conversation", MODEL, PICTURE, typed=typed).stdout)
        self.assertEqual([turns[0][:2], len(turns)], [("blue", 0), 2])
        self.assertIn("nowhere", self.run_example("conversation", self.scratch / "nowhere", PICTURE, fails=True).stderr)

    def test_chat(self):
        saved = self.scratch / "session"
        question = "What colour is the small triangle?\n"
        first = self.check_turns(self.run_example("chat", MODEL, PICTURE, saved, typed=question * 2).stdout)
        self.assertEqual([first[0][:2], len(first)], [("blue", 0), 2])
        again = self.check_turns(self.run_example("chat", MODEL, PICTURE, saved, typed=question).stdout)
        self.assertEqual([again[0][0], again[0][1]], ["blue", again[0][2] - 1])  # all but the token whose logits it needs
        saved.write_bytes(saved.read_bytes()[:-1])
        self.assertIn("cut short", self.run_example("chat", MODEL, PICTURE, saved, typed=question, fails=True).stderr)
    def test_draw_box(self):
        out = self.scratch / "drawn.png"
        answer = self.run_example("draw_box", MODEL, PICTURE, "the purple circle", out).stdout
        self.assertGreater(overlap(json.loads(answer)["bbox_2d"], BOX), 0.8)
        self.assertEqual(out.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.assertNotEqual(out.read_bytes(), PICTURE.read_bytes())
        self.run_example("draw_box", MODEL, PICTURE, "the purple circle", self.scratch / "none" / "out.png", fails=True)

    def test_gptq_layer(self):
        output = self.run_example("gptq_layer").stdout
        found = re.findall(r"^(\w+) *: loss ([\d.]+), outputs off by ([\d.]+) %$", output, re.MULTILINE)
        self.assertEqual([name for name, *_ in found], ["gptq", "rtn"], output)
        (gptq, gptq_off), (rtn, rtn_off) = [(float(loss), float(off)) for _, loss, off in found]
        self.assertLess(gptq, rtn / 5)
        self.assertLess(gptq_off, rtn_off)
        self.assertLess(rtn_off, 1)

    def test_shape_contracts(self):
        output = self.run_example("shape_contracts").stdout
        self.assertIn("b [4, 6] dim 1 (K, in_features) is 6, but a [4, 8] dim 1 set in_features to 8", output)
        self.assertIn("expected 455, is 228", output)
        self.assertIn("pass only the new token, or reset the cache", output)
        self.assertEqual(re.findall(r"fits: (.*)", output), ["[4, 8]", "[1, 16, 1, 128]"])

    def test_embeddings(self):
        copy = self.scratch / "copy.png"
        shutil.copy(PICTURE, copy)
        output = self.run_example("embeddings", MODEL, PICTURE, MODEL / "eval" / "001.png", copy).stdout
        found = {name: (like, float(cosine))
                 for name, like, cosine in re.findall(r"(\S+) is most like (\S+), cosine ([\d.-]+)", output)}
        self.assertEqual(found[str(PICTURE)], (str(copy), 1.0))
        self.assertEqual(found[str(copy)], (str(PICTURE), 1.0))
        self.assertLess(found[str(MODEL / "eval" / "001.png")][1], 0.99)

    def test_captions(self):
        asked = [sample for sample in SAMPLES if sample["prompt"] == "How many objects are there?"]
        for sample in asked:
            shutil.copy(MODEL / "eval" / sample["image"], self.scratch)
        (self.scratch / "damaged.png").write_bytes(PICTURE.read_bytes()[:100])
        ended = self.run_example("captions", MODEL, self.scratch, asked[0]["prompt"])
        captions = {pathlib.Path(path).name: caption
                    for path, caption in (line.split("\t") for line in ended.stdout.splitlines())}
        self.assertEqual(len(captions), len(asked))
        right = sum(captions[sample["image"]] == sample["answer"] for sample in asked)
        self.assertGreater(right, 0.9 * len(asked))
        self.assertIn("damaged.png", ended.stderr)

    def test_own_calibration(self):
        out = self.scratch / "own"
        output = self.run_example("own_calibration", MODEL, out, MODEL / "calib" / "calibration.jsonl").stdout
        losses = re.findall(r"loss ([\d.e+-]+), round-to-nearest ([\d.e+-]+)", output)
        self.assertEqual(len(losses), 35)
        self.assertTrue(all(float(gptq) < float(rtn) for gptq, rtn in losses))
        subprocess.run([OCTAVO, "check", str(out), "--against", str(MODEL)], check=True, capture_output=True)
        self.assertEqual(self.run_example("answer", out, PICTURE, "What colour is the small triangle?").stdout, "blue\n")
        self.run_example("own_calibration", MODEL, out, MODEL / "calib" / "calibration.jsonl", fails=True)  # it exists

    def test_own_architecture(self):
        model, out = SOURCE / "tests" / "golden" / "qwen3", self.scratch / "out"
        arguments = [model, out, model / "calibration.jsonl", "What comes before three?"]
        output = self.run_example("own_architecture", *arguments).stdout
        self.assertEqual(output, "0 of 14 linears in W8A8: two\n14 of 14 linears in W8A8: two\n")
        self.assertIn("exists", self.run_example("own_architecture", *arguments, fails=True).stderr)

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "NumPy is not there")
    def test_gptq_in_numpy(self):
        environment = {**os.environ, "OCTAVO_LIBRARY": LIBRARY, "PYTHONPATH": str(SOURCE / "capi" / "python")}
        command = [sys.executable, str(SOURCE / "examples" / "python" / "gptq.py")]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        rounded, ours, theirs = map(float, re.findall(r"loss ([\d.]+)", ended.stdout))
        self.assertLess(ours, rounded / 2)
        # One weight that rounds the other way, float32 against float64, moves the loss by far less.
        self.assertLess(abs(theirs - ours), 0.01 * ours)
        self.assertGreater(float(re.search(r"equal int8 weights: ([\d.]+)", ended.stdout)[1]), 99)

    def test_every_example_is_short_and_listed(self):
        index = (SOURCE / "examples" / "README.md").read_text()
        for folder in ("c", "cpp", "python"):
            for file in sorted((SOURCE / "examples" / folder).glob("*.*")):
                self.assertIn(f"{folder}/{file.name}", index)
                self.assertLess(len(file.read_text().splitlines()), 100, file)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
