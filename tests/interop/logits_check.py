"""Octavo against transformers, logits of whole prompts: the original in float32, and the quantized directory loaded
through compressed-tensors. Exits 1 when they disagree beyond what is stated below.

    logits_check.py LIBOCTAVO MODEL QUANTIZED SAMPLES.jsonl [COUNT]
"""
import ctypes as c
import json
import os
import sys

import numpy as np
import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

lib = c.CDLL(os.path.abspath(sys.argv[1]))
lib.octavo_last_error.restype = c.c_char_p
original, quantized, samples = sys.argv[2:5]
count = int(sys.argv[5]) if len(sys.argv) > 5 else 12

# float32 against float32 differs by the order of sums. The int8 runs differ more: transformers divides a token's
# largest value by 127.5, Octavo by 127, so that activations round differently; that noise is bounded by what
# quantization itself does to the logits (printed beside it), and it must not move the direction of the logits.
FLOAT_MAX_DIFFERENCE = 1e-4
INT8_MIN_COSINE = 0.999


def octavo_logits(directory, questions):
    model = c.c_void_p()
    if lib.octavo_model_open(directory.encode(), c.byref(model)):
        raise SystemExit(lib.octavo_last_error().decode())
    result = []
    for prompt, image in questions:
        handle, data, size = c.c_void_p(), c.c_void_p(), c.c_size_t()
        paths = (c.c_char_p * 1)(image.encode())
        if lib.octavo_model_logits(model, prompt.encode(), paths, c.c_size_t(1), c.byref(handle)):
            raise SystemExit(lib.octavo_last_error().decode())
        length, vocab = c.c_int64(), c.c_int64()
        lib.octavo_tensor_dim(handle, c.c_size_t(0), c.byref(length))
        lib.octavo_tensor_dim(handle, c.c_size_t(1), c.byref(vocab))
        lib.octavo_tensor_data(handle, c.byref(data), c.byref(size))
        flat = np.ctypeslib.as_array(c.cast(data, c.POINTER(c.c_float)), (length.value, vocab.value))
        result.append(flat.copy())
        lib.octavo_tensor_release(handle)
    lib.octavo_model_release(model)
    return result


def transformers_logits(directory, questions):
    processor = AutoProcessor.from_pretrained(original, use_fast=False)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32,
                                                               attn_implementation="eager").eval()
    result = []
    for prompt, image in questions:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = processor(text=[text], images=[Image.open(image).convert("RGB")], return_tensors="pt")
        with torch.no_grad():
            result.append(model(**inputs).logits[0].float().numpy())
    return result


def cosine(a, b):
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


with open(samples) as lines:
    rows = [json.loads(line) for line in lines if line.strip()][:count]
base = os.path.dirname(samples)
questions = [(row["prompt"], os.path.join(base, row["image"])) for row in rows]

ours, theirs = octavo_logits(original, questions), transformers_logits(original, questions)
for a, b in zip(ours, theirs):
    assert a.shape == b.shape, (a.shape, b.shape)
float_difference = max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs))
ours8, theirs8 = octavo_logits(quantized, questions), transformers_logits(quantized, questions)
int8_difference = max(float(np.abs(a - b).max()) for a, b in zip(ours8, theirs8))
int8_cosine = min(cosine(a, b) for a, b in zip(ours8, theirs8))
scheme_difference = max(float(np.abs(a - b).max()) for a, b in zip(theirs8, theirs))
agreement = float(np.mean([np.mean(a.argmax(-1) == b.argmax(-1)) for a, b in zip(ours8, theirs8)]))
print(f"prompts {len(questions)}, positions {sum(len(a) for a in ours)}")
print(f"original:  largest logit difference, Octavo and transformers, both float32: {float_difference:.2e}")
print(f"quantized: largest logit difference {int8_difference:.3f}, least cosine {int8_cosine:.6f}, "
      f"same argmax at {100 * agreement:.2f} % of positions")
print(f"(what quantization itself changes, transformers int8 against transformers float32: {scheme_difference:.3f})")
failed = []
if float_difference > FLOAT_MAX_DIFFERENCE:
    failed.append(f"float32 logits differ by more than {FLOAT_MAX_DIFFERENCE}")
if int8_cosine < INT8_MIN_COSINE:
    failed.append(f"int8 logits' cosine is below {INT8_MIN_COSINE}")
if int8_difference > scheme_difference:
    failed.append("Octavo's int8 is further from transformers' int8 than that is from float32")
for line in failed:
    print("FAILED:", line)
sys.exit(bool(failed))
