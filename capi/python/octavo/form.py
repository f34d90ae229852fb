"""What an answer must look like."""
from __future__ import annotations

import ctypes
import json
from typing import Any, Mapping, Sequence, Union

from . import _abi
from ._handle import Handle, Owned, sized
from ._library import lib
from ._options import choice
from .errors import check

_SPACING = {"one_space": _abi.OCTAVO_FORM_ONE_SPACE, "lines": _abi.OCTAVO_FORM_LINES}


class Form(Handle):
    """Tokens that cannot continue a text of the form are never chosen, so that an answer that ends by itself parses
    (finish_reason "stop"; one that max_new_tokens cuts does not). Immutable; threads and models may share it. What each
    kind takes: docs/output_form.md."""

    @classmethod
    def json_schema(cls, schema: Union[str, Mapping[str, Any]], *, spacing: str = "one_space", fence: bool = False) -> Form:
        """JSON that a JSON Schema describes. UnsupportedError names a keyword that is not honoured.

        spacing: white space outside of strings, "one_space" (one or none after `,` and `:`) or "lines" (line breaks and
        indentation, too). fence: the JSON stands between "```json" and "```".
        """
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return cls._json(lib.octavo_output_form_json_schema, text, spacing, fence)

    @classmethod
    def example(cls, template: str, *, spacing: str = "one_space", fence: bool = False) -> Form:
        """JSON like a template: '{"bbox_2d": [int, int, int, int], "label": string}'."""
        return cls._json(lib.octavo_output_form_example, template, spacing, fence)

    @classmethod
    def pattern(cls, expression: str) -> Form:
        """Texts that a regular expression matches from begin to end."""
        handle = ctypes.c_void_p()
        check(lib.octavo_output_form_pattern(expression.encode(), ctypes.byref(handle)))
        return cls._taken(handle)

    @classmethod
    def choices(cls, texts: Sequence[str]) -> Form:
        """One of the texts."""
        handle = ctypes.c_void_p()
        given = (ctypes.c_char_p * len(texts))(*(text.encode() for text in texts))
        check(lib.octavo_output_form_choices(given, len(texts), ctypes.byref(handle)))
        return cls._taken(handle)

    @classmethod
    def _json(cls, create: Any, text: str, spacing: str, fence: bool) -> Form:
        handle, options = ctypes.c_void_p(), sized(_abi.octavo_form_options)
        options.spacing, options.fence = choice("spacing", spacing, _SPACING), fence
        check(create(text.encode(), ctypes.byref(options), ctypes.byref(handle)))
        return cls._taken(handle)

    @classmethod
    def _taken(cls, handle: ctypes.c_void_p) -> Form:
        form = cls.__new__(cls)
        form._owned = Owned.of(handle, lib.octavo_output_form_release)
        return form

    def matches(self, text: str) -> bool:
        """Whether the text has the form, from begin to end."""
        result = ctypes.c_int32()
        check(lib.octavo_output_form_matches(self._handle, text.encode(), ctypes.byref(result)))
        return bool(result.value)


#: A Form, or a JSON Schema as a mapping.
FormLike = Union[Form, Mapping[str, Any]]


def as_form(form: FormLike) -> Form:
    """The form itself, or that of the schema."""
    return form if isinstance(form, Form) else Form.json_schema(form)
