"""Where the model looks, on demand: a map of the image for a text that a description has, with the work's progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass

from rag.errors import RagError
from rag.looking import Heat, occluding
from rag.types import PreparedRequest
from service.asked import Asked
from service.errors import Unusable
from service.service import Service
from vlm.errors import VlmError


@dataclass(frozen=True)
class Looked:
    """The map over its image as PNG, and what it says."""

    heat: Heat
    png: bytes


async def look(service: Service, asked: Asked, text: str, begun: str = "") -> AsyncIterator[float | Looked]:
    """The share that is done, 0 to 1, and last the map. Leaving it leaves undone what is not begun. Raises Unusable.

    `begun` is what the model said before the text. Other work with the models goes on between the parts of this.
    """

    def prepared() -> tuple[PreparedRequest, Generator[float | Heat, None, None]]:
        pipeline = service.opened.pipeline(asked.settings, asked.task)
        ready = pipeline.prepare([asked.decoded(service.config.limits)])
        if ready.failures:
            raise Unusable(ready.failures[0].reason)
        (item,) = ready.items
        return item, occluding(pipeline, item, text, begun=begun)

    try:
        item, steps = await asyncio.wrap_future(service.desk.call(prepared))
        while True:
            step = await asyncio.wrap_future(service.desk.call(lambda: next(steps)))
            if isinstance(step, Heat):
                png = await asyncio.to_thread(step.png, item.images[0])
                yield Looked(step, png)
                return
            yield step
    except (RagError, VlmError) as error:
        raise Unusable(str(error)) from error
