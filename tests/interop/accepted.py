"""What quantize writes, transformers loads and runs in the model's own type, as a user would: dtype="auto", nothing cast,
nothing repaired. Over element types, tied and untied heads, both layouts of names, presets and a mixed recipe: `check`,
`check --against`, transformers' load and its logits beside Octavo's. Exits 1 when one of them refuses or disagrees.

    accepted.py OCTAVO LIBOCTAVO MODEL [SCRATCH]
"""
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from octavo_logits import octavo_logits, use_library

octavo, library, bundled = (os.path.abspath(path) for path in sys.argv[1:4])
scratch = sys.argv[4] if len(sys.argv) > 4 else tempfile.mkdtemp()
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
use_library(library)

# Octavo and transformers round activations independently (127 against 127.5 levels) and compute in different types. Each
# is off the float model by an error that can be measured; independent errors add by their squares, and what the two
# have in common, the rounded weights, only brings them closer.
MIXED = {"rules": [
    {"match": r"model\.layers\..*\.down_proj", "scheme": "w8a16"},
    {"match": r"model\.layers\.1\.self_attn\.[qkv]_proj", "scheme": "w8a16", "method": "rtn", "observer": "mse"},
    {"match": r"visual\.blocks\.0\.", "scheme": "w8a16"},
    {"match": r"model\.layers\.0\.self_attn\.o_proj", "scheme": "skip"},
    {"match": r"(?!visual|lm_head)", "scheme": "w8a8"}]}
MIXED["rules"].insert(4, {"match": r"model\.(embed_tokens|norm)", "scheme": "skip"})


def newer(name):
    if name.startswith("visual."):
        return "model." + name
    return "model.language_model." + name[6:] if name.startswith("model.") else name


def save(dtype, tied, new_names):
    """The bundled model saved in another way."""
    target = os.path.join(scratch, f"{dtype}-{'tied' if tied else 'untied'}-{'new' if new_names else 'old'}")
    shutil.copytree(bundled, target, ignore=shutil.ignore_patterns("calib", "eval", "training"), dirs_exist_ok=True)
    tensors = {name: tensor.to(getattr(torch, dtype)) for name, tensor in load_file(f"{bundled}/model.safetensors").items()}
    if not tied:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    if new_names:
        tensors = {newer(name): tensor for name, tensor in tensors.items()}
    save_file(tensors, f"{target}/model.safetensors", metadata={"format": "pt"})
    with open(f"{target}/config.json") as file:
        config = json.load(file)
    config.update(torch_dtype=dtype, tie_word_embeddings=tied)
    with open(f"{target}/config.json", "w") as file:
        json.dump(config, file)
    return target


def transformers_logits(directory, dtype):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype="auto").eval()
    assert model.dtype == getattr(torch, dtype), model.dtype
    result = []
    for prompt, image in questions:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        pixels = processor(images=[Image.open(image).convert("RGB")], return_tensors="pt")
        copies = int(pixels["image_grid_thw"].prod()) // processor.merge_size ** 2
        ids = tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * copies), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=ids, mm_token_type_ids=(ids == model.config.image_token_id).int(), **pixels).logits
        result.append(logits[0].float().numpy())
    return result


def rms(first, second):
    return float(np.sqrt(np.mean(np.concatenate([((a - b) ** 2).ravel() for a, b in zip(first, second)]))))


def run(*arguments):
    done = subprocess.run([octavo, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


tokenizer = AutoTokenizer.from_pretrained(bundled)
processor = Qwen2VLImageProcessorPil.from_pretrained(bundled)
with open(f"{bundled}/eval/eval.jsonl") as lines:
    rows = [json.loads(line) for line in lines if line.strip()]
fitting = [row for row in rows if all(side % 28 == 0 for side in Image.open(f"{bundled}/eval/{row['image']}").size)]
questions = [(row["prompt"], f"{bundled}/eval/{row['image']}") for row in (fitting or rows)[:24]]  # of fewer, errors are too uncertain to be compared
with open(f"{scratch}/mixed.json", "w") as recipe:
    json.dump(MIXED, recipe)

counts = {"written": 0, "checked": 0, "against": 0, "loaded": 0, "agree": 0, "refused": 0}
failed = []
for dtype, tied, new_names in itertools.product(("bfloat16", "float16", "float32"), (True, False), (False, True)):
    model = save(dtype, tied, new_names)
    plain, theirs = octavo_logits(model, questions), transformers_logits(model, dtype)
    type_noise = rms(plain, theirs)
    for recipe in ("default", "rtn", "vision", "w8a16", f"{scratch}/mixed.json"):
        out = f"{model}-{os.path.basename(recipe)}"
        name = os.path.basename(out)
        code, said = run("quantize", model, "-o", out, "--recipe", recipe, "--overwrite",
                         "--calibration", f"{bundled}/calib/calibration.jsonl", "--max-samples", "8")
        if code:
            failed.append(f"{name}: quantize: {said}")
            continue
        counts["written"] += 1
        for what, arguments in (("checked", ("check", out)), ("against", ("check", out, "--against", model))):
            code, said = run(*arguments)
            counts[what] += code == 0
            if code:
                failed.append(f"{name}: {what}: {said}")
        try:
            ours8, theirs8 = octavo_logits(out, questions), transformers_logits(out, dtype)
        except Exception as error:
            failed.append(f"{name}: does not run: {str(error)[:300]}")
            continue
        counts["loaded"] += 1
        apart, our_error, their_error = rms(ours8, theirs8), rms(ours8, plain), rms(theirs8, theirs)
        print(f"{name}: rms apart {apart:.4f}; from the float model: Octavo {our_error:.4f}, transformers "
              f"{their_error:.4f}; the type {type_noise:.4f}", flush=True)
        if apart <= (our_error ** 2 + their_error ** 2 + type_noise ** 2) ** 0.5:
            counts["agree"] += 1
        else:
            failed.append(f"{name}: logits are {apart} apart")
    for scales in {"bf16", "f16", "f32"} - {{"bfloat16": "bf16", "float16": "f16", "float32": "f32"}[dtype]}:
        with open(f"{scratch}/scales.json", "w") as recipe:
            json.dump({"rules": [{"match": r"model\.layers\.", "scheme": "w8a8", "method": "rtn", "scale_dtype": scales}]}, recipe)
        code, said = run("quantize", model, "-o", f"{model}-{scales}", "--recipe", f"{scratch}/scales.json")
        counts["refused"] += code != 0 and "leave scale_dtype out" in said
        if code == 0:
            failed.append(f"{model}: scales in {scales} were accepted")
print(", ".join(f"{count} {what}" for what, count in counts.items()))
for line in failed:
    print("FAILED:", line)
if len(sys.argv) <= 4:
    shutil.rmtree(scratch)
sys.exit(bool(failed))
