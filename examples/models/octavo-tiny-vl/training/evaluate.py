"""What the model reaches by the reference: transformers in float32, greedy, on eval/, and the same with blank pictures.

    python evaluate.py MODEL_DIR [SAMPLES.jsonl]

A blank picture has the same size and the plain colour of its upper left pixel, so it says nothing but that. A question
that is answered as well without the picture would be no question about the picture.
"""
import json
import os
import re
import sys
from collections import defaultdict

import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


def box_of(text):
    found = re.findall(r"(?<![\w.])-?\d+", text)[:4]
    return [int(v) for v in found] if len(found) == 4 else None


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    joined = sum((v[2] - v[0]) * (v[3] - v[1]) for v in (a, b)) - shared
    return shared / joined if joined > 0 else 0.0


def main(directory, samples):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    processor = Qwen2VLImageProcessorPil.from_pretrained(directory)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    base = os.path.dirname(samples)

    def answer(prompt, image):
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        pixels = processor(images=[image], return_tensors="pt")
        copies = int(pixels["image_grid_thw"].prod()) // processor.merge_size ** 2
        ids = tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * copies), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=48, do_sample=False,
                                  mm_token_type_ids=(ids == model.config.image_token_id).int(), **pixels)
        return tokenizer.decode(made[0, ids.shape[1]:], skip_special_tokens=True).strip()

    def score(row, text):
        if row["task"] == "grounding":
            box = box_of(text)
            return overlap(box, box_of(row["answer"])) if box else 0.0
        return float(text == row["answer"])

    with open(samples) as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    kinds = {"pictures": lambda image: image, "blank": lambda image: Image.new("RGB", image.size, image.getpixel((0, 0)))}
    for name, change in kinds.items():
        scores = defaultdict(list)
        for row in rows:
            image = Image.open(os.path.join(base, row["image"])).convert("RGB")
            task = row["task"]
            if task == "grounding" and re.search(" (left of|right of|above|below) ", row["prompt"]):
                task = "grounding, by relation"
            scores[task].append(score(row, answer(row["prompt"], change(image))))
        boxes = [s for task, values in scores.items() if "grounding" in task for s in values]
        words = [s for task, values in scores.items() if "grounding" not in task for s in values]
        print(f"{name}: grounding at IoU >= 0.5 {100 * sum(s >= 0.5 for s in boxes) / len(boxes):.1f} % of {len(boxes)} "
              f"(mean IoU {sum(boxes) / len(boxes):.3f}), answers right {100 * sum(words) / len(words):.1f} % of {len(words)}")
        for task, values in sorted(scores.items()):
            print(f"  {task}: {100 * sum(v >= 0.5 for v in values) / len(values):.1f} % of {len(values)}")


if __name__ == "__main__":
    directory = sys.argv[1]
    main(directory, sys.argv[2] if len(sys.argv) > 2 else os.path.join(directory, "eval", "eval.jsonl"))
