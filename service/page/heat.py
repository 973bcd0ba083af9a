"""Where the model looks, on demand: a map of the image for a text that a description has, with the work's progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass

from rag.looking import Heat, occluding
from rag.types import PreparedRequest
from service.asked import Asked
from service.errors import Unusable
from service.service import Service


@dataclass(frozen=True)
class Looked:
    """The map over its image as PNG, and what it says."""

    heat: Heat
    png: bytes


async def look(service: Service, asked: Asked, text: str, begun: str = "") -> AsyncIterator[float | Looked]:
    """The share that is done, 0 to 1, and last the map. Leaving it leaves undone what is not begun. Raises Refusal.

    `begun` is what the model said before the text. Other work with the models goes on between the parts of this.
    """

    def prepared() -> tuple[PreparedRequest, Generator[float | Heat, None, None]]:
        pipeline = service.opened.pipeline(asked.settings, asked.task)
        ready = pipeline.prepare([asked.decoded(service.config.limits)])
        if ready.failures:
            raise Unusable(ready.failures[0].reason)
        (item,) = ready.items
        return item, occluding(pipeline, item, text, begun=begun)

    item, steps = await service.call(prepared)
    while True:
        step = await service.call(lambda: next(steps))
        if isinstance(step, Heat):
            yield Looked(step, await asyncio.to_thread(step.png, item.images[0]))
            return
        yield step
