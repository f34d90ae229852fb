"""Octavo: quantizes vision-language models to W8A8, verifies the result, and runs both on a CPU.

    import octavo

    model = octavo.Model("Qwen2.5-VL-3B-Instruct")
    print(model.generate("What is in the picture?", images=["picture.png"]))
    octavo.quantize("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", calibration="samples.jsonl")
    octavo.verify("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", samples="held_out.jsonl")

Everything is computed by the C library; what this package adds is Python's forms. docs/python.md is its page.
"""
from ._job import Cancel
from ._library import lib as _lib
from .errors import (CancelledError, DTypeError, Error, ExistsError, FileError, FormatError, InternalError,
                     InvalidArgumentError, NotFiniteError, NotFoundError, OutOfMemoryError, ShapeError,
                     UnsupportedError)
from .form import OutputForm
from .generation import Box, Generation, GenerateSettings, Picture, PrefixCache, Stream, Token, boxes_in
from .jobs import attribute, check, compare, plan, quantize, verify
from .model import Model
from .parts import (Hessian, KvCache, Linear, QuantizedLayer, attention, contract_check, gptq_quantize_layer,
                    load_image)
from .results import AttributeResult, CheckResult, CompareResult, QuantizeResult, VerifyResult
from .tensor import Tensor

__version__: str = _lib.octavo_version().decode()

__all__ = [
    "AttributeResult", "Box", "Cancel", "CancelledError", "CheckResult", "CompareResult", "DTypeError", "Error",
    "ExistsError", "FileError", "FormatError", "Generation", "GenerateSettings", "Hessian", "InternalError",
    "InvalidArgumentError", "KvCache", "Linear", "Model", "NotFiniteError", "NotFoundError", "OutOfMemoryError",
    "OutputForm", "Picture", "PrefixCache", "QuantizeResult", "QuantizedLayer", "ShapeError", "Stream", "Tensor", "Token",
    "UnsupportedError", "VerifyResult", "attention", "attribute", "boxes_in", "check", "compare", "contract_check",
    "gptq_quantize_layer", "load_image", "plan", "quantize", "verify",
]
