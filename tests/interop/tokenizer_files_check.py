#!/usr/bin/env python3
"""Octavo's tokens against transformers' AutoTokenizer, for a model's tokenizer files as they may lie in a directory:
flags in one file and not in the other, tokens that are only named, files of old releases. Exits 1 on a difference.

    tokenizer_files_check.py ENCODE_LINES MODEL
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import transformers
from transformers import AutoTokenizer

PROGRAM, MODEL = sys.argv[1], pathlib.Path(sys.argv[2])
TEXTS = ["Hi <|im_end|>\n<|im_start|>user", " <new>  x<new>y", "a <|im_end|> b", "<tool_call>{}</tool_call> <fresh>z", "caf\u00e9 cafe\u0301!",
         "<|image_pad|><|vision_start|>", "<|endoftext|>", "w <word>ord <word> x"]
FLAGS = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": False}


def token(content, **flags):
    return {"content": content, **FLAGS, **flags}


def variants():
    config = json.loads((MODEL / "tokenizer_config.json").read_text())
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
    last = max(t["id"] for t in tokenizer["added_tokens"])
    both = ("tokenizer.json", "tokenizer_config.json")
    old = ("vocab.json", "merges.txt", "tokenizer_config.json")

    def changed(**keys):
        return {**config, **keys}

    def decoder(extra):
        return {**config["added_tokens_decoder"], **extra}

    plain = {k: v for k, v in config.items() if k != "added_tokens_decoder"}
    yield "as published", both, {}
    yield "vocab and merges", old, {}
    yield "a new token in tokenizer_config.json", both, {"tokenizer_config.json": changed(
        added_tokens_decoder=decoder({str(last + 1): token("<new>", lstrip=True)}))}
    yield "flags that differ", both, {"tokenizer_config.json": changed(
        added_tokens_decoder=decoder({"416": token("<tool_call>", special=True, rstrip=True)}))}
    yield "normalised", both, {"tokenizer_config.json": changed(
        added_tokens_decoder=decoder({str(last + 1): token("caf\u00e9", normalized=True)}))}
    yield "single word", both, {"tokenizer_config.json": changed(
        added_tokens_decoder=decoder({str(last + 1): token("<word>", single_word=True)}))}
    yield "a token that is only named", both, {"tokenizer_config.json": changed(
        additional_special_tokens=config["additional_special_tokens"] + ["<new>"])}
    yield "no added_tokens_decoder", both, {"tokenizer_config.json": plain}
    yield "another end token", both, {"tokenizer_config.json": changed(eos_token="<fresh>")}
    yield "special_tokens_map.json of old releases", both + ("special_tokens_map.json",), {
        "tokenizer_config.json": {k: v for k, v in plain.items() if not k.endswith("_token") and "special" not in k},
        "special_tokens_map.json": {"eos_token": token("<|im_end|>"), "pad_token": "<|endoftext|>", "additional_special_tokens": ["<new>"]}}
    yield "vocab and merges with added_tokens.json", ("vocab.json", "merges.txt", "tokenizer_config.json", "added_tokens.json"), {
        "tokenizer_config.json": plain, "added_tokens.json": {t["content"]: t["id"] for t in tokenizer["added_tokens"]}}
    yield "ids that the file has wrong", both, {"tokenizer.json": {
        **tokenizer, "added_tokens": [{**t, "id": t["id"] + 5} for t in tokenizer["added_tokens"]]},
        "tokenizer_config.json": plain}


def main():
    print("transformers", transformers.__version__)
    failed = 0
    for name, files, contents in variants():
        with tempfile.TemporaryDirectory() as scratch:
            directory = pathlib.Path(scratch)
            for file in (*files, "config.json"):
                if file in contents:
                    (directory / file).write_text(json.dumps(contents[file]))
                elif (MODEL / file).exists():
                    (directory / file).write_text((MODEL / file).read_text())
            run = subprocess.run([PROGRAM, scratch], input="".join(json.dumps(t) + "\n" for t in TEXTS).encode(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                theirs = AutoTokenizer.from_pretrained(scratch)
            except Exception as error:  # noqa: BLE001
                print(f"{name}: transformers refuses ({str(error)[:80]}); Octavo: {run.stderr.decode().strip()[:120] or 'reads it'}")
                continue
            if run.returncode != 0:
                print(f"{name}: Octavo refuses: {run.stderr.decode().strip()}")
                failed += 1
                continue
            wrong = 0
            for text, line in zip(TEXTS, run.stdout.splitlines()):
                mine, ids = json.loads(line), theirs(text, add_special_tokens=True)["input_ids"]
                wanted = {"ids": ids, "decoded_skip": theirs.decode(ids, skip_special_tokens=True)}
                if any(mine[k] != v for k, v in wanted.items()):
                    wrong += 1
                    print("  ", ascii(text), wanted, {k: mine[k] for k in wanted})
            print(f"{name}: {wrong} of {len(TEXTS)} texts differ")
            failed += wrong > 0
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
