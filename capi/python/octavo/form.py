"""Answers of a fixed form: what complete answers must look like."""
from __future__ import annotations

import ctypes
import json
from typing import Any, Mapping, Sequence, Union

from . import _abi
from ._handle import Handle, Owned, sized
from ._library import lib
from .errors import check


class OutputForm(Handle):
    """JSON of a schema or of a template, text of a regular expression, or one of several texts. Give it as
    generate(..., form=form): an answer whose finish_reason is "stop" has the form. docs/output_form.md has what each kind
    takes. Threads and models may share it."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._owned = Owned.of(handle, lib.octavo_output_form_release)

    @classmethod
    def json_schema(cls, schema: Union[str, Mapping[str, Any]], *, lines: bool = False, fence: bool = False) -> OutputForm:
        """JSON that a JSON Schema describes: a text, or what json.loads makes of it, such as pydantic's
        `Model.model_json_schema()`. lines: with line breaks and indentation, too; fence: between "```json" and "```"."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        handle = ctypes.c_void_p()
        check(lib.octavo_output_form_json_schema(text.encode(), ctypes.byref(_options(lines, fence)), ctypes.byref(handle)))
        return cls(handle)

    @classmethod
    def example(cls, text: str, *, lines: bool = False, fence: bool = False) -> OutputForm:
        """JSON like `{"bbox_2d": [int, int, int, int], "label": string}`."""
        handle = ctypes.c_void_p()
        check(lib.octavo_output_form_example(text.encode(), ctypes.byref(_options(lines, fence)), ctypes.byref(handle)))
        return cls(handle)

    @classmethod
    def pattern(cls, expression: str) -> OutputForm:
        """Texts that a regular expression matches from begin to end."""
        handle = ctypes.c_void_p()
        check(lib.octavo_output_form_pattern(expression.encode(), ctypes.byref(handle)))
        return cls(handle)

    @classmethod
    def choices(cls, texts: Sequence[str]) -> OutputForm:
        """One of these texts."""
        handle = ctypes.c_void_p()
        array = (ctypes.c_char_p * len(texts))(*(text.encode() for text in texts))
        check(lib.octavo_output_form_choices(array, len(texts), ctypes.byref(handle)))
        return cls(handle)

    def matches(self, text: str) -> bool:
        """Whether a text has the form, from begin to end."""
        out = ctypes.c_int32()
        check(lib.octavo_output_form_matches(self._handle, text.encode(), ctypes.byref(out)))
        return bool(out.value)


def _options(lines: bool, fence: bool) -> Any:
    options = sized(_abi.octavo_form_options)
    options.spacing = _abi.OCTAVO_FORM_LINES if lines else _abi.OCTAVO_FORM_ONE_SPACE
    options.fence = fence
    return options
