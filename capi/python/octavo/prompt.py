"""What a model is asked: messages with pictures, and the token ids that become of them."""
from __future__ import annotations

import base64
import ctypes
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Union
from urllib.parse import unquote_to_bytes

from . import _abi
from ._handle import Handle, Owned, sized, taken_string
from ._library import lib
from .errors import check
from .pictures import Image, ImageLike, as_image

if TYPE_CHECKING:
    from .model import Model

#: {"role": "user", "content": ...}, as transformers' chat templates and OpenAI's clients have them. The content is a text,
#: or a list of parts: texts; {"type": "text", "text": ...}; {"type": "image"}, the next of `images`, or
#: {"type": "image", "image": ImageLike}; {"type": "image_url", "image_url": {"url": ...}} with a data: or file: URL.
Message = Mapping[str, Any]
#: A text is a user's message: the pictures, then the text.
PromptLike = Union["Prompt", str, Sequence[Message]]


class Prompt(Handle):
    """What a model reads: token ids, and the pictures among them. Immutable; may be used again, and shared by threads."""

    @classmethod
    def of(cls, model: Model, prompt: PromptLike, images: Sequence[ImageLike] = (), *,
           control_tokens_as_text: bool = False, generation_prompt: bool = True, add_vision_id: bool = False) -> Prompt:
        """Rendered by the model's chat template, tokenized, the pictures cut into patches.

        control_tokens_as_text: "<|im_end|>" and its like in a text are text. generation_prompt: ends with the beginning of
        an answer. add_vision_id: "Picture 1: " before each picture, where the template knows it.
        """
        if isinstance(prompt, Prompt):
            if images:
                raise ValueError("a Prompt has its pictures already: give images where it is made")
            return prompt
        handle, messages = ctypes.c_void_p(), built_messages(prompt, images)
        options = chat_options(control_tokens_as_text, generation_prompt, add_vision_id)
        check(lib.octavo_prompt_create(model._handle, messages, ctypes.byref(options), ctypes.byref(handle)))
        return cls._taken(handle)

    @classmethod
    def from_ids(cls, ids: Sequence[int]) -> Prompt:
        """From token ids, without pictures."""
        handle = ctypes.c_void_p()
        check(lib.octavo_prompt_from_ids((ctypes.c_int32 * len(ids))(*ids), len(ids), ctypes.byref(handle)))
        return cls._taken(handle)

    @classmethod
    def _taken(cls, handle: ctypes.c_void_p) -> Prompt:
        prompt = cls.__new__(cls)
        prompt._owned = Owned.of(handle, lib.octavo_prompt_release)
        return prompt

    @property
    def ids(self) -> list[int]:
        """Token ids, a picture's pad as many times as it has tokens."""
        ids, count = ctypes.POINTER(ctypes.c_int32)(), ctypes.c_size_t()
        check(lib.octavo_prompt_ids(self._handle, ctypes.byref(ids), ctypes.byref(count)))
        return ids[:count.value]

    @property
    def picture_count(self) -> int:
        """Pictures among the tokens."""
        count = ctypes.c_size_t()
        check(lib.octavo_prompt_pictures(self._handle, None, 0, ctypes.byref(count)))
        return count.value


def chat_options(control_tokens_as_text: bool, generation_prompt: bool, add_vision_id: bool) -> Any:
    """octavo_chat_options."""
    options = sized(_abi.octavo_chat_options)
    options.control_tokens_as_text, options.add_vision_id = control_tokens_as_text, add_vision_id
    options.no_generation_prompt = not generation_prompt
    return options


def rendered(model: Model, prompt: Union[str, Sequence[Message]], images: Sequence[ImageLike],
             generation_prompt: bool) -> str:
    """The text that the model's chat template makes of the messages."""
    out, options = ctypes.c_void_p(), chat_options(False, generation_prompt, False)
    check(lib.octavo_chat_render(model._handle, built_messages(prompt, images), ctypes.byref(options), ctypes.byref(out)))
    return taken_string(out.value)


def built_messages(prompt: Union[str, Sequence[Message]], images: Sequence[ImageLike]) -> Owned:
    """octavo_messages of a text or of messages. As many {"type": "image"} parts without a picture as there are `images`; or
    none, and the pictures then stand before the last user's text."""
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    contents = [_parts(message) for message in prompt]
    places = sum(part is None for parts in contents for part in parts)
    pictures = list(images)
    if pictures and not places:
        users = [index for index, message in enumerate(prompt) if message["role"] == "user"]
        if not users:
            raise ValueError(f"{len(pictures)} images, and no message of a user to put them in")
        contents[users[-1]][:0] = [None] * len(pictures)
    elif places != len(pictures):
        raise ValueError(f'the messages have {places} {{"type": "image"}} parts without a picture, images has {len(pictures)}')
    handle = ctypes.c_void_p()
    check(lib.octavo_messages_create(ctypes.byref(handle)))
    owned, rest = Owned.of(handle, lib.octavo_messages_release), iter(pictures)
    for message, parts in zip(prompt, contents):
        check(lib.octavo_messages_add(owned, str(message["role"]).encode(), None))
        for part in parts:
            if isinstance(part, str):
                check(lib.octavo_messages_add_text(owned, part.encode()))
            else:
                image = as_image(next(rest)) if part is None else part
                check(lib.octavo_messages_add_image(owned, image._handle))
    return owned


def _parts(message: Message) -> list[Union[str, Image, None]]:
    """Texts and pictures in order; None where one of `images` stands."""
    if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
        raise ValueError(f'a message is {{"role": ..., "content": ...}}, this is {message!r}')
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [_part(part) for part in content]


def _part(part: Any) -> Union[str, Image, None]:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return as_image(part)
    kind = part.get("type")
    if kind == "text":
        return str(part["text"])
    if kind == "image":
        given = [part[name] for name in ("image", "path", "url") if name in part]
        if not given:
            return None
        return _of_url(given[0]) if "url" in part else as_image(given[0])
    if kind == "image_url":
        url = part["image_url"]
        return _of_url(url["url"] if isinstance(url, Mapping) else url)
    raise ValueError(f'a part of a message has the type {kind!r}, known are "text", "image" and "image_url"')


def _of_url(url: str) -> Image:
    """data: and file: URLs, and paths. Nothing is fetched."""
    scheme, _, rest = url.partition(":")
    if scheme == "data":
        head, _, data = rest.partition(",")
        return as_image(base64.b64decode(data, validate=True) if head.endswith(";base64") else unquote_to_bytes(data))
    if scheme == "file":
        return as_image(unquote_to_bytes(rest[2:] if rest.startswith("//") else rest).decode())
    if scheme in ("http", "https"):
        raise ValueError(f"{url}: Octavo fetches nothing; give the bytes of the picture")
    return as_image(url)
