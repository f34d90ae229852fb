"""The Python package against transformers on the same weights, with pictures of Pillow: prompts, greedy answers,
log-probabilities.  python_check.py MODEL SAMPLES.jsonl [COUNT]
"""
import json
import os
import sys

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

import octavo

directory, samples = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 24
# float32 against float32 differs by the order of sums; that of a difference of two logits is at most twice that of one
# (logits_check.py).
LOG_PROB_MAX_DIFFERENCE = 2e-4

with open(samples) as lines:
    rows = [json.loads(line) for line in lines][:count]
ours = octavo.Model(directory)
tokenizer = AutoTokenizer.from_pretrained(directory)
processor = Qwen2VLImageProcessorPil.from_pretrained(directory)
theirs = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32,
                                                            attn_implementation="eager").eval()
pad = theirs.config.image_token_id
worst, tokens, failed = 0.0, 0, []
for row in rows:
    picture = Image.open(os.path.join(os.path.dirname(samples), row["image"])).convert("RGB")
    if any(side % 28 for side in picture.size):  # a picture that is resized may differ by a grey level (logits_check.py)
        picture = picture.resize([max(28, side // 28 * 28) for side in picture.size])
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": row["prompt"]}]}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    pixels = processor(images=[picture], return_tensors="pt")
    copies = int(pixels["image_grid_thw"].prod()) // processor.merge_size ** 2
    ids = tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * copies), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        out = theirs.generate(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == pad).int(),
                              **pixels, do_sample=False, max_new_tokens=40, output_logits=True,
                              return_dict_in_generate=True)
    expected = out.sequences[0, ids.shape[1]:].tolist()
    log_probs = [float(torch.log_softmax(step[0].double(), -1)[token]) for step, token in zip(out.logits, expected)]
    if ours.chat_text(messages, [picture]) != text:
        failed.append(f"{row['id']}: the chat template's text")
    prompt = ours.prompt(messages, [picture])
    if prompt.ids != ids[0].tolist():
        failed.append(f"{row['id']}: the prompt's ids")
    for asked, images in ((prompt, []), (messages, [np.asarray(picture)])):
        answer = ours.generate(asked, images, temperature=0, max_new_tokens=40, log_probs=True)
        if answer.tokens != expected:
            failed.append(f"{row['id']}: {answer.text!r}, transformers {tokenizer.decode(expected)!r}")
        else:
            worst = max(worst, *(abs(a - b) for a, b in zip(answer.log_probs, log_probs)))
    if ours.detokenize(expected) != tokenizer.decode(expected, skip_special_tokens=True):
        failed.append(f"{row['id']}: the answer's text")
    tokens += len(expected)
print(f"prompts {len(rows)}, tokens {tokens}: all equal but {len(failed)}; largest difference of a log-probability {worst:.1e}")
if not worst <= LOG_PROB_MAX_DIFFERENCE:
    failed.append(f"log-probabilities differ by more than {LOG_PROB_MAX_DIFFERENCE}")
for line in failed:
    print("FAILED:", line)
sys.exit(bool(failed))
