"""Octavo against transformers, logits of whole prompts: the original in float32, and the quantized directory loaded
through compressed-tensors. Exits 1 when they disagree beyond what is stated below.

    logits_check.py LIBOCTAVO MODEL QUANTIZED SAMPLES.jsonl [COUNT]
"""
import json
import os
import sys

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from octavo_logits import octavo_logits, use_library

use_library(sys.argv[1])
original, quantized, samples = sys.argv[2:5]
count = int(sys.argv[5]) if len(sys.argv) > 5 else 12

# float32 against float32 differs by the order of sums; a picture that is resized first may differ by a grey level here and
# there. The int8 runs differ by the noise of the scheme: transformers divides a token's largest value by 127.5, Octavo by
# 127, so their activations round independently. Two independent errors of the size that quantization itself makes add to
# sqrt(2) of it; their difference must stay below that, and the direction of the logits must not move.
FLOAT_MAX_DIFFERENCE = 1e-4
# Float activations under int8 weights: besides the order of sums, transformers rounds every weight's q * s, and Octavo every
# sum's product with s.
W8A16_MAX_DIFFERENCE = 2 * FLOAT_MAX_DIFFERENCE
RESIZED_MAX_DIFFERENCE = 0.05
INT8_MIN_COSINE = 0.999
INT8_MAX_NOISE = 2 ** 0.5


def transformers_logits(directory, questions):
    tokenizer = AutoTokenizer.from_pretrained(original)
    processor = Qwen2VLImageProcessorPil.from_pretrained(original)  # the video part of AutoProcessor wants torchvision
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32,
                                                               attn_implementation="eager").eval()
    for tensor in [*model.parameters(), *model.buffers()]:  # bf16 scales would make bf16 activations of float32 ones
        if tensor.is_floating_point():
            tensor.data = tensor.data.float()
    pad = model.config.image_token_id
    result = []
    for prompt, image in questions:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        pixels = processor(images=[Image.open(image).convert("RGB")], return_tensors="pt")
        copies = int(pixels["image_grid_thw"].prod()) // processor.merge_size ** 2
        ids = tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * copies), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            result.append(model(input_ids=ids, mm_token_type_ids=(ids == pad).int(), **pixels).logits[0].float().numpy())
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
def resized(image):
    return any(side % 28 for side in Image.open(image).size)


def largest(first, second, chosen):
    return max((float(np.abs(a - b).max()) for a, b, take in zip(first, second, chosen) if take), default=0.0)


def rms(first, second):
    return float(np.sqrt(np.mean(np.concatenate([((a - b) ** 2).ravel() for a, b in zip(first, second)]))))


needs_resize = [resized(image) for _, image in questions]
exact = largest(ours, theirs, [not r for r in needs_resize])
odd = largest(ours, theirs, needs_resize)
ours8, theirs8 = octavo_logits(quantized, questions), transformers_logits(quantized, questions)
int8_cosine = min(cosine(a, b) for a, b in zip(ours8, theirs8))
noise, scheme = rms(ours8, theirs8), rms(theirs8, theirs)
agreement = float(np.mean([np.mean(a.argmax(-1) == b.argmax(-1)) for a, b in zip(ours8, theirs8)]))
print(f"prompts {len(questions)}, positions {sum(len(a) for a in ours)}, logits up to {max(float(np.abs(a).max()) for a in ours):.1f}")
print(f"original, float32: largest logit difference {exact:.2e}; with a picture that is resized first {odd:.2e}")
print(f"quantized: Octavo against transformers, rms {noise:.4f} (quantization itself: {scheme:.4f}), least cosine "
      f"{int8_cosine:.6f}, same argmax at {100 * agreement:.2f} % of positions")
failed = []
with open(os.path.join(quantized, "config.json")) as config:
    groups = json.load(config)["quantization_config"]["config_groups"].values()
weight_only = all(group["input_activations"] is None for group in groups)  # nothing rounds: as float32
if weight_only:
    print(f"W8A16: largest logit difference {largest(ours8, theirs8, [not r for r in needs_resize]):.2e}")
if not exact <= FLOAT_MAX_DIFFERENCE:
    failed.append(f"float32 logits differ by more than {FLOAT_MAX_DIFFERENCE}")
if not odd <= RESIZED_MAX_DIFFERENCE:
    failed.append(f"float32 logits of resized pictures differ by more than {RESIZED_MAX_DIFFERENCE}")
if not int8_cosine >= INT8_MIN_COSINE:
    failed.append(f"int8 logits' cosine is below {INT8_MIN_COSINE}")
if weight_only and not largest(ours8, theirs8, [not r for r in needs_resize]) <= W8A16_MAX_DIFFERENCE:
    failed.append(f"W8A16 logits differ by more than {W8A16_MAX_DIFFERENCE}")
if not noise <= INT8_MAX_NOISE * scheme:
    failed.append("Octavo's int8 and transformers' differ by more than the noise of the scheme")
for line in failed:
    print("FAILED:", line)
sys.exit(bool(failed))
