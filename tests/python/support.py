"""Where the tests of the Python package find things. They need the standard library alone; what they need beside it is
skipped by name where it is missing."""
import importlib.util
import json
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples" / "models" / "octavo-tiny-vl"
CALIBRATION = MODEL / "calib" / "calibration.jsonl"
SAMPLES = MODEL / "eval" / "eval.jsonl"


def samples(task):
    """The evaluation's samples of a task: picture, prompt, the answer that the picture was drawn from."""
    with open(SAMPLES, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(MODEL / "eval" / row["image"], row["prompt"], row["answer"]) for row in rows if row["task"] == task]


def needs(module):
    """Skips a test where a module is not installed."""
    return unittest.skipUnless(importlib.util.find_spec(module), f"{module} is not installed")
