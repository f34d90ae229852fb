#!/usr/bin/env python3
"""Writes unicode.json: ids from the `tokenizers` wheel where Unicode's tables and the flags of added tokens decide.

Run: python tests/golden/text/make_unicode.py   (tests/interop/tokens_check.py compares far more, and not from a file)
"""
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer, __version__

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
MODEL = ROOT / "examples/models/octavo-tiny-vl"
sys.path.insert(0, str(ROOT / "tests/interop"))
from tokens_check import random_added, random_strings  # noqa: E402

CORPUS = [
    "\uac00\u11a7", "\uac00\u11a8", "\u1100\u1161\u11a7\u11a8", "\uac01\u11a8", "\u1100\u1161\u1161", "\u11a7", "\u1112\u1161\u11ab\u11a7",
    "\U00016d63\U00016d67", "\U00011382\U000113c9", "\U00011935\U00011930", "\U00011938", "\U00011099\U000110ba",  # newer compositions
    "a\u1dfa\u0334", "a\U00016ff0\u0334", "a\u0315\u0300\u05ae\u0301b", "a\u0345\u0300",  # newer marks keep their place
    "\u0344", "\u0958", "\ufb2c", "\u2adc", "\u212b", "\u2126", "\uf900", "\U0002f800", "\U0001d160", "\u0915\u093c", "q\u0307\u0323",
    "\u1c89\u1c8a", "\ua7cb\ua7da", "\U00010d50x", "\U00010d401", "\U0002ebf0\u4e00", "\U000323b0", "\U0001e4f0", "\U00011f50",  # letters
    "\U00010ec5\U00010ec2", "\u0870\u0871", "\u1715a", "\U0001fae9 \U0001fadf", "\U00016d40", "\U000105c0\U000105c1",
    "x\u0085\u200b\ufeff\u180e\u2028y", "'\u017f 'S 's", "\u0300", "", "\u0f71\u0f72\u0f74",
]


def main():
    rng = random.Random(11)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    ids = lambda t, x: t.encode(x, add_special_tokens=False).ids  # noqa: E731
    texts = CORPUS + list(random_strings(rng, 300))
    golden = {"tokenizers": __version__, "texts": [[t, ids(tokenizer, t)] for t in texts], "added": []}
    for _ in range(40):
        added, samples = random_added(rng, MODEL)
        saved = json.loads(added.to_str())
        golden["added"].append({"composes": saved["normalizer"] is not None, "added_tokens": saved["added_tokens"],
                                "texts": [[t, ids(added, t)] for t in samples[:12]]})
    (HERE / "unicode.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(len(texts), "texts,", sum(len(a["texts"]) for a in golden["added"]), "texts with added tokens")


if __name__ == "__main__":
    main()
