"""What transformers with compressed-tensors makes of each linear's scheme, against what octavo_report.json says was done.
Exits 1 where they differ.

    schemes_check.py QUANTIZED
"""
import json
import os
import sys

import torch
from transformers import Qwen2_5_VLForConditionalGeneration

quantized = sys.argv[1]
with open(os.path.join(quantized, "octavo_report.json")) as report:
    asked = {layer["module"]: layer["scheme"] for layer in json.load(report)["layers"]}


def published(name):  # Octavo reports names of the published layout; transformers nests the language model
    for nested, plain in (("model.language_model.", "model."), ("model.visual.", "visual.")):
        if name.startswith(nested):
            return plain + name[len(nested):]
    return name


def scheme_of(module):
    scheme = getattr(module, "quantization_scheme", None)
    if scheme is None:
        return "skip"
    return "w8a8" if scheme.input_activations is not None else "w8a16"


model = Qwen2_5_VLForConditionalGeneration.from_pretrained(quantized, dtype=torch.float32)
found = {published(name): scheme_of(module) for name, module in model.named_modules()
         if isinstance(module, torch.nn.Linear)}
wrong = [f"{name}: transformers {found.get(name)}, Octavo {asked.get(name, 'skip')}"
         for name in sorted(found.keys() | asked.keys()) if found.get(name) != asked.get(name, "skip")]
counts = {scheme: list(found.values()).count(scheme) for scheme in ("w8a8", "w8a16", "skip")}
print(f"linears: {len(found)}, of which {counts['w8a8']} W8A8, {counts['w8a16']} W8A16, {counts['skip']} float; "
      f"{len(wrong)} differ")
for line in wrong:
    print("FAILED:", line)
sys.exit(bool(wrong) or not counts["w8a16"])
