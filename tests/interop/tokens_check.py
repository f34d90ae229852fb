#!/usr/bin/env python3
"""Octavo's tokens against the `tokenizers` wheel: every code point, alone and in context, random strings, and random
added tokens with every combination of flags. Prints the number of differences; exits 1 when there is one.

    tokens_check.py ENCODE_LINES MODEL [COUNT [SEED]]

ENCODE_LINES is the program built from encode_lines.cpp.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import AddedToken, Tokenizer, __version__, normalizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def octavo(program, path, texts):
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    run = subprocess.run([program, str(path)], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(texts), (len(answers), len(texts))
    return answers


def differences(program, tokenizer, path, texts, shown=3):
    found = 0
    # Since 0.23 an added token decodes to its normalised form, before to what it is in the file, as here.
    added = tokenizer.get_added_tokens_decoder()
    keys = ["ids"] + ["decoded", "decoded_skip"] * all(tokenizer.id_to_token(i) == t.content for i, t in added.items())
    for text, answer in zip(texts, octavo(program, path, texts)):
        try:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
        except BaseException as error:  # releases before 0.23 panic where stripped tokens overlap
            if type(error).__name__ != "PanicException":
                raise
            continue
        wanted = {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                  "decoded_skip": tokenizer.decode(ids, skip_special_tokens=True)}
        if any(wanted[k] != answer[k] for k in keys):
            found += 1
            if found <= shown:
                print("  differs:", ascii(text), [(k, wanted[k], answer[k]) for k in keys if wanted[k] != answer[k]])
    return found


def code_points():
    """Every code point between others, sixteen to a text: letters, digits, marks, a syllable, white space."""
    contexts = ["{}", "a{}", "{}a", "1{} ", " {}\n", "e{}\u0301", "e\u0323{}\u0301", "\uac00{}", "\u1100{}\u11a8", "'s{}'",
                "\u0915{}\u093c", "!{}!"]
    for context in contexts:
        step = 1 if context == "{}" else 16
        points = CODE_POINTS
        for at in range(0, len(points), step):
            yield "".join(context.format(chr(c)) for c in points[at:at + step])


def random_strings(rng, count):
    marks = [chr(c) for c in CODE_POINTS if unicodedata.combining(chr(c))]
    decomposed = [d for c in CODE_POINTS if (d := unicodedata.normalize("NFD", chr(c))) != chr(c)]
    jamo = [chr(c) for c in (*range(0x1100, 0x1200), *range(0xA960, 0xA97D), *range(0xD7B0, 0xD7FC))]
    hangul = [chr(c) for c in range(0xAC00, 0xAC00 + 11172)]
    unassigned_here = [chr(c) for c in CODE_POINTS if unicodedata.category(chr(c)) == "Cn"]
    letters = [chr(c) for c in CODE_POINTS if unicodedata.category(chr(c))[0] in "LN"]
    common = list("aAsStTlLdDmMrReEvV'' \n\r\t  12.,!_-<|>") + ["\u00a0", "\u3000", "\u0323", "\u0301", "\u017f", "\u11a7"]
    pools = [marks, decomposed, jamo, hangul, unassigned_here, letters, common, common, [chr(c) for c in CODE_POINTS]]
    for _ in range(count):
        mix = rng.sample(pools, rng.randint(1, 4))
        yield "".join(rng.choice(rng.choice(mix)) for _ in range(rng.randint(1, 24)))


def random_added(rng, model):
    """A tokenizer with a few added tokens of every combination of flags, and texts made of their pieces."""
    pieces = ["<a>", "<b>", "e\u0301", "\u00e9", "<a", "x", " ", "ab", "\uac00", "\u1100\u1161", "|", "_", "\n", "a\u0323\u0307", "\u4e00"]
    data = json.loads((model / "tokenizer.json").read_text())
    data["added_tokens"] = []
    if rng.random() < 0.3:
        data["normalizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(data))
    composed = set()
    for _ in range(rng.randint(1, 6)):
        content = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 3)))
        same = normalizers.NFC().normalize_str(content)
        if same in composed:
            continue  # two tokens that compose to one text: which wins depends on the release of tokenizers
        composed.add(same)
        flag = lambda: rng.random() < 0.3  # noqa: E731
        token = AddedToken(content, special=flag(), normalized=rng.random() < 0.5, single_word=flag(), lstrip=flag(),
                           rstrip=flag())
        tokenizer.add_tokens([token])
    contents = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    texts = ["".join(rng.choice(rng.choice([contents, pieces, [" ", "  ", "a", "\u0301", "."]]))
                     for _ in range(rng.randint(1, 10))) for _ in range(60)]
    return tokenizer, texts


def main():
    program, model = sys.argv[1], pathlib.Path(sys.argv[2])
    strings = int(sys.argv[3]) if len(sys.argv) > 3 else 40000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    print(f"tokenizers {__version__}, seed {seed}")
    rng = random.Random(seed)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    failed = False
    for name, texts in (("every code point, alone and in 11 contexts", list(code_points())),
                        ("random strings", list(random_strings(rng, strings)))):
        count = differences(program, tokenizer, model / "tokenizer.json", texts)
        failed |= count > 0
        print(f"{name}: {count} of {len(texts)} texts differ")
    count = total = vocabularies = 0
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "tokenizer.json"
        while total < strings // 4:
            tokenizer, texts = random_added(rng, model)
            tokenizer.save(str(path))
            count += differences(program, tokenizer, path, texts)
            total += len(texts)
            vocabularies += 1
    failed |= count > 0
    print(f"random added tokens, {vocabularies} sets: {count} of {total} texts differ")
    sys.exit(failed)


if __name__ == "__main__":
    main()
