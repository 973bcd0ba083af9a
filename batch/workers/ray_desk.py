"""How blocks reach a Ray Data pipeline one by one: a desk that the driver lays them on, and a source that takes them.

A data set of Ray's is otherwise whole before it starts. Here the driver lays down a block when a result has come back,
so that neither blocks nor results pile up anywhere, however long the input is.

The desk also knows how often each block was begun. Ray begins a block again, without end, when its worker is gone; it
does not say that the block itself is what kills workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata


def wait(call: Any) -> Any:
    """What an actor answers to `call`."""
    return ray.get(call)


@dataclass
class _Laid:
    """A block on the desk: how often it was begun, and what was said of its requests when they were begun alone."""

    packed: bytes
    begun: int = 0
    alone: dict[int, bytes | None] = field(default_factory=dict)


class Desk:
    """An actor with blocks by their position, 0, 1, ...; each lies there until it is done and cleared.

    A block is taken by position and not by turn, so that a source which was lost and begins again takes the same ones.
    """

    def __init__(self) -> None:
        self._laid: dict[int, _Laid] = {}
        self._cleared = 0
        self._end: int | None = None
        self._changed = asyncio.Event()

    async def lay(self, position: int, packed: bytes) -> None:
        self._laid[position] = _Laid(packed)
        self._tell()

    async def close(self, end: int) -> None:
        """No block will be laid at `end` or after it."""
        self._end = end
        self._tell()

    async def take(self, position: int) -> bytes | None:
        """The block at `position` once it is there; empty where it is done, None where none will come."""
        while position not in self._laid:
            if self._end is not None and position >= self._end:
                return None
            if position < self._cleared:
                return b""
            await self._changed.wait()
        return self._laid[position].packed

    async def begin(self, position: int) -> int:
        """How often the block was begun, with this time; 0 where it is done."""
        if position not in self._laid:
            return 0
        self._laid[position].begun += 1
        return self._laid[position].begun

    async def alone(self, position: int) -> dict[int, bytes | None]:
        """What came of its requests that were begun alone, by their place; None is one that did not come to its end."""
        return dict(self._laid[position].alone) if position in self._laid else {}

    async def tell_alone(self, position: int, place: int, outcome: bytes | None) -> None:
        """One of its requests is begun alone (None), or has come to its end."""
        if position in self._laid:
            self._laid[position].alone[place] = outcome

    async def clear(self, position: int) -> None:
        """The block is done: its result is with the driver."""
        self._laid.pop(position, None)
        self._cleared = max(self._cleared, position + 1)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class DeskSource(Datasource):
    """The blocks of a desk as rows `position`, `block` (pickled), each a Ray block of its own."""

    def __init__(self, desk: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self._desk = desk

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:  # noqa: ARG002
        """One task: it waits for blocks and does nothing else."""
        desk = self._desk
        nothing_known = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(lambda: _rows(desk), nothing_known)]


def _rows(desk: Any) -> Iterator[pa.Table]:
    for position in count():
        packed = wait(desk.take.remote(position))
        if packed is None:
            return
        yield pa.table({"position": [position], "block": [packed]})
