"""What Python's re.match says of many patterns on the names of Qwen2.5-VL's modules; the C++ tests hold Octavo's
answers against it. Needs nothing but Python 3.11.

    python3.11 tests/interop/python_patterns.py >tests/pattern/python_patterns.json

The file: {"names": [...], "patterns": [[pattern, answers], ...]}, answers one 0 or 1 per name, or null where Python
refuses the pattern.
"""
import json
import random
import re
import signal
import sys
import warnings

assert sys.version_info[:2] == (3, 11), "the rules of another Python differ in places"
warnings.simplefilter("ignore")  # of FutureWarning, for classes such as [[a]

NAMES = [
    "visual.blocks.0.attn.qkv", "model.visual.blocks.31.mlp.gate_proj", "visual.merger.mlp.0", "visual.patch_embed.proj",
    "model.layers.0.self_attn.q_proj", "model.layers.17.mlp.down_proj", "model.language_model.layers.3.mlp.up_proj",
    "language_model.model.layers.11.self_attn.o_proj", "model.embed_tokens", "model.layers.1.input_layernorm", "lm_head",
    "language_model.lm_head", "aab", "a\nb", "ab\n", "A-b_1",
]

# As recipes and quantization_config have them, and every corner of the syntax.
WRITTEN = r"""
Linear
re
.*
lm_head
.*lm_head
visual.*
model.visual.*
^(?!.*visual).*_proj$
^(?!visual)
(?!.*visual)model\.
.*(?<!gate)_proj$
(?:model\.)?visual\.blocks\.\d+\.
(model\.)?(language_model\.)?(model\.)?layers\.[0-9]+\.(self_attn|mlp)\.[a-z_]+
(?P<layer>\d+)
.*layers\.(?P<n>\d)(?P=n)\.
.*layers\.(\d)\1\.
.*\.(\d)(?:\1)?\.
(?i)MODEL\.LAYERS
(?i:MODEL)\.layers
(?i)(?s)A.B
(?s)a.b
a.b
(?s:a.)b
(?-s:a.)b
(?m)a$
(?m:a$)
a$
ab$
ab\Z
ab\n\Z
ab$\n
(?m)ab$\n^
(?m)^b
a\n^b
(?m)a\n^b
(?x) model \. # the prefix
    layers
(?x: a \  b )
(?x:a #)
b)
(?xi) LM _ head
a{2}b
a{,2}b
a{2,}b
a{,}b
a{}b
a{x}b
a{2
a{1,2}?b
a{1,2}+b
a*+ab
a++b
(?>a*)b
(?>a|aa)b
a**
a*{2}
a?*
*a
+a
?
{2}
{2}a
^*
$+
\b?
(?=a)*aab
(?=a)+aab
()*aab
(a|)*b
(a*)*b
(a|aa)+b
(?:a?){2}b
(a)?b
(a)?(?(1)ab|lm)
(?P<x>a)?(?(x)ab|lm)
(?(1)a|b)(c)
(?(2)a|b)(c)
(?(0)a)
(?(x)a)
(a)(?(1)a|b|c)
(?(1a)b)
(?<=a)b
a(?<=a)a
aa(?<=a{2})b
aa(?<=a+)b
aa(?<=a|b)b
aa(?<=a|aa)b
aa(?<=(?:aa|bb))b
aa(?<!b)b
(?<!x)a
(a)(?<=\1)ab
a(?<=(a))ab
(?<=^)a
\Aaab
a\Ba
\bmodel\b
\Bmodel
\w+
\W
\w+\.\w+\.\d+\.
[^\W\d]+\.
\S+\Z
[\w.]+\Z
[a-z_.]+\d
[]a]+b
[^]a]+b
[a-]+b
[-a]+b
[a\-z]+b
[\]a]+b
[a\]b]+
[[a]+b
[[:alpha:]]+
[a&&b]+
[a--b]
[z-a]
[a-\d]
[\d-a]
[\b]
[\A]
[\Z]
[\q]
[\8]
[\1]
[\x61]ab
[\x61-\x62]+
[\u0061]ab
[\U00000061]ab
[^a]
[^^a]
[a^]
[
[]
[^]
[a
a[b
\x61ab
\x6
\u0061ab
\u61
\U00000061ab
\U00110000
\0
\07
\141ab
\541
\1
(a)\1b
(a)\2
(a\1)
(?P<a>a)(?P=a)b
(?P<a>a(?P=a))
(?P=q)
(?P<a>a)(?P<a>b)
(?P<1>a)
(?P<>a)
(?P<a
(?P>a)
(?P
(?
(?<a>b)
(?'a'b)
(?R)
(?1)
(?&a)
(?|a|b)
(?C)
(?#comment)aab
a(?#comment)*b
(?#comment
(*FAIL)
(*ACCEPT)a
a(*COMMIT)b
(?^a)
(?i-i:a)
(?-u:a)
(?iu)AAB
(?u)aab
(?-)
(?-:a)
(?i
(?i-)
(?z)
a(?i)b
(?:(?i)a)
(?i)|AAB
|(?i)AAB
(?i)model|LM_HEAD
(?s)x|a.b
(
)
a)
(a
(?:a
a|b|
|
(|a)+b
\
a\
\q
\_head
lm\_head
\-
\R
\K
\G
\h
\X
\C
\Q.\E
\E
\p{L}
\N
\N{DIGIT ONE}
\z
\g<1>
\k<a>
\cA
\e
\o{141}
\d\d
\D\D\D
\s
a\sb
ab\s
ab\S
a\vb
a[\s]b
a[^\S]b
a
b
.{24}$
.{3,5}$
.{0}$
(?:.{2}){2,}$
model(?!\.visual|\.lang)
(?=.*proj)(?=.*mlp)
(?!lm_head$)(?!visual)(?!model\.visual)
re:visual
A-b
A-b_1
(?i)a-B_1$
ä
[ä-ü]
\u00e4|aab
(?P<ä>a)
((((((((((a))))))))))ab
(a)(a)(b)\3?
a{0}aab
a{0,0}aab
a{3,2}
a{1}{1}
(?:a{1}){1}ab
(a{1,2}){1,2}b
x*
x*$
(?:x*)*aab
(?:a|b)*?b$
.*?\.
[^.]*\.[^.]*$
[^.]+\.[^.]+\.[^.]+\.[^.]+\.[^.]+$
""".strip("\n").split("\n")
# Lines that belong together.
WRITTEN += ["(?x) model \\. # the prefix\n layers", "(?x:a #)\n)ab", "a # b", "(?x)a a\tb", "a\nb", "(?x)a [ ] b", "(?x)a *b", "(?x)a {2} b"]

PIECES = ["a", "b", "model", "visual", "lm", "_", r"\.", ".", r"\d", r"\w", r"\W", r"\D", r"\S", "[a-m]", "[^.]", "[0-9]", "[_a]", "^",
          "$", r"\b", r"\B", r"\Z", "layers", "proj", "l", "mlp", r"\1", r"\2", "\n", "-", "{", "}", ",", "1", "A"]
QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{,2}", "{1,}", "{0,1}", "*+", "++", "?+", "{1,2}?"]
OPENINGS = ["(", "(", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?s:", "(?m:", "(?P<g>", "(?-i:"]


def pattern(random_, depth=0):
    text = ""
    for _ in range(random_.randint(1, 4)):
        kind = random_.random()
        if kind < 0.65 or depth > 2:
            text += random_.choice(PIECES)
        elif kind < 0.9:
            text += random_.choice(OPENINGS) + pattern(random_, depth + 1) + ")"
        else:
            text += "|"
        if random_.random() < 0.3:
            text += random_.choice(QUANTIFIERS)
    return text


def too_slow(*_):
    raise TimeoutError


def answers(text):
    try:
        compiled = re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return None
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
    try:
        return matches(compiled)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def matches(compiled):
    return "".join("1" if compiled.match(name) else "0" for name in NAMES)


signal.signal(signal.SIGVTALRM, too_slow)
rows = [[text, answers(text)] for text in WRITTEN]
random_ = random.Random(8)
seen = set(WRITTEN)
while len(rows) < 6000:
    text = pattern(random_)
    if text in seen:
        continue
    seen.add(text)
    try:
        said = answers(text)
    except TimeoutError:
        continue
    if said is None and random_.random() < 0.8 or said == "0" * len(NAMES) and random_.random() < 0.8:
        continue  # there are many of them
    rows.append([text, said])
print(json.dumps({"names": NAMES, "patterns": rows}, indent=0, separators=(",", ":")).replace("[\n", "[").replace("\n]", "]").replace(",\n", ",").replace("],[", "],\n["))
