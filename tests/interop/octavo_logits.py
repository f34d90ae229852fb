"""Octavo's logits for checks against other programs: the Python package of this tree over the library that a check names.

    use_library("build/release/capi/liboctavo.so")
    octavo_logits(directory, [("What is this?", "picture.png")])
"""
import os
import pathlib
import sys


def use_library(path):
    """Before the first octavo_logits: which liboctavo.so is checked."""
    os.environ["OCTAVO_LIBRARY"] = os.path.abspath(path)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "capi" / "python"))


def octavo_logits(directory, questions):
    """For each question, a text and a picture's path, the logits of every position: NumPy, f32 [positions, vocab_size]."""
    import octavo

    model = octavo.Model(directory)
    return [model.logits(prompt, [image]).numpy() for prompt, image in questions]
