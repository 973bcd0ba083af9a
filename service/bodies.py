"""How large the body of a request may be and how long it may take, held while it is received."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from service.config import ServiceConfig
from service.errors import TooLarge, TooSlow
from service.headers import is_page

_WORDS_MIB = 1
"""Of a body without files."""
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Bounds:
    """How large a body may be, how long it may take and how many may be under way, by a section of the configuration,
    of which `key` says the size."""

    mib: int
    seconds: float
    at_once: int
    section: str
    key: str

    def exceeded(self) -> TooLarge:
        return TooLarge(f"the body is over the limit of {self.mib} MiB ({self.section}.{self.key})")


class Bounded:
    """A body as it is received. Raises TooLarge and TooSlow while it is."""

    def __init__(self, receive: Receive, bounds: Bounds) -> None:
        self._receive = receive
        self._held_to = bounds
        self._left = bounds.mib << 20
        self._ends = time.monotonic() + bounds.seconds
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()  # waits for the client to leave
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._ends - time.monotonic()))
        except TimeoutError:
            raise TooSlow(f"the body did not arrive within {self._held_to.seconds:g} s") from None
        self._left -= len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._left < 0:
            raise self._held_to.exceeded()
        return message


def bounds_of(scope: Scope, headers: Headers, config: ServiceConfig) -> Bounds:
    """Of the body of a request: a job's may be larger than others, and what carries no files has little to say.

    JSON and forms without files are read whole on the event loop.
    """
    limits = config.limits
    files = headers.get("content-type", "").lower().startswith("multipart/form-data") or is_page(scope["path"])
    if not files or scope["path"] == "/login":  # which needs no key
        return Bounds(_WORDS_MIB, limits.body_s, limits.uploads_at_once, "limits", "body_mib is for files")
    if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/batches":
        jobs = config.jobs
        return Bounds(jobs.max_total_mib, jobs.upload_s, jobs.uploads_at_once, "jobs", "max_total_mib")
    return Bounds(limits.body_mib, limits.body_s, limits.uploads_at_once, "limits", "body_mib")


def has_body(headers: Headers, bounds: Bounds) -> bool:
    """Whether a body follows; whatever is said of its length that is no number counts as one. Raises TooLarge."""
    said = headers.get("content-length", "0").strip().lstrip("0")  # with zeros before it a number can be long
    if said.isascii() and said.isdigit() and (len(said) > _MOST_DIGITS or int(said) > bounds.mib << 20):
        raise bounds.exceeded()
    return bool(said) or "transfer-encoding" in headers
