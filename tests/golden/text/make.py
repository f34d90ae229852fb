#!/usr/bin/env python3
"""Tokens as Hugging Face's `tokenizers` makes them: a small Qwen-like tokenizer and a corpus, as the reference for tests/text.

Run: /opt/oracle/bin/python tests/golden/text/make.py
"""
import json
import pathlib
import random
import unicodedata

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
BUNDLED = HERE.parents[2] / "examples/models/octavo-tiny-vl"
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
PLAIN = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<tool_call>s"]  # the last: the longest match must win

PROSE = """The quick brown fox jumps over the lazy dog; it's the dog's day, we'll see, they've gone, I'm here, you'd know.
Die Straße führt über die Brücke nach Köln. Où est la bibliothèque ? El niño comió mañana. Příliš žluťoučký kůň.
Съешь же ещё этих мягких французских булок, да выпей чаю. Γαζίες καὶ μυρτιὲς δὲν θὰ βρῶ πιὰ στὸ χρυσαφὶ ξέφωτο.
敏捷的棕色狐狸跳过懒狗。日本語のテキストを処理する。カタカナ。다람쥐 헌 쳇바퀴에 타고파. 繁體中文也可以。
نص حكيم له سر قاطع وذو شأن عظيم. דג סקרן שט בים מאוכזב ולפתע מצא חברה. ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण।
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า. Tiếng Việt có nhiều dấu. İstanbul'da ığdır. 😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ✅
def f(x):\n\treturn [i ** 2 for i in range(10) if i != 3]  # comment\nint main() { printf("%d\\n", 42); return 0; }
{"bbox_2d": [12, 345, 678, 90], "label": "cat"} <think> hmm </think> https://example.org/a?b=c&d=e 3.14159 ==== ---- ____"""

CORPUS = [
    "", " ", "  ", "\n", "\r\n", "\t", "a", "\u00a0", "\u3000", "\u2028", "\u0085", "\x1c", "\x00", "\x7f", "\u200b",
    "Hello world", " Hello world", "Hello  world", "Hello   world ", "trailing   ", "   leading", "\t\ttabs\tin\t",
    "It's we'll THEY'VE I'M you'D he'S 'tis 'RE' 're 'vex ''s '", "don't DON'T l'été 'ſ 'S", "'l", "'v", "'r e",
    "12345 1,234.56 ١٢٣ Ⅷ ½ ²³ ① 一二三 १२३", "a1b2c3", "x²y", "v1.2.3-rc4",
    "a\nb\r\nc\rd\n\n\ne\r\n\r\nf", "a \n b \r\n c", "  \n  \n  x", "x  \n", "x \n\n  ", "!\n\n", "!?\r\n\r\n x", " .\n",
    "a\u00a0b\u00a0\u00a0c", "a\u3000b", "a\u2028b\u2029c", "a\u0085b", "a\x1cb", "\ufeffbom", "zero\u200bwidth\u200djoin",
    "e\u0301 é n\u0303 A\u030a \u212b \u2126 \ufb01 ﬃ", "q\u0307\u0323 q\u0323\u0307", "\u0301start", "a\u0300\u0301\u0302b",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 한글 각\u11a8", "\u0958 \u0915\u093c क्षत्रिय हिन्दी", "ปฏิบัติการ",
    "שָׁלוֹם עֲלֵיכֶם", "السَّلَامُ عَلَيْكُمْ", "中文，标点！「引号」", "日本語とEnglish混在123", "ﾊﾝｶｸ", "Ⅻ ǅ ʰ ª º",
    "😀😃", "👨‍👩‍👧‍👦 family", "👍🏽👍", "🇩🇪🇫🇷", "❤️ ♥", "a😀b 😀 c", "𝒜𝓑 𝟘𝟙 𐍈", "\U000e0001 tag", "\uffff \ufffd",
    "def f(x):\n    return x**2\n\n\nclass A:\n\tpass\n", 'for (int i=0;i<10;++i){a[i]+=b[i];}//x', "<html><b>&amp;</b></html>",
    "====================", "-----\n-----", "....", "a" * 300, "é" * 100, " " * 50 + "x", "\n" * 20, "ab" * 200 + "!" * 100,
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", "<|im_start|><|im_start|>", "a<|im_end|>b", "<|im_end|",
    " <|im_end|> ", "<|image_pad|>" * 3, "<tool_call>\n{}\n</tool_call>", "<tool_call>s", "<tool_call>x", "<<|im_end|>>",
    "<|vision_start|><|image_pad|><|vision_end|>Describe this image.", "e<|im_end|>\u0301", "<|IM_END|>", "<|fim_prefix|>x",
]


def random_texts(rng, count):
    # Characters of Unicode 3.2 only: newer ones may be classed by a newer table on one side than on the other.
    old = [chr(c) for c in range(0x20000) if unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs", "Co")]
    common = list("aAsStTlLdDmMeE'' \n\r\t  12.,!_-<|>") + ["\u00a0", "\u0301", "é", "中", "😀", "\u3000", "\u0323", "ſ"]
    words = PROSE.split(" ") + SPECIAL + PLAIN
    for i in range(count):
        if i % 3 == 0:
            yield "".join(rng.choice(common) for _ in range(rng.randint(1, 24)))
        elif i % 3 == 1:
            yield "".join(rng.choice(old if rng.random() < 0.6 else common) for _ in range(rng.randint(1, 12)))
        else:
            yield rng.choice(["", " ", "\n"]).join(rng.choice(words) for _ in range(rng.randint(1, 5)))


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, min_frequency=1, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((PROSE + "\n" + "\n".join(CORPUS)).split("\n") + [PROSE], trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in PLAIN])
    return tokenizer


def main():
    rng = random.Random(7)
    small = train()
    small.save(str(HERE / "tokenizer.json"), pretty=False)
    saved = json.loads((HERE / "tokenizer.json").read_text())
    (HERE / "vocab.json").write_text(json.dumps(saved["model"]["vocab"], ensure_ascii=False))
    (HERE / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in saved["model"]["merges"]) + "\n")
    (HERE / "tokenizer_config.json").write_text(json.dumps(
        {"added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in saved["added_tokens"]}}))
    texts = CORPUS + PROSE.split("\n") + [PROSE] + list(random_texts(rng, 1500))
    golden = {"versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__,
                           "unicodedata": unicodedata.unidata_version}, "texts": texts}
    for name, tokenizer in ("small", small), ("bundled", Tokenizer.from_file(str(BUNDLED / "tokenizer.json"))):
        ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        size = tokenizer.get_vocab_size()
        loose = [[rng.randrange(size) if rng.random() < 0.4 else rng.randrange(256) for _ in range(rng.randint(1, 8))]
                 for _ in range(400)]
        kept = [tokenizer.decode(i, skip_special_tokens=False) for i in ids]
        golden[name] = {
            "ids": ids,
            # null where decoding gives the composed text back, as nearly everywhere
            "decoded": [None if d == unicodedata.normalize("NFC", t) else d for d, t in zip(kept, texts)],
            "decoded_skip": [None if (s := tokenizer.decode(i, skip_special_tokens=True)) == k else s
                             for i, k in zip(ids, kept)],
            "loose_ids": loose,
            "loose_decoded": [tokenizer.decode(i, skip_special_tokens=False) for i in loose]}
    golden["composed"] = [None if (n := unicodedata.normalize("NFC", t)) == t else n for t in texts]

    template = json.loads((BUNDLED / "chat_template.json").read_text())["chat_template"]
    from jinja2 import Environment
    render = Environment(trim_blocks=True, lstrip_blocks=True).from_string(template).render
    image, video = {"type": "image"}, {"type": "video"}
    say = lambda t: {"type": "text", "text": t}  # noqa: E731
    chats = []
    for messages in (
        [{"role": "user", "content": [say("Hi")]}],
        [{"role": "system", "content": [say("Be brief.")]}, {"role": "user", "content": [image, say("Describe this image.")]}],
        [{"role": "user", "content": [image, image, say(" What differs? ")]}],
        [{"role": "user", "content": [image, say("What is it?")]}, {"role": "assistant", "content": [say("A cat.")]},
         {"role": "user", "content": [say("And\nhere?"), image, video, say("")]}],
        [{"role": "user", "content": [say("a"), image] * 7 + [video, say("b"), video]}],
        [{"role": "user", "content": []}],
    ):
        for prompt in (False, True):
            for vision_id in (False, True):
                chats.append({"messages": messages, "add_generation_prompt": prompt, "add_vision_id": vision_id,
                              "text": render(messages=messages, add_generation_prompt=prompt, add_vision_id=vision_id)})
    golden["chats"] = chats
    (HERE / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
