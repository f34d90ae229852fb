"""A calibration loop of your own: a model as towers of blocks, one in memory at a time; and a writer of quantized models."""
from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, Union

from . import _abi
from ._handle import Handle, Owned, sized
from ._job import Cancel, Failure, run
from ._library import lib
from ._options import choice
from .errors import check
from .parts import Linear
from .prompt import Prompt
from .tensor import Tensor, TensorLike, as_tensor

if TYPE_CHECKING:
    from .model import Model

_TOWERS = {"vision": _abi.OCTAVO_TOWER_VISION, "language": _abi.OCTAVO_TOWER_LANGUAGE}
_SCHEMES = {"w8a8": _abi.OCTAVO_SCHEME_W8A8, "w8a16": _abi.OCTAVO_SCHEME_W8A16}

#: Sees the input of each group of linears just before it runs: the group's first linear, the group, x[M, K] f32, which is
#: valid during the call. False ends the run.
InputHook = Callable[[str, str, Tensor], object]


@dataclass(frozen=True)
class LinearInfo:
    """A linear of a block."""

    module_path: str  #: "model.layers.0.self_attn.q_proj"
    input_group: str  #: linears of one group see the same input, and can share a Hessian
    in_features: int
    out_features: int
    has_bias: bool


class BlockState(Handle):
    """The hidden rows of one prompt on their way through the blocks of a tower. One thread at a time."""

    @classmethod
    def _taken(cls, handle: ctypes.c_void_p) -> BlockState:
        state = cls.__new__(cls)
        state._owned = Owned.of(handle, lib.octavo_block_state_release)
        return state

    def clone(self) -> BlockState:
        """A copy, whose rows go on by themselves: calibration runs a block twice."""
        handle = ctypes.c_void_p()
        check(lib.octavo_block_state_clone(self._handle, ctypes.byref(handle)))
        return self._taken(handle)

    @property
    def hidden(self) -> Tensor:
        """The rows: f32 [L, hidden_size of the tower], a copy."""
        out = ctypes.c_void_p()
        check(lib.octavo_block_state_hidden(self._handle, ctypes.byref(out)))
        return Tensor._taken(out)


class Block(Handle):
    """One block, resident until it is closed. One thread at a time."""

    @classmethod
    def _taken(cls, handle: ctypes.c_void_p) -> Block:
        block = cls.__new__(cls)
        block._owned = Owned.of(handle, lib.octavo_block_release)
        return block

    @property
    def linears(self) -> list[LinearInfo]:
        """In the order in which they run."""
        count, found = ctypes.c_size_t(), []
        check(lib.octavo_block_linear_count(self._handle, ctypes.byref(count)))
        for index in range(count.value):
            info = sized(_abi.octavo_linear_info)
            check(lib.octavo_block_linear(self._handle, index, ctypes.byref(info)))
            found.append(LinearInfo((info.module_path or b"").decode(), (info.input_group or b"").decode(),
                                    info.in_features, info.out_features, bool(info.has_bias)))
        return found

    def weight(self, module_path: str) -> Tensor:
        """[out_features, in_features] as stored, read-only."""
        out = ctypes.c_void_p()
        check(lib.octavo_block_weight(self._handle, module_path.encode(), ctypes.byref(out)))
        return Tensor._taken(out)

    def bias(self, module_path: str) -> Optional[Tensor]:
        """[out_features] as stored."""
        out = ctypes.c_void_p()
        check(lib.octavo_block_bias(self._handle, module_path.encode(), ctypes.byref(out)))
        return Tensor._taken(out) if out.value else None

    def forward(self, state: BlockState, on_input: Optional[InputHook] = None) -> None:
        """Moves the rows behind the block. After a failure the state is of no more use."""
        failure = Failure()

        def hook(module_path: bytes, input_group: bytes, x: int, user_data: object) -> int:
            # The handle is borrowed: nothing is released, and nothing may be kept.
            tensor = Tensor._taken(ctypes.c_void_p(x), release=False)
            try:
                return failure.guard(lambda: on_input and on_input(module_path.decode(), input_group.decode(), tensor))
            finally:
                tensor.close()

        callback = _abi.octavo_block_input_fn(hook) if on_input is not None else _abi.octavo_block_input_fn()
        status = lib.octavo_block_forward(self._handle, state._handle, callback, None)
        if failure.raised is not None:
            raise failure.raised
        check(status)

    def replace(self, module_path: str, linear: Linear) -> None:
        """The block runs `linear` there from now on, and lets go of the stored weight."""
        check(lib.octavo_block_replace(self._handle, module_path.encode(), linear._handle))


class Blocks(Handle):
    """A model as two towers of blocks, "vision" and "language", loaded one at a time. Threads may share it."""

    def __init__(self, model: Model) -> None:
        handle = ctypes.c_void_p()
        check(lib.octavo_blocks_create(model._handle, ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_blocks_release)

    def count(self, tower: str) -> int:
        """Blocks of a tower."""
        count = ctypes.c_int64()
        check(lib.octavo_blocks_count(self._handle, choice("tower", tower, _TOWERS), ctypes.byref(count)))
        return count.value

    def load(self, tower: str, index: int) -> Block:
        """A block, from the files."""
        handle = ctypes.c_void_p()
        check(lib.octavo_block_load(self._handle, choice("tower", tower, _TOWERS), index, ctypes.byref(handle)))
        return Block._taken(handle)

    def begin_vision(self, prompt: Prompt) -> BlockState:
        """The prompt's pictures in front of the vision tower."""
        handle = ctypes.c_void_p()
        check(lib.octavo_blocks_begin_vision(self._handle, prompt._handle, ctypes.byref(handle)))
        return BlockState._taken(handle)

    def finish_vision(self, state: BlockState) -> Tensor:
        """Behind the last block of the vision tower: f32 [image tokens, hidden_size]."""
        out = ctypes.c_void_p()
        check(lib.octavo_blocks_finish_vision(self._handle, state._handle, ctypes.byref(out)))
        return Tensor._taken(out)

    def begin_language(self, prompt: Prompt, vision: Optional[Tensor] = None) -> BlockState:
        """The prompt in front of the language model; `vision`: the rows of its pictures."""
        handle = ctypes.c_void_p()
        check(lib.octavo_blocks_begin_language(self._handle, prompt._handle, None if vision is None else vision._handle,
                                               ctypes.byref(handle)))
        return BlockState._taken(handle)


class Writer(Handle):
    """A quantized model's directory as it is written: linears of yours, and all else as the model has it. Without `finish`,
    nothing is left of it."""

    def __init__(self, model_dir: Union[str, "os.PathLike[str]"], out_dir: Union[str, "os.PathLike[str]"], *,
                 overwrite: bool = False, max_shard_bytes: int = 0) -> None:
        """max_shard_bytes: of tensor data in a file; 0 means 5 GiB."""
        handle, options = ctypes.c_void_p(), sized(_abi.octavo_writer_options)
        options.overwrite, options.max_shard_bytes = overwrite, max_shard_bytes
        check(lib.octavo_writer_create(os.fsencode(model_dir), os.fsencode(out_dir), ctypes.byref(options),
                                       ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_writer_release)

    def add(self, module_path: str, weight: TensorLike, scales: TensorLike, *, scheme: str = "w8a8") -> None:
        """weight[N, K] s8, scales[N] f32, of gptq_quantize_layer with the model's type as scale_dtype. Copied."""
        check(lib.octavo_writer_add(self._handle, module_path.encode(), choice("scheme", scheme, _SCHEMES),
                                    as_tensor(weight)._handle, as_tensor(scales)._handle))

    def finish(self) -> None:
        """Writes the rest; the directory is complete then."""
        run(lambda emit: check(lib.octavo_writer_finish(self._handle)), Cancel())
        self.close()
