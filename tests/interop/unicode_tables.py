#!/usr/bin/env python3
"""Writes lib/text/unicode_classes.inc and unicode_composition.inc: Unicode as Hugging Face's released `tokenizers` wheel knows it.

A tokenizer's ids depend on the Unicode tables that it was built with, and the wheel has three of them, of different
ages: `unicode-normalization-alignments` for NFC, oniguruma for the classes in a pattern, and the `regex` crate for the
word boundaries of added tokens. So nothing is taken from a Unicode version: every row is what the wheel answers.

Run: python tests/interop/unicode_tables.py   (needs `tokenizers`; any of 0.21 to 0.23 gives the same file)
"""
import pathlib
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, __version__, models, normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).parents[2] / "lib/text"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)  # composed by arithmetic, so in no table
nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str


def matched_by(expression):
    """The code points that a class matches, as a pre-tokenizer's pattern."""
    split = pre_tokenizers.Split(Regex(expression), "removed")
    left = set()
    for at in range(0, len(CODE_POINTS), 4096):
        for piece, _ in split.pre_tokenize_str("".join(map(chr, CODE_POINTS[at:at + 4096]))):
            left.update(map(ord, piece))
    return [c for c in CODE_POINTS if c not in left]


def word_characters():
    """The code points before which an added token with single_word is not found."""
    tokenizer = Tokenizer(models.BPE(vocab={"<x>": 0}, merges=[]))
    tokenizer.add_tokens([AddedToken("<x>", single_word=True, normalized=False)])
    return [c for c in CODE_POINTS if tokenizer.encode("<x>" + chr(c)).ids != [0]]


def stripped_spaces():
    """The code points that an added token with rstrip takes in: the end of its offsets says so."""
    tokenizer = Tokenizer(models.BPE(vocab={"<x>": 0}, merges=[]))
    tokenizer.add_tokens([AddedToken("<x>", rstrip=True, normalized=False)])
    return [c for c in CODE_POINTS if tokenizer.encode("<x>" + chr(c)).offsets == [(0, 4)]]


def combining_classes(decomposed):
    """Classes as far as they can be told: by how the wheel orders two marks, against marks of known class."""
    known = {}
    for unicode_data in unicodedata.ucd_3_2_0, unicodedata:  # the oldest mark of each class, which every table has
        for c in CODE_POINTS:
            if (k := unicode_data.combining(chr(c))) and k not in known and c not in decomposed:
                if nfd("a\u0345" + chr(c)) != "a\u0345" + chr(c):  # class 240, after which every other is moved
                    known[k] = chr(c)
    known[240] = "\u0345"
    order = sorted(known)
    for a in order:
        for b in order:
            first, second = (known[b], known[a]) if a > b else (known[a], known[b])
            assert nfd("a" + known[a] + known[b]) == "a" + first + second, (a, b)
    classes = {}
    for c in CODE_POINTS:
        if c in decomposed or c in HANGUL:
            continue
        after = lambda mark: nfd("a" + chr(c) + mark) == "a" + mark + chr(c) != "a" + chr(c) + mark  # noqa: E731
        before = lambda mark: nfd("a" + mark + chr(c)) == "a" + chr(c) + mark != "a" + mark + chr(c)  # noqa: E731
        if chr(c) in known.values() or after(known[order[0]]) or before(known[240]):
            fits = [k for k in order if not after(known[k]) and not before(known[k])]
            assert len(fits) == 1, (hex(c), fits)
            classes[c] = fits[0]
    return classes


def decompositions():
    """{code point: (first, second, composes)}: one canonical step; second is 0 for a singleton."""
    full = {c: nfd(chr(c)) for c in CODE_POINTS if c not in HANGUL}
    full = {c: d for c, d in full.items() if d != chr(c)}
    whole = {d: c for c, d in sorted(full.items(), reverse=True) if len(d) > 1}
    steps = {}
    for c, d in full.items():
        if len(d) == 1:
            steps[c] = (ord(d), 0, False)
            continue
        first = ord(d[0]) if len(d) == 2 else next(w for p, w in whole.items() if p == d[:-1])
        composes = nfc(d) == chr(c)
        if composes:  # the step that composition takes
            first = ord(nfc(d[:-1]))
        steps[c] = (first, ord(d[-1]), composes)
    # A singleton of a composed character: to the character itself.
    for c, (first, second, composes) in list(steps.items()):
        if second and not composes and nfc(chr(c)) != full[c]:
            composed = nfc(chr(c))
            assert len(composed) == 1 and full[ord(composed)] == full[c], hex(c)
            steps[c] = (ord(composed), 0, False)
    return steps, full


def ranges(points):
    found = []
    for c in points:
        if found and c == found[-1][1] + 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def rows(name, kind, entries):
    text, line = [f"constexpr {kind} {name}[] = {{"], "   "
    for entry in entries:
        item = " {" + ", ".join(f"0x{v:X}" if isinstance(v, int) and not isinstance(v, bool) else str(v).lower()
                                for v in entry) + "},"
        if len(line) + len(item) > 120:
            text.append(line)
            line = "   "
        line += item
    return "\n".join(text + [line, "};", ""])


def main():
    steps, full = decompositions()
    classes = combining_classes(full)
    class_rows = []
    for c, k in sorted(classes.items()):
        if class_rows and class_rows[-1][1] == c - 1 and class_rows[-1][2] == k:
            class_rows[-1][1] = c
        else:
            class_rows.append([c, c, k])
    tables = {"kLetters": matched_by(r"\p{L}"), "kNumbers": matched_by(r"\p{N}"), "kSpaces": matched_by(r"\s"),
              "kWordCharacters": word_characters()}
    assert stripped_spaces() == tables["kSpaces"]
    header = f"""\
// Written by tests/interop/unicode_tables.py from the answers of Hugging Face's tokenizers {__version__}; do not edit.
// Facts of the Unicode Character Database, (c) Unicode, Inc., Unicode License V3 (https://www.unicode.org/license.txt).
// clang-format off
"""
    (OUT / "unicode_classes.inc").write_text(
        "\n".join([header] + [rows(name, "Range", ranges(points)) for name, points in tables.items()]))
    (OUT / "unicode_composition.inc").write_text(
        "\n".join([header, rows("kCombiningClasses", "ClassRange", class_rows),
                   rows("kDecompositions", "Decomposition", [(c, *steps[c]) for c in sorted(steps)])]))
    print(f"tokenizers {__version__}:", ", ".join(f"{len(p)} {n}" for n, p in tables.items()),
          f"{len(classes)} marks, {len(steps)} decompositions, {sum(s[2] for s in steps.values())} compose")


if __name__ == "__main__":
    main()
