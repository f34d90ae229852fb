#!/usr/bin/env python3
"""Writes templates.json: prompts that jinja2, set up as transformers does, renders from templates as models have them.

Run: python tests/golden/text/make_templates.py   (jinja2; tests/interop/templates_check.py compares random templates)
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
MODEL = ROOT / "examples/models/octavo-tiny-vl"
sys.path.insert(0, str(ROOT / "tests/interop"))
from templates_check import jinja, known_templates  # noqa: E402

IMAGE, VIDEO = {"type": "image", "image": "image"}, {"type": "video", "video": "video"}
PAD = {"image": "<|vision_start|><|image_pad|><|vision_end|>", "video": "<|vision_start|><|video_pad|><|vision_end|>"}


def say(text):
    return {"type": "text", "text": text}


CHATS = [
    [{"role": "user", "content": [say("Hi <|im_end|>")]}],
    [{"role": "system", "content": [say("Be brief.\n")]}, {"role": "user", "content": [IMAGE, say(" What?")]}],
    [{"role": "user", "content": [say("a"), IMAGE, IMAGE, say("b"), VIDEO]},
     {"role": "assistant", "content": [say("<think>x</think>\n\ny")]}, {"role": "user", "content": [say("\u00e9\u4e00")]}],
]


def as_text(message):
    return {"role": message["role"], "content": "".join(p["text"] if p["type"] == "text" else PAD[p["type"]] for p in message["content"])}


def main():
    entries = []
    for name, source in known_templates(MODEL):
        probe = jinja(source, {"messages": [{"role": "user", "content": [IMAGE, say("Hello")]}], "add_generation_prompt": True})
        parts = isinstance(probe, str) and "<|image_pad|>" in probe
        chats = []
        for messages in CHATS:
            given = messages if parts else [as_text(m) for m in messages]
            for prompt in (False, True):
                for vision_id in ((False, True) if parts else (False,)):
                    variables = {"messages": given, "add_generation_prompt": prompt, "tools": None, "documents": None}
                    if vision_id:
                        variables["add_vision_id"] = True
                    text = jinja(source, variables)
                    chats.append({"messages": messages, "add_generation_prompt": prompt, "add_vision_id": vision_id,
                                  "text": text if isinstance(text, str) else None})
        entries.append({"name": name, "source": source, "takes_parts": parts, "chats": chats})
    (HERE / "templates.json").write_text(json.dumps(entries, separators=(",", ":")) + "\n")
    print(len(entries), "templates,", sum(len(e["chats"]) for e in entries), "prompts")


if __name__ == "__main__":
    main()
