"""What the transformers release of this venv makes of saved models, for matrix.py to hold Octavo against.

    answer.py SAMPLES.jsonl COUNT DIRECTORY ...      writes DIRECTORY.npz: logits<i> [tokens, vocab], tokens<i> (greedy)

The weights are widened to float32, as Octavo computes. An error of transformers is written to DIRECTORY.failed.
"""
import json
import os
import sys

import numpy as np
from common import RELEASE, AutoTokenizer, load, torch
from PIL import Image

samples, count, directories = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
NEW_TOKENS = 12


def image_processor(directory):
    """Pillow's resize, which Octavo equals bit for bit; the torchvision form differs by a grey level here and there."""
    if RELEASE >= (5, 0):
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil as Processor
    else:
        from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor as Processor
    return Processor.from_pretrained(directory)


def template(directory):
    """The chat template as this release finds it."""
    for name in ("chat_template.jinja", "chat_template.json"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path) as file:
                return file.read() if name.endswith(".jinja") else json.load(file)["chat_template"]
    return None


def answers(directory, rows):
    model = load(directory, torch.float32)
    tokenizer, pictures = AutoTokenizer.from_pretrained(directory), image_processor(directory)
    text_config = model.config.get_text_config()
    assert text_config.vocab_size == model.get_input_embeddings().weight.shape[0]
    pad = model.config.image_token_id
    result = {}
    for i, row in enumerate(rows):
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": row["prompt"]}]}]
        text = tokenizer.apply_chat_template(messages, chat_template=template(directory), tokenize=False,
                                             add_generation_prompt=True)
        path = os.path.join(os.path.dirname(samples), row["image"])
        pixels = pictures(images=[Image.open(path).convert("RGB")], return_tensors="pt")
        copies = int(pixels["image_grid_thw"].prod()) // pictures.merge_size ** 2
        ids = tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * copies), return_tensors="pt")["input_ids"]
        inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids), **pixels)
        if RELEASE >= (5, 0):
            inputs["mm_token_type_ids"] = (ids == pad).int()
        with torch.no_grad():
            result[f"logits{i}"] = model(**inputs).logits[0].float().numpy()
            tokens = model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS)[0, ids.shape[1]:]
        result[f"tokens{i}"] = tokens.numpy()
        result[f"text{i}"] = np.array(tokenizer.decode(tokens, skip_special_tokens=True))
    return result


with open(samples) as lines:
    chosen = [json.loads(line) for line in lines if line.strip()][:count]
for directory in directories:
    try:
        np.savez(directory + ".npz", **answers(directory, chosen))
    except Exception as error:  # noqa: BLE001: what this release cannot load is a finding of its own
        with open(directory + ".failed", "w") as file:
            file.write(f"{type(error).__name__}: {error}"[:400])
