"""What save.py and answer.py share: they run in a venv of one transformers release."""
import sys
import types

# torchvision from PyPI is built for CUDA; of it only the Python part is used, which resizes with torch's own operations.
# Its operators' registration would look for the compiled part.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")

import torch
import transformers
from transformers import AutoProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration  # noqa: F401

RELEASE = tuple(int(part) for part in transformers.__version__.split(".")[:2])
transformers.logging.set_verbosity_error()


def load(directory, dtype):
    """The model as this release reads it, its weights in `dtype`."""
    key = "dtype" if RELEASE >= (4, 56) else "torch_dtype"
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(
        directory, attn_implementation="eager", **{key: dtype}).eval()
