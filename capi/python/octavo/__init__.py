"""Octavo: quantizes vision-language models to W8A8, verifies the result, and runs both on a CPU.

    import octavo

    model = octavo.Model("Qwen2.5-VL-3B-Instruct")
    print(model.generate("What is in the picture?", images=["picture.png"]))
    octavo.quantize("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", calibration="samples.jsonl")
    octavo.verify("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", samples="held_out.jsonl")

Everything is computed by the C library; what this package adds is Python's forms. What the library decides (backends,
settings of a model that are not honoured) goes to the logger "octavo". docs/python.md is its page.
"""
from . import _log
from ._job import Cancel
from ._library import lib as _lib
from .blocks import Block, Blocks, BlockState, LinearInfo, Writer
from .errors import (CancelledError, DTypeError, Error, ExistsError, FileError, FormatError, InternalError,
                     InvalidArgumentError, NotFiniteError, NotFoundError, OutOfMemoryError, ShapeError,
                     UnsupportedError)
from .form import OutputForm
from .generation import Box, Generation, Picture, Token, TokenLogProb, boxes_in
from .jobs import attribute, check, compare, plan, quantize, verify
from .model import Model
from .parts import (Hessian, KvCache, Linear, QuantizedLayer, attention, contract_check, gptq_quantize_layer,
                    load_image)
from .pictures import Image, ImageLike
from .prompt import Message, Prompt, PromptLike
from .results import AttributeResult, CheckResult, CompareResult, QuantizeResult, VerifyResult
from .runtime import build_info, set_num_threads
from .session import Batch, Finished, Session
from .settings import GenerateSettings, LogitsHook, PrefixCache
from .stream import Stream
from .tensor import Tensor
from .trace import trace

__version__: str = _lib.octavo_version().decode()

__all__ = [
    "AttributeResult", "Batch", "Block", "BlockState", "Blocks", "Box", "Cancel", "CancelledError", "CheckResult",
    "CompareResult", "DTypeError", "Error", "ExistsError", "FileError", "Finished", "FormatError", "GenerateSettings",
    "Generation", "Hessian", "Image", "ImageLike", "InternalError", "InvalidArgumentError", "KvCache", "Linear",
    "LinearInfo", "LogitsHook", "Message", "Model", "NotFiniteError", "NotFoundError", "OutOfMemoryError",
    "OutputForm", "Picture", "PrefixCache", "Prompt", "PromptLike", "QuantizeResult", "QuantizedLayer", "Session",
    "ShapeError", "Stream", "Tensor", "Token", "TokenLogProb", "UnsupportedError", "VerifyResult", "Writer",
    "attention", "attribute", "boxes_in", "build_info", "check", "compare", "contract_check", "gptq_quantize_layer",
    "load_image", "plan", "quantize", "set_num_threads", "trace", "verify",
]
