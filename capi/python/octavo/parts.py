"""Parts: GPTQ of one layer, the int8 linear, attention with a cache, shape contracts. Over NumPy and torch, no copies."""
from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Union

from . import _abi
from ._handle import Handle, Owned, sized
from ._job import Cancel, run
from ._library import lib
from .errors import check
from .tensor import Tensor, TensorLike, as_optional_tensor, as_tensor, dtype_number


def _handle_of(value: Optional[Handle]) -> Optional[Owned]:
    return None if value is None else value._handle


class Hessian(Handle):
    """H = 2/n sum x^T x of the inputs of a linear, over n samples, each of which is one `add`. One thread at a time."""

    def __init__(self, in_features: int) -> None:
        handle = ctypes.c_void_p()
        check(lib.octavo_hessian_create(in_features, ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_hessian_release)

    def add(self, x: TensorLike) -> None:
        """Takes in a sample: its rows x[T, in_features], f32."""
        check(lib.octavo_hessian_add(self._handle, as_tensor(x)._handle))


@dataclass(frozen=True)
class QuantizedLayer:
    """What GPTQ or round-to-nearest made of a weight: weight = scales[:, None] * q, about."""

    weight: Tensor  #: s8 [N, K]
    scales: Tensor  #: f32 [N]
    loss: float  #: tr((W - Q) H (W - Q)^T)
    rtn_loss: float  #: the same for round-to-nearest
    damp_used: float
    dead_columns: int  #: inputs that were always 0


def gptq_quantize_layer(weight: TensorLike, hessian: Optional[Hessian] = None, *, method: str = "gptq",
                        act_order: bool = True, damp_percent: float = 0.01, block_size: int = 128,
                        scale_dtype: str = "f32", cancel: Optional[Cancel] = None) -> QuantizedLayer:
    """Quantizes weight[N, K], f32, f16 or bf16, to int8 with a scale per row (Frantar et al. 2022, arXiv:2210.17323).

    method: "gptq" needs the Hessian of its inputs, which takes no more rows then; with "rtn" (round to nearest) it may be
    absent, and the losses are those of H = I. scale_dtype: "f32", "bf16" or "f16", what scales are rounded to before
    quantizing; they are still given as f32. cancel: ends it from elsewhere; the Hessian can be used again.
    """
    if method not in ("gptq", "rtn"):
        raise ValueError(f"method is {method!r}, known are gptq and rtn")
    options, result = sized(_abi.octavo_gptq_options), sized(_abi.octavo_gptq_result)
    options.method = _abi.OCTAVO_METHOD_GPTQ if method == "gptq" else _abi.OCTAVO_METHOD_RTN
    options.no_act_order, options.damp_percent, options.block_size = not act_order, damp_percent, block_size
    options.scale_dtype = dtype_number(scale_dtype)
    quantized, scales = ctypes.c_void_p(), ctypes.c_void_p()
    given, seen = as_tensor(weight), _handle_of(hessian)
    run(lambda emit: check(lib.octavo_gptq_quantize_layer(given._handle, seen, ctypes.byref(options), ctypes.byref(quantized),
                                                          ctypes.byref(scales), ctypes.byref(result))),
        cancel or Cancel())
    return QuantizedLayer(Tensor._taken(quantized), Tensor._taken(scales), result.loss, result.rtn_loss,
                          result.damp_used, result.dead_columns)


class Linear(Handle):
    """y = x W^T + b over int8 weights. Weights are packed at creation; the tensors may go then. Threads may share it."""

    @classmethod
    def w8a8(cls, weight: TensorLike, weight_scale: TensorLike, bias: Optional[TensorLike] = None) -> Linear:
        """With int8 activations, one scale per token: weight[N, K] s8, weight_scale[N] f32|bf16, bias[N] f32|bf16."""
        return cls._create(lib.octavo_linear_w8a8_create, weight, weight_scale, bias)

    @classmethod
    def w8a16(cls, weight: TensorLike, weight_scale: TensorLike, bias: Optional[TensorLike] = None) -> Linear:
        """With float activations, for inputs that int8 cannot carry; weight_scale may be f16, too."""
        return cls._create(lib.octavo_linear_w8a16_create, weight, weight_scale, bias)

    @classmethod
    def _create(cls, create: Any, weight: TensorLike, weight_scale: TensorLike, bias: Optional[TensorLike]) -> Linear:
        handle, held = ctypes.c_void_p(), as_optional_tensor(bias)
        check(create(as_tensor(weight)._handle, as_tensor(weight_scale)._handle, _handle_of(held),
                     ctypes.byref(handle)))
        linear = cls.__new__(cls)
        linear._owned = Owned.of(handle, lib.octavo_linear_release)
        return linear

    def __call__(self, x: TensorLike) -> Tensor:
        """y[M, N] f32 of x[M, K] f32."""
        out = ctypes.c_void_p()
        check(lib.octavo_linear_forward(self._handle, as_tensor(x)._handle, ctypes.byref(out)))
        return Tensor._taken(out)


class KvCache(Handle):
    """Keys and values of past positions, of every layer: dtype "f32", "bf16" or "s8". One thread at a time."""

    def __init__(self, num_layers: int, num_kv_heads: int, head_dim: int, capacity: int, dtype: str = "f32") -> None:
        handle = ctypes.c_void_p()
        check(lib.octavo_kv_cache_create_typed(num_layers, num_kv_heads, head_dim, capacity, dtype_number(dtype),
                                               ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_kv_cache_release)

    def __len__(self) -> int:
        """Committed positions."""
        length = ctypes.c_int64()
        check(lib.octavo_kv_cache_length(self._handle, ctypes.byref(length)))
        return length.value

    def commit(self, new_positions: int) -> None:
        """After every layer was attended once: the new positions become past ones."""
        check(lib.octavo_kv_cache_commit(self._handle, new_positions))

    def truncate(self, length: int) -> None:
        """Forgets the positions from `length` on."""
        check(lib.octavo_kv_cache_truncate(self._handle, length))


def attention(q: TensorLike, k: TensorLike, v: TensorLike, mask: Optional[TensorLike] = None, *, causal: bool = False,
              cache: Optional[KvCache] = None, layer: int = 0) -> Tensor:
    """attention: q[B,Hq,Lq,D] k[B,Hkv,Lk,D] v[B,Hkv,Lk,D] mask?[B|1,Hq|1,Lq,Lk] -> out[B,Hq,Lq,D]

    With a cache, B is 1, k and v hold the new positions only and are appended to `layer`, and attention is causal.
    mask: additive f32, or u8 with 1 for visible; excludes `causal` and a cache.
    """
    out, held = ctypes.c_void_p(), as_optional_tensor(mask)
    check(lib.octavo_attention(as_tensor(q)._handle, as_tensor(k)._handle, as_tensor(v)._handle, _handle_of(held),
                               causal, _handle_of(cache), layer, ctypes.byref(out)))
    return Tensor._taken(out)


def contract_check(contract: str, tensors: Mapping[str, Optional[TensorLike]], *, module: str = "",
                   dims: Optional[Mapping[str, int]] = None) -> None:
    """Checks named tensors against a contract such as "linear: x[M,K] w[N,K] -> y[M,N]".

    None is an absent optional argument. module: quoted in the message. dims: letters that no argument shows.

    Raises ShapeError, which says which dimension is wrong, what set it and what to do; DTypeError.
    """
    held = [as_optional_tensor(value) for value in tensors.values()]
    handles = [None if value is None else value._handle for value in held]
    values = dims or {}
    check(lib.octavo_contract_check(
        contract.encode(), module.encode(), (ctypes.c_char_p * len(held))(*(name.encode() for name in tensors)),
        (ctypes.c_void_p * len(held))(*(None if handle is None else handle.address for handle in handles)),
        len(held), (ctypes.c_char_p * len(values))(*(name.encode() for name in values)),
        (ctypes.c_int64 * len(values))(*values.values()), len(values)))


def load_image(path: Union[str, "os.PathLike[str]"]) -> Tensor:
    """The pixels of a picture file: u8 [height, width, 3], RGB, turned upright, transparency on white."""
    out = ctypes.c_void_p()
    check(lib.octavo_image_load(os.fsencode(path), None, ctypes.byref(out)))
    return Tensor._taken(out)
