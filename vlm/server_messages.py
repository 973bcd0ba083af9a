"""Prompts as the OpenAI chat API takes them: images as data URLs.

Texts cannot be checked against the server's control tokens, which it does not tell; what looks like one is broken by a
space.
"""

from __future__ import annotations

import base64
import io
import re
from typing import Any

from PIL import Image

from imaging import LoadedImage
from vlm.types import Message, Prompt

_LIKE_CONTROL = re.compile(r"<(?=[|/]?[A-Za-z][^<>\s]{0,40}>)|\[(?=/?INST\])")


def chat(prompt: Prompt, image_side: int) -> list[dict[str, Any]]:
    """The prompt's turns; images at most `image_side` pixels on their longer side."""
    return [_message(message, image_side) for message in prompt.messages if message.parts]


def data_url(image: LoadedImage, longest_side: int) -> str:
    """The image as a PNG in a data URL, at most `longest_side` pixels on its longer side."""
    picture = image.picture
    if max(picture.size) > longest_side:
        picture = picture.copy()
        picture.thumbnail((longest_side, longest_side), Image.Resampling.BICUBIC)
    packed = io.BytesIO()
    picture.save(packed, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()


def _broken(text: str) -> str:
    """`text` with a space after the first character of whatever looks like a control token."""
    return _LIKE_CONTROL.sub(lambda match: f"{match[0]} ", text)


def _message(message: Message, image_side: int) -> dict[str, Any]:
    """A turn: text alone as a text, else a list of texts and images."""
    if not any(isinstance(part, LoadedImage) for part in message.parts):
        return {"role": message.role, "content": _broken("".join(map(str, message.parts)))}
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, LoadedImage):
            content.append({"type": "image_url", "image_url": {"url": data_url(part, image_side)}})
        elif content and content[-1]["type"] == "text":
            content[-1]["text"] = _broken(content[-1]["text"] + part)
        else:
            content.append({"type": "text", "text": _broken(part)})
    return {"role": message.role, "content": content}
